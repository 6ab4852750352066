"""The history of one W&B run, whatever it was read from: rows as dictionaries, with what W&B adds taken off."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ..wandb_file import OWN_KEYS
from .beliefs import INTEGER, METRICS, NUMBER

_NOT_JSON = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}  # as W&B's server spells them


class BadSource(Exception):
    """A history that can not be read. The text is one line: the source, what it has, what was expected."""


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
class History:
    """A run's rows in order. ``exact``: its values have the types that were logged. (A CSV file's have not.)"""

    source: str
    rows: tuple[Row, ...]
    exact: bool = True
    #: what could not be read, a line each
    damage: tuple[str, ...] = field(default=())


def history(source: str, rows: Iterable[Mapping[str, Any]], exact: bool = True, damage: Sequence[str] = ()) -> History:
    """A history from rows as W&B or an export has them.

    A row that has nothing but W&B's own keys is left out. Where every row has every key, as in a table, a None stands
    for a metric that the row has not.
    """
    given = [dict(row) for row in rows]
    filled = len(given) > 1 and all(row.keys() == given[0].keys() for row in given)
    found: list[Row] = []
    for row in given:
        values = {
            name: _value(name, value, exact)
            for name, value in row.items()
            if name not in OWN_KEYS and not (value is None and (filled or not exact))
        }
        values = {name: value for name, value in values.items() if exact or not _is_nan(value)}
        if values:
            found.append(Row(len(found), _whole(row.get("_step")), values, _logged_at(row)))
    return History(source, tuple(found), exact and not filled, tuple(damage))


def _value(name: str, value: Any, exact: bool) -> Any:
    """The value as it was logged, as far as that can still be told."""
    metric = METRICS.get(name)
    if metric is not None and metric.type in (INTEGER, NUMBER) and isinstance(value, str):
        value = _NOT_JSON.get(value, value)
    if not exact and isinstance(value, float) and value.is_integer() and (metric is None or metric.type == INTEGER):
        return int(value)  # a table's column of numbers is one of floats as soon as a row has none
    return value


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _whole(step: Any) -> Optional[int]:
    return int(step) if isinstance(step, (int, float)) and not _is_nan(step) else None


def _logged_at(row: Mapping[str, Any]) -> Optional[float]:
    last, stamp = row.get("app_last_log_time"), row.get("_timestamp")
    if _is_number(last):
        return float(last)
    return float(stamp) * 1000 if _is_number(stamp) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
