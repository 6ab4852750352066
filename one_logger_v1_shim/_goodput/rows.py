"""Collects what the rows of one attempt say, and no more: memory stays flat over a million rows."""

from __future__ import annotations

from typing import Any, Optional

from .._v1 import metrics as m
from .iterations import Iterations, later, least_window, time_spent
from .names import FINISHES, IDENTITY, SELDOM, STARTS
from .spans import Spans
from .totals import AFTER, BEFORE, LOOP, Reading, Running
from .values import decoded, from_ms, from_seconds, number

_IDENTITY = frozenset(IDENTITY)
#: rows of any program that logs through the core have these: they do not tell that it is a training
_OF_ANY_ROW = frozenset({m.APP_TAG, m.APP_FIRST_LOG_TIME, m.JOB_START_TIME})


class AttemptRows(Iterations):
    """One attempt, row by row. Instants are in us since the epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = 0
        self.identity: dict[str, Any] = {}
        self.tags: list[str] = []
        self.app_start: Optional[int] = None
        self.app_finish: Optional[int] = None
        #: when SLURM gave the job its nodes
        self.job_start: Optional[int] = None
        self.phases: dict[str, Spans] = {part: Spans() for part in STARTS.values()}
        #: where the iterations are to go
        self.target: Optional[float] = None
        self.validation, self.saves = Running(), Running()
        self.saves_begun = 0
        self.productive_end: Optional[float] = None
        #: the iteration of a save that has begun and not ended
        self._saving: Optional[float] = None
        #: when the newest row was logged that tells of work
        self._worked: Optional[int] = None
        #: times given by hand: v1 sends them again at each later call
        self._given: dict[str, Any] = {}

    @property
    def begin(self) -> Optional[int]:
        """The start of the application: as logged, or of a phase before it, else the first row."""
        phases = [begin for spans in self.phases.values() for begin, _ in spans]
        found = [one for one in (self.app_start, *phases, *self.open.values()) if one is not None]
        return min(found, default=self.first)

    @property
    def last_sign(self) -> Optional[int]:
        """The latest of all times in the rows."""
        ends = [end for spans in self.phases.values() for _, end in spans]
        loops = [end or begin for begin, end in self.loops]
        found = [self.app_start, self.app_finish, self.horizon, *ends, *loops, *self.open.values()]
        return later(max((one for one in found if one is not None), default=None), self.last)

    def is_new_attempt(self, row: dict[str, Any]) -> bool:
        """Whether ``row``, of a constructor of v1's or the first of a process, begins a further attempt of the run."""
        if self.end is None and (self.app_start is None or m.APP_FIRST_LOG_TIME not in row):
            return False
        at = from_ms(row.get(m.APP_LAST_LOG_TIME))
        return at is None or self.last is None or at >= self.last  # else it is the first row, out of order

    def take(self, row: dict[str, Any]) -> None:
        """One row. It may be kept: the caller must not change it afterwards."""
        self.rows += 1
        names = tuple(row)
        if names != self._names:
            self._turn_to(names)
        if self._tells_progress and self._goes_on(row):
            if self._tells_more:
                self._take_more(row, self.last)
            return
        at = from_ms(row.get(m.APP_LAST_LOG_TIME))
        if at is None:
            at = from_seconds(row.get("_timestamp"))
        for one, when in self.clock.take(row, at, lambda: self._passed(row)):
            self._take(one, when)

    def settle(self) -> None:
        """There are no more rows. Reading on afterwards is allowed."""
        for one, when in self.clock.rest():
            self._take(one, when)

    def _take(self, row: dict[str, Any], at: Optional[int]) -> None:
        if at is not None:
            at += self._behind(row, at) if m.TRAIN_ITERATIONS_END in row else 0
            if self.last is None or self.first is None:
                self.first = self.last = at
            elif at > self.last:
                self._before, self.last = self.last, at
            elif at < self.first:
                self.first = at
        if m.TRAIN_ITERATIONS_END in row:
            self._progress(row, at)
        self._take_more(row, at)

    def _take_more(self, row: dict[str, Any], at: Optional[int]) -> None:
        if not SELDOM.isdisjoint(row):
            self._seldom(row, at)
        if not _IDENTITY.isdisjoint(row):
            self.v1_rows += 1
            for name in _IDENTITY & row.keys():
                self.identity[name] = decoded(row[name])

    def _passed(self, row: dict[str, Any]) -> int:
        """The time (us) that has passed since the newest row, by what the timers in ``row`` have more."""
        if self.last is None:
            return 0
        saved = from_seconds(row.get(m.SAVE_CHECKPOINT_SYNC_TIME_TOTAL)) or 0
        more = max(0, (from_seconds(row.get(m.VALIDATION_ITERATIONS_TIME_TOTAL)) or 0) - self.validation.newest)
        more += max(0, saved - self.saves.newest)
        passed = more - (0 if self._worked is None else self.last - self._worked)
        if m.TRAIN_ITERATIONS_END in row:
            since = self._worked if self._progress_at is None else self._progress_at + self._busy
            quiet = 0 if since is None else max(0, self.last - since)
            passed = max(passed, (time_spent(row) or 0) - self._series.newest - quiet)
        return max(0, passed)

    # -- what comes once in a while ----------------------------------------------------------------------------

    def _seldom(self, row: dict[str, Any], at: Optional[int]) -> None:
        self.v1_rows += not SELDOM.isdisjoint(row.keys() - _OF_ANY_ROW)
        self._worked = at
        start = number(row.get(m.TRAIN_ITERATIONS_START))
        if start is not None and self.start is None:
            self.start = start
        self.target = number(row.get(m.TRAIN_ITERATIONS_TARGET)) or self.target
        if m.APP_TAG in row:
            self._tags(decoded(row[m.APP_TAG]))
        if m.APP_START_TIME in row and not self._again(row, m.APP_START_TIME):
            self.app_start = self._instant(row, m.APP_START_TIME, at)
        if m.JOB_START_TIME in row:
            self.job_start = from_ms(row[m.JOB_START_TIME]) or None  # 0: not under SLURM
        self.saves_begun = max(self.saves_begun, int(number(row.get(m.SAVE_CHECKPOINT_COUNT)) or 0))
        if m.APP_FINISH_TIME in row:
            self.app_finish = self._instant(row, m.APP_FINISH_TIME, at)
        self._phases(row, at)
        self._loop(row, at)
        self._totals(row, at)
        self._productive(row)

    def _tags(self, given: Any) -> None:
        for tag in given if isinstance(given, list) else [given]:
            if isinstance(tag, str) and tag not in self.tags and len(self.tags) < 1000:
                self.tags.append(tag)

    def _phases(self, row: dict[str, Any], at: Optional[int]) -> None:
        for name in STARTS.keys() & row.keys():
            begin = at if self._again(row, name) else self._instant(row, name, at)
            if begin is not None:
                self.open[STARTS[name]] = begin
        for name in FINISHES.keys() & row.keys():
            end = at if self._again(row, name) else self._instant(row, name, at)
            begin = self.open.pop(FINISHES[name], None)
            if end is None:
                continue
            if begin is None or end < begin:
                self._problem(f"{name} has no start before it; the phase is left out")
            else:
                self.phases[FINISHES[name]].append(begin, end)
                self._busy += end - begin

    def _again(self, row: dict[str, Any], name: str) -> bool:
        """Whether an earlier row had this very time: it was given by hand, once, and says nothing about this one."""
        seen = self._given.get(name)
        self._given[name] = row[name]
        return seen is not None and bool(seen == row[name])

    def _loop(self, row: dict[str, Any], at: Optional[int]) -> None:
        if m.APP_TRAIN_LOOP_START_TIME in row:
            begin = self._instant(row, m.APP_TRAIN_LOOP_START_TIME, at)
            if begin is not None and (not self.loops or begin > self.loops[-1][0]):
                if self.loops and self.loops[-1][1] is None:
                    self.loops[-1] = (self.loops[-1][0], begin)
                self.loops.append((begin, None))
                self.open.clear()
        if m.APP_TRAIN_LOOP_FINISH_TIME in row:
            end = self._instant(row, m.APP_TRAIN_LOOP_FINISH_TIME, at)
            if end is None:
                return
            if not self.loops or self.loops[-1][1] is not None or end < self.loops[-1][0]:
                self._problem(f"{m.APP_TRAIN_LOOP_FINISH_TIME} has no start before it; it is left out")
                return
            self.loops[-1] = (self.loops[-1][0], end)

    def _totals(self, row: dict[str, Any], at: Optional[int]) -> None:
        place = BEFORE if not self.loops else LOOP if self.loops[-1][1] is None else AFTER
        total = from_seconds(row.get(m.VALIDATION_ITERATIONS_TIME_TOTAL))
        if total is not None:
            average = from_ms(row.get(m.VALIDATION_ITERATIONS_TIME_MSECS_AVG))
            least = least_window(row, m.VALIDATION_ITERATIONS_TIME_MSECS_MIN)
            count = round(total / average) if average else None
            before = None if m.TRAIN_ITERATIONS_END in row else self._before  # Megatron repeats it in each row
            self._busy += self.validation.take(Reading(total, count, least, at=at, before=before), place, at)
        total = from_seconds(row.get(m.SAVE_CHECKPOINT_SYNC_TIME_TOTAL))
        if total is not None:
            least = from_seconds(row.get(m.SAVE_CHECKPOINT_SYNC_TIME_MIN))
            most = from_seconds(row.get(m.SAVE_CHECKPOINT_SYNC_TIME_MAX))
            saves = number(row.get(m.SAVE_CHECKPOINT_SYNC_COUNT))
            self._save_ended()
            self._busy += self.saves.take(Reading(total, None, least, most, saves, at, self._before), place, at)

    def _save_ended(self) -> None:
        if self._saving is not None:
            self.progress.end_save(self._saving)
            self._saving = None

    def _productive(self, row: dict[str, Any]) -> None:
        begun = number(row.get(m.TRAIN_ITERATIONS_SAVE_CHECKPOINT_END))
        if begun is not None:
            self._saving = begun
        end = number(row.get(m.TRAIN_ITERATIONS_PRODUCTIVE_END))
        if end is None:
            return
        self.productive_end = end if self.productive_end is None else max(self.productive_end, end)
        spent = from_seconds(row.get(m.TRAIN_ITERATIONS_TIME_TOTAL_PRODUCTIVE))
        if spent is not None and spent < 0:
            self._problem(f"{m.TRAIN_ITERATIONS_TIME_TOTAL_PRODUCTIVE} is negative; it is left out")
            spent = None
        self.progress.add_save(end, None if spent is None else self._series.within(end, spent))
