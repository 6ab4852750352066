"""Stretches of time: ``(begin, end)`` in microseconds, begin <= end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Span = tuple[int, int]


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
    for begin, end in spans:
        for one, other in taken:
            if other <= begin or one >= end:
                continue
            if one > begin:
                found.append((begin, one))
            begin = other
        if begin < end:
            found.append((begin, end))
    return found


def common(spans: Iterable[Span], others: Sequence[Span]) -> list[Span]:
    """What of ``spans`` is also in one of ``others``; both as :func:`union` gives them."""
    found = (clip(others, begin, end) for begin, end in spans)
    return [span for some in found for span in some]


def length(spans: Iterable[Span]) -> int:
    """How much time that is, in microseconds."""
    return sum(end - begin for begin, end in spans)
