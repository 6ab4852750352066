"""Strings that name v1's modules: for importlib, ``mock.patch``, ``sys.modules``, Hydra's ``_target_``, guards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

import libcst as cst

from .names import CONFIG_KEYS, MODULE_FUNCTIONS, MODULES, ROOTS, Reference, in_string, v1_name
from .pins import is_distribution, programs_in
from .program import Program
from .source import Edit
from .tree import Literal, plain, text_of

_CODE = re.compile(
    r"""^[ \t>.]*(?:import|from)[ \t]+one_logger(?:_utils)?\b|import(?:__|_module)\(["']one_logger""", re.MULTILINE
)
_BEGUN = re.compile(r"(?:one_logger|one_logger_utils)(?:[.%][\w.%]*)?|one_logger_")
# what has only the names of modules at the top: ``name.split(".")[0]``, and functions that list them
_FIRST_NAME = re.compile(r"""\.(?:split|partition)\(["']\.["'][^)]*\)\[0\]""")
_AT_THE_TOP = {"iter_modules", "packages_distributions", "top_level"}
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
# (nobody chooses ``one_logger_utils`` but for the module, where it is a name or a logger)
_CHOSEN = CONFIG_KEYS | {"dest", "group", "job_type", "logger", "logger_name", "prog", "title", "description", "help"}


@dataclass(frozen=True)
class StringUse:
    """A string, or a keyword, that names a module of v1."""

    #: its first character in the text
    start: int
    text: str
    #: what it names; None where that is known at run time only
    names: Optional[Reference]
    #: how the name is swapped; None if it cannot be, for the reason in ``left``
    edit: Optional[Edit] = None
    left: str = ""


def strings_of(program: Program) -> list[StringUse]:
    """All of them, and texts that cannot be swapped although they name v1."""
    return list(_Strings(program).uses())


class _Strings:
    """The strings of one program, and where each stands."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._parents = program.parents
        self._texts = [(node, text) for node in program.strings if "logger" in (text := text_of(node) or "")]
        self._keys: dict[str, bool] = {}
        self._uses_v1 = any(v1_name(module) is not None for _, module, _ in program.modules)
        self._uses_v1 = self._uses_v1 or any(
            text.partition(".")[0].partition(":")[0] in ROOTS and self._names_a_module(node)
            for node, text in self._texts
        )
        pieces = [text_of(node) or "" for node in program.strings]
        pieces += [
            part.value for one in program.joined for part in one.parts if isinstance(part, cst.FormattedStringText)
        ]
        #: whether "one_logger" + "_utils" may be put together
        self._in_pieces = any(piece.startswith("_utils") for piece in pieces)
        called = (program.dotted(one.func) or plain(one.func) for one in program.calls)
        self._lists_names = any(name.rpartition(".")[2] in _AT_THE_TOP for name in called)

    def uses(self) -> Iterator[StringUse]:
        program = self._program
        for node, text in self._texts:
            use = self._constant(node, text)
            if use is not None:
                yield use
        for joined in program.joined:
            first = joined.parts[0] if joined.parts else None
            if isinstance(first, cst.FormattedStringText) and _BEGUN.fullmatch(first.value) and self._looked_up(joined):
                yield StringUse(program.start(joined), program.written(joined), None, left="built at run time")
        for call in program.calls:
            if plain(call.func).endswith(("patch.dict", "sys.modules.update")):
                for name in (one.keyword.value for one in call.args if one.keyword is not None):
                    if name in ROOTS:
                        why = "a keyword cannot hold a dotted name: use a dictionary"
                        yield StringUse(program.start(call), f"{name}=", Reference(name), left=why)

    def _constant(self, node: Literal, text: str) -> Optional[StringUse]:
        parent = self._parents[node]
        if isinstance(parent, cst.Expr) or self._is_annotation(node):
            return None
        start = self._program.start(node)
        distribution = self._is_distribution(node) or (self._uses_v1 and text == "one-logger-utils")
        sure = not distribution and self._names_a_module(node)
        found = in_string(text, sure or (self._uses_v1 and text in MODULES and self._may_be_a_module(node, text)))
        if distribution and (found is not None or is_distribution(text)):
            return StringUse(start, text, found, left="a distribution: the shim's is one-logger-v1-shim")
        if found is None:
            if _CODE.search(text) or any(programs_in(text)):
                return StringUse(start, text.strip().splitlines()[0], None, left="a program in a string")
            is_split = isinstance(parent, cst.Attribute) and parent.attr.value in ("split", "splitlines")
            if is_split and ROOTS.keys() & set(re.split(r"[\s,;]+", text)):
                return StringUse(start, " ".join(text.split()), None, left="several names in one text")
            joined = isinstance(parent, cst.BinaryOperation) and self._looked_up(node)
            if _BEGUN.fullmatch(text) and (joined or (text.endswith(".") and self._call(node)[3] in _PREFIXES)):
                return StringUse(start, text, None, left="built at run time")
            return None
        if self._is_top_level_import(node, text):
            why = "__import__ without a fromlist gives the package at the top, which is another one for the shim"
            return StringUse(start, text, found, left=why)
        if not found.known:
            return StringUse(start, text, found, left=f"the shim has no {found.dotted}")
        if text in ROOTS and "." in ROOTS[text] and self._is_at_the_top(node):
            why = f"compared with names of modules at the top: the shim's is {ROOTS[text]}"
            return StringUse(start, text, found, left=why)
        if text == "one_logger" and self._in_pieces:
            return StringUse(start, text, found, left="written in pieces: '_utils' may be put behind it")
        literal = _LITERAL.fullmatch(node.value) if isinstance(node, cst.SimpleString) else None
        if literal is None or literal[2] != text:
            return StringUse(start, text, found, left="written with escapes or in pieces")
        root = re.split(r"[.:]", text, maxsplit=1)[0]
        return StringUse(start, text, found, Edit(start + literal.start(2), root, ROOTS[root]))

    # -- where a string stands -----------------------------------------------------------------------------------

    def _call(self, node: cst.CSTNode) -> tuple[Optional[cst.Call], int, str, str]:
        """The call that a node is an argument of, its place there, its keyword, and the function's last name."""
        parent = self._parents[node]
        call = self._parents[parent] if isinstance(parent, cst.Arg) else None
        if not isinstance(call, cst.Call) or not isinstance(parent, cst.Arg):
            return None, -1, "", ""
        last = call.func.attr.value if isinstance(call.func, cst.Attribute) else plain(call.func)
        return call, self._program.arguments[parent], parent.keyword.value if parent.keyword is not None else "", last

    def _function(self, call: cst.Call) -> str:
        """The function, as its module has it: ``il.import_module`` is ``importlib.import_module``."""
        name = self._program.dotted(call.func) or plain(call.func)
        if not name and isinstance(call.func, cst.Attribute):
            name = call.func.attr.value
        return name if name in MODULE_FUNCTIONS else ".".join(name.split(".")[-2:])

    def _names_a_module(self, node: Literal) -> bool:
        """Whether the string stands where only the name of a module can be meant."""
        call, at, keyword, _ = self._call(node)
        parent = self._parents[node]
        if call is not None:
            name = self._function(call)
            if at == 1 and self._is_sys_modules(call.args[0].value):
                return True  # monkeypatch.setitem(sys.modules, "one_logger", fake)
            last = name.rpartition(".")[2]
            if last == "import_module" and (at == 1 or keyword == "package"):
                return True
            if name in MODULE_FUNCTIONS:
                return at == 0
            meant = keyword not in _CHOSEN - {"name"} and last not in _ATTRIBUTES
            return at == 0 and meant and bool(_GUARDS.search(last))
        if isinstance(parent, cst.Index):
            return self._is_sys_modules(self._subscripted(parent))
        if isinstance(parent, cst.Comparison):
            return any(self._is_sys_modules(one.comparator) for one in parent.comparisons)
        if isinstance(parent, cst.DictElement) and parent.key is node:
            outer = self._call(self._parents[parent])[0]
            return outer is not None and (
                self._function(outer) == "sys.modules.update"
                or any(self._is_sys_modules(one.value) for one in outer.args)
            )
        if isinstance(parent, cst.Element):
            elements = getattr(self._parents[parent], "elements", ())
            beside = [text_of(one.value) or "" for one in elements[:200] if one is not parent]
            return any(in_string(text, names_a_module=False) is not None for text in beside)
        return False

    def _is_at_the_top(self, node: cst.CSTNode) -> bool:
        """Whether it is compared with the first part of a name, or looked for where only such names are."""
        call, _, _, last = self._call(node)
        if call is not None and last == "find_spec":  # PathFinder's, or sys.meta_path's
            return "PathFinder" in self._program.written(call.func) or any(
                plain(one.value) == "None" for one in call.args
            )
        inside = (cst.Element, cst.List, cst.Tuple, cst.Set, cst.ComparisonTarget)
        outer = self._parents[node]
        while isinstance(outer, inside):
            outer = self._parents[outer]
        if not isinstance(outer, cst.Comparison):
            return False
        return self._lists_names or bool(_FIRST_NAME.search(self._program.written(outer)))

    def _may_be_a_module(self, node: Literal, text: str) -> bool:
        """Whether the string may be handed to importlib later; not where it is an attribute, a key or a chosen name."""
        call, at, keyword, last = self._call(node)
        parent = self._parents[node]
        is_word = text == "one_logger"
        chosen = _CHOSEN if is_word else _CHOSEN - {"name", "logger"}
        if call is not None:
            is_key = last in _KEY_METHODS and (is_word or (at == 0 and not keyword))
            return not (keyword in chosen or is_key or (last in _ATTRIBUTES and at < 2) or last in _FIELDS)
        if isinstance(parent, cst.Index):
            return False
        if isinstance(parent, cst.DictElement):
            if parent.value is node:
                return text_of(parent.key) not in chosen
            argument = self._parents[self._parents[parent]]
            return not (isinstance(argument, cst.Arg) and argument.star) and not self._is_a_key(text)
        if isinstance(parent, cst.Comparison) and isinstance(parent.comparisons[0].operator, (cst.In, cst.NotIn)):
            return not self._is_a_key(text)
        outer: cst.CSTNode = node
        while isinstance(self._parents[outer], (cst.Element, cst.List, cst.Tuple)):
            outer = self._parents[outer]
        holder = self._parents[outer]
        if isinstance(holder, cst.Assign):
            return not any(plain(one.target) in ("__all__", "__slots__") for one in holder.targets)
        if isinstance(holder, cst.AugAssign):
            return plain(holder.target) != "__all__"
        return self._call(outer)[3] not in _FIELDS

    def _is_a_key(self, text: str) -> bool:
        """Whether the file reads an attribute or a key of this name, so that a dictionary's key is that."""
        if text not in self._keys:
            nodes = [node for node, other in self._texts if other == text]
            self._keys[text] = text in self._program.attributes or any(map(self._is_read_as_a_key, nodes))
        return self._keys[text]

    def _is_read_as_a_key(self, node: Literal) -> bool:
        parent = self._parents[node]
        if isinstance(parent, cst.Index):
            return not self._is_sys_modules(self._subscripted(parent))
        call, _, _, last = self._call(node)
        return call is not None and isinstance(call.func, cst.Attribute) and last in _KEY_METHODS

    def _subscripted(self, index: cst.Index) -> cst.CSTNode:
        return cst.ensure_type(self._parents[self._parents[index]], cst.Subscript).value

    def _is_distribution(self, node: Literal) -> bool:
        """``importlib.metadata.version("one_logger_utils")``."""
        call, at, _, _ = self._call(node)
        name = (self._program.dotted(call.func) or plain(call.func)) if call is not None and at == 0 else ""
        return any(one in name for one in _DISTRIBUTIONS)

    def _is_sys_modules(self, node: cst.CSTNode) -> bool:
        names = (self._program.dotted(node), plain(node), text_of(node))
        return "sys.modules" in names or names[1] == "modules"

    def _is_top_level_import(self, node: Literal, text: str) -> bool:
        call = self._call(node)[0]
        return (
            call is not None
            and plain(call.func) in ("__import__", "builtins.__import__", "importlib.__import__")
            and len(call.args) < 4
            and not any(one.star == "**" or (one.keyword and one.keyword.value == "fromlist") for one in call.args)
            and text.partition(".")[0] == "one_logger_utils"
        )

    def _looked_up(self, node: cst.CSTNode) -> bool:
        """Whether this text is part of the first argument of a function that looks up a name."""
        joining = (cst.BinaryOperation, cst.FormattedStringExpression, cst.FormattedString, cst.IfExp)
        while isinstance(self._parents[node], joining):
            node = self._parents[node]
        call, at, _, _ = self._call(node)
        name = self._function(call) if call is not None and at == 0 else ""
        return name in MODULE_FUNCTIONS or name.rpartition(".")[2] in _LOOK_UP

    def _is_annotation(self, node: cst.CSTNode) -> bool:
        """A forward reference: it names what the import binds, not a module."""
        current: Optional[cst.CSTNode] = self._parents.get(node)
        while current is not None and not isinstance(current, (cst.Annotation, cst.Call, cst.BaseStatement)):
            name = plain(current.value).rpartition(".")[2] if isinstance(current, cst.Subscript) else ""
            if name[:1].isupper() and not name.isupper():
                return True  # Optional["one_logger_utils.OneLoggerUtils"]
            current = self._parents.get(current)
        if isinstance(current, cst.Call):
            return plain(current.func).rpartition(".")[2] in _NOT_NAMES
        return isinstance(current, cst.Annotation)
