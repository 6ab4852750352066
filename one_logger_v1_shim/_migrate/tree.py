"""A Python file as libcst sees it (the extra ``migrate``): its nodes by kind, scopes, parents and positions.

Python's own parser reads the file first: it says what is wrong with one that is no Python, and its tree tells how deep
the file is, which libcst's parser would find out by ending the process.
"""

from __future__ import annotations

import ast
import re
import sys
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import Any, Optional, TypeVar, Union

import libcst as cst
from libcst.metadata import (
    Assignment,
    BaseAssignment,
    ExpressionContext,
    ExpressionContextProvider,
    MetadataWrapper,
    ParentNodeProvider,
    PositionProvider,
    ScopeProvider,
)

from .files import Unreadable
from .names import ROOTS, SHIM
from .source import Source, line_starts

#: how many syntax nodes may stand in one another: libcst's parser uses the process's stack
MOST_DEEP = 500
#: characters of a program; a tree of libcst takes about 500 times as many
MOST_TEXT = 1024 * 1024
#: a file of 15,000 lines; libcst needs ten seconds for it
MOST_NODES = 200_000
#: how often a name is set, times how often it is read: libcst looks at each of these pairs
MOST_BOUND = 5_000_000
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")

Literal = Union[cst.SimpleString, cst.ConcatenatedString]
Node = TypeVar("Node", bound=cst.CSTNode)


@dataclass(frozen=True)
class Value:
    """What a name is bound to: an expression, or, with an ``index``, that part of it."""

    expression: cst.BaseExpression
    #: where the binding is complete: the assignment
    node: cst.CSTNode
    index: Optional[int] = None


class _Index(cst.CSTVisitor):
    """All nodes by their kind; an import and a string in pieces are wholes."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: dict[type[cst.CSTNode], list[Any]] = {}

    def on_visit(self, node: cst.CSTNode) -> bool:
        self.nodes.setdefault(type(node), []).append(node)
        return not isinstance(node, (cst.Import, cst.ImportFrom, cst.ConcatenatedString))

    def on_leave(self, original_node: cst.CSTNode) -> None:
        """Nothing: without it, libcst looks for a method of each node's name."""


