"""Strings that name v1's modules: for importlib, ``mock.patch``, ``sys.modules``, Hydra's ``_target_``, guards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

import libcst as cst

from .names import CONFIG_KEYS, MODULE_FUNCTIONS, MODULES, ROOTS, Reference, in_string
from .pins import is_distribution, programs_in
from .program import Program
from .source import Edit
from .tree import Literal, plain, text_of

_CODE = re.compile(r"^[ \t>.]*(?:import|from)[ \t]+one_logger(?:_utils)?\b", re.MULTILINE)
_BEGUN = re.compile(r"(?:one_logger|one_logger_utils)(?:\.[\w.]*)?")
_LITERAL = re.compile(r"[rRuU]?('''|\"\"\"|'|\")(.*)\1", re.DOTALL)
# functions that look a name up: there, a text that begins like a module of v1 is one
_LOOK_UP = {"patch", "instantiate", "get_class", "get_method", "get_object", "locate", "import_string", "setattr"}
_NOT_NAMES = {"cast", "TypeVar", "ForwardRef", "NewType"}
# is_package_available("one_logger_utils"), try_import, _has_module, optional_dependency ...
_GUARDS = re.compile(r"import|avail|installed|modul|packag|spec|requir|depend|has_", re.IGNORECASE)
_DISTRIBUTIONS = ("metadata.", "importlib_metadata.", "pkg_resources.")
_ATTRIBUTES = {"hasattr", "getattr", "setattr", "delattr", "attrgetter"}
_KEY_METHODS = {"get", "pop", "setdefault", "getLogger", "get_logger", "add_argument", "option", "argument"}
_FIELDS = {"namedtuple", "make_dataclass"}  # functions whose texts are names of attributes
_PREFIXES = {"startswith", "removeprefix"}
# keys and keywords whose value is a name that somebody chose, and no module
_CHOSEN = CONFIG_KEYS | {"dest", "group", "job_type", "logger", "logger_name", "prog", "title", "description", "help"}


_IN = (cst.In, cst.NotIn)


@dataclass(frozen=True)
class StringUse:
    """A string, or a keyword, that names a module of v1."""

    #: its first byte in the text
    start: int
    text: str
    #: what it names; None where that is known at run time only
    names: Optional[Reference]
    #: how the name is swapped; None if it cannot be, for the reason in ``left``
    edit: Optional[Edit] = None
    left: str = ""


def strings_of(program: Program) -> Iterator[StringUse]:
    """All of them, and texts that cannot be swapped although they name v1."""
    found = [(node, text) for node in program.strings if (text := text_of(node)) is not None and "logger" in text]
    uses_v1 = _imports_v1(program) or any(_names_a_module(program, node) for node, text in found if _is_module(text))
    for node, text in found:
        use = _constant(program, node, text, uses_v1)
        if use is not None:
            yield use
    for joined in program.joined:
        first = joined.parts[0] if joined.parts else None
        if isinstance(first, cst.FormattedStringText) and _BEGUN.fullmatch(first.value) and _looked_up(program, joined):
            yield StringUse(program.start(joined), program.written(joined), None, left="built at run time")
    for call in program.calls:
        if plain(call.func).endswith(("patch.dict", "sys.modules.update")):
            for argument in call.args:
                if argument.keyword is not None and argument.keyword.value in ROOTS:
                    name = argument.keyword.value
                    why = "a keyword cannot hold a dotted name: use a dictionary"
                    yield StringUse(program.start(call), f"{name}=", Reference(name), left=why)


def _imports_v1(program: Program) -> bool:
    modules = [plain(alias.name) for statement in program.imports for alias in statement.names]
    modules += [plain(statement.module) for statement in program.froms if statement.module and not statement.relative]
    return any(module.partition(".")[0] in ROOTS or module.startswith(tuple(ROOTS.values())) for module in modules)


def _is_module(text: str) -> bool:
    return text.partition(".")[0].partition(":")[0] in ROOTS


def _constant(program: Program, node: Literal, text: str, uses_v1: bool) -> Optional[StringUse]:
    parent = program.parents[node]
    if isinstance(parent, cst.Expr) or _is_annotation(program, node):
        return None
    start = program.start(node)
    distribution = _is_distribution(program, node)
    sure = not distribution and _names_a_module(program, node)
    found = in_string(text, sure or (uses_v1 and text in MODULES and _may_be_a_module(program, node, text)))
    if distribution and (found is not None or is_distribution(text)):
        return StringUse(start, text, found, left="a distribution: the shim's is one-logger-v1-shim")
    if found is None:
        if _CODE.search(text) or any(programs_in(text)):
            return StringUse(start, text.strip().splitlines()[0], None, left="a program in a string")
        joined = isinstance(parent, cst.BinaryOperation) and _looked_up(program, node)
        if _BEGUN.fullmatch(text) and (joined or (text.endswith(".") and _is_a_prefix(program, node))):
            return StringUse(start, text, None, left="built at run time")
        return None
    if _is_top_level_import(parent, program, text):
        why = "__import__ without a fromlist gives the package at the top, which is another one for the shim"
        return StringUse(start, text, found, left=why)
    if not found.known:
        return StringUse(start, text, found, left=f"the shim has no {found.dotted}")
    literal = _LITERAL.fullmatch(node.value) if isinstance(node, cst.SimpleString) else None
    if literal is None or literal[2] != text:
        return StringUse(start, text, found, left="written with escapes or in pieces")
    root = re.split(r"[.:]", text, maxsplit=1)[0]
    return StringUse(start, text, found, Edit(start + literal.start(2), root, ROOTS[root]))


# -- where a string stands -----------------------------------------------------------------------------------------


def _called(program: Program, call: cst.Call) -> str:
    """The function, as its module has it: ``il.import_module`` is ``importlib.import_module``."""
    name = program.dotted(call.func) or plain(call.func)
    if not name and isinstance(call.func, cst.Attribute):
        name = call.func.attr.value
    return name if name in MODULE_FUNCTIONS else ".".join(name.split(".")[-2:])


def _argument(program: Program, node: cst.CSTNode) -> tuple[Optional[cst.Call], int, str]:
    """The call that a node is an argument of, its place there, and its keyword."""
    parent = program.parents[node]
    call = program.parents[parent] if isinstance(parent, cst.Arg) else None
    if not isinstance(call, cst.Call) or not isinstance(parent, cst.Arg):
        return None, -1, ""
    return call, program.arguments[parent], parent.keyword.value if parent.keyword is not None else ""


def _names_a_module(program: Program, node: Literal) -> bool:
    """Whether the string stands where only the name of a module can be meant."""
    call, at, keyword = _argument(program, node)
    parent = program.parents[node]
    if call is not None:
        first = call.args[0].value
        name = _called(program, call)
        if at == 1 and _is_sys_modules(program, first):
            return True  # monkeypatch.setitem(sys.modules, "one_logger", fake)
        if name.rpartition(".")[2] == "import_module" and (at == 1 or keyword == "package"):
            return True
        if name in MODULE_FUNCTIONS:
            return at == 0
        last = name.rpartition(".")[2]
        meant = keyword not in _CHOSEN - {"name"} and last not in _ATTRIBUTES
        return at == 0 and meant and bool(_GUARDS.search(last))
    if isinstance(parent, cst.Index):
        subscript = program.parents[program.parents[parent]]
        return isinstance(subscript, cst.Subscript) and _is_sys_modules(program, subscript.value)
    if isinstance(parent, cst.Comparison):
        return any(_is_sys_modules(program, one.comparator) for one in parent.comparisons)
    if isinstance(parent, cst.DictElement) and parent.key is node:
        outer, _, _ = _argument(program, program.parents[parent])
        return outer is not None and (
            _called(program, outer) == "sys.modules.update" or any(_is_sys_modules(program, one.value) for one in outer.args)
        )
    if isinstance(parent, cst.Element):
        elements = getattr(program.parents[parent], "elements", ())
        beside = [text_of(one.value) or "" for one in elements[:200] if one is not parent]
        return any(in_string(text, names_a_module=False) is not None for text in beside)
    return False


def _may_be_a_module(program: Program, node: Literal, text: str) -> bool:
    """Whether the string may be handed to importlib later; not where it is an attribute, a key or a chosen name."""
    call, at, keyword = _argument(program, node)
    parent = program.parents[node]
    if call is not None:
        name = call.func.attr.value if isinstance(call.func, cst.Attribute) else plain(call.func)
        return keyword not in _CHOSEN and not (name in _ATTRIBUTES and at < 2) and name not in _KEY_METHODS | _FIELDS
    if isinstance(parent, cst.Index):
        return False
    if isinstance(parent, cst.DictElement):
        if parent.value is node:
            return text_of(parent.key) not in _CHOSEN
        argument = program.parents[program.parents[parent]]
        return not (isinstance(argument, cst.Arg) and argument.star) and not _is_a_key(program, text)
    if isinstance(parent, cst.Comparison) and any(isinstance(one.operator, _IN) for one in parent.comparisons):
        return not _is_a_key(program, text)
    outer: cst.CSTNode = parent
    while isinstance(outer, (cst.Element, cst.List, cst.Tuple)):
        outer = program.parents[outer]
    if isinstance(outer, cst.Arg) and plain(cst.ensure_type(program.parents[outer], cst.Call).func) in _FIELDS:
        return False
    if isinstance(outer, cst.Assign):
        return not any(plain(one.target) in ("__all__", "__slots__") for one in outer.targets)
    return not (isinstance(outer, cst.AugAssign) and plain(outer.target) == "__all__")


def _is_a_key(program: Program, text: str) -> bool:
    """Whether the file reads an attribute or a key of this name, so that a dictionary's key is that."""
    if text not in program.keys:
        program.keys[text] = text in program.attributes or _is_read_as_a_key(program, text)
    return program.keys[text]


