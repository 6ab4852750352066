"""How far the iterations were, and how much time they had taken: the points that rows give."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional

from .spans import Measure, Span

_MOST = 1 << 22  # points, 24 bytes each; beyond that every second one is dropped
_NEVER = -1  # stands for "the row has no time" in an array of instants
_ROUNDING = 2_000  # us: row times are whole ms


class Point(NamedTuple):
    """``iterations`` (of the model's life) were finished after ``spent`` (us in iterations of this attempt)."""

    iterations: float
    spent: int
    #: when that was, in us since the epoch; None if the row does not say
    at: Optional[int]


class Progress:
    """All points of one attempt, in order: what is counted must not depend on what is drawn."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self.iterations = array("d")
        self.spent = array("q")
        self._at = array("q")
        #: iterations at which a save was made, and those whose save succeeded, in order
        self.tried, self.saved = array("d"), array("d")

    def __len__(self) -> int:
        return len(self.iterations)

    @property
    def last(self) -> Optional[Point]:
        """The furthest point."""
        return self._point(len(self) - 1) if len(self) else None

    @property
    def newest_at(self) -> int:
        """When the furthest point was; less than 0 where its row does not say. There must be one."""
        return self._at[-1]

    def add(self, point: Point) -> None:
        """What a row says; one that is not further than the newest is left out."""
        last = self.last
        if last is not None and point.iterations <= last.iterations:
            if point.iterations == last.iterations and point.spent > last.spent:
                self.spent[-1] = point.spent
            return
        self.append(point.iterations, point.spent, _NEVER if point.at is None else point.at)

    def append(self, iterations: float, spent: int, at: int) -> None:
        """A point that is known to be the furthest; ``at`` is less than 0 where its row does not say."""
        self.iterations.append(iterations)
        self.spent.append(spent)
        self._at.append(at)
        if len(self.iterations) > self._most:
            del self.iterations[:-1:2], self.spent[:-1:2], self._at[:-1:2]

    def end_save(self, iterations: float) -> None:
        """Training goes on after a save of the model as it was after so many iterations; it may have failed."""
        _put(self.tried, iterations)

    def add_save(self, iterations: float, spent: Optional[int]) -> None:
        """What a checkpoint holds, whose success was reported. It may be older than the newest point."""
        _put(self.saved, iterations)
        index = bisect_left(self.iterations, iterations)
        if spent is None or (index < len(self) and self.iterations[index] == iterations):
            return
        low = self.spent[index - 1] if index else 0
        high = self.spent[index] if index < len(self) else spent
        if low <= spent <= high:  # a program that logs no other total
            self.iterations.insert(index, iterations)
            self.spent.insert(index, spent)
            self._at.insert(index, _NEVER)

    def points(self) -> Iterator[Point]:
        """All of them, in order; both numbers grow."""
        return map(self._point, range(len(self)))

    def drawn(self, most: int = 400) -> list[Point]:
        """Points for a curve: evenly chosen, the first and the last among them, those without a time left out."""
        some = (self._point(round(index * (len(self) - 1) / max(1, most - 1))) for index in range(min(most, len(self))))
        if len(self) <= most:
            some = (self._point(index) for index in range(len(self)))
        return [point for point in some if point.at is not None]

    def spent_until(self, at: int, spent: array[int]) -> int:
        """How much of ``spent`` (that of each point, or :meth:`fitted`) lay before an instant; evenly between rows."""
        after = bisect_right(self._at, at)
        before = spent[after - 1] if after else 0
        if after == len(self):
            return before
        begin = self._at[after - 1] if after else self._at[after] - (spent[after] - before)
        taken, whole = spent[after] - before, self._at[after] - begin
        if whole <= 0 or at <= begin:
            return before
        return before + taken * (at - begin) // whole

    def newest(self, at: int) -> int:
        """When the newest of the points until an instant was; 0: there is none."""
        return max(0, newest(self._at, at))

    def crossed(self, start: float, spans: Sequence[Span], *, whole: bool = False) -> bool:
        """Whether one of ``spans``, which are in order, lies in a single iteration.

        Args:
            start: the iteration at which the attempt began.
            spans: what may have been done inside of an iteration.
            whole: whether the span must end in the iteration. Megatron tells of a validation in a row of progress.
        """
        for begin, end in spans:  # one may go on behind the iteration: a save that follows at once
            index = bisect_right(self._at, begin + _ROUNDING)
            if index == len(self):
                return False
            before, spent = (self.iterations[index - 1], self.spent[index - 1]) if index else (start, 0)
            at = self._at[index]
            if whole and end > at - _ROUNDING:
                continue
            if self.iterations[index] - before == 1 and at - (self.spent[index] - spent) < end - _ROUNDING:
                return True
        return False

    def fitted(self, start: float, begin: int, available: Measure, cut: Measure) -> array[int]:
        """``spent`` of each point, as far as there was time: what lies in another attempt or inside other work is cut.

        Args:
            start: the iteration at which the attempt began.
            begin: when the first iteration can have begun, in us since the epoch.
            available: the time that is none of the other parts.
            cut: the time of the attempt that counts for a later one.
        """
        found = array("q")
        total, before, done, here = 0, 0, start, begin
        for iterations, spent, at in zip(self.iterations, self.spent, self._at):
            taken = spent - before
            if at != _NEVER:
                if iterations - done == 1:
                    here = max(here, at - taken)  # one iteration: it lies just before its end
                room = max(0, available.until(at) - available.until(here))
                lost = max(0, cut.until(at) - cut.until(here))
                if lost and iterations - done != 1:
                    room = min(room, taken * room // (room + lost))
                if lost or taken - room > _ROUNDING:
                    taken = min(taken, room)
                here = max(here, at) if taken else here  # a save inside of an iteration repeats the number before it
            total += taken
            found.append(total)
            before, done = spent, iterations
        return found

    def _point(self, index: int) -> Point:
        at = self._at[index]
        return Point(self.iterations[index], self.spent[index], None if at == _NEVER else at)


def newest(some: Sequence[int], at: int) -> int:
    """The newest of ``some``, which are in order, until an instant; 0: there is none."""
    index = bisect_right(some, at)
    return some[index - 1] if index else 0


def has(some: array[float], one: float) -> bool:
    """Whether ``one`` is in ``some``, which are in order."""
    index = bisect_left(some, one)
    return index < len(some) and some[index] == one


def _put(some: array[float], one: float) -> None:
    if not some or one > some[-1]:
        some.append(one)
    elif not has(some, one):
        insort(some, one)


def split(iterations: array[float], spent: array[int], limit: float, start: float) -> tuple[int, int, int]:
    """How much time brought the training to ``limit``, how much went beyond, and how much no row tells.

    Args:
        iterations, spent: as :class:`Progress` and :meth:`Progress.fitted` give them.
        limit: the iteration to which progress was kept.
        start: the iteration at which the attempt began.
    """
    total = spent[-1]
    if limit <= start:
        return 0, total, 0
    before, after = bisect_right(iterations, limit) - 1, bisect_left(iterations, limit)
    kept = spent[before] if before >= 0 else 0
    reached = spent[after] if after < len(spent) else total
    return kept, total - reached, reached - kept