class Tree:
    """A file, walked once.

    Raises:
        Unreadable: it does not parse, or is too large or too deep.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.text = source.text
        size = len(source.text)
        if size > MOST_TEXT:
            raise Unreadable(f"{size:,} characters of Python, more than {MOST_TEXT:,}: too large to be looked at")
        index = _Index()
        try:
            wrapper = MetadataWrapper(_parsed(source), unsafe_skip_copy=True)
            self.scopes = wrapper.resolve(ScopeProvider)
            self.parents = wrapper.resolve(ParentNodeProvider)
            self.contexts = wrapper.resolve(ExpressionContextProvider)
            self._places = wrapper.resolve(PositionProvider)
            self.module = wrapper.module
            self.module.visit(index)
        except cst.ParserSyntaxError as error:
            raise Unreadable(f"does not parse: {error.message.splitlines()[0]}", error.raw_line) from None
        except (RecursionError, MemoryError):
            raise Unreadable("does not parse: too deeply nested, or too large") from None
        self._nodes = index.nodes
        self._lines = line_starts(source.text)
        self._bindings: dict[tuple[int, str], list[BaseAssignment]] = {}
        self.imports = self.all(cst.Import)
        self.froms = self.all(cst.ImportFrom)
        #: ``(the import, its module, the names that are taken from it)``, without those that are relative
        self.modules: list[tuple[cst.CSTNode, str, list[str]]] = []
        for alias in (alias for statement in self.imports for alias in statement.names):
            self.modules.append((alias, plain(alias.name), []))
        for taken in (one for one in self.froms if module_of(one)):
            star = isinstance(taken.names, cst.ImportStar)
            names = ["*"] if star else [plain(alias.name) for alias in taken.names]  # type: ignore[union-attr]
            self.modules.append((taken, module_of(taken), names))
        self.calls = self.all(cst.Call)
        self.classes = self.all(cst.ClassDef)
        self.strings: list[Literal] = [*self.all(cst.SimpleString), *self.all(cst.ConcatenatedString)]
        self.joined = self.all(cst.FormattedString)
        #: variables, attributes and keywords that are called like one of v1's modules, or the shim
        self.names = [one for one in self.all(cst.Name) if one.value in ROOTS or one.value == SHIM]
        #: the place of each argument in its call
        self.arguments = {argument: at for call in self.calls for at, argument in enumerate(call.args)}
        self.functions: dict[str, list[cst.FunctionDef]] = {}
        for function in self.all(cst.FunctionDef):
            self.functions.setdefault(function.name.value, []).append(function)
        #: what functions return, by their node
        self.returned: dict[Optional[cst.CSTNode], list[cst.BaseExpression]] = {}
        for statement in self.all(cst.Return):
            if statement.value is not None:
                self.returned.setdefault(self.function(statement), []).append(statement.value)
        self.attributes: dict[str, list[cst.Attribute]] = {}
        #: what attributes are set to, by their name, whatever object has them
        self.set_attributes: dict[str, list[Value]] = {}
        for attribute in self.all(cst.Attribute):
            name = attribute.attr.value
            self.attributes.setdefault(name, []).append(attribute)
            value = self._assigned(attribute)
            if value is not None:
                self.set_attributes.setdefault(name, []).append(value)

    def all(self, kind: type[Node]) -> list[Node]:
        """The nodes of a kind, in the order of the file."""
        return self._nodes.get(kind, [])

    def function(self, node: cst.CSTNode) -> Optional[cst.FunctionDef]:
        """The function that a node stands in; None for the module."""
        return self.around(node, cst.FunctionDef)

    def around(self, node: cst.CSTNode, kind: type[Node]) -> Optional[Node]:
        """The nearest node of a kind that a node stands in."""
        current = self.parents.get(node)
        while current is not None and not isinstance(current, kind):
            current = self.parents.get(current)
        return current

    def is_read(self, node: cst.CSTNode) -> bool:
        """Whether an expression is read where it stands, and not set or deleted."""
        return self.contexts.get(node, ExpressionContext.LOAD) is ExpressionContext.LOAD

    # -- places ------------------------------------------------------------------------------------------------

    def start(self, node: cst.CSTNode) -> int:
        """The node's first character in the text."""
        place = self._places[node].start
        return self._lines[place.line - 1] + int(place.column)

    def end(self, node: cst.CSTNode) -> int:
        """The character after the node."""
        place = self._places[node].end
        return self._lines[place.line - 1] + int(place.column)

    def written(self, node: cst.CSTNode, most: int = 400) -> str:
        """The node as the file has it, on one line, cut after about ``most`` characters."""
        start = self.start(node)
        return " ".join(self.text[start : min(self.end(node), start + most)].split())

    # -- bindings --------------------------------------------------------------------------------------------------

    def bindings(self, name: cst.Name) -> list[BaseAssignment]:
        """All that a name may be bound to, in the order of the file; builtins are none of it."""
        scope = self.scopes.get(name)
        if scope is None:
            return []
        key = id(scope), name.value
        if key not in self._bindings:
            found = [one for one in scope[name.value] if hasattr(one, "node")]
            self._bindings[key] = sorted(found, key=lambda one: self.start(getattr(one, "node", self.module)))
        return self._bindings[key]

    def value(self, binding: BaseAssignment) -> Optional[Value]:
        """The expression that the binding gives; None for a parameter, a loop, a definition, an import."""
        node = getattr(binding, "node", None)
        return self._assigned(node) if isinstance(binding, Assignment) and isinstance(node, cst.Name) else None

    def _assigned(self, target: cst.BaseExpression) -> Optional[Value]:
        parent = self.parents[target]
        index = None
        if isinstance(parent, cst.Element):
            outer = self.parents[parent]
            elements = outer.elements if isinstance(outer, (cst.Tuple, cst.List)) else []
            index = next((number for number, one in enumerate(elements) if one is parent), None)
            parent = self.parents[outer]
        if isinstance(parent, cst.AssignTarget):
            statement = cst.ensure_type(self.parents[parent], cst.Assign)
            return Value(statement.value, statement, index)
        if isinstance(parent, (cst.AnnAssign, cst.NamedExpr)) and parent.target is target and parent.value is not None:
            return Value(parent.value, parent, index)
        if isinstance(parent, cst.AsName):
            item = self.parents[parent]
            return Value(item.item, item, index) if isinstance(item, cst.WithItem) else None
        return None