def _is_read_as_a_key(program: Program, text: str) -> bool:
    for node in program.strings:
        if text_of(node) == text:
            parent = program.parents[node]
            call, _, _ = _argument(program, node)
            name = call.func.attr.value if call is not None and isinstance(call.func, cst.Attribute) else ""
            subscript = program.parents[program.parents[parent]] if isinstance(parent, cst.Index) else None
            if name in _KEY_METHODS or (isinstance(subscript, cst.Subscript) and not _is_sys_modules(program, subscript.value)):
                return True
    return False


def _is_a_prefix(program: Program, node: Literal) -> bool:
    """``name.startswith("one_logger_utils.")``."""
    call, _, _ = _argument(program, node)
    return call is not None and isinstance(call.func, cst.Attribute) and call.func.attr.value in _PREFIXES


def _is_distribution(program: Program, node: Literal) -> bool:
    """``importlib.metadata.version("one_logger_utils")``."""
    call, at, _ = _argument(program, node)
    name = (program.dotted(call.func) or plain(call.func)) if call is not None and at == 0 else ""
    return any(one in name for one in _DISTRIBUTIONS)


def _is_sys_modules(program: Program, node: cst.CSTNode) -> bool:
    return program.dotted(node) == "sys.modules" or "sys.modules" in (plain(node), text_of(node)) or plain(node) == "modules"


