"""A configuration as a file writes it out: which keys are there, which may be, and the values that are literals."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any, Optional

import libcst as cst

from .tree import text_of

UNKNOWN: Any = object()


@dataclass
class Config:
    """The keys of a dictionary, with their values if these are literals. ``open``: there may be keys that are not seen.

    ``maybe``: keys that may be there or not.
    """

    keys: dict[str, Any] = field(default_factory=dict)
    #: the keys of the values that are dictionaries
    inner: dict[str, list[str]] = field(default_factory=dict)
    maybe: set[str] = field(default_factory=set)
    open: bool = False

    def constant(self, key: str, otherwise: Any) -> Any:
        """The literal value of ``key``, ``otherwise`` if it is absent, ``UNKNOWN`` if only the program knows it."""
        if key in self.keys and key not in self.maybe:
            return self.keys[key]
        return UNKNOWN if self.open or key in self.maybe else otherwise

    @property
    def certain(self) -> set[str]:
        """The keys that are there."""
        return self.keys.keys() - self.maybe

    def set(self, key: Optional[str], value: Optional[cst.CSTNode], sure: bool = True) -> None:
        """``config[key] = value``; None is an expression that cannot be read."""
        if key is None:
            self.open = True
            self.keys = dict.fromkeys(self.keys, UNKNOWN)
            return
        if not sure and key not in self.certain:
            self.maybe.add(key)
        elif sure:
            self.maybe.discard(key)
        self.keys[key] = literal(value) if sure and value is not None else UNKNOWN
        self.inner[key] = [text for one in _elements(value) if (text := text_of(getattr(one, "key", None))) is not None]

    def drop(self, key: Optional[str], sure: bool = True) -> None:
        """``del config[key]``."""
        gone = list(self.keys) if key is None else [key] if key in self.keys else []
        if not sure or key is None:
            self.maybe.update(gone)
        else:
            for one in gone:
                del self.keys[one]
                self.maybe.discard(one)

    def touch(self, key: Optional[str]) -> None:
        """Something was done to the value of ``key`` that cannot be read; None: to one of the values."""
        for one in self.keys if key is None else [key]:
            if isinstance(self.keys.get(one), (dict, list, set)) or self.inner.get(one):
                self.keys[one], self.inner[one] = UNKNOWN, []

    def lose(self) -> None:
        """Something was done to it that cannot be read."""
        self.set(None, None)
        self.drop(None)

    def add(self, more: Optional[Config], sure: bool = True) -> None:
        """Take over the keys of another dictionary; None is one that cannot be read."""
        if more is None:
            self.set(None, None)
            return
        for key, value in list(more.keys.items()):
            certain = sure and key not in more.maybe
            self.set(key, None, certain)
            if certain:
                self.keys[key] = value
            self.inner[key] = more.inner.get(key, [])
        if more.open:
            self.set(None, None)

    def copy(self) -> Config:
        """Another one with the same keys."""
        return Config(dict(self.keys), dict(self.inner), set(self.maybe), self.open)


def literal(node: Optional[cst.CSTNode]) -> Any:
    """The value of a literal; ``UNKNOWN`` for what only the program knows."""
    if node is None:
        return UNKNOWN
    try:
        value = ast.literal_eval(cst.Module([]).code_for_node(node).strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return UNKNOWN
    # Python refuses to print larger numbers, and so would every message about one
    return UNKNOWN if isinstance(value, int) and value.bit_length() > 4096 else value


def _elements(node: Optional[cst.CSTNode]) -> list[Any]:
    return list(node.elements) if isinstance(node, cst.Dict) else []
