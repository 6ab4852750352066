"""Which value a name has where it stands, and what has happened by then: as far as a file shows it, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

import libcst as cst
from libcst.metadata import ClassScope

from .program import Program
from .tree import Value, plain, text_of

#: steps of following, in a file: a program that needs more was written to be followed for ever
MOST_WORK = 20_000
_MOST_DEEP = 30  # names of one value
_BRANCHES = (
    cst.If, cst.Else, cst.For, cst.While, cst.Try, cst.TryStar, cst.ExceptHandler, cst.ExceptStarHandler, cst.MatchCase,
)  # fmt: skip
# what is run in another order than it is written, or later
_LATER = (cst.ListComp, cst.SetComp, cst.DictComp, cst.GeneratorExp, cst.Lambda)
_MAYBE = (cst.IfExp, cst.BooleanOperation, *_LATER)
_LOOPS = (cst.For, cst.While)
# decorators that leave a function what it is
_PLAIN = {"staticmethod", "classmethod"}
# functions and attributes that reach a program's variables by their names
_REACHES = {"exec", "eval", "globals", "locals"}
_FRAMES = {"f_globals", "f_locals"}


class Flow:
    """The order of what one program does."""

    def __init__(self, program: Program) -> None:
        self._program = program
        #: steps that were made
        self.work = 0
        #: the first place where a function of a name is called
        self._called: dict[str, int] = {}
        #: attributes that are set by their names; None is one that only the running program knows
        self._set: set[Optional[str]] = {None} if "__dict__" in program.attributes else set()
        for call in program.calls:
            name = plain(call.func).rpartition(".")[2]
            self._called.setdefault(name, program.start(call))
            if name in ("setattr", "__setattr__"):
                self._set.update(text_of(one.value) for one in call.args[-2:-1])
            if name == "vars" and not self._only_reads(call):
                self._set.add(None)
        #: what is bound in an expression, which may do something with it
        self._walrus = {plain(one.target) for one in program.all(cst.NamedExpr)}
        self._class_names = {name for one in program.classes for name in self._names_of(one)}
        self._reached = (
            bool(_FRAMES & program.attributes.keys())
            or any(module == "__main__" for _, module, _ in program.modules)
            or any(map(self._reaches, program.all(cst.Name)))
        )

    def _names_of(self, definition: cst.ClassDef) -> Iterator[str]:
        """What a class itself has, beside its objects' own attributes."""
        scope = self._program.scopes.get(definition.body.body[0]) if definition.body.body else None
        for binding in scope.assignments if isinstance(scope, ClassScope) else ():
            outer = self._program.parents.get(getattr(binding, "node", definition))
            if not isinstance(outer, cst.AnnAssign) or outer.value is not None:
                yield binding.name

    def _reaches(self, name: cst.Name) -> bool:
        """Whether it stands for a function by which all variables can be set, or for this module."""
        parent = self._program.parents[name]
        call = self._program.parents.get(parent)
        function = plain(call.func).rpartition(".")[2] if isinstance(call, cst.Call) else ""
        if name.value == "__name__":  # sys.modules[__name__]
            return isinstance(parent, cst.Index) or function in ("get", "import_module", "__import__")
        if name.value == "vars":
            return isinstance(parent, cst.Call) and not parent.args
        if name.value not in _REACHES or (isinstance(parent, cst.Arg) and parent.keyword is name):
            return False
        return not isinstance(parent, cst.Attribute) or plain(parent).startswith("builtins.")

    def _only_reads(self, call: cst.Call) -> bool:
        """``vars(args)["key"]``, ``dict(vars(args))``, ``vars(args).items()``."""
        parent = self._program.parents[call]
        if isinstance(parent, cst.Subscript):
            return self._program.is_read(parent)
        if isinstance(parent, cst.Attribute):
            return parent.attr.value in ("get", "keys", "values", "items", "copy")
        return isinstance(parent, (cst.Arg, cst.StarredDictElement, cst.Comparison, cst.ComparisonTarget))

    def root(self, node: cst.CSTNode) -> Optional[Value]:
        """Where the dictionary was made that a name stands for: its first name's value."""
        value = self.value(node)
        for _ in range(_MOST_DEEP):
            if value is None or value.index is not None:
                return None
            if not isinstance(value.expression, (cst.Name, cst.Attribute)):
                return value
            value = self.value(value.expression)
        return None

    def value(self, node: cst.CSTNode) -> Optional[Value]:
        program = self._program
        if self._reached:
            return None
        if isinstance(node, cst.Attribute):
            return self._attribute(node, node.attr.value)
        if cst.ensure_type(node, cst.Name).value in self._walrus:
            return None
        values = []
        for binding in program.bindings(cst.ensure_type(node, cst.Name)):
            given = program.value(binding)
            if given is not None:
                values.append(given)
            elif not isinstance(program.parents[binding.node], cst.AugAssign):  # type: ignore[attr-defined]
                return None
        if len(values) < 2:
            return values[0] if values else None
        self.work += len(values)
        if self.work > MOST_WORK:
            return None
        here = self._program.function(node)
        if any(self._program.function(one.node) is not here for one in values):
            return None
        start = program.start(node)
        before = [one for one in values if program.end(one.node) <= start]
        sure = [one for one in before if self.blocks(one.node) <= self.blocks(node)]
        if not sure or before[-1] is not sure[-1]:
            return None
        loops = {one for one in self.blocks(node) if isinstance(one, _LOOPS)}
        again = any(loops & self.blocks(one.node) - self.blocks(sure[-1].node) for one in values)
        return None if again else sure[-1]

    def _attribute(self, node: cst.Attribute, name: str) -> Optional[Value]:
        """The one value that an attribute of this name is set to, in whatever object."""
        program = self._program
        values = program.set_attributes.get(name, [])
        if len(values) != 1 or self._set & {None, name}:
            return None
        others = [one for one in program.attributes[name] if not program.is_read(one) and self._is_set_anew(one)]
        of_a_class = name in self._class_names
        alike = plain(others[0]) == plain(node) if len(others) == 1 else False
        owner = node.value
        is_one = not isinstance(owner, cst.Name) or len(program.bindings(owner)) < 2
        return values[0] if len(others) == 1 and is_one and (alike or not of_a_class) else None

    def _is_set_anew(self, attribute: cst.Attribute) -> bool:
        parent = self._program.parents[attribute]
        return not isinstance(parent, cst.AugAssign) and not (isinstance(parent, cst.AnnAssign) and not parent.value)

    def blocks(self, node: cst.CSTNode) -> set[cst.CSTNode]:
        """What may or may not be run, or run again, around a node: of its own function."""
        found: set[cst.CSTNode] = set()
        parents = self._program.parents
        current: Optional[cst.CSTNode] = node
        while current is not None and not isinstance(current, cst.FunctionDef):
            outer = parents.get(current)
            if outer is not None and isinstance(outer, _BRANCHES) and outer.body is current:
                found.update({current, outer} if isinstance(outer, _LOOPS) else {current})
            elif isinstance(current, _MAYBE) or self._ends_early(current) or _is_elif(current, outer):
                found.add(current)
            current = outer
        return found

    def _ends_early(self, node: cst.CSTNode) -> bool:
        """``with suppress(...)``: what stands in it may be left out."""
        items = [one.item for one in node.items] if isinstance(node, cst.With) else []
        names = [self._program.dotted(one.func) or plain(one.func) for one in items if isinstance(one, cst.Call)]
        return any(name.rpartition(".")[2] in ("suppress", "raises") for name in names)

    def _holds(self, outer: cst.CSTNode, node: cst.CSTNode) -> bool:
        return self._program.start(outer) <= self._program.start(node) < self._program.end(outer)

    def returns(self, function: Optional[cst.CSTNode]) -> int:
        """The first place where a function may have ended."""
        program = self._program
        ends = (program.end(one) for one in program.all(cst.Return) if program.function(one) is function)
        return min(ends, default=len(program.text))

    def goes_on(self, returned: cst.CSTNode) -> bool:
        """Whether something is run after a ``return``: a ``finally``."""
        current: Optional[cst.CSTNode] = returned
        while current is not None and not isinstance(current, cst.FunctionDef):
            if isinstance(current, (cst.Try, cst.TryStar)) and current.finalbody is not None:
                return True
            current = self._program.parents.get(current)
        return False

    def is_used(self, name: str) -> bool:
        """Whether a function of this name is called, or read as an attribute (a property)."""
        return name in self._called or name in self._program.attributes

    def functions(self, call: cst.Call) -> list[cst.CSTNode]:
        """The functions of this file that a call may mean."""
        if isinstance(call.func, cst.Name):
            nodes = [getattr(one, "node", None) for one in self._program.bindings(call.func)]
            found = [one for one in nodes if isinstance(one, cst.FunctionDef)] if len(nodes) == 1 else []
        elif isinstance(call.func, cst.Attribute) and plain(call.func.value) in ("self", "cls"):
            found = self._program.functions.get(call.func.attr.value, [])
        else:
            return []
        return [one for one in found if all(plain(each.decorator) in _PLAIN for each in one.decorators)]

    def when(self, event: cst.CSTNode, at: int, made: cst.CSTNode, use: cst.CSTNode) -> Optional[bool]:
        """Whether it has happened when Python comes to ``use``: True, False for "maybe", None for "not yet"."""
        here, there = self._program.function(use), self._program.function(event)
        if here is there:
            if at <= self._program.start(use):
                return self.blocks(event) <= self.blocks(use)
            around = self.blocks(use)
            if any(
                isinstance(one, _LATER) or (isinstance(one, cst.IfExp) and self._holds(one, event)) for one in around
            ):
                return False
            loops = {one for one in around & self.blocks(event) if isinstance(one, _LOOPS)}
            return False if loops - self.blocks(made) else None
        if there is self._program.function(made):
            called = here is not None and self._called.get(here.name.value, at) < at
            return not called and not self.blocks(event)
        return False


def _is_elif(node: cst.CSTNode, outer: Optional[cst.CSTNode]) -> bool:
    return isinstance(node, cst.If) and isinstance(outer, cst.If) and outer.orelse is node
