"""What of v1 a Python file uses, by its syntax tree: which expression is v1's module, class, function or object."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import Optional

from .names import IMPORT_FUNCTIONS, MODULES, ROOTS, Reference, reference, v1_name
from .scopes import Assigned, Defined, Imported, Other, Scope, walk
from .source import Source, parse

_DEPTH = 8  # steps from a use back to where its value comes from
_LOOKS_LIKE = re.compile(r"one_?logger|logtimeevent|time_event_callback", re.IGNORECASE)

Where = tuple[ast.expr, Scope]


@dataclass(frozen=True)
class Instance:
    """An object of v1's: which (a key of ``names.PARAMETERS``), and the call that made it if the file has it."""

    thing: str
    made: Optional[ast.Call] = None
    scope: Optional[Scope] = None


@dataclass
class Reading:
    """A file, walked once."""

    source: Source
    tree: ast.Module
    imports: list[tuple[ast.stmt, Scope]] = field(default_factory=list)
    calls: list[tuple[ast.Call, Scope]] = field(default_factory=list)
    classes: list[tuple[ast.ClassDef, Scope]] = field(default_factory=list)
    #: ``x[key] = value`` and ``x.update(...)``, by the name ``x``
    changes: dict[str, list[tuple[ast.AST, Scope]]] = field(default_factory=dict)
    #: what attributes are set to, by their name, whatever object has them
    attributes: dict[str, list[Assigned]] = field(default_factory=dict)
    #: what functions return, by the id of their node
    returned: dict[int, list[Where]] = field(default_factory=dict)
    #: reads of a name like v1's
    root_names: list[tuple[ast.Name, Scope]] = field(default_factory=list)
    #: ``x.one_logger``
    root_attributes: list[tuple[ast.Attribute, Scope]] = field(default_factory=list)
    parents: dict[int, ast.AST] = field(default_factory=dict)
    strings: list[ast.Constant] = field(default_factory=list)
    joined: list[ast.JoinedStr] = field(default_factory=list)

    # -- names -------------------------------------------------------------------------------------------------

    def dotted(self, node: ast.expr, scope: Scope, depth: int = _DEPTH) -> Optional[str]:
        """The dotted name, from an import, that an expression stands for; None if it is something else."""
        if depth == 0:
            return None
        if isinstance(node, ast.Attribute):
            base = self.dotted(node.value, scope, depth)
            return f"{base}.{node.attr}" if base is not None else None
        if isinstance(node, ast.Name):
            return self._dotted_name(node.id, scope, depth)
        if isinstance(node, ast.Call):
            return self._dotted_call(node, scope, depth)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            return str(node.slice.value) if self.dotted(node.value, scope, depth - 1) == "sys.modules" else None
        return None

    def _dotted_name(self, name: str, scope: Scope, depth: int) -> Optional[str]:
        bindings = scope.lookup(name)
        found = None
        for binding in bindings:
            if isinstance(binding, Imported):
                given: Optional[str] = binding.dotted
            elif isinstance(binding, Assigned) and binding.index is None:
                given = self.dotted(binding.value, binding.scope, depth - 1)
            else:
                continue
            # In ``try: import v1 except ImportError: something else`` v1 is what is looked for.
            if given is not None and (found is None or v1_name(given) is not None):
                found = given
        if not bindings:
            for module in scope.star_modules():
                known = reference(module)
                if known is not None and not known.rest and name in MODULES[known.module]:
                    return f"{module}.{name}"
        return found

    def _dotted_call(self, node: ast.Call, scope: Scope, depth: int) -> Optional[str]:
        function = self.dotted(node.func, scope, depth - 1) or plain(node.func)
        first = text_of(node.args[0]) if node.args else None
        if function in IMPORT_FUNCTIONS and first is not None:
            return first.partition(".")[0] if function == "__import__" and len(node.args) < 4 else first
        if function == "getattr" and len(node.args) >= 2:
            base, name = self.dotted(node.args[0], scope, depth - 1), text_of(node.args[1])
            return f"{base}.{name}" if base is not None and name is not None else None
        return None

    def refers(self, node: ast.expr, scope: Scope) -> Optional[Reference]:
        """What of v1 an expression names, if it names a module, class or function of v1."""
        dotted = self.dotted(node, scope)
        return reference(dotted) if dotted is not None else None

    # -- objects -----------------------------------------------------------------------------------------------

    def instances(self, node: ast.expr, scope: Scope, depth: int = _DEPTH) -> list[Instance]:
        """The objects of v1 that an expression may be, as far as the file shows."""
        if depth == 0:
            return []
        if isinstance(node, ast.Call):
            return self._made(node, scope, depth)
        if isinstance(node, ast.Name):
            found = [self._of_binding(binding, depth - 1) for binding in scope.lookup(node.id)]
            return [one for some in found for one in some]
        if isinstance(node, ast.Attribute):
            return self._of_attribute(node, scope, depth - 1)
        if isinstance(node, ast.IfExp):
            parts = [node.body, node.orelse]
        elif isinstance(node, ast.BoolOp):
            parts = node.values
        elif isinstance(node, ast.NamedExpr):
            parts = [node.value]
        else:
            return []
        return [one for part in parts for one in self.instances(part, scope, depth - 1)]

    def _of_binding(self, binding: object, depth: int) -> list[Instance]:
        if not isinstance(binding, Assigned):
            return []
        if binding.index is None:
            return self.instances(binding.value, binding.scope, depth)
        hooked = binding.value
        if binding.index == 1 and isinstance(hooked, ast.Call):
            found = self.refers(hooked.func, binding.scope)
            if found is not None and found.thing == "lightning.hook_trainer_cls":
                return [Instance("lightning.TimeEventCallback", hooked, binding.scope)]
        return []

    def _of_attribute(self, node: ast.Attribute, scope: Scope, depth: int) -> list[Instance]:
        if node.attr == "logtimeevent":
            behind = self.instances(node.value, scope, depth)
            return [Instance("OneLoggerUtils", one.made, one.scope) for one in behind] or [Instance("OneLoggerUtils")]
        if node.attr == "time_event_callback":
            trainers = self.instances(node.value, scope, depth)
            return [Instance("lightning.TimeEventCallback", one.made, one.scope) for one in trainers]
        values = self.attributes.get(node.attr, [])
        return [one for value in values for one in self.instances(value.value, value.scope, depth)]

    def _made(self, node: ast.Call, scope: Scope, depth: int) -> list[Instance]:
        found = self.refers(node.func, scope)
        if found is not None:
            is_class = found.rest and found.rest[-1][:1].isupper()
            return [Instance(found.thing, node, scope)] if found.thing and is_class else []
        if not isinstance(node.func, ast.Name):
            return []
        results: list[Instance] = []
        for binding in scope.lookup(node.func.id):
            if isinstance(binding, Defined):
                for returned, inner in self.returns(binding):
                    results += self.instances(returned, inner, depth - 1)
        return results

    def returns(self, function: Defined) -> list[Where]:
        """What a function of this file returns."""
        return self.returned.get(id(function.node), [])

    def looks_like_v1(self, node: ast.expr, scope: Scope) -> bool:
        """Whether an object whose origin is unknown has a name such as ``self.one_logger`` or ``cb.logtimeevent``.

        Not if the name comes from a module that is not v1: Megatron's own ``one_logger_utils`` is one.
        """
        name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        root: ast.expr = node
        while isinstance(root, ast.Attribute):
            root = root.value
        if isinstance(root, ast.Name):
            bindings = scope.lookup(root.id)
            if any(isinstance(one, Imported) or (isinstance(one, Other) and one.imported) for one in bindings):
                return False
        return bool(_LOOKS_LIKE.search(name))


