"""What of v1 a Python file uses: which expression is v1's module, class, function or object."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

import libcst as cst
from libcst.metadata import BaseAssignment, ImportAssignment

from .names import IMPORT_FUNCTIONS, MODULES, Reference, reference, v1_name
from .source import Source
from .tree import Tree, Value, accessed, key_of, module_of, plain, text_of

_STEPS = 30  # from a use back to where its value comes from
# not ``nv_one_logger_callback``: that is v2's
_LOOKS_LIKE = re.compile(r"(?<!nv_)one_?logger|logtimeevent|time_event_callback", re.IGNORECASE)


@dataclass(frozen=True)
class Instance:
    """An object of v1's: which (a key of ``names.PARAMETERS``), and the call that made it if the file has it."""

    thing: str
    made: Optional[cst.Call] = None


class Program(Tree):
    """A file, with what its names stand for.

    Raises:
        Unreadable: it does not parse, or is too large or too deep.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._names: dict[tuple[int, str], Optional[str]] = {}
        self._objects: dict[tuple[int, str], list[Instance]] = {}
        self._step = 0

    def dotted(self, node: cst.CSTNode) -> Optional[str]:
        """The dotted name, from an import, that an expression stands for; None if it is something else."""
        if self._step > _STEPS:
            return None
        self._step += 1
        try:
            found = accessed(node)
            if found is not None:
                base = self.dotted(found[0])
                return f"{base}.{found[1]}" if base is not None else None
            if isinstance(node, cst.Name):
                return self._dotted_name(node)
            if isinstance(node, cst.Call):
                return self._dotted_call(node)
            if isinstance(node, cst.Subscript) and self.dotted(node.value) == "sys.modules":
                return key_of(node)
            return None
        finally:
            self._step -= 1

    def _dotted_name(self, node: cst.Name) -> Optional[str]:
        key = id(self.scopes.get(node)), node.value
        if key in self._names:
            return self._names[key]
        self._names[key] = None  # while it is looked for: x = x
        bindings = self.bindings(node)
        found = None
        for binding in bindings:
            value = self.value(binding)
            if isinstance(binding, ImportAssignment):
                given = next((one.name for one in binding.get_qualified_names_for(node.value)), None)
            elif value is not None and value.index is None:
                given = self.dotted(value.expression)
            else:
                continue
            # In ``try: import v1 except ImportError: something else`` v1 is what is looked for.
            if given is not None and (found is None or v1_name(given) is not None):
                found = given
        if not bindings:
            for statement in self.froms:
                known = reference(module_of(statement)) if isinstance(statement.names, cst.ImportStar) else None
                if known is not None and not known.rest and node.value in MODULES[known.module]:
                    found = f"{module_of(statement)}.{node.value}"
        self._names[key] = found
        return found

    def _dotted_call(self, node: cst.Call) -> Optional[str]:
        function = self.dotted(node.func) or plain(node.func)
        first = text_of(node.args[0].value) if node.args else None
        second = text_of(node.args[1].value) if len(node.args) > 1 else None
        if function in IMPORT_FUNCTIONS and first is not None:
            if first.startswith(".") and second is not None:
                return second + first
            return first.partition(".")[0] if function == "__import__" and len(node.args) < 4 else first
        return None

    def refers(self, node: cst.CSTNode) -> Optional[Reference]:
        """What of v1 an expression names, if it names a module, class or function of v1."""
        dotted = self.dotted(node)
        return reference(dotted) if dotted is not None else None

    # -- objects -----------------------------------------------------------------------------------------------

    def instances(self, node: cst.CSTNode) -> list[Instance]:
        """The objects of v1 that an expression may be, as far as the file shows."""
        if self._step > _STEPS:
            return []
        self._step += 1
        try:
            return list(dict.fromkeys(self._instances(node)))
        finally:
            self._step -= 1

    def _instances(self, node: cst.CSTNode) -> Iterator[Instance]:
        found = accessed(node)
        if found is not None:
            yield from self._of_attribute(*found)
        if isinstance(node, cst.Call):
            yield from self._made(node)
        elif isinstance(node, cst.Name):
            key = id(self.scopes.get(node)), node.value
            if key not in self._objects:
                self._objects[key] = []
                self._objects[key] = [one for binding in self.bindings(node) for one in self._of_binding(binding)]
            yield from self._objects[key]
        elif isinstance(node, cst.IfExp):
            yield from self.instances(node.body)
            yield from self.instances(node.orelse)
        elif isinstance(node, cst.BooleanOperation):
            yield from self.instances(node.left)
            yield from self.instances(node.right)
        elif isinstance(node, cst.NamedExpr):
            yield from self.instances(node.value)

    def _of_binding(self, binding: BaseAssignment) -> list[Instance]:
        value = self.value(binding)
        if value is None:
            return []
        if value.index is None:
            return self.instances(value.expression)
        if value.index == 1 and isinstance(value.expression, cst.Call):
            found = self.refers(value.expression.func)
            if found is not None and found.thing == "lightning.hook_trainer_cls":
                return [Instance("lightning.TimeEventCallback", value.expression)]
        return []

    def _of_attribute(self, on: cst.BaseExpression, name: str) -> Iterator[Instance]:
        if name == "logtimeevent":
            behind = self.instances(on)
            yield from [Instance("OneLoggerUtils", one.made) for one in behind] or [Instance("OneLoggerUtils")]
        elif name == "time_event_callback":
            trainers = self.instances(on)
            yield from (Instance("lightning.TimeEventCallback", one.made) for one in trainers)
        else:
            key = -1, name
            if key not in self._objects:
                self._objects[key] = []
                values = self.set_attributes.get(name, [])
                self._objects[key] = [one for value in values for one in self.instances(value.expression)]
            yield from self._objects[key]

    def _made(self, node: cst.Call) -> Iterator[Instance]:
        found = self.refers(node.func)
        if found is not None:
            is_class = found.rest and found.rest[-1][:1].isupper()
            if found.thing and is_class:
                yield Instance(found.thing, node)
        elif isinstance(node.func, cst.Name):
            for binding in self.bindings(node.func):
                for returned in self.returned.get(getattr(binding, "node", node), []):
                    yield from self.instances(returned)

    def is_surely_v1s(self, node: cst.CSTNode) -> bool:
        """Whether an expression can be nothing but an object of v1's, or None, as far as the file shows."""
        if self._step > _STEPS:
            return False
        self._step += 1
        try:
            parts = self._parts(node)
            return bool(self.instances(node)) if parts is None else bool(parts) and all(map(self._gives_v1s, parts))
        finally:
            self._step -= 1

    def _parts(self, node: cst.CSTNode) -> Optional[list[Optional[Value]]]:
        """What an expression may be, each with its value; None for one that is what it is."""
        if isinstance(node, cst.Name):
            return [self.value(one) for one in self.bindings(node)]
        if isinstance(node, cst.IfExp):
            return [Value(node.body, node), Value(node.orelse, node)]
        if isinstance(node, cst.BooleanOperation):
            return [Value(node.left, node), Value(node.right, node)]
        if isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and self.refers(node.func) is None:
            functions = [getattr(one, "node", None) for one in self.bindings(node.func)]
            return [Value(one, one) for function in functions for one in self.returned.get(function, [])]
        if isinstance(node, cst.Attribute) and node.attr.value in self.set_attributes:
            name = node.attr.value
            targets = [one for one in self.attributes[name] if not self.is_read(one)]
            here = self.around(node, cst.ClassDef)
            alike = all(plain(one) == plain(node) and self.around(one, cst.ClassDef) is here for one in targets)
            return list(self.set_attributes[name]) if alike else []
        return None

    def _gives_v1s(self, value: Optional[Value]) -> bool:
        if value is None:
            return False
        if value.index is not None:  # hook_trainer_cls(...)[1]
            return isinstance(value.expression, cst.Call)
        return plain(value.expression) == "None" or self.is_surely_v1s(value.expression)

    def looks_like_v1(self, node: cst.CSTNode) -> bool:
        """Whether an object whose origin is unknown has a name such as ``self.one_logger`` or ``cb.logtimeevent``.

        Not if the name comes from a module that is not v1: Megatron's own ``one_logger_utils`` is one.
        """
        found = accessed(node)
        name: Optional[str] = found[1] if found is not None else plain(node)
        if isinstance(node, cst.Subscript):
            name = key_of(node)
        root: cst.CSTNode = node
        while isinstance(root, cst.Attribute):
            root = root.value
        if not _LOOKS_LIKE.search(name or ""):
            return False
        bindings = self.bindings(root)[:100] if isinstance(root, cst.Name) else []
        return not any(isinstance(one, ImportAssignment) for one in bindings)
