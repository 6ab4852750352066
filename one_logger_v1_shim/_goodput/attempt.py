"""Divides the time of one attempt. Each part follows from v1's metrics as ``definitions`` says; they add up exactly."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

from .._v1 import metrics as m
from . import definitions as d
from .progress import split
from .rows import AFTER, BEFORE, LOOP, AttemptRows
from .spans import Span, clip, common, length, minus, union
from .values import from_ms

# A moment inside of several phases belongs to the innermost one, and these are nested in this order.
_INNERMOST = (d.LOAD_CHECKPOINT, d.OPTIMIZER, d.DATA_LOADER, d.MODEL_INIT)
_ROUNDING = 2_000  # us: row times are whole ms


@dataclass
class Division:
    """The parts of one attempt in us, and where they lie as far as the rows tell."""

    begin: int
    end: int
    parts: dict[str, int] = field(default_factory=lambda: {one.key: 0 for one in d.PARTS})
    spans: list[tuple[str, Span]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    #: iterations that a later attempt did again
    iterations_lost: float = 0.0


def divide(rows: AttemptRows, begin: int, end: int, limit: Optional[float], *, redone: bool) -> Division:
    """Divide the time from ``begin`` to ``end``.

    Args:
        rows: what the attempt's rows say.
        begin: us since the epoch.
        end: us since the epoch; what the rows say after it is cut off.
        limit: the iteration up to which progress is kept; None if nothing is.
        redone: does a later attempt exist that did the others again?
    """
    return _Divider(rows, Division(begin, end)).divide(limit, redone)


class _Divider:
    def __init__(self, rows: AttemptRows, division: Division) -> None:
        self.rows, self.division, self.parts = rows, division, division.parts
        begin, end = division.begin, division.end
        self.loops = union(clip(((one, end if other is None else other) for one, other in rows.loops), begin, end))
        self.phases = self._phases()
        self.free = minus(
            [(begin, end)] if begin < end else [], union([s for some in self.phases.values() for s in some])
        )

    def divide(self, limit: Optional[float], redone: bool) -> Division:
        for part, spans in self.phases.items():
            self.parts[part] = length(spans)
            self.division.spans += [(part, span) for span in spans]
        if self.loops:
            self._outside()
            self._inside(length(common(self.free, self.loops)), limit, redone)
        else:
            self._without_loop(limit, redone)
        rest = self.division.end - self.division.begin - sum(self.parts.values())
        self.parts[d.UNKNOWN] += rest
        self._place()
        return self.division

    def _phases(self) -> dict[str, list[Span]]:
        """The phases, no moment twice; one that nothing ended lasted to the end."""
        taken: list[Span] = []
        found: dict[str, list[Span]] = {}
        begin, end = self.division.begin, self.division.end
        for part in _INNERMOST:
            spans = list(self.rows.phases[part])
            if part in self.rows.open:
                spans.append((self.rows.open[part], max(end, self.rows.open[part])))
            found[part] = minus(union(clip(spans, begin, end)), taken)
            taken = union([*taken, *found[part]])
        return found

    # -- outside of the training loop --------------------------------------------------------------------------

    def _outside(self) -> None:
        first = self.loops[0][0]
        outside = minus(self.free, self.loops)
        before = length(clip(outside, self.division.begin, first))
        after = length(clip(outside, first, self.division.end))
        self.parts[d.STARTUP_REST] = self._take(before, BEFORE)
        self.parts[d.SHUTDOWN] = self._take(after, AFTER)

    def _take(self, room: int, place: str) -> int:
        """Give validation and saves their time in ``room``; returns what is left of it."""
        for part, running in ((d.VALIDATION, self.rows.validation), (d.SAVE_CHECKPOINT, self.rows.saves)):
            wanted = running.by_place[place]
            given = min(room, wanted)
            if wanted - given > _ROUNDING:
                self._contradiction(d.LABELS[part], wanted - given)
            self.parts[part] += given
            room -= given
        return room

    def _without_loop(self, limit: Optional[float], redone: bool) -> None:
        """No start of a training loop is logged, or at the very end: iterations, validation and saves as told."""
        room = length(self.free)
        last = self.rows.progress.last
        begun_at_end = last is not None and bool(self.rows.loops) and not last.spent
        if (last is None or begun_at_end) and not any(r.total for r in (self.rows.validation, self.rows.saves)):
            self.parts[d.STARTUP_REST] = room
            return
        room = self._take(self._take(self._take(room, BEFORE), LOOP), AFTER)
        self._iterations(room, limit, redone)

    # -- inside ------------------------------------------------------------------------------------------------

    def _inside(self, room: int, limit: Optional[float], redone: bool) -> None:
        tail = self._tail()
        room -= tail
        left = self._take(room, LOOP)
        idle = left - self._iterations(left, limit, redone)
        self.parts[d.IDLE] += idle
        if tail and self._all_told(tail):
            self.parts[d.IDLE] += tail

    def _tail(self) -> int:
        """What the loop time after the newest progress row was, as far as it was neither validation nor saves."""
        horizon = self.rows.horizon
        if horizon is None:
            horizon = self.loops[0][0]
        time = length(common(clip(self.free, horizon, max(horizon, self.division.end)), self.loops))
        known = self.rows.validation.since_progress + self.rows.saves.since_progress
        return max(0, time - known)

    def _all_told(self, tail: int) -> bool:
        """Whether no further iteration can have been finished in ``tail``."""
        rows = self.rows
        if rows.progress.last is not None and rows.target is not None and rows.progress.last.iterations >= rows.target:
            return True
        shortest = from_ms(rows.newest.get(m.TRAIN_ITERATIONS_TIME_MSECS_MIN))
        return bool(shortest) and tail < (shortest or 0)

    def _iterations(self, room: int, limit: Optional[float], redone: bool) -> int:
        """Give the iterations their time in ``room``; returns how much that is."""
        last = self.rows.progress.last
        if last is None:
            return 0
        total = min(room, last.spent)
        if last.spent - total > _ROUNDING:
            self._contradiction("iterations", last.spent - total)
        start = self.rows.start or 0.0
        points = self.rows.progress.points()
        kept, beyond, untold = (0, last.spent, 0) if limit is None else split(points, limit, start, last.spent)
        if total < last.spent:  # all by the same share
            kept, beyond = kept * total // last.spent, beyond * total // last.spent
            untold = total - kept - beyond
        self.parts[d.PRODUCTIVE] += kept
        self.parts[d.LOST_WORK if redone else d.NOT_SAVED] += beyond
        self.parts[d.UNKNOWN] += untold
        if redone and limit is not None:
            self.division.iterations_lost = max(0.0, (self.rows.end or 0.0) - max(limit, start))
        return total

    def _contradiction(self, what: str, us: int) -> None:
        self.division.notes.append(
            f"{what}: {us / 1e6:.3f} s do not fit beside the other times (timers that overlap, attempts that overlap, "
            "or a clock that stepped); they are left out"
        )

    # -- where it lies -----------------------------------------------------------------------------------------

    def _place(self) -> None:
        begin, end = self.division.begin, self.division.end
        for part, running in ((d.VALIDATION, self.rows.validation), (d.SAVE_CHECKPOINT, self.rows.saves)):
            if self.parts[part]:
                self.division.spans += [(part, span) for span in union(clip(running.spans, begin, end))]
