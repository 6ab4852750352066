"""Finds the texts in the package that a user may see: every text of more than one word in the rooms below.

No list of functions that print: a reason that one function returns and another one puts into its line is found as well.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

PACKAGE = Path(__file__).resolve().parents[2] / "one_logger_v1_shim"

#: the rooms of the job, of the worker and of `recover`; the other commands explain themselves
ROOMS = (
    *("__init__.py", "core.py", "rankpulse.py", "testing.py", "config_adapter.py", "v1_compatible_wandb_exporter.py"),
    *("_adapter.py", "_conversion.py", "_handlers.py", "_log.py", "_noedit.py", "_requirements.py", "_variables.py"),
    *("_job", "_worker", "_v1", "_v2", "_journal", "utils", "_testing"),
    *(f"_cli/{name}.py" for name in ("recover", "_sending", "_left", "_where", "_belongs", "_ask_wandb")),
)

#: tables whose texts stand in documents and reports
_TABLES = ("_v1/metrics.py", "_v1/phases.py", "_v2/private.py")

_HELP = ("help", "description", "prog", "metavar")  # keyword arguments whose texts `--help` shows
_WORD = re.compile(r"[A-Za-z']{2,}")


def texts() -> dict[str, list[str]]:
    """Each text, with ``{}`` for what is put into it, and where it stands (``file:line``)."""
    found: dict[str, list[str]] = {}
    for room in ROOMS:
        path = PACKAGE / room
        for file in [path] if path.suffix else sorted(path.rglob("*.py")):
            if str(file.relative_to(PACKAGE)) in _TABLES:
                continue
            for text, line in _of(ast.parse(file.read_text(encoding="utf-8"))):
                found.setdefault(text, []).append(f"{file.relative_to(PACKAGE)}:{line}")
    return found


def _of(node: ast.AST) -> Iterator[tuple[str, int]]:
    for child in ast.iter_child_nodes(node):
        text = template(child)
        if text is not None and isinstance(child, ast.expr):
            if _is_said(text) and not isinstance(node, ast.Expr):  # an expression alone is a docstring
                yield text.strip(), child.lineno
            if not isinstance(child, ast.JoinedStr):
                continue
            for value in child.values:
                if isinstance(value, ast.FormattedValue):
                    yield from _of(value)
        elif not _is_no_text(node, child):
            yield from _of(child)


def template(node: ast.AST) -> Optional[str]:
    """A text as it is said, with ``{}`` for values; None: that is no text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def _is_said(text: str) -> bool:
    return " " in text.strip() and len(_WORD.findall(text.replace("{}", " "))) >= 2


def _is_no_text(parent: ast.AST, child: ast.AST) -> bool:
    """Annotations, regular expressions, helps of options, the rows of tables that are documents by themselves."""
    if isinstance(child, ast.keyword) and child.arg in _HELP:
        return True
    if isinstance(child, ast.Call):
        called = ast.unparse(child.func)
        return called in ("re.compile", "Variable") or called.endswith("ArgumentParser")
    if isinstance(parent, (ast.AnnAssign, ast.arg)) and child is parent.annotation:
        return True
    return isinstance(parent, (ast.FunctionDef, ast.AsyncFunctionDef)) and child is parent.returns
