"""Configurations that a file writes out: the keys that are known, and whether there may be more."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any, Optional

from .reading import Reading, text_of
from .scopes import Assigned, Defined, Scope

_DEPTH = 6
_UNKNOWN = object()


@dataclass
class Config:
    """The keys of a dictionary, with their expressions. ``open``: the program may add keys that are not seen here."""

    keys: dict[str, ast.expr] = field(default_factory=dict)
    open: bool = False

    def constant(self, key: str, otherwise: Any) -> Any:
        """The literal value of ``key``, ``otherwise`` if it is absent, ``UNKNOWN`` if only the program knows it."""
        if key not in self.keys:
            return UNKNOWN if self.open else otherwise
        try:
            return ast.literal_eval(self.keys[key])
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return UNKNOWN

    def add(self, more: Optional[Config]) -> None:
        """Take over the keys of another dictionary; None is one that can not be read."""
        if more is None:
            self.open = True
        else:
            self.keys.update(more.keys)
            self.open = self.open or more.open


UNKNOWN: Any = _UNKNOWN


def config_of(reading: Reading, node: Optional[ast.expr], scope: Scope, depth: int = _DEPTH) -> Optional[Config]:
    """The dictionary that an expression is: a literal, ``dict(...)``, a variable or a function of this file.

    None if its keys are not written in this file.
    """
    if node is None or depth == 0:
        return None
    if isinstance(node, ast.Dict):
        return _literal(reading, node, scope, depth)
    if isinstance(node, ast.Name):
        return _variable(reading, node.id, scope, depth)
    if isinstance(node, ast.Attribute):
        values = reading.attributes.get(node.attr, [])
        return config_of(reading, values[0].value, values[0].scope, depth - 1) if len(values) == 1 else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        config = Config()
        config.add(config_of(reading, node.left, scope, depth - 1))
        config.add(config_of(reading, node.right, scope, depth - 1))
        return config if config.keys else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id == "dict" and not scope.lookup("dict"):
            return _call(reading, node, scope, depth)
        return _function(reading, node.func.id, scope, depth)
    return None


def _literal(reading: Reading, node: ast.Dict, scope: Scope, depth: int) -> Config:
    config = Config()
    for key, value in zip(node.keys, node.values):
        name = text_of(key) if key is not None else None
        if name is not None:
            config.keys[name] = value
        elif key is None:  # {**other}
            config.add(config_of(reading, value, scope, depth - 1))
        else:
            config.open = True
    return config


def _call(reading: Reading, node: ast.Call, scope: Scope, depth: int) -> Config:
    """``dict(other, key=value)``, and the arguments of ``x.update(...)``."""
    config = Config()
    for argument in node.args:
        config.add(config_of(reading, argument, scope, depth - 1))
    for keyword in node.keywords:
        if keyword.arg is not None:
            config.keys[keyword.arg] = keyword.value
        else:
            config.add(config_of(reading, keyword.value, scope, depth - 1))
    return config


def _variable(reading: Reading, name: str, scope: Scope, depth: int) -> Optional[Config]:
    assigned = [one for one in scope.lookup(name) if isinstance(one, Assigned) and one.index is None]
    if len(assigned) != 1 or len(scope.lookup(name)) != 1:
        return None
    config = config_of(reading, assigned[0].value, assigned[0].scope, depth - 1)
    if config is None:
        return None
    config = Config(dict(config.keys), config.open)
    for change, where in reading.changes.get(name, []):
        if assigned[0] not in where.lookup(name):
            continue
        if isinstance(change, ast.Call):
            config.add(_call(reading, change, where, depth))
        else:
            _set_key(config, change)
    return config


def _set_key(config: Config, change: ast.AST) -> None:
    targets = change.targets if isinstance(change, ast.Assign) else []
    for target in targets:
        if isinstance(target, ast.Subscript):
            key = text_of(target.slice)
            if key is None:
                config.open = True
            elif isinstance(change, ast.Assign):
                config.keys[key] = change.value


def _function(reading: Reading, name: str, scope: Scope, depth: int) -> Optional[Config]:
    functions = [one for one in scope.lookup(name) if isinstance(one, Defined)]
    if len(functions) != 1:
        return None
    returned = reading.returns(functions[0])
    return config_of(reading, *returned[0], depth - 1) if len(returned) == 1 else None
