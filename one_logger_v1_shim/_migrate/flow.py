"""Which value a name has where it stands, and what has happened by then: as far as a file shows it, or not at all."""

from __future__ import annotations

from typing import Optional

import libcst as cst

from .program import Program
from .tree import Value, plain, text_of

#: steps of following, in a file: a program that needs more was written to be followed for ever
MOST_WORK = 20_000
_MOST_DEEP = 30  # names of one value
_BRANCHES = (
    cst.If, cst.Else, cst.For, cst.While, cst.Try, cst.TryStar, cst.ExceptHandler, cst.ExceptStarHandler, cst.MatchCase,
)  # fmt: skip
_MAYBE = (cst.IfExp, cst.BooleanOperation, cst.ListComp, cst.SetComp, cst.DictComp, cst.GeneratorExp, cst.Lambda)
_LOOPS = (cst.For, cst.While)
# decorators that leave a function what it is
_PLAIN = {"staticmethod", "classmethod"}
# functions that reach a program's variables by their names
_REACHES = {"exec", "eval", "globals", "locals"}


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
        self._reached = any(plain(call.func) in _REACHES for call in program.calls)

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
            values = program.set_attributes.get(node.attr.value, [])
            return values[0] if len(values) == 1 and not self._set & {None, node.attr.value} else None
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

    def blocks(self, node: cst.CSTNode) -> set[cst.CSTNode]:
        """What may or may not be run, or run again, around a node: of its own function."""
        found: set[cst.CSTNode] = set()
        parents = self._program.parents
        current: Optional[cst.CSTNode] = node
        while current is not None and not isinstance(current, cst.FunctionDef):
            outer = parents.get(current)
            if outer is not None and isinstance(outer, _BRANCHES) and outer.body is current:
                found.update({current, outer} if isinstance(outer, _LOOPS) else {current})
            elif isinstance(current, _MAYBE) or self._ends_early(current):
                found.add(current)
            current = outer
        return found

    def _ends_early(self, node: cst.CSTNode) -> bool:
        """``with suppress(...)``: what stands in it may be left out."""
        items = [one.item for one in node.items] if isinstance(node, cst.With) else []
        names = [self._program.dotted(one.func) or plain(one.func) for one in items if isinstance(one, cst.Call)]
        return any(name.rpartition(".")[2] in ("suppress", "raises") for name in names)

    def returns(self, function: Optional[cst.CSTNode]) -> int:
        """The first place where a function may have ended."""
        program = self._program
        ends = (program.end(one) for one in program.all(cst.Return) if program.function(one) is function)
        return min(ends, default=len(program.text))

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
            loops = {one for one in self.blocks(use) & self.blocks(event) if isinstance(one, _LOOPS)}
            return False if loops - self.blocks(made) else None
        if there is self._program.function(made):
            called = here is not None and self._called.get(here.name.value, at) < at
            return not called and not self.blocks(event)
        return False
