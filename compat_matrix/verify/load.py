"""``load_checkpoint_time``: s, of this load or of all so far. (1.0.0 sent ms.)"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Optional

from .findings import REMARK, Finding, Words, finding
from .history import Row
from .numbers import AT_ONCE_MS, is_number

_TIME = "load_checkpoint_time"
_START, _FINISH = "load_checkpoint_start_time", "load_checkpoint_finish_time"


@dataclass
class Loads:
    """Follows the loads of a history."""

    _start: Any = None
    _measured: bool = False
    _total: float = 0.0

    def check(self, row: Row, kind: str, utils: bool, oldest: bool) -> Iterator[Finding]:
        """``utils``: sent by ``OneLoggerUtils``, whose one timer has both; ``oldest``: by its version 1.0.0."""
        if kind.endswith("start"):
            self._start, self._measured = row.values.get(_START), _at_once(row, _START)
            return
        start, finish, value = self._start, row.values.get(_FINISH), row.values.get(_TIME)
        self._start = None
        if not (is_number(start) and is_number(finish) and is_number(value)):
            return
        window = (finish - start) / 1000
        possible = (window, self._total + window)
        self._total = value
        if any(math.isclose(value, seconds, rel_tol=1e-4, abs_tol=5e-3) for seconds in possible):
            return
        for seconds in possible:
            if seconds > 0 and math.isclose(value, 1000 * seconds, rel_tol=0.01, abs_tol=50.0) and value > 50 * seconds:
                weight = {"weight": REMARK} if oldest else {}
                self._total = value / 1000
                yield finding(row, _TIME, "unit", f"s, {seconds:.6g} (1.0.0 sent ms)", value, **weight)
                return
        if (
            utils and self._measured and _at_once(row, _FINISH)
        ):  # an instant that was given by hand is none of the timer's
            text = f"{window:.6g}, from the start to the finish, or more by the loads before"
            yield finding(row, _TIME, "relation", text, Words(repr(value)))


def _at_once(row: Row, name: str) -> bool:
    value: Any = row.values.get(name)
    logged: Optional[float] = row.at_ms
    return logged is not None and is_number(value) and abs(logged - value) <= AT_ONCE_MS
