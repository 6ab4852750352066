"""Values that a table has as a text: pandas writes a list that it read from Parquet as numpy spells an array."""

from __future__ import annotations

import ast
import math
import re
from typing import TYPE_CHECKING, Any, Optional, Union

if TYPE_CHECKING:
    from typing_extensions import TypeGuard

#: a text in quotes, the mark of what was left out, a word or a number, a bracket
_PIECE = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\.\.\.|[\w.+-]+|\S""")
_MARKS = frozenset({"array", "list", "dtype", "=", "object", "(", ")", ",", ":"})
_LEFT_OUT = "..."
_WORDS: dict[str, Optional[bool]] = {"True": True, "False": False, "None": None, "nan": None, "null": None}
_DIGITS = 1e-7  # numpy writes 8 of them

_Piece = Union[None, bool, int, float, str, tuple[str]]


def spelled_alike(one: Any, other: Any) -> bool:
    """Whether a text and a value can be one value, as far as the text carries it.

    An array's text has 8 digits of a float, nothing for the difference of int and float, of None and NaN, and of an
    array above 1,000 items only the first and the last three. A table's ``4711`` may have been a text.
    """
    ours, theirs = _pieces(one), _pieces(other)
    if _LEFT_OUT in theirs:
        ours, theirs = theirs, ours
    if _LEFT_OUT not in ours:
        return _alike(ours, theirs)
    first, last = ours.index(_LEFT_OUT), len(ours) - ours.index(_LEFT_OUT) - 1
    return len(theirs) > first + last and _alike(ours[:first] + ours[-last:], theirs[:first] + theirs[-last:])


def _alike(ours: list[_Piece], theirs: list[_Piece]) -> bool:
    return len(ours) == len(theirs) and all(map(_same, ours, theirs))


def _same(one: _Piece, other: _Piece) -> bool:
    if float in (type(one), type(other)) and _is_number(one) and _is_number(other):
        return math.isclose(one, other, rel_tol=_DIGITS)
    return type(one) is type(other) and one == other


def _is_number(piece: _Piece) -> TypeGuard[Union[int, float]]:
    return type(piece) in (int, float)


def _pieces(value: Any) -> list[_Piece]:
    """The pieces of a text or of a value in Python's spelling; a text in quotes is a tuple."""
    found = _PIECE.findall(value if isinstance(value, str) else repr(value))
    return [_piece(one) for one in found if one not in _MARKS]


def _piece(text: str) -> _Piece:
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > 1 and text[0] in "'\"":
        try:
            return (str(ast.literal_eval(text)),)
        except (ValueError, SyntaxError):
            return (text,)
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text
