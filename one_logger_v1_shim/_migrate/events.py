"""What a file does to a dictionary: at each name that the dictionary has, and in the functions that it is given to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Optional, Union

import libcst as cst
from libcst.metadata import ExpressionContext

from .flow import MOST_WORK, Flow
from .program import Program
from .tree import Value, key_of, plain, text_of

_HARMLESS = {
    "print", "len", "str", "repr", "dict", "list", "tuple", "set", "sorted", "isinstance", "type", "bool", "id", "any",
    "all", "iter", "enumerate", "hash", "format", "callable", "zip", "copy.copy", "copy.deepcopy", "json.dumps",
    "json.dump", "pprint.pprint", "pprint", "pformat", "pprint.pformat", "yaml.dump", "yaml.safe_dump",
}  # fmt: skip
_LOGGING = {"debug", "info", "warning", "error", "critical", "exception"}
_READS = {"get", "keys", "values", "items", "copy", "__contains__", "__getitem__"}
_CHANGES = {"update", "pop", "popitem", "clear", "setdefault", "__setitem__", "__delitem__", "__ior__"}
# where an expression stands that only reads it
_READING = (
    cst.Comparison, cst.ComparisonTarget, cst.UnaryOperation, cst.FormattedStringExpression, cst.Expr, cst.Assert,
    cst.If, cst.While, cst.For, cst.CompFor, cst.CompIf, cst.StarredDictElement, cst.BinaryOperation, cst.Index,
    cst.Del,
)  # fmt: skip


@dataclass(frozen=True)
class Event:
    """Something that is done to a dictionary: where, how, and with what."""

    node: cst.CSTNode
    #: the character after which it has happened
    at: int
    how: str
    key: Optional[str] = None
    value: Optional[cst.CSTNode] = None
    #: the name may stand for another dictionary
    maybe: bool = False


class Events:
    """What one program does to its dictionaries."""

    def __init__(self, program: Program, flow: Flow) -> None:
        self._program = program
        self._flow = flow
        self._events: dict[cst.CSTNode, list[Event]] = {}

    def of(self, value: Value) -> list[Event]:
        """What the file does to a dictionary, in the order of the file."""
        made = value.expression
        if made not in self._events:
            self._events[made] = []
            found = dict.fromkeys(self._to(self._holders(value), made))
            self._events[made] = self._in_order(one for one in found if self._counts(one, value))
        return self._events[made]

    def given(self, parameter: cst.CSTNode) -> list[Event]:
        """What a function does to the dictionary that it gets as this parameter."""
        if parameter not in self._events:
            self._events[parameter] = []
            self._events[parameter] = self._in_order(dict.fromkeys(self._to([parameter])))
        return self._events[parameter]

    def _in_order(self, events: Iterable[Event]) -> list[Event]:
        """As they happen: of two that end at one place, the inner one is first (``c["a"] = c.pop("a")``)."""
        return sorted(events, key=lambda one: (one.at, -self._program.start(one.node)))

    def _counts(self, event: Event, value: Value) -> bool:
        """Whether a ``return`` gives the dictionary to somebody: of another function, which the file uses."""
        here = self._program.function(event.node)
        if event.how != "return" or here is None:
            return True
        return here is not self._program.function(value.node) and self._flow.is_used(here.name.value)

    def _holders(self, value: Value) -> Iterator[cst.BaseExpression]:
        """The targets of an assignment."""
        node = value.node
        if isinstance(node, cst.Assign):
            yield from (one.target for one in node.targets)
        elif isinstance(node, (cst.AnnAssign, cst.NamedExpr)):
            yield node.target
        elif isinstance(node, cst.WithItem) and node.asname is not None:
            yield node.asname.name

    def _to(self, targets: Iterable[cst.CSTNode], made: Optional[cst.CSTNode] = None) -> Iterator[Event]:
        """Events at every name that the targets give to a dictionary, and at the names that these give to others."""
        waiting, seen = list(targets), set[cst.CSTNode]()
        while waiting:
            target = waiting.pop()
            for use in self._uses(target):
                self._flow.work += 1
                if use in seen or self._flow.work > MOST_WORK:
                    continue
                seen.add(use)
                looked = made is not None and self._program.is_read(use)
                root = self._flow.root(use) if looked else None
                other = root.expression if root is not None else None
                if other is not made and isinstance(other, (cst.Dict, cst.Call, cst.BinaryOperation)):
                    continue  # the name stands for another dictionary there
                result = self._event(use)
                if isinstance(result, Event):
                    maybe = result.maybe or (looked and other is not made) or _is_anothers(use, target)
                    yield replace(result, maybe=maybe)
                elif result is not None:
                    waiting += self._holders(result)

    def _uses(self, target: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """The places where a variable or an attribute stands."""
        program = self._program
        if isinstance(target, cst.Attribute):
            yield from program.attributes.get(target.attr.value, [])
        elif isinstance(target, (cst.Name, cst.Param)):
            name = target if isinstance(target, cst.Name) else target.name
            scope = program.scopes.get(name)
            if isinstance(target, cst.Param):
                function = program.parents[program.parents[target]]
                scope = program.scopes.get(getattr(function, "body", name))
            for binding in scope[name.value] if scope is not None else ():
                node = getattr(binding, "node", None)
                if isinstance(node, cst.Name) and isinstance(program.parents[node], cst.AugAssign):
                    yield node
                for access in getattr(binding, "references", ()):
                    use = access.node
                    while isinstance(use, cst.Attribute):
                        use = use.value
                    yield use

    def _event(self, use: cst.CSTNode) -> Union[Event, Value, None]:
        """What is done where a dictionary's name stands: an event, another name (a value), or None: it is read."""
        program = self._program
        parent = program.parents[use]
        while isinstance(parent, (cst.IfExp, cst.BooleanOperation, cst.NamedExpr)) and getattr(
            parent, "target", None
        ) is not use and getattr(parent, "test", None) is not use:  # fmt: skip
            use, parent = parent, program.parents[parent]
        outer = program.parents.get(parent)
        if isinstance(parent, cst.Attribute):
            if isinstance(outer, cst.Call) and outer.func is parent:
                return self._method(outer, parent.attr.value)
            return Event(parent, program.end(parent), "lose") if parent.attr.value in _CHANGES else None
        if isinstance(parent, cst.Subscript):
            return self._subscript(parent)
        if isinstance(parent, cst.Arg) and isinstance(outer, cst.Call):
            return self._given(outer, parent)
        if isinstance(parent, cst.AugAssign):
            if parent.target is not use:
                return None
            how = "merge" if isinstance(parent.operator, cst.BitOrAssign) else "lose"
            return Event(parent, program.end(parent), how, value=parent.value)
        if isinstance(parent, (cst.Assign, cst.AnnAssign)):
            return Value(parent.value, parent) if parent.value is use and parent.value is not None else None
        if isinstance(parent, (cst.AssignTarget, cst.WithItem)):
            return None
        if isinstance(parent, (*_READING, cst.IfExp, cst.BooleanOperation, cst.NamedExpr)):
            return None
        return Event(use, program.end(use), "return" if isinstance(parent, cst.Return) else "lose")

    def _subscript(self, node: cst.Subscript) -> Optional[Event]:
        program = self._program
        parent = program.parents[node]
        if isinstance(parent, cst.AssignTarget):
            statement = program.parents[parent]
            value = statement.value if isinstance(statement, cst.Assign) else None
            return Event(node, program.end(statement), "set", key_of(node), value)
        if program.contexts.get(node) is ExpressionContext.DEL:
            return Event(node, program.end(node), "drop", key_of(node))
        if program.is_read(node):
            return Event(node, program.end(node), "inside", key_of(node)) if self._event(node) is not None else None
        if isinstance(parent, cst.AnnAssign) and parent.value is None:
            return None
        is_loop = isinstance(parent, cst.For)  # for c["x"] in y: nothing is set where y is empty
        return Event(node, program.end(node if is_loop else parent), "set", key_of(node), maybe=is_loop)

    def _method(self, call: cst.Call, name: str) -> Optional[Event]:
        at = self._program.end(call)
        key = text_of(call.args[0].value) if call.args else None
        if name in _READS:
            given = name in ("get", "__getitem__") and self._event(call) is not None
            return Event(call, at, "inside", key) if given else None
        if name == "update":
            return Event(call, at, "update")
        if name in ("pop", "__delitem__"):
            return Event(call, at, "drop", key)
        if name in ("setdefault", "__setitem__"):
            value = call.args[1].value if len(call.args) > 1 else None
            return Event(call, at, "default" if name == "setdefault" else "set", key, value)
        return Event(call, at, "clear" if name == "clear" else "lose")

    def _given(self, call: cst.Call, argument: cst.Arg) -> Optional[Event]:
        """A function gets the dictionary: it may be one of this file, or one that is known to change nothing."""
        program = self._program
        name = program.dotted(call.func) or plain(call.func)
        found = program.refers(call.func)
        last = call.func.attr.value if isinstance(call.func, cst.Attribute) else ""
        functions = self._flow.functions(call)
        if argument.star == "**" or (found is not None and found.thing):
            return None
        if last == "fromkeys" or (last == "update" and name != "dict.update"):
            return None
        if not functions and (name in _HARMLESS or last in _LOGGING):
            return None
        at = program.end(call)
        if len(functions) == 1 and isinstance(functions[0], cst.FunctionDef) and not argument.star:
            parameter = self._parameter(functions[0], call, argument)
            if parameter is not None:
                return Event(call, at, "call", value=parameter)
        return Event(call, at, "lose")

    def _parameter(self, function: cst.FunctionDef, call: cst.Call, argument: cst.Arg) -> Optional[cst.Param]:
        """The parameter that gets the argument, if it is known, and bound to nothing else in the function."""
        found = self._given_to(function, call, argument)
        scope = self._program.scopes.get(function.body)
        bound = [getattr(one, "node", None) for one in scope[found.name.value]] if found and scope else []
        others = [one for one in bound if isinstance(one, cst.Name) and self._is_rebound(one)]
        return found if not others else None

    def _is_rebound(self, name: cst.Name) -> bool:
        parent = self._program.parents[name]
        return not isinstance(parent, (cst.AugAssign, cst.Param))

    def _given_to(self, function: cst.FunctionDef, call: cst.Call, argument: cst.Arg) -> Optional[cst.Param]:
        names = [*function.params.posonly_params, *function.params.params]
        if argument.keyword is not None:
            every = [*names, *function.params.kwonly_params]
            return next((one for one in every if one.name.value == argument.keyword.value), None)
        decorated = {plain(one.decorator) for one in function.decorators}
        at = self._program.arguments[argument]
        at += isinstance(call.func, cst.Attribute) and "staticmethod" not in decorated
        return names[at] if at < len(names) and not any(one.star for one in call.args) else None


def _is_anothers(use: cst.CSTNode, target: cst.CSTNode) -> bool:
    """``b.cfg`` beside ``a.cfg``: it may be another object's."""
    return isinstance(use, cst.Attribute) and isinstance(target, cst.Attribute) and plain(use) != plain(target)