def read_python(source: Source) -> Reading:
    """Walk the file once.

    Raises:
        Unreadable: it does not parse.
    """
    tree = parse(source)
    reading = Reading(source, tree)
    for node, scope in walk(tree):
        for child in ast.iter_child_nodes(node):
            reading.parents[id(child)] = node
        _sort_in(reading, node, scope)
    return reading


def _sort_in(reading: Reading, node: ast.AST, scope: Scope) -> None:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        reading.imports.append((node, scope))
    elif isinstance(node, ast.Call):
        reading.calls.append((node, scope))
        function = node.func
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.attr == "update":
            reading.changes.setdefault(function.value.id, []).append((node, scope))
    elif isinstance(node, ast.ClassDef):
        reading.classes.append((node, scope))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "one_logger" in node.value:
        reading.strings.append(node)
    elif isinstance(node, ast.JoinedStr):
        reading.joined.append(node)
    elif isinstance(node, ast.Name) and node.id in ROOTS and isinstance(node.ctx, ast.Load):
        reading.root_names.append((node, scope))
    elif isinstance(node, ast.Attribute) and node.attr in ROOTS:
        reading.root_attributes.append((node, scope))
    elif isinstance(node, ast.Return) and node.value is not None:
        function_node = _function_of(reading, node)
        if function_node is not None:
            reading.returned.setdefault(id(function_node), []).append((node.value, scope))
    elif isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if isinstance(target, ast.Attribute):
                reading.attributes.setdefault(target.attr, []).append(Assigned(node.value, scope))
            elif isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
                reading.changes.setdefault(target.value.id, []).append((node, scope))


def _function_of(reading: Reading, node: ast.AST) -> Optional[ast.AST]:
    current: Optional[ast.AST] = node
    while current is not None and not isinstance(current, (ast.FunctionDef, ast.AsyncFunctionDef)):
        current = reading.parents.get(id(current))
    return current


def plain(node: ast.expr) -> str:
    """``a.b.c`` as it is written; "" for any other expression."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join(reversed([*parts, node.id])) if isinstance(node, ast.Name) else ""


def text_of(node: ast.expr) -> Optional[str]:
    """The value of a string literal."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
