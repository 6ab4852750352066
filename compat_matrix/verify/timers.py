"""v1's timers, told from consecutive rows: how many windows they have measured, how long the last ones were.

A timer counts windows (s), and loses its whole history if it is started while it runs (v1 said so in its log): then it
counts anew. That happens to a job that skips batches, so it is a remark, unless each row has only the windows since the
row before, as a library sends them that does not accumulate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from .findings import REMARK, Finding, Words, finding
from .history import Row
from .numbers import close, is_number, windows

_ENOUGH = 3  # rows in a row that have only their own windows
_SLACK_MS = 5.0


@dataclass(frozen=True)
class Timer:
    """The metrics of one timer of which no row has the count."""

    total: str
    average: str
    shortest: str
    #: how many there were, where that is counted apart
    counter: str = ""
    last_finish: str = ""

    @property
    def names(self) -> tuple[str, str, str]:
        """Those that begin anew with it."""
        return self.total, self.average, self.shortest


TIMERS: Mapping[str, Timer] = {
    "progress": Timer(
        "train_iterations_time_total",
        "train_iterations_time_msecs_avg",
        "train_iterations_time_msecs_min",
        "train_iterations",
        "last_logged_train_iterations_finish_time",
    ),
    "validation": Timer(
        "validation_iterations_time_total",
        "validation_iterations_time_msecs_avg",
        "validation_iterations_time_msecs_min",
    ),
}
#: of each kind of row that has a timer's metrics: total (s) and average (ms)
AVERAGES = tuple((timer.total, timer.average) for timer in TIMERS.values())


@dataclass
class _Reading:
    """What a row said about a timer."""

    row: Row
    count: Optional[int]
    counter: Optional[int]

    def value(self, name: str) -> Any:
        return self.row.values.get(name)


class Watch:
    """Follows one timer through the rows of a history."""

    def __init__(self, timer: Timer, utils: bool) -> None:
        """``utils``: sent by ``OneLoggerUtils``, whose last finish is that of an iteration (Megatron-LM's is now)."""
        self.timer = timer
        self._utils = utils
        self._before: Optional[_Reading] = None
        self._anew = 0

    def new_loop(self) -> None:
        """A training loop begins: v1 counts some things anew."""
        self._before = None

    def read(self, row: Row) -> tuple[Optional[int], bool]:
        """How many windows there are, and whether the timer has begun anew since the last row that was checked."""
        count = windows(row.values.get(self.timer.total), row.values.get(self.timer.average))
        old = self._before.count if self._before is not None else None
        return count, count is not None and old is not None and count < old

    def check(self, row: Row) -> Iterator[Finding]:
        """What does not fit to the row before. Call it once for each row of the timer's kind, in order."""
        timer, before = self.timer, self._before
        total, average, shortest = (row.values.get(name) for name in timer.names)
        count, anew = self.read(row)
        counter = row.values.get(timer.counter)
        now = _Reading(row, count, counter if isinstance(counter, int) else None)
        self._before = now
        if not is_number(total) or not is_number(average):
            return
        if average > 0 and count is None and total < 1e4 * average:
            yield finding(row, timer.average, "relation", f"1000 * {timer.total} / {timer.average} a whole number: "
                          "how many there were", Words(f"{1000 * total / average:.6g}"))  # fmt: skip
            return
        if anew:
            yield from self._restart(row, now, before)
            return
        self._anew = 0
        if is_number(shortest) and before is not None and before.count is not None and count is not None:
            yield from self._window(now, before)
        elif before is None and count == 1 and is_number(shortest) and not close(shortest, 1000 * total):
            yield finding(row, timer.shortest, "relation", f"{1000 * total:.6g}: there was one", shortest)
        if self._utils and before is not None and now.counter is not None and now.counter == before.counter:
            yield from self._same(now, before)

    def _restart(self, row: Row, now: _Reading, before: Optional[_Reading]) -> Iterator[Finding]:
        timer = self.timer
        counted = None
        if before is not None and now.counter is not None and before.counter is not None:
            counted = now.counter - before.counter
        self._anew = self._anew + 1 if now.count == counted else 0
        if self._anew >= _ENOUGH:
            yield finding(row, timer.total, "growth", "the total of all so far", Words("that of the last ones only"))
        else:
            what = Words("a timer that began anew (v1: started twice)")
            yield finding(row, timer.total, "growth", "more than before", what, REMARK)

    def _window(self, now: _Reading, before: _Reading) -> Iterator[Finding]:
        """The windows since the row before: their mean bounds the shortest; of one alone all is known."""
        timer = self.timer
        assert now.count is not None
        assert before.count is not None
        more = now.count - before.count
        if more < 1:
            return
        spent_ms = 1000 * (now.value(timer.total) - before.value(timer.total))
        shortest, old = now.value(timer.shortest), before.value(timer.shortest)
        slack = 2e-3 + 1e-6 * abs(spent_ms)
        if not is_number(old):
            return
        at_most = min(old, spent_ms / more)
        if shortest > at_most + slack:
            yield finding(now.row, timer.shortest, "relation", f"at most {at_most:.6g}: the mean of the last {more}",
                          shortest)  # fmt: skip
        elif more == 1 and shortest < at_most - slack:
            yield finding(now.row, timer.shortest, "relation", f"{at_most:.6g}: the last one and the shortest so far",
                          shortest)  # fmt: skip
        finish, started = now.value(timer.last_finish), before.value(timer.last_finish)
        if self._utils and now.count == now.counter and is_number(finish) and is_number(started) and started > 0:
            between = finish - started
            if spent_ms > between + _SLACK_MS:
                text = f"{spent_ms:.6g} ms or more after the one before: so long did the iterations take"
                yield finding(now.row, timer.last_finish, "relation", text, Words(f"{between:.6g} ms"))

    def _same(self, now: _Reading, before: _Reading) -> Iterator[Finding]:
        """No iteration since the row before: a save and a row that was due at once say the same."""
        timer = self.timer
        for name in (*timer.names, timer.last_finish):
            value, old = now.value(name), before.value(name)
            if is_number(value) and is_number(old) and not close(value, old):
                text = f"{old!r}, as in the row before: no iteration since"
                yield finding(now.row, name, "relation", text, value)
