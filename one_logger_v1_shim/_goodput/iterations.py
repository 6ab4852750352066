"""The iterations of one attempt, as its rows of progress tell them. Instants are us since the epoch."""

from __future__ import annotations

from typing import Any, Optional

from .._v1 import metrics as m
from .clock import STEP_BACK, Clock
from .names import RARE
from .progress import Point, Progress
from .totals import Reading, Series
from .values import PLAIN, from_ms, from_seconds, number

_ROUNDED = 500  # us
_ROUNDING = 2_000  # us: row times are whole ms
_NEAR = 500_000  # us
_FAR = 366 * 86_400 * 1_000_000  # us; a time that is further from its row is none of this attempt
_MOST_UNTOLD = 100_000


class Iterations:
    """How far the iterations were, and when. What an attempt's rows tell beside that: :class:`~.rows.AttemptRows`."""

    def __init__(self) -> None:
        self.v1_rows = 0
        self.clock = Clock()
        #: first and last sign of life
        self.first: Optional[int] = None
        self.last: Optional[int] = None
        #: part -> when it began, while nothing says that it has ended
        self.open: dict[str, int] = {}
        #: iterations of the model's life at the start and at the newest row
        self.start: Optional[float] = None
        self.end: Optional[float] = None
        self.progress = Progress()
        #: the training loops: begin, and end if it is told
        self.loops: list[tuple[int, Optional[int]]] = []
        #: until when the rows tell how many iterations there were
        self.horizon: Optional[int] = None
        #: iterations whose time no row tells, as a timer began again: from, to, and what the timer told (us)
        self.untold: list[tuple[int, int, int]] = []
        self.problems: list[str] = []
        self._series = Series()
        #: when the newest row of progress was logged
        self._progress_at: Optional[int] = None
        #: what saves, validation and phases have taken since then
        self._busy = 0
        #: the newest time before that of the row that is taken
        self._before: Optional[int] = None
        #: names of the newest row, whether such rows tell of progress, and of anything else
        self._names: tuple[str, ...] = ()
        self._tells_progress = self._tells_more = False
        #: values in rows of progress, and the newest of these rows, if it was without a doubt
        self._newest: dict[str, Any] = {}
        self._row: dict[str, Any] = {}

    @property
    def newest(self) -> dict[str, Any]:
        """The newest values in rows of progress."""
        return {**self._newest, **self._row}

    def _progress(self, row: dict[str, Any], at: Optional[int]) -> None:
        self.v1_rows += 1
        end, done, spent = number(row[m.TRAIN_ITERATIONS_END]), number(row.get(m.TRAIN_ITERATIONS)), time_spent(row)
        if end is None:
            return
        self.end = end if self.end is None else max(self.end, end)
        if spent is None:
            return
        last = self.progress.last
        if last is not None and end < last.iterations:
            self._problem("train_iterations_end goes back; those rows are left out")
            return
        if self.start is None and done is not None:
            self.start = end - done
        self._newest, self._row = {**self.newest, **row}, {}
        finished = self._instant(row, m.LAST_LOGGED_TRAIN_ITERATIONS_FINISH_TIME, at)
        self._add(end, spent, finished if finished is not None else at, row)
        known = [one for one in (self.horizon, finished) if one is not None]
        self.horizon = later(max(known, default=None), at)
        self.open.clear()

    def _turn_to(self, names: tuple[str, ...]) -> None:
        """The next row has other names than the one before it."""
        self._newest, self._row = self.newest, {}
        self._names = names
        self._tells_progress, self._tells_more = m.TRAIN_ITERATIONS_END in names, not RARE.isdisjoint(names)

    def _goes_on(self, row: dict[str, Any]) -> bool:
        """Take a row of progress without a doubt about it: nearly all are such, and a long run has a million."""
        series, progress = self._series, self.progress
        end, total = row[m.TRAIN_ITERATIONS_END], row.get(m.TRAIN_ITERATIONS_TIME_TOTAL, "")
        finished = row.get(m.LAST_LOGGED_TRAIN_ITERATIONS_FINISH_TIME, 0)
        if self._progress_at is None or self.last is None or not progress.iterations:
            return False
        if type(end) not in PLAIN or type(total) not in PLAIN or type(finished) not in PLAIN:
            return False
        try:
            end, spent = float(end), round(float(total) * 1e6)
            then = round(float(finished) * 1e3) if finished else None
        except (ValueError, OverflowError):
            return False
        at = self.clock.quick(from_ms(row.get(m.APP_LAST_LOG_TIME)))
        if at is None or at < self.last:
            return False
        then = at if then is None else self.clock.instant(then, at)
        # a series that had begun since the last row would be shorter than the time since then
        if not (
            end > progress.iterations[-1]
            and spent > at - self._progress_at + _ROUNDING
            and -_NEAR < then - at < _NEAR
            and spent - series.newest <= then - progress.newest_at + STEP_BACK
            and series.goes_on(spent, end, at)
        ):
            return False
        self.v1_rows += 1
        self._row = row
        progress.append(end, series.total, then)
        if at > self.last:
            self._before, self.last = self.last, at
        if self.end is None or end > self.end:
            self.end = end
        self._progress_at, self._busy = at, 0
        if self.horizon is not None and then < self.horizon:
            then = self.horizon
        self.horizon = at if at > then + _ROUNDED else then
        if self.open:
            self.open.clear()
        return True

    def _add(self, end: float, spent: int, at: Optional[int], row: dict[str, Any]) -> None:
        average, least = (
            from_ms(row.get(m.TRAIN_ITERATIONS_TIME_MSECS_AVG)),
            least_window(row, m.TRAIN_ITERATIONS_TIME_MSECS_MIN),
        )
        count = round(spent / average) if average and m.TRAIN_ITERATIONS_TIME_TOTAL in row else None
        last, before = self.progress.last, self._series.total
        total = self._series.take(Reading(spent, count, least, None, end, at, self._before))
        self.progress.add(Point(end, total, at))
        self._progress_at, self._busy = self.last, 0
        if count is None or at is None:
            return
        if self._series.is_new and last is not None:
            missing = end - last.iterations - count
        elif not before:  # the first time that a row tells: iterations before it may be forgotten already
            missing = (number(row.get(m.TRAIN_ITERATIONS)) or 0) - count
        else:
            return
        since = self.horizon if self.horizon is not None else self.loops[-1][0] if self.loops else None
        if missing > 0 and since is not None and len(self.untold) < _MOST_UNTOLD:
            self.untold.append((since, at, total - before))

    def _behind(self, row: dict[str, Any], at: int) -> int:
        """By how much (us) the clock was set back since the row of progress before ``row``: iterations took longer."""
        last, finished = self.progress.last, self._instant(row, m.LAST_LOGGED_TRAIN_ITERATIONS_FINISH_TIME, at)
        since = last.at if last is not None else self.loops[-1][0] if self.loops else None
        if since is None or finished is None or (last is not None and not last.spent):
            return 0
        behind = (time_spent(row) or 0) - self._series.newest - (finished - since)
        if behind <= STEP_BACK:
            return 0
        self.clock.set_back(behind)
        return behind

    # -- doubts ------------------------------------------------------------------------------------------------

    def _problem(self, text: str) -> None:
        if text not in self.problems and len(self.problems) < 20:
            self.problems.append(text)

    def _instant(self, row: dict[str, Any], name: str, at: Optional[int]) -> Optional[int]:
        """A time of v1's, in us; None if it can be none of this attempt. ``at``: that of its row."""
        found = from_ms(row.get(name)) or None  # v1's timers say 0 before their first start
        if found is None or at is None:
            return found
        logged = self.clock.as_logged(at)
        if abs(found - logged) > _FAR:
            if abs(found * 1000 - logged) > _FAR:
                self._problem(f"{name}={found / 1000:g} ms is years from its row's time; it is left out")
                return None
            self._problem(f"{name} is in seconds (v1's Lightning integration wrote it so); it is read as such")
            found *= 1000
        return self.clock.instant(found, at)


def later(exact: Optional[int], at: Optional[int]) -> Optional[int]:
    """The later of an instant and a row's time, which is rounded to ms: what differs by no more is the same moment."""
    if exact is None or at is None:
        return at if exact is None else exact
    return at if at > exact + _ROUNDED else exact


def time_spent(row: dict[str, Any]) -> Optional[int]:
    """Time in all iterations, in us. Megatron wrote no total before July 2024; average and count make it."""
    total = from_seconds(row.get(m.TRAIN_ITERATIONS_TIME_TOTAL))
    if total is not None:
        return total
    average, done = number(row.get(m.TRAIN_ITERATIONS_TIME_MSECS_AVG)), number(row.get(m.TRAIN_ITERATIONS))
    return None if average is None or done is None else from_ms(average * done)


def least_window(row: dict[str, Any], name: str) -> Optional[int]:
    """The shortest window of a stopwatch; None where v1 says 0: there was none."""
    return from_ms(row.get(name)) or None