def _is_top_level_import(parent: cst.CSTNode, program: Program, text: str) -> bool:
    call = program.parents[parent] if isinstance(parent, cst.Arg) else None
    return (
        isinstance(call, cst.Call)
        and plain(call.func) in ("__import__", "builtins.__import__", "importlib.__import__")
        and len(call.args) < 4
        and not any(one.star == "**" or (one.keyword and one.keyword.value == "fromlist") for one in call.args)
        and text.partition(".")[0] == "one_logger_utils"
    )


def _looked_up(program: Program, node: cst.CSTNode) -> bool:
    """Whether this text is part of the first argument of a function that looks up a name."""
    current = node
    while True:
        parent = program.parents[current]
        if isinstance(parent, cst.Arg):
            call, at, _ = _argument(program, current)
            name = _called(program, call) if call is not None and at == 0 else ""
            return name in MODULE_FUNCTIONS or name.rpartition(".")[2] in _LOOK_UP
        if not isinstance(parent, (cst.BinaryOperation, cst.FormattedStringExpression, cst.FormattedString, cst.IfExp)):
            return False
        current = parent


def _is_annotation(program: Program, node: cst.CSTNode) -> bool:
    """A forward reference: it names what the import binds, not a module."""
    current: Optional[cst.CSTNode] = node
    while current is not None:
        current = program.parents.get(current)
        if isinstance(current, cst.Annotation):
            return True
        if isinstance(current, cst.Call):
            return plain(current.func).rpartition(".")[2] in _NOT_NAMES
        if isinstance(current, cst.BaseStatement):
            return False
    return False
