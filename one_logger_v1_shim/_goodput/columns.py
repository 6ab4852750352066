"""What the time of an attempt was, piece by piece: for drawing. The parts say how much, this says where."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from . import definitions as d
from .counted import Counted
from .spans import Measure, clip, common, minus, union

Column = tuple[int, int, dict[str, int]]  # begin, end, part -> us


def columns(counted: Counted, edges: Sequence[int]) -> list[Column]:
    """The attempt's own time between each two of ``edges`` (us since the epoch), divided."""
    division, rows = counted.division, counted.attempt.rows
    kinds: dict[str, list[tuple[int, int]]] = {}
    for part, span in division.spans:
        kinds.setdefault(part, []).append(span)
    known = {part: Measure(union(spans)) for part, spans in kinds.items()}
    free = minus(division.own, union(span for _, span in division.spans))
    end = max(division.end, division.begin)
    loops = union(clip(((one, end if other is None else other) for one, other in rows.loops), division.begin, end))
    first = loops[0][0] if loops else end
    inside, outside = Measure(common(free, loops) if loops else free), Measure(minus(free, loops))
    horizon = end if rows.horizon is None or not division.parts[d.UNKNOWN] else max(first, rows.horizon)
    worked = _Worked(counted)
    found = []
    for begin, stop in _pieces(division.own, edges):
        parts = {part: some.until(stop) - some.until(begin) for part, some in known.items()}
        room = inside.until(stop) - inside.until(begin)
        for part, us in worked.between(begin, stop):
            parts[part] = min(us, room)
            room -= parts[part]
        rest = d.UNKNOWN if begin >= horizon else d.IDLE if loops or len(rows.progress) else d.STARTUP_REST
        parts[rest] = parts.get(rest, 0) + room
        if loops:
            part = d.STARTUP_REST if begin < first else d.SHUTDOWN
            parts[part] = parts.get(part, 0) + outside.until(stop) - outside.until(begin)
        found.append((begin, stop, {part: us for part, us in parts.items() if us > 0}))
    return found


class _Worked:
    """Iterations between two instants: kept or not."""

    def __init__(self, counted: Counted) -> None:
        self._division = counted.division
        self._progress = counted.attempt.rows.progress
        index = 0
        if self._division.limit is not None:
            index = bisect_right(self._progress.iterations, self._division.limit)
        self._kept = self._progress.spent[index - 1] if index else 0
        self._wasted = d.LOST_WORK if self._division.parts[d.LOST_WORK] else d.NOT_SAVED

    def between(self, begin: int, end: int) -> list[tuple[str, int]]:
        spent = self._progress.spent
        if not len(spent):
            return []
        one, other = self._progress.spent_until(begin, spent), self._progress.spent_until(end, spent)
        kept = max(0, min(other, self._kept) - one)
        return [(d.PRODUCTIVE, kept), (self._wasted, max(0, other - one - kept))]


def _pieces(own: Iterable[tuple[int, int]], edges: Sequence[int]) -> list[tuple[int, int]]:
    found = []
    for begin, end in own:
        here = bisect_right(edges, begin)
        while begin < end:
            stop = min(end, edges[here]) if here < len(edges) else end
            if stop > begin:
                found.append((begin, stop))
            begin, here = stop, here + 1
    return found
