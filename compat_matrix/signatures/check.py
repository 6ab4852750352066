"""``python -m compat_matrix signatures``: the shim takes every call that anybody is known to make.

Each ``.pyi`` file here is a v1 module. A stub's parameters must be the shim's, by name, kind and default; what the shim
has beyond them must have a default. Each call in backquotes in a stub's docstring is bound with
``inspect.signature(...).bind``. Since the stubs are frozen, they also guard later releases of the shim.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional

from ..jobs import GOLDENS, SHIM

HERE = Path(__file__).resolve().parent
_CALL = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Finding:
    """One checked symbol or call; ``trouble`` is empty if it is as v1 had it, None if it could not be checked."""

    symbol: str
    checked: str
    trouble: Optional[str]
    why: str = ""


def shim_module(v1: str) -> str:
    """Where a v1 module lives in the shim."""
    top, dot, rest = v1.partition(".")
    return SHIM.get(top, top) + dot + rest


def check() -> Iterator[Finding]:
    """Every stub, every call site, every recorded call."""
    for path in sorted(HERE.glob("*.pyi")):
        v1 = path.name[: -len(".pyi")]
        try:
            module = importlib.import_module(shim_module(v1))
        except ImportError as error:
            yield Finding(v1, "import", None, str(error))
            continue
        stub = types.ModuleType(v1)
        exec(compile(path.read_text(encoding="utf-8"), path, "exec", dont_inherit=True), vars(stub))
        yield from _module(v1, module, stub)
    yield from _recorded()


def _module(v1: str, module: Any, stub: types.ModuleType) -> Iterator[Finding]:
    for name, wanted in getattr(stub, "__annotations__", {}).items():
        there = isinstance(getattr(module, name, None), wanted)
        yield Finding(f"{v1}.{name}", "constant", "" if there else f"is no {wanted.__name__}")
    for name, one in vars(stub).items():
        if inspect.isfunction(one):
            yield from _function(f"{v1}.{name}", getattr(module, name, None), one)
        elif inspect.isclass(one):
            yield from _class(f"{v1}.{name}", getattr(module, name, None), one)


def _class(symbol: str, cls: Any, stub: type) -> Iterator[Finding]:
    if cls is None:
        yield Finding(symbol, "class", "is missing")
        return
    for call in _calls(stub):
        yield _bind(symbol, cls, call, 0)
    for name, one in vars(stub).items():
        if name == "__init__":  # a class is called without self, a method of a class is inspected with it
            yield from _function(f"{symbol}.{name}", cls, types.MethodType(one, stub))
        elif inspect.isfunction(one):
            yield from _function(f"{symbol}.{name}", getattr(cls, name, None), one)
        elif not name.startswith("__"):
            yield Finding(f"{symbol}.{name}", "constant", "" if getattr(cls, name, None) == one else "differs")


def _function(symbol: str, target: Any, stub: Callable[..., None]) -> Iterator[Finding]:
    if target is None:
        yield Finding(symbol, "signature", "is missing")
        return
    yield Finding(symbol, "signature", _parameters(target, stub))
    for call in _calls(stub):
        yield _bind(symbol, target, call, int("self" in inspect.signature(stub).parameters))


def _parameters(target: Any, stub: Callable[..., None]) -> str:
    ours = dict(inspect.signature(target).parameters)
    kinds = {parameter.kind for parameter in ours.values()}
    for name, wanted in inspect.signature(stub).parameters.items():
        if wanted.kind is wanted.VAR_KEYWORD:
            if wanted.kind not in kinds:
                return f"takes no **{name}"
            continue
        parameter = ours.pop(name, None)
        if parameter is None:
            return f"has no parameter {name!r}"
        if parameter.kind is not wanted.kind:
            return f"{name!r} is {parameter.kind.description}"
        if wanted.default is not wanted.empty and parameter.default != wanted.default:
            return f"{name!r} is {parameter.default!r} by default, v1: {wanted.default!r}"
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [p.name for p in ours.values() if p.default is p.empty and p.kind not in variable]
    return f"needs {needed}, which v1 did not have" if needed else ""


def _calls(stub: Any) -> list[str]:
    return _CALL.findall(stub.__doc__ or "")


def _bind(symbol: str, target: Any, call: str, selves: int) -> Finding:
    parsed = ast.parse(call, mode="eval").body
    assert isinstance(parsed, ast.Call), call
    keywords = {keyword.arg: None for keyword in parsed.keywords if keyword.arg}
    return Finding(symbol, call, _bound(target, [None] * (selves + len(parsed.args)), keywords))


def _bound(target: Any, positional: list[Any], keywords: dict[str, Any]) -> str:
    try:
        inspect.signature(target).bind(*positional, **keywords)
    except TypeError as error:
        return str(error)
    return ""


def _recorded() -> Iterator[Finding]:
    """Every call of every recorded job that v1 did not refuse."""
    core = importlib.import_module("one_logger_v1_shim").OneLogger
    utils = importlib.import_module("one_logger_v1_shim.utils").OneLoggerUtils
    steps = importlib.import_module("one_logger_v1_shim.utils._steps").Steps  # of 1.0.3 only
    for path in sorted(GOLDENS.glob("*.json")):
        job = json.loads(path.read_text(encoding="utf-8"))
        cls = core if job.get("target") == "OneLogger" else utils
        trouble = _bound(cls, [job["config"]], {})
        for step in job["steps"]:
            positional = [None, *step.get("args", [])]
            target = getattr(cls, step["call"], None) or getattr(steps, step["call"])
            trouble = trouble or _bound(target, positional, step.get("kwargs", {}))
        yield Finding(f"goldens/{path.stem}", f"{len(job['steps'])} calls", trouble)


def main(arguments: list[str]) -> int:
    """Print what differs; 0 if nothing does."""
    findings = list(check())
    wrong = [finding for finding in findings if finding.trouble]
    for finding in wrong:
        print(f"{finding.symbol}: {finding.checked}: {finding.trouble}")
    for finding in findings:
        if finding.trouble is None:
            print(f"{finding.symbol}: not run ({finding.why})")
        elif arguments == ["-v"] and not finding.trouble:
            print(f"{finding.symbol}: {finding.checked}: as v1")
    checked = [finding for finding in findings if finding.trouble is not None]
    print(f"signatures: {len(checked) - len(wrong)} of {len(checked)} as v1 had them")
    return 1 if wrong or not checked else 0
