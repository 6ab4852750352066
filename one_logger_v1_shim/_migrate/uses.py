"""Which reads of a name are reads of what an import has bound, and of nothing else: with libcst's scopes."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Optional, Union

import libcst as cst
from libcst.metadata import ExpressionContext, ImportAssignment, Scope
from libcst.metadata.scope_provider import ClassScope, GlobalScope

from .names import SHIM
from .program import Program
from .tree import plain, text_of

_BINDING_NODES = {
    "MatchAs", "MatchStar", "MatchMapping", "NameItem", "TypeAlias", "TypeVar", "TypeVarTuple", "ParamSpec",
}  # fmt: skip
_LOOKS_AT_NAMES = {"globals", "locals", "vars", "eval", "exec", "dir"}


@dataclass(frozen=True)
class BareImport:
    """``import a.b``, or one name of ``import a.b, c.d``: it binds ``a``."""

    node: cst.ImportAlias
    statement: cst.CSTNode
    root: cst.Name
    dotted: str


class Uses:
    """The scopes and names of one program.

    Args:
        taken: names that other files take from this one.
    """

    def __init__(self, program: Program, taken: Collection[str]) -> None:
        self._scopes = program.scopes
        self._parents = program.parents
        self._contexts = program.contexts
        self._program = program
        self._taken = taken
        self._names = [name for name in program.names if not self._is_no_variable(name)]
        self._calls = {plain(call.func) for call in program.calls} & _LOOKS_AT_NAMES
        strings = (node for node in program.strings if not isinstance(program.parents[node], cst.Expr))
        self._strings = [text for node in strings if "logger" in (text := text_of(node) or "")]
        #: scopes that bind the shim's name, or will
        self.binders: list[Optional[Scope]] = self._shim_imports()

    def home(self, alias: BareImport) -> Optional[Scope]:
        """The scope whose name the import binds: with ``global``, not the one that it stands in."""
        scope = self._scopes.get(alias.node)
        if scope is None:
            return None
        homes = [
            one.scope for one in scope[alias.root.value]
            if isinstance(one, ImportAssignment) and one.node is alias.statement
        ]  # fmt: skip
        return homes[0] if homes else None

    def reads(self, aliases: list[BareImport]) -> Union[list[cst.Name], str]:
        """The reads of what the imports bind; or why it cannot be said which these are."""
        root = aliases[0].root.value
        home = self.home(aliases[0])
        if home is None:
            return "its scope is unclear"
        why = self._seen_from_outside(root, home)
        if why:
            return why
        statements = {id(alias.statement) for alias in aliases}
        uses = []
        for name in self._names:
            if name.value != root:
                continue
            scope = self._scopes.get(name)
            if scope is None:
                return "one of its uses is in no clear scope"
            meant = list(scope[root])
            ours = [one for one in meant if id(getattr(one, "node", None)) in statements and one.scope is home]
            if not ours:
                continue
            if len(ours) != len(meant) or self._binds(name):
                return "it is also bound by something else"
            if self._is_shown(name):
                return "an f-string prints it by name"
            if self._is_covered(scope, home):
                return f"a scope between import and use binds {SHIM}"
            uses.append(name)
        if self.shim_is_a_variable():
            return f"{SHIM} is a name of the program's own"
        return uses

    def _seen_from_outside(self, root: str, home: Scope) -> str:
        """Why the name may be used where the scopes of this file do not show it; "" if it is not."""
        if isinstance(home, ClassScope):
            return "it is an attribute of a class"
        if isinstance(home, GlobalScope) and root in self._taken:
            return "other files take it from this one"
        if self._calls:
            return f"{', '.join(sorted(self._calls))}() may look it up"
        if any(_reads(text, root) for text in self._strings):
            return "a string has it"
        comments = (line.partition("#")[2] for line in self._program.text.splitlines() if root in line)
        if any("type:" in comment and re.search(rf"\b{root}\b", comment) for comment in comments):
            return "a type comment has it"
        return ""

    def _is_no_variable(self, name: cst.Name) -> bool:
        """``x.one_logger``, ``f(one_logger=1)``: an attribute or a keyword of that name."""
        parent = self._parents.get(name)
        if isinstance(parent, cst.Attribute):
            return parent.attr is name
        if isinstance(parent, cst.Arg):
            return parent.keyword is name
        return isinstance(parent, cst.MatchKeywordElement) and parent.key is name

    def _binds(self, name: cst.Name) -> bool:
        """Whether the name stands where it is set or deleted. libcst takes some of these places for reads."""
        parent = type(self._parents.get(name)).__name__
        return self._contexts.get(name) is not ExpressionContext.LOAD or parent in _BINDING_NODES

    def _is_shown(self, name: cst.Name) -> bool:
        """Is this in ``f"{one_logger.core=}"``?"""
        parent: Any = self._parents.get(name)
        while parent is not None and not isinstance(parent, cst.BaseStatement):
            if isinstance(parent, cst.FormattedStringExpression) and parent.equal is not None:
                return True
            parent = self._parents.get(parent)
        return False

    def _shim_imports(self) -> list[Optional[Scope]]:
        """The scopes that bind the shim's name already."""
        return [
            self._scopes.get(node)
            for node, module, _ in self._program.modules
            if isinstance(node, cst.ImportAlias) and node.asname is None and module.partition(".")[0] == SHIM
        ]

    def _is_covered(self, scope: Scope, home: Scope) -> bool:
        """Whether the shim's name, read in ``scope``, would mean that of another scope than ``home``."""
        while scope is not home and not isinstance(scope, GlobalScope):
            if any(scope is one for one in self.binders):
                return True
            scope = scope.parent
        return False

    def shim_is_a_variable(self) -> bool:
        """Whether the program binds the shim's name to something else than the shim."""
        for name in self._names:
            if name.value == SHIM:
                scope = self._scopes.get(name)
                bound = list(scope[SHIM]) if scope is not None else []
                if scope is None or not all(isinstance(one, ImportAssignment) for one in bound):
                    return True
        return False


def _reads(text: str, root: str) -> bool:
    """Whether the text is an expression that reads the name, as an annotation in quotes does."""
    if root not in text:
        return False
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(isinstance(node, ast.Name) and node.id == root for node in ast.walk(tree))
