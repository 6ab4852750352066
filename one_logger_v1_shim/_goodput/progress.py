"""How far the iterations were, and how much time they had taken: the points that rows give, in bounded memory."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import NamedTuple, Optional

_MOST = 4096


class Point(NamedTuple):
    """``iterations`` (of the model's life) were finished after ``spent`` (us in iterations of this attempt)."""

    iterations: float
    spent: int
    #: when that was, in us since the epoch; None if the row does not say
    at: Optional[int]


class Progress:
    """Points of one attempt. Those of checkpoints are all kept, the others are thinned out evenly."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._every = 1
        self._until_next = 0
        self._kept: list[Point] = []
        self._saves: list[Point] = []
        self.last: Optional[Point] = None

    def add(self, point: Point) -> None:
        """What a row says; one that is not further than the newest is left out."""
        if self.last is not None and point.iterations <= self.last.iterations:
            if point.iterations == self.last.iterations and point.spent >= self.last.spent:
                self.last = point  # the same again, later: the newest moment counts
            return
        self.last = point
        if self._until_next:
            self._until_next -= 1
            return
        self._kept.append(point)
        if len(self._kept) >= self._most:
            self._kept = self._kept[::2]
            self._every *= 2
        self._until_next = self._every - 1

    def add_save(self, point: Point) -> None:
        """What a checkpoint holds; ``point.at`` is when it was reported."""
        point = point._replace(at=None)
        self._saves.append(point)
        if self.last is None or (point.iterations > self.last.iterations and point.spent >= self.last.spent):
            self.last = point  # a program that logs no other total
        if len(self._saves) > 16 * self._most:
            del self._saves[1::2]

    def points(self) -> list[Point]:
        """All that is known, in order; both numbers grow."""
        found: list[Point] = []
        last = [] if self.last is None else [self.last]
        for point in sorted([*self._kept, *self._saves, *last], key=lambda one: (one.iterations, one.spent)):
            if found and (point.iterations == found[-1].iterations or point.spent < found[-1].spent):
                continue
            found.append(point)
        return found


def split(points: list[Point], limit: float, start: float, total: int) -> tuple[int, int, int]:
    """How much of ``total`` (us) brought the training to ``limit``, how much went beyond, and how much no row tells.

    Args:
        points: as :meth:`Progress.points` gives them.
        limit: the iteration to which progress was kept.
        start: the iteration at which the attempt began.
        total: time in all iterations of the attempt.
    """
    if limit <= start:
        return 0, total, 0
    counts = [point.iterations for point in points]
    before, after = bisect_right(counts, limit) - 1, bisect_left(counts, limit)
    kept = points[before].spent if before >= 0 else 0
    reached = points[after].spent if after < len(points) else total
    kept, reached = min(kept, total), min(max(kept, reached), total)
    return kept, total - reached, reached - kept
