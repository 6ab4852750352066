"""Which name of a file means what: Python's scopes, as far as the way from an import to its use needs them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Optional, Union

FunctionNode = Union[ast.FunctionDef, ast.AsyncFunctionDef]
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True)
class Imported:
    """``import a.b`` (bound: ``a``), ``import a.b as c``, ``from a import b``: the dotted name that is bound."""

    dotted: str


@dataclass(frozen=True)
class Assigned:
    """``name = value``; ``index``: the position in ``first, second = value``."""

    value: ast.expr
    scope: Scope
    index: Optional[int] = None


@dataclass(frozen=True)
class Defined:
    """``def name(...)``."""

    node: FunctionNode
    scope: Scope


@dataclass(frozen=True)
class Other:
    """Bound by something that is not followed: a parameter, a loop, a relative import."""

    imported: bool = False


Binding = Union[Imported, Assigned, Defined, Other]


class Scope:
    """A module, class, function or comprehension."""

    def __init__(self, parent: Optional[Scope] = None, is_class: bool = False) -> None:
        self.parent = parent
        self.is_class = is_class
        self.names: dict[str, list[Binding]] = {}
        #: v1 modules of which this scope has every name: ``from one_logger import *``
        self.stars: list[str] = []
        self.outer: set[str] = set()  # names that ``global`` or ``nonlocal`` gives to a scope outside

    @property
    def module(self) -> Scope:
        """The scope of the module."""
        return self if self.parent is None else self.parent.module

    def bind(self, name: str, binding: Binding) -> None:
        """Record what ``name`` is bound to."""
        home = self.module if name in self.outer else self
        home.names.setdefault(name, []).append(binding)

    def lookup(self, name: str) -> list[Binding]:
        """All that ``name`` may be here, seen from this scope; empty for a builtin or an unknown name."""
        scope: Optional[Scope] = self
        while scope is not None:
            visible = scope is self or not scope.is_class
            if visible and name in scope.names and not (scope is self and name in self.outer):
                return scope.names[name]
            scope = scope.parent
        return []

    def star_modules(self) -> list[str]:
        """The modules whose names came with a star import, here or further out."""
        return self.stars + (self.parent.star_modules() if self.parent is not None else [])


def walk(tree: ast.Module) -> Iterator[tuple[ast.AST, Scope]]:
    """Every node with the scope that it is evaluated in. Bindings are complete when the walk is over.

    Without recursion: generated code has expressions that are deeper than Python's stack.
    """
    waiting: list[tuple[ast.AST, Scope]] = [(tree, Scope())]
    while waiting:
        node, scope = waiting.pop()
        yield node, scope
        _bind(node, scope)
        waiting.extend(reversed(list(_children(node, scope))))


def _children(node: ast.AST, scope: Scope) -> Iterator[tuple[ast.AST, Scope]]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
        inner = Scope(scope)
        body = node.body if isinstance(node.body, list) else [node.body]
        inner.outer = {name for statement in body for name in _outer_names(statement)}
        parameters = node.args
        for argument in [*parameters.posonlyargs, *parameters.args, *parameters.kwonlyargs]:
            inner.bind(argument.arg, Other())
        for variadic in (parameters.vararg, parameters.kwarg):
            if variadic is not None:
                inner.bind(variadic.arg, Other())
        yield from _divided(node, body, inner, scope)
    elif isinstance(node, ast.ClassDef):
        yield from _divided(node, node.body, Scope(scope, is_class=True), scope)
    elif isinstance(node, _COMPREHENSIONS):
        inner = Scope(scope)
        for child in ast.iter_child_nodes(node):
            yield child, inner
    else:
        for child in ast.iter_child_nodes(node):
            yield child, scope


def _divided(node: ast.AST, body: Sequence[ast.AST], inner: Scope, outer: Scope) -> Iterator[tuple[ast.AST, Scope]]:
    """A definition's body stands in its own scope, its decorators, defaults, bases and annotations around it."""
    inside = {id(statement) for statement in body}
    for child in ast.iter_child_nodes(node):
        yield child, inner if id(child) in inside else outer


def _outer_names(statement: ast.AST) -> Iterator[str]:
    waiting = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            yield from node.names
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            waiting.extend(ast.iter_child_nodes(node))


def _bind(node: ast.AST, scope: Scope) -> None:
    if isinstance(node, ast.Import):
        for alias in node.names:
            dotted = alias.name if alias.asname else alias.name.partition(".")[0]
            scope.bind(alias.asname or dotted, Imported(dotted))
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            if alias.name == "*":
                scope.stars += [node.module] if node.module and not node.level else []
            elif node.level or not node.module:
                scope.bind(alias.asname or alias.name, Other(imported=True))
            else:
                scope.bind(alias.asname or alias.name, Imported(f"{node.module}.{alias.name}"))
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            _bind_target(target, node.value, scope)
    elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and isinstance(node.value, ast.expr):
        _bind_target(node.target, node.value, scope)
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        scope.bind(node.name, Defined(node, scope))
    elif isinstance(node, ast.ClassDef):
        scope.bind(node.name, Other())
    elif isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
        _bind_others(node.target, scope)
    elif isinstance(node, ast.ExceptHandler) or type(node).__name__ in ("MatchAs", "MatchStar"):
        name = getattr(node, "name", None)
        if name is not None:
            scope.bind(name, Other())
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        _bind_target(node.optional_vars, node.context_expr, scope)


def _bind_target(target: ast.expr, value: ast.expr, scope: Scope) -> None:
    if isinstance(target, ast.Name):
        scope.bind(target.id, Assigned(value, scope))
    elif isinstance(target, (ast.Tuple, ast.List)):
        for index, part in enumerate(target.elts):
            if isinstance(part, ast.Name):
                scope.bind(part.id, Assigned(value, scope, index))


def _bind_others(target: ast.expr, scope: Scope) -> None:
    for node in ast.walk(target):
        if isinstance(node, ast.Name):
            scope.bind(node.id, Other())
