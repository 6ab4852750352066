"""Stretches of time: ``(begin, end)`` in microseconds, begin <= end."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

Span = tuple[int, int]


class Spans:
    """Many spans in little memory: 16 bytes each."""

    def __init__(self) -> None:
        self._ends = array("q")

    def append(self, begin: int, end: int) -> None:
        """One more."""
        self._ends.extend((begin, end))

    def __iter__(self) -> Iterator[Span]:
        ends = iter(self._ends)
        return zip(ends, ends)


def clip(spans: Iterable[Span], begin: int, end: int) -> list[Span]:
    """What lies between ``begin`` and ``end``."""
    cut = ((max(begin, one), min(end, other)) for one, other in spans)
    return [(one, other) for one, other in cut if one < other]


def union(spans: Iterable[Span]) -> list[Span]:
    """The same time, in order, each moment once."""
    found: list[Span] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


def minus(spans: Iterable[Span], taken: Sequence[Span]) -> list[Span]:
    """What of ``spans`` is in none of ``taken``; both as :func:`union` gives them."""
    found: list[Span] = []
    first = 0
    for begin, end in spans:
        while first < len(taken) and taken[first][1] <= begin:
            first += 1
        here = first
        while here < len(taken) and taken[here][0] < end:
            one, other = taken[here]
            if one > begin:
                found.append((begin, one))
            begin = other
            here += 1
        if begin < end:
            found.append((begin, end))
    return found


def common(spans: Iterable[Span], others: Sequence[Span]) -> list[Span]:
    """What of ``spans`` is also in one of ``others``; both as :func:`union` gives them."""
    found: list[Span] = []
    first = 0
    for begin, end in spans:
        while first < len(others) and others[first][1] <= begin:
            first += 1
        here = first
        while here < len(others) and others[here][0] < end:
            found.append((max(begin, others[here][0]), min(end, others[here][1])))
            here += 1
    return found


def length(spans: Iterable[Span]) -> int:
    """How much time that is, in microseconds."""
    return sum(end - begin for begin, end in spans)


class Measure:
    """How much of some spans lies before an instant, asked many times. ``spans`` are as :func:`union` gives them."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._spans = spans
        self._begins = [begin for begin, _ in spans]
        self._before = [0]
        for begin, end in spans:
            self._before.append(self._before[-1] + end - begin)

    @property
    def total(self) -> int:
        """Microseconds of all of them."""
        return self._before[-1]

    def until(self, at: int) -> int:
        """Microseconds of the spans before ``at``."""
        index = bisect_right(self._begins, at)
        if not index:
            return 0
        begin, end = self._spans[index - 1]
        return self._before[index - 1] + min(at, end) - begin
