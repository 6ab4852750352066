"""Configurations that a file writes out: a dictionary is followed as Python runs it, or it is not judged.

Followed are literals, ``dict(...)``, unions, copies, variables, attributes (``self.cfg``), functions of the file that
make a dictionary or change the one that they are given, and what is done to the dictionary between the place where it
is made and the place where it is used. A change that may or may not happen (in a branch, a loop, another method) makes
its keys uncertain; one that nobody can read makes everything uncertain.
"""

from __future__ import annotations

from typing import Optional

import libcst as cst

from .config import Config
from .events import Event, Events
from .flow import MOST_WORK, Flow
from .program import Program
from .tree import plain, text_of

_MOST_DEEP = 30
_COPIES = {"copy.copy", "copy.deepcopy", "deepcopy", "dict"}


class Configs:
    """The dictionaries of one program."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._flow = Flow(program)
        self._events = Events(program, self._flow)
        self._known: dict[cst.CSTNode, Optional[Config]] = {}
        self._depth = 0

    def of(self, node: cst.CSTNode) -> Optional[Config]:
        """What an expression holds when Python comes to it; None if its keys are not written in this file."""
        if node not in self._known:
            self._known[node] = None  # while it is looked for
            self._flow.work += 1
            if self._flow.work < MOST_WORK and self._depth < _MOST_DEEP:
                self._depth += 1
                self._known[node] = self._at(node)
                self._depth -= 1
        found = self._known[node]
        return found.copy() if found is not None and self._flow.work < MOST_WORK else None

    def _at(self, node: cst.CSTNode) -> Optional[Config]:
        if not isinstance(node, (cst.Name, cst.Attribute)):
            return self._made(node)
        value = self._flow.root(node)
        if value is None:
            return None
        config = self.of(value.expression)
        if config is None:
            return None
        for event in self._events.of(value):
            self._flow.work += 1
            elsewhere = self._program.function(event.node) is not self._program.function(value.node)
            if elsewhere or event.at > self._program.end(value.node):
                when = self._flow.when(event.node, event.at, value.node, node)
                if when is not None:
                    self._apply(config, event, when and not event.maybe)
        return config

    # -- making ------------------------------------------------------------------------------------------------

    def _made(self, node: cst.CSTNode) -> Optional[Config]:
        if isinstance(node, cst.Dict):
            config = Config()
            for one in node.elements:
                if isinstance(one, cst.DictElement):
                    config.set(text_of(one.key), one.value)
                else:
                    config.add(self.of(one.value))
            return config
        if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.BitOr):
            sides = [self.of(node.left), self.of(node.right)]
            config = Config()
            for side in sides:
                config.add(side)
            return config if any(side is not None for side in sides) else None
        return self._call(node) if isinstance(node, cst.Call) else None

    def _call(self, node: cst.Call) -> Optional[Config]:
        name = self._program.dotted(node.func) or plain(node.func)
        if isinstance(node.func, cst.Attribute) and node.func.attr.value == "copy" and not node.args:
            return self.of(node.func.value)
        if name in _COPIES and not self._flow.functions(node):
            return self._arguments(node)
        functions = self._flow.functions(node)
        returned = self._program.returned.get(functions[0], []) if len(functions) == 1 else []
        return self.of(returned[0]) if len(returned) == 1 and not self._flow.goes_on(returned[0]) else None

    def _arguments(self, node: cst.Call) -> Optional[Config]:
        """``dict(other, key=value)``, and the arguments of ``x.update(...)``."""
        config = Config()
        for argument in node.args:
            if argument.keyword is not None:
                config.set(argument.keyword.value, argument.value)
            else:
                config.add(self.of(argument.value))
        return config if config.keys or not config.open else None

    # -- changing --------------------------------------------------------------------------------------------------

    def _apply(self, config: Config, event: Event, sure: bool) -> None:
        if event.how == "set":
            config.set(event.key, event.value, sure)
        elif event.how == "drop":
            config.drop(event.key, sure)
        elif event.how == "default":
            if event.key is None or event.key not in config.certain:
                known = event.key is not None and event.key not in config.maybe and not config.open
                config.set(event.key, event.value if known else None, sure)
        elif event.how == "merge" and event.value is not None:
            config.add(self.of(event.value), sure)
        elif event.how == "update" and isinstance(event.node, cst.Call):
            config.add(self._arguments(event.node), sure)
        elif event.how == "clear" and sure and not config.open:
            config.drop(None)
            config.keys, config.maybe = {}, set()
        elif event.how == "inside":
            config.touch(event.key)
        elif event.how == "call" and event.value is not None:
            self._call_changes(config, event, event.value, sure)
        else:
            config.lose()

    def _call_changes(self, config: Config, call: Event, parameter: cst.CSTNode, sure: bool) -> None:
        """What a function of the file does to the dictionary that it is given."""
        self._flow.work += 1
        if self._depth >= _MOST_DEEP or self._flow.work > MOST_WORK:
            config.lose()
            return
        self._depth += 1
        function = self._program.function(parameter)
        is_dropped = isinstance(self._program.parents[call.node], cst.Expr)
        for inner in self._events.given(parameter):
            if inner.how == "return" and is_dropped:
                continue  # nobody gets the dictionary by another name
            certain = self._program.function(inner.node) is function and not self._flow.blocks(inner.node)
            certain = certain and inner.at <= self._flow.returns(function)
            self._apply(config, inner, sure and certain)
        self._depth -= 1
