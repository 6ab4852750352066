"""What is changed in a Python file, one place at a time.

| what stands there | what it becomes |
|---|---|
| ``==`` ``!=`` ``<`` ``<=`` ``>`` ``>=`` ``is`` ``in`` | its opposite; ``<`` and ``<=``, ``>`` and ``>=`` one another |
| ``+`` ``-`` ``*`` ``/`` ``//`` ``%`` ``|`` ``&`` | another one |
| ``and``, ``or``, ``not x`` | ``or``, ``and``, ``x`` |
| the condition of ``if``, ``while``, ``x if c else y`` and a comprehension | ``not`` of it |
| a number | one more |
| ``True``, ``False`` | the other one |
| a text without a blank (a key, a name) | another text |
| what is returned or assigned, unless it is a constant | ``None`` |
| a call that stands alone, ``raise`` | ``pass`` |
| ``break``, ``continue`` | the other one |

Left alone: docstrings, texts with a blank (sentences), annotations, decorators, ``__all__``, ``if TYPE_CHECKING``.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

_COMPARED: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"), ast.Is: ("is", "is not"), ast.IsNot: (r"is\s+not", "is"), ast.In: ("in", "not in"),
    ast.NotIn: (r"not\s+in", "in"),
}  # fmt: skip
_COUNTED: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: (r"\+", "-"), ast.Sub: ("-", "+"), ast.Mult: (r"\*", "/"), ast.Div: ("/", "*"), ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "*"), ast.BitOr: (r"\|", "&"), ast.BitAnd: ("&", "|"),
}  # fmt: skip
_WORD = re.compile(r"[^\s]+")


@dataclass(frozen=True)
class Mutant:
    """One change of a file: bytes ``start`` to ``end`` become ``new``. ``lines``: where it stands, from 1."""

    start: int
    end: int
    new: str
    lines: range
    #: does it run when the module is imported, and in no test?
    at_import: bool

    def apply(self, text: bytes) -> bytes:
        """The file with the change."""
        return text[: self.start] + self.new.encode() + text[self.end :]


def mutants(text: bytes) -> list[Mutant]:
    """All mutants of a file, in its order. A few are no Python (:func:`is_python`)."""
    found = sorted(set(_Places(text).of(ast.parse(text), False)), key=lambda one: (one.start, one.end, one.new))
    return [one for one in found if one.new.encode() != text[one.start : one.end]]


def is_python(text: bytes) -> bool:
    """Whether a changed file can be tried: the compiler takes its time, and most mutants of a room are not tried."""
    try:
        compile(text, "mutant", "exec")
    except SyntaxError:
        return False
    return True


class _Places:
    def __init__(self, text: bytes) -> None:
        self._text = text
        self._starts = [0]
        for line in text.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def of(self, node: ast.AST, inside: bool) -> Iterator[Mutant]:
        """The mutants of a node and of all below it. ``inside``: of a function."""
        if _is_left_alone(node):
            return
        for (start, end), new in self._changes(node):
            lines = range(bisect_right(self._starts, start), bisect_right(self._starts, end) + 1)
            yield Mutant(start, end, new, lines, not inside)
        inside = inside or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "type_params"):
                continue
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, ast.AST):
                    within = inside and not (isinstance(node, ast.arguments) and name in ("defaults", "kw_defaults"))
                    yield from self.of(one, within)

    def _changes(self, node: ast.AST) -> Iterator[tuple[tuple[int, int], str]]:
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            for left, operator, right in zip(sides, node.ops, node.comparators):
                yield from self._between(left, right, _COMPARED[type(operator)])
        elif isinstance(node, ast.BinOp) and type(node.op) in _COUNTED:
            yield from self._between(node.left, node.right, _COUNTED[type(node.op)])
        elif isinstance(node, ast.AugAssign) and type(node.op) in _COUNTED:
            yield from self._between(node.target, node.value, _COUNTED[type(node.op)])
        elif isinstance(node, ast.BoolOp):
            words = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            for left, right in zip(node.values, node.values[1:]):
                yield from self._between(left, right, words)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield self._span(node), self._written(node.operand)
        elif isinstance(node, ast.Constant):
            new = _constant(node.value)
            if new is not None:
                yield self._span(node), new
        elif isinstance(node, (ast.Return, ast.Assign)) and node.value and not isinstance(node.value, ast.Constant):
            yield self._span(node.value), "None"
        elif isinstance(node, ast.Raise) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
            yield self._span(node), "pass"
        elif isinstance(node, (ast.Break, ast.Continue)):
            yield self._span(node), "continue" if isinstance(node, ast.Break) else "break"
        tests = [node.test] if isinstance(node, (ast.If, ast.While, ast.IfExp)) else getattr(node, "ifs", ())
        for test in tests:
            yield self._span(test), f"(not ({self._written(test)}))"

    def _between(
        self, left: ast.expr, right: ast.expr, words: tuple[str, str]
    ) -> Iterator[tuple[tuple[int, int], str]]:
        start, end = self._span(left)[1], self._span(right)[0]
        match = re.search(words[0], self._text[start:end].decode())
        if match is not None:
            yield (start + match.start(), start + match.end()), words[1]

    def _span(self, node: ast.AST) -> tuple[int, int]:
        start = self._starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
        return start, self._starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]

    def _written(self, node: ast.AST) -> str:
        start, end = self._span(node)
        return self._text[start:end].decode()


def _constant(value: object) -> Optional[str]:
    if isinstance(value, bool):
        return str(not value)
    if isinstance(value, (int, float)):
        return repr(value + 1)
    return repr(f"x{value}") if isinstance(value, str) and _WORD.fullmatch(value) else None


def _is_left_alone(node: ast.AST) -> bool:
    """A docstring, ``__all__``, an f-string (its texts have no place of their own), ``if TYPE_CHECKING``."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Assign):
        return any(isinstance(one, ast.Name) and one.id == "__all__" for one in node.targets)
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    return isinstance(node, ast.JoinedStr)
