"""Divides the time of one attempt. Each part follows from v1's metrics as ``definitions`` says; they add up exactly."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

from .._v1 import metrics as m
from . import definitions as d
from .progress import newest, split
from .rows import AttemptRows
from .spans import Measure, Span, clip, common, length, minus, union
from .totals import AFTER, BEFORE, LOOP
from .values import from_ms

# A moment inside of several phases belongs to the innermost one, and these are nested in this order.
_INNERMOST = (d.LOAD_CHECKPOINT, d.OPTIMIZER, d.DATA_LOADER, d.MODEL_INIT)
_ROUNDING = 2_000  # us: row times are whole ms


@dataclass
class Division:
    """The parts of one attempt in us, and where they lie as far as the rows tell."""

    begin: int
    end: int
    #: what of the time between them does not count for a later attempt
    own: list[Span]
    parts: dict[str, int] = field(default_factory=lambda: {one.key: 0 for one in d.PARTS})
    spans: list[tuple[str, Span]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    #: iterations that a later attempt did again
    iterations_lost: float = 0.0
    #: the iteration up to which its progress is kept; None: nothing is
    limit: Optional[float] = None


def divide(rows: AttemptRows, life: Span, later: list[Span], limit: Optional[float], *, redone: bool) -> Division:
    """Divide the time of ``life``, without ``later``.

    Args:
        rows: what the attempt's rows say.
        life: from its first to its last sign of life.
        later: what counts for later attempts, as :func:`~.spans.union` gives it; what the rows say of it is cut off.
        limit: the iteration up to which progress is kept; None if nothing is.
        redone: does a later attempt exist that did the others again?
    """
    own = minus([life] if life[0] < life[1] else [], later)
    end = max((one for _, one in own), default=life[0])
    return _Divider(rows, Division(life[0], end, own, limit=limit), life, later).divide(redone)


class _Divider:
    def __init__(self, rows: AttemptRows, division: Division, life: Span, later: list[Span]) -> None:
        self.rows, self.division, self.parts = rows, division, division.parts
        self.begin, self.end = life
        self.own, self.cut = Measure(division.own), Measure(clip(later, *life))
        loops = clip(((one, self.end if other is None else other) for one, other in rows.loops), *life)
        self.loops = common(union(loops), division.own)
        #: when the first training loop began
        self.first = min((one for one, _ in rows.loops), default=None)
        self.phases = self._phases()
        taken = union([span for some in self.phases.values() for span in some])
        self.free = minus(division.own, taken)
        #: what may lie inside of a validation's batch or of an iteration, and is none of its time then
        self.inner = union([*taken, *rows.saves.spans()])

    def divide(self, redone: bool) -> Division:
        for part, spans in self.phases.items():
            self.parts[part] = length(spans)
            self.division.spans += [(part, span) for span in spans]
        if self.first is not None:
            self._outside(min(max(self.first, self.begin), self.end))
            self._inside(length(common(self.free, self.loops)), redone)
        else:
            self._without_loop(redone)
        rest = self.own.total - sum(self.parts.values())
        self.parts[d.UNKNOWN] += rest
        self._place()
        return self.division

    def _phases(self) -> dict[str, list[Span]]:
        """The phases, no moment twice; one that nothing ended lasted to the end."""
        taken: list[Span] = []
        found: dict[str, list[Span]] = {}
        for part in _INNERMOST:
            spans = list(self.rows.phases[part])
            if part in self.rows.open:
                spans.append((self.rows.open[part], max(self.end, self.rows.open[part])))
            found[part] = minus(common(union(spans), self.division.own), taken)
            taken = union([*taken, *found[part]])
        return found

    # -- outside of the training loop --------------------------------------------------------------------------

    def _outside(self, first: int) -> None:
        outside = minus(self.free, self.loops)
        before = length(clip(outside, self.begin, first))
        after = length(clip(outside, first, self.end))
        self.parts[d.STARTUP_REST] = self._take(before, BEFORE)
        self.parts[d.SHUTDOWN] = self._take(after, AFTER)

    def _take(self, room: int, place: str) -> int:
        """Give validation and saves their time in ``room``; returns what is left of it."""
        validation, saves = self._validation(place), self.rows.saves.grown(place, self.own)
        for part, wanted in ((d.VALIDATION, validation), (d.SAVE_CHECKPOINT, saves)):
            given = min(room, wanted)
            if wanted - given > _ROUNDING:
                self._contradiction(d.LABELS[part], wanted - given)
            self.parts[part] += given
            room -= given
        return room

    def _validation(self, place: str) -> int:
        """The time of validation: of batches that cannot have been beside what is told to be inside of them, less."""
        rows, found = self.rows, 0
        bounds = sorted(one for loop in rows.loops for one in loop if one is not None)
        free = Measure(minus(self.division.own, self.inner))
        ended = self.begin
        for more, at in rows.validation.growths(place):
            if at is None:
                found += more
                continue
            took, began = self.own.until(at) - self.own.until(at - more), at - more + _ROUNDING
            here = max(newest(bounds, began), rows.progress.newest(began), self.begin, ended if ended <= began else 0)
            room = max(0, free.until(at) - free.until(here))
            found += room if took - room > _ROUNDING else took
            ended = at
        return found

    def _without_loop(self, redone: bool) -> None:
        """No start of a training loop is logged: iterations, validation and saves as told."""
        room = length(self.free)
        for place in (BEFORE, LOOP, AFTER):
            room = self._take(room, place)
        if self.rows.progress.last is None:
            self.parts[d.STARTUP_REST] = room  # it may have been a validation alone
        else:
            self._iterations(room, redone)

    # -- inside ------------------------------------------------------------------------------------------------

    def _inside(self, room: int, redone: bool) -> None:
        tail = self._tail()
        room -= tail
        left = self._take(room, LOOP)
        idle = left - self._iterations(left, redone)
        untold = min(idle, self._untold())
        self.parts[d.UNKNOWN] += untold
        self.parts[d.IDLE] += idle - untold
        if tail and self._all_told(tail):
            self.parts[d.IDLE] += tail

    def _tail(self) -> int:
        """What the loop time after the newest progress row was, as far as it was neither validation nor saves."""
        if not self.loops:
            return 0
        horizon = self.rows.horizon
        if horizon is None:
            horizon = self.loops[0][0]
        time = length(common(clip(self.free, horizon, max(horizon, self.end)), self.loops))
        known = sum(one.grown(LOOP, self.own, after=horizon) for one in (self.rows.validation, self.rows.saves))
        return max(0, time - known)

    def _all_told(self, tail: int) -> bool:
        """Whether no further iteration can have been finished in ``tail``."""
        rows, last = self.rows, self.rows.progress.last
        reached = rows.start if last is None else last.iterations
        if reached is not None and rows.target is not None and reached >= rows.target:
            return True
        shortest = from_ms(rows.newest.get(m.TRAIN_ITERATIONS_TIME_MSECS_MIN))
        return bool(shortest) and tail < (shortest or 0)

    def _untold(self) -> int:
        """Loop time of iterations whose duration v1's timer forgot before a row told it."""
        if not self.rows.untold:
            return 0
        available = self._available()
        return sum(
            max(0, available.until(to) - available.until(begin) - told)
            for begin, to, told in self.rows.untold
            if self.cut.until(to) == self.cut.until(begin)
        )

    def _available(self) -> Measure:
        """The time that can have been iterations: in the loop, and none of the others."""
        taken = union([*self.rows.validation.spans(), *self.rows.saves.spans()])
        return Measure(minus(common(self.free, self.loops) if self.first is not None else self.free, taken))

    def _iterations(self, room: int, redone: bool) -> int:
        """Give the iterations their time in ``room``; returns how much that is."""
        rows, division = self.rows, self.division
        last = rows.progress.last
        if last is None:
            return 0
        spent, start = rows.progress.spent, rows.start or 0.0
        crossed = rows.progress.crossed(start, self.inner)
        crossed = crossed or rows.progress.crossed(start, rows.validation.spans(LOOP), whole=True)
        if self.cut.total or last.spent - room > _ROUNDING or crossed:
            begin = self.begin if self.first is None else self.first
            spent = rows.progress.fitted(start, begin, self._available(), self.cut)
            if last.spent - spent[-1] > _ROUNDING and not self.cut.total:
                self._contradiction("iterations", last.spent - spent[-1])
        total = min(room, spent[-1])
        limit = division.limit
        kept, beyond, untold = (
            (0, spent[-1], 0) if limit is None else split(rows.progress.iterations, spent, limit, start)
        )
        over = spent[-1] - total  # what is too much was the last
        cut = min(beyond, over)
        beyond, over = beyond - cut, over - cut
        cut = min(untold, over)
        untold, kept = untold - cut, kept - (over - cut)
        self.parts[d.PRODUCTIVE] += kept
        self.parts[d.LOST_WORK if redone else d.NOT_SAVED] += beyond
        self.parts[d.UNKNOWN] += untold
        if redone:
            division.iterations_lost = max(0.0, (rows.end or 0.0) - max(start if limit is None else limit, start))
        return total

    def _contradiction(self, what: str, us: int) -> None:
        self.division.notes.append(
            f"{what}: {us / 1e6:.3f} s do not fit beside the other times (timers that overlap, attempts that overlap, "
            "or a clock that stepped); they are left out"
        )

    # -- where it lies -----------------------------------------------------------------------------------------

    def _place(self) -> None:
        validation = minus(union(self.rows.validation.spans()), self.inner)
        for part, spans in ((d.VALIDATION, validation), (d.SAVE_CHECKPOINT, union(self.rows.saves.spans()))):
            if self.parts[part]:
                self.division.spans += [(part, span) for span in common(spans, self.division.own)]
