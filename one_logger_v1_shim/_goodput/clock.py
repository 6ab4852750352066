"""The clock by which rows were logged: it may be set back while a job runs, and rows may come late."""

from __future__ import annotations

from typing import Any, Callable, Optional

STEP_BACK = 1_000_000  # us; less is the rounding of row times, and rows of several threads

Row = dict[str, Any]


class Clock:
    """Gives rows times that go on where the clock was set back. All times are us since the epoch."""

    def __init__(self) -> None:
        #: how often row times went back, and by how much at most
        self.backs, self.back = 0, 0
        self._newest: Optional[int] = None
        #: what is added to a time as it was logged, now and before the newest step
        self._offset = self._offset_before = 0
        #: a row whose time went back: the next one tells whether it was late or the clock was set
        self._held: Optional[tuple[Row, int]] = None
        #: how much time certainly passed before that row, by its own timers
        self._passed = 0

    def take(self, row: Row, logged: Optional[int], passed: Callable[[], int]) -> list[tuple[Row, Optional[int]]]:
        """The rows that are ready, with their times.

        Args:
            row: the next one.
            logged: when it was logged, if it says so.
            passed: the least that has passed, by its own timers (us), since the newest row that is taken.
        """
        ready = [] if self._held is None else [self._release(logged, passed())]
        if logged is not None and self._newest is not None and logged < self._newest - STEP_BACK:
            self._held, self._passed = (row, logged), passed()
            return ready
        if logged is not None:
            self._newest = logged if self._newest is None else max(self._newest, logged)
        ready.append((row, None if logged is None else logged + self._offset))
        return ready

    def quick(self, logged: Optional[int]) -> Optional[int]:
        """The time of a row for which time goes on; None where :meth:`take` is to be asked."""
        if logged is None or self._held is not None or self._newest is None or logged < self._newest:
            return None
        self._newest = logged
        return logged + self._offset

    def rest(self) -> list[tuple[Row, Optional[int]]]:
        """What was held back, when there are no more rows."""
        return [] if self._held is None else [self._release(None, 0)]

    def _release(self, following: Optional[int], passed: int) -> tuple[Row, Optional[int]]:
        assert self._held is not None
        assert self._newest is not None
        row, logged = self._held
        self._held = None
        self.backs += 1
        self.back = max(self.back, self._newest - logged)
        if following is None or following < self._newest - STEP_BACK:
            passed = max(self._passed, passed - max(0, (following or logged) - logged))
            self._offset_before, self._offset = self._offset, self._offset + self._newest + passed - logged
            self._newest = logged
        return row, logged + self._offset

    def set_back(self, by: int) -> None:
        """It was set back by so much, and less than had passed: the times of rows do not tell."""
        self.backs += 1
        self.back = max(self.back, by)
        self._offset_before, self._offset = self._offset, self._offset + by

    def as_logged(self, at: int) -> int:
        """A row's time as it was logged."""
        return at - self._offset

    def instant(self, found: int, at: int) -> int:
        """``found``, which a row of ``at`` has. What is later than its row was read before the clock was set."""
        return found + (self._offset_before if found > at - self._offset + STEP_BACK else self._offset)
