"""The history of one W&B run, whatever it was read from: rows as dictionaries, with what W&B adds taken off."""

from __future__ import annotations

import ast
import functools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ..deep_json import from_json
from ..wandb_file import OWN_KEYS
from .beliefs import BOOL, CONFIGURED, INTEGER, METRICS, STRING, STRINGS
from .numbers import is_number

_NOT_JSON = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}  # as W&B's server spells them
_DEPTH = 50
_TEXT = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_TEXTS = re.compile(_TEXT)
_NUMPY = re.compile(rf"\[{_TEXT}(?:\s+{_TEXT})*\]")
_NUMBERED = ("index", "level_0", "__index_level_0__", "")


#: two instants (ms since the epoch)
Life = tuple[Optional[float], Optional[float]]


class BadSource(Exception):
    """A history that cannot be read. The text is one line: the source, what it has, what was expected."""


@dataclass(frozen=True)
class Row:
    """One row. ``number`` counts the rows of the history from 0; ``step`` is W&B's ``_step``, None if not known."""

    number: int
    step: Optional[int]
    values: Mapping[str, Any]
    #: when it was logged, ms since the epoch: v1's ``app_last_log_time``, else W&B's ``_timestamp``
    at_ms: Optional[float]

    @property
    def where(self) -> str:
        """For messages."""
        return f"row {self.number}" if self.step in (None, self.number) else f"row {self.number} (_step {self.step})"


@dataclass(frozen=True)
class Odd:
    """A value that no history of W&B has, and that nobody can calculate with."""

    row: int
    metric: str
    expected: str
    found: str


@dataclass(frozen=True)
class History:
    """A run's rows in order. ``exact``: its values have the types that were logged. (A table's have not.)"""

    source: str
    rows: tuple[Row, ...]
    exact: bool = True
    #: what could not be read, a line each
    damage: tuple[str, ...] = field(default=())
    odd: tuple[Odd, ...] = field(default=())

    @functools.cached_property
    def lived(self) -> Life:
        """When its first and its last row were logged, where that is known."""
        times = [row.at_ms for row in self.rows if row.at_ms is not None]
        return (min(times), max(times)) if times else (None, None)


def history(source: str, rows: Iterable[Mapping[str, Any]], exact: bool = True, damage: Sequence[str] = ()) -> History:
    """A history from rows as W&B or an export has them.

    A row that has nothing but W&B's own keys is left out. Where every row has every key and some have nothing there, as
    in a table, a None or NaN stands for a metric that the row has not, and a float may have been an int.
    """
    given = [dict(row) for row in rows]
    exact = exact and not _is_table(given)
    ignored = OWN_KEYS | _numbering(given)
    found: list[Row] = []
    odd: list[Odd] = []
    for row in given:
        values = {}
        for name, value in row.items():
            if name in ignored or (not exact and (value is None or _is_nan(value))):
                continue
            value = _value(name, value, exact)
            if isinstance(value, (list, dict)) and _is_deep(value):
                odd.append(Odd(len(found), str(name), f"a value of at most {_DEPTH} levels", "a deeper one"))
                value = "(nested too deeply)"
            values[str(name)] = value
        if values:
            found.append(Row(len(found), _whole(row.get("_step")), values, _logged_at(row)))
    return History(source, tuple(found), exact, tuple(damage), tuple(odd))


def _is_table(rows: Sequence[Mapping[str, Any]]) -> bool:
    if len(rows) < 2 or not all(row.keys() == rows[0].keys() for row in rows):
        return False
    return any(value is None or _is_nan(value) for row in rows for value in row.values())


def _numbering(rows: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Columns in which pandas has written the number of the row."""
    names = [name for name in (rows[0] if rows else ()) if str(name).startswith("Unnamed: ") or name in _NUMBERED]
    return frozenset(name for name in names if all(row.get(name) == number for number, row in enumerate(rows)))


def _is_deep(value: Any) -> bool:
    level: list[Any] = [value]
    for _ in range(_DEPTH):
        level = [
            inner
            for one in level
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, (list, dict))
        ]
        if not level:
            return False
    return True


def _value(name: str, value: Any, exact: bool) -> Any:
    """The value as it was logged, as far as that can still be told."""
    metric = METRICS.get(name)
    if metric is not None and metric.numeric and isinstance(value, str):
        value = _NOT_JSON.get(value, value)
    if not exact and isinstance(value, str) and value[:1] in ("[", "{") and (metric is None or metric.type == STRINGS):
        return _unspelled(value)
    if exact or isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    if metric is not None and metric.type == BOOL and value in (0, 1):
        return bool(value)  # a column of true, false and nothing
    whole = isinstance(value, float) and value.is_integer()
    if metric is not None and metric.type == STRING:
        return str(int(value) if whole else value)  # "4711" read as a number
    if whole and (metric is None or metric.type in (INTEGER, CONFIGURED)):
        return int(value)  # a table's column of numbers is one of floats as soon as a row has none
    return value


def _unspelled(text: str) -> Any:
    """A list or a dict that a table has as a text: in JSON, as Python spells it, or as numpy does (without commas)."""
    try:
        return from_json(text)
    except ValueError:
        pass
    try:
        if _NUMPY.fullmatch(text):
            return [ast.literal_eval(one[0]) for one in _TEXTS.finditer(text)]
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _whole(step: Any) -> Optional[int]:
    return int(step) if is_number(step) else None


def _logged_at(row: Mapping[str, Any]) -> Optional[float]:
    last, stamp = row.get("app_last_log_time"), row.get("_timestamp")
    if is_number(last) and 1e12 <= last < 1e13:
        return float(last)
    return float(stamp) * 1000 if is_number(stamp) else None