# -- parsing -------------------------------------------------------------------------------------------------------


def _parsed(source: Source) -> cst.Module:
    text = source.text
    _checked(parse(source))
    module = cst.parse_module(text)
    if module.code != text:
        # libcst loses some blank lines and comments after the last statement; nothing is to be done there.
        lines = _LINE.findall(text)
        while lines and lines[-1].partition("#")[0].strip() == "":
            lines.pop()
        body = "".join(lines)
        module = cst.parse_module(body)
        if module.code != body:
            raise Unreadable("libcst does not reproduce it, so that places in it are not certain")
    return module


def _checked(tree: ast.Module) -> None:
    """Refuse what was written to keep libcst busy: too deep, or the same name set and read too often."""
    sets, reads = Counter[str](), Counter[str]()
    level: list[ast.AST] = [tree]
    nodes = 0
    for _ in range(MOST_DEEP):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        nodes += len(level)
        if not level or nodes > MOST_NODES:
            break
        for node in level:
            if isinstance(node, ast.Name):
                (reads if isinstance(node.ctx, ast.Load) else sets)[node.id] += 1
            elif isinstance(node, ast.alias):
                sets[node.asname or node.name.partition(".")[0]] += 1
    else:
        raise Unreadable("does not parse: too deeply nested")
    if nodes > MOST_NODES:
        raise Unreadable(f"more than {MOST_NODES:,} syntax nodes: too large to be looked at")
    if sum(count * reads[name] for name, count in sets.items()) > MOST_BOUND or any(sets[one] > 2000 for one in ROOTS):
        raise Unreadable("a name is set and read too often to be followed")


def parse(source: Source) -> ast.Module:
    """Python's own syntax tree.

    Raises:
        Unreadable: the text is not Python for this interpreter.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in somebody else's strings
            return ast.parse(source.text)
    except SyntaxError as error:
        starts = line_starts(source.text)
        place = source.place(starts[min(error.lineno or 1, len(starts)) - 1])
        version = ".".join(map(str, sys.version_info[:2]))  # a program may be written for a newer one
        raise Unreadable(f"does not parse: {error.msg} (Python {version})", place.line) from None
    except ValueError as error:
        raise Unreadable(f"does not parse: {error}") from None
    except (RecursionError, MemoryError):
        raise Unreadable("does not parse: too deeply nested, or too large") from None


# -- nodes ---------------------------------------------------------------------------------------------------------


def plain(node: cst.CSTNode) -> str:
    """``a.b.c`` as it is written; "" for any other expression."""
    parts = []
    while isinstance(node, cst.Attribute):
        parts.append(node.attr.value)
        node = node.value
    return ".".join(reversed([*parts, node.value])) if isinstance(node, cst.Name) else ""


def text_of(node: Optional[cst.CSTNode]) -> Optional[str]:
    """The value of a string literal."""
    if isinstance(node, cst.SimpleString) and "\\" not in node.value and "b" not in node.prefix:
        return str(node.raw_value)
    if not isinstance(node, (cst.SimpleString, cst.ConcatenatedString)):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value: Any = node.evaluated_value
    except (ValueError, SyntaxError):
        return None
    return str(value) if isinstance(value, str) else None


def key_of(node: cst.Subscript) -> Optional[str]:
    """``x["key"]``: its key; None for any other."""
    inside = node.slice[0].slice if len(node.slice) == 1 else None
    return text_of(inside.value) if isinstance(inside, cst.Index) else None


def accessed(node: cst.CSTNode) -> Optional[tuple[cst.BaseExpression, str]]:
    """``x.name`` and ``getattr(x, "name")``: the object and the name; None for any other expression."""
    if isinstance(node, cst.Attribute):
        return node.value, node.attr.value
    if isinstance(node, cst.Call) and plain(node.func) == "getattr" and len(node.args) > 1:
        name = text_of(node.args[1].value)
        return (node.args[0].value, name) if name is not None else None
    return None


def module_of(node: cst.ImportFrom) -> str:
    """The module that names are taken from; "" if it is given by its place."""
    return plain(node.module) if node.module is not None and not node.relative else ""
