"""Rows into data points. The standard library only; in any process.

A point has the time of its row. A counter's points begin with the run, or, where OpenTelemetry was told to prefer
deltas, with the point before. The same rows give the same points: who sends one twice counts nothing twice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple, Optional, Union

from .names import COUNTER, Instrument, instrument

_MOST = 2**63  # a data point's whole number is signed and has 64 bits

_instrument = lru_cache(maxsize=4096)(instrument)


class Point(NamedTuple):
    """One data point: its value from ``start`` (of a gauge 0) to ``time``, ns since the epoch."""

    instrument: Instrument
    value: Union[int, float]
    start: int
    time: int


class Meter:
    """The points of one run.

    Args:
        start: when the run began, ns since the epoch.
        delta: counters say what was added since the point before, and not what there is.
    """

    def __init__(self, start: int, delta: bool = False) -> None:
        self._start = start
        self._delta = delta
        self._last: dict[str, tuple[Union[int, float], int, int]] = {}  # a counter's value, start and time

    def points(self, row: Mapping[str, Any], time: int) -> list[Point]:
        """The points of the numbers in ``row``, whose time is ``time`` (ns since the epoch)."""
        found = []
        for key, given in row.items():
            known = _instrument(key)
            value = None if known is None else _number(given, known.whole)
            if known is None or value is None:
                continue
            if known.kind != COUNTER:
                found.append(Point(known, value, 0, time))
            elif math.isfinite(value):
                found.append(self._count(known, value, time))
        return found

    def _count(self, known: Instrument, value: Union[int, float], time: int) -> Point:
        before, start, last = self._last.get(known.name, (0, min(self._start, time), min(self._start, time)))
        time = max(time, last)  # a clock that steps back
        fallen = value < before  # a program that counts from 0 again
        if fallen:
            start = last
        self._last[known.name] = (value, start, time)
        if self._delta:
            return Point(known, value if fallen else value - before, last, time)
        return Point(known, value, start, time)


def _number(value: Any, whole: bool) -> Optional[Union[int, float]]:
    """``value`` as a data point has it; None: it is no number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if whole and -_MOST <= value < _MOST and value == int(value):
        return int(value)
    try:
        return float(value)
    except OverflowError:
        return None
