"""Strings that name v1's modules: for importlib, ``mock.patch``, ``sys.modules``, Hydra's ``_target_``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

from .names import MODULE_FUNCTIONS, ROOTS, Reference, in_string
from .reading import Reading, plain, text_of
from .source import Edit, Offsets

_CODE = re.compile(r"^[ \t>.]*(?:import|from)\s+one_logger(?:_utils)?\b", re.MULTILINE)
_BEGUN = re.compile(r"(?:one_logger|one_logger_utils)(?:\.[\w.]*)?")
_LITERAL = re.compile(r"[rRuU]?('''|\"\"\"|'|\")(.*)\1", re.DOTALL)
# functions that look a name up: there, a text that begins like a module of v1 is one
_LOOK_UP = {"patch", "instantiate", "get_class", "get_method", "get_object", "locate", "import_string", "setattr"}
_NOT_NAMES = {"cast", "TypeVar", "ForwardRef", "NewType"}


@dataclass(frozen=True)
class StringUse:
    """A string, or a keyword, that names a module of v1."""

    line: int
    text: str
    #: what it names; None where that is known at run time only
    names: Optional[Reference]
    #: how the name is swapped; None if it can not be, for the reason in ``left``
    edit: Optional[Edit] = None
    left: str = ""


def strings_of(reading: Reading) -> Iterator[StringUse]:
    """All of them, and texts that can not be swapped although they name v1."""
    offsets = Offsets(reading.source.text)
    for node in reading.strings:
        use = _constant(reading, node, offsets)
        if use is not None:
            yield use
    for joined in reading.joined:
        first = text_of(joined.values[0]) if joined.values else None
        if first is not None and _BEGUN.fullmatch(first) and _is_looked_up(reading, joined):
            yield StringUse(joined.lineno, ast.unparse(joined), None, left="built at run time")
    for call, _ in reading.calls:
        if plain(call.func).endswith(("patch.dict", "sys.modules.update")):
            for keyword in call.keywords:
                if keyword.arg in ROOTS:
                    why = "a keyword can not hold a dotted name: use a dictionary"
                    yield StringUse(call.lineno, f"{keyword.arg}=", Reference(str(keyword.arg)), left=why)


def _constant(reading: Reading, node: ast.Constant, offsets: Offsets) -> Optional[StringUse]:
    parent = reading.parents.get(id(node))
    if isinstance(parent, (ast.Expr, ast.JoinedStr)) or _is_annotation(reading, node):
        return None
    text = str(node.value)
    found = in_string(text, _names_a_module(reading, node))
    if found is None:
        if _CODE.search(text):
            return StringUse(node.lineno, text.strip().splitlines()[0], None, left="a program in a string")
        if isinstance(parent, ast.BinOp) and _BEGUN.fullmatch(text) and _is_looked_up(reading, node):
            return StringUse(node.lineno, text, None, left="built at run time")
        return None
    if _is_top_level_import(parent, text):
        why = "__import__ without a fromlist gives the package at the top, which is another one for the shim"
        return StringUse(node.lineno, text, found, left=why)
    edit = _edit(node, text, offsets)
    left = "" if edit is not None else "written with escapes or in pieces"
    if edit is not None and not found.known:
        edit, left = None, f"the shim has no {found.dotted}"
    return StringUse(node.lineno, text, found, edit, left)


def _edit(node: ast.Constant, text: str, offsets: Offsets) -> Optional[Edit]:
    start = offsets.of(node.lineno, node.col_offset)
    end = offsets.of(node.end_lineno or node.lineno, node.end_col_offset or 0)
    written = offsets.data[start:end].decode()
    literal = _LITERAL.fullmatch(written)
    if literal is None or literal[2] != text:
        return None
    root = re.split(r"[.:]", text, maxsplit=1)[0]
    return Edit(start + literal.start(2), root, ROOTS[root])


def _names_a_module(reading: Reading, node: ast.expr) -> bool:
    """Whether the string stands where only the name of a module can be meant."""
    parent = reading.parents.get(id(node))
    if isinstance(parent, ast.keyword):
        parent = reading.parents.get(id(parent))
    if isinstance(parent, ast.Call):
        if parent.args and _is_sys_modules(parent.args[0]) and node in parent.args[1:2]:
            return True  # monkeypatch.setitem(sys.modules, "one_logger", fake)
        first = parent.args[0] if parent.args else parent.keywords[0].value
        return node is first and _called(parent) in MODULE_FUNCTIONS
    if isinstance(parent, ast.Subscript):
        return _is_sys_modules(parent.value)
    if isinstance(parent, ast.Compare):
        return any(_is_sys_modules(one) for one in parent.comparators)
    if isinstance(parent, ast.Dict):
        call = reading.parents.get(id(parent))
        return isinstance(call, ast.Call) and (
            _called(call) == "sys.modules.update" or any(_is_sys_modules(one) for one in call.args)
        )
    if isinstance(parent, (ast.Tuple, ast.List, ast.Set)):
        beside = [text_of(one) or "" for one in parent.elts if one is not node]
        return any(in_string(text, names_a_module=False) is not None for text in beside)
    return False


def _called(call: ast.Call) -> str:
    name = plain(call.func)
    return name if name in MODULE_FUNCTIONS else ".".join(name.split(".")[-2:])


def _is_sys_modules(node: ast.expr) -> bool:
    return plain(node) in ("sys.modules", "modules") or text_of(node) == "sys.modules"


def _is_top_level_import(parent: Optional[ast.AST], text: str) -> bool:
    return (
        isinstance(parent, ast.Call)
        and plain(parent.func) in ("__import__", "builtins.__import__", "importlib.__import__")
        and len(parent.args) < 4
        and not any(one.arg in ("fromlist", None) for one in parent.keywords)
        and text.partition(".")[0] == "one_logger_utils"
    )


def _is_looked_up(reading: Reading, node: ast.AST) -> bool:
    """Whether this text is part of the first argument of a function that looks up a name."""
    current: ast.AST = node
    while True:
        parent = reading.parents.get(id(current))
        if isinstance(parent, ast.Call):
            name = _called(parent)
            is_first = bool(parent.args) and parent.args[0] is current
            return is_first and (name in MODULE_FUNCTIONS or name.rpartition(".")[2] in _LOOK_UP)
        if not isinstance(parent, (ast.BinOp, ast.JoinedStr, ast.FormattedValue, ast.IfExp)):
            return False
        current = parent


def _is_annotation(reading: Reading, node: ast.AST) -> bool:
    """A forward reference: it names what the import binds, not a module."""
    current: ast.AST = node
    while True:
        parent = reading.parents.get(id(current))
        if isinstance(parent, (ast.arg, ast.AnnAssign)):
            return current is parent.annotation
        if isinstance(parent, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return current is parent.returns
        if isinstance(parent, ast.Call) and plain(parent.func).rpartition(".")[2] in _NOT_NAMES:
            return True
        if parent is None or isinstance(parent, (ast.stmt, ast.Call)):
            return False
        current = parent
