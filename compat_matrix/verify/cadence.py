"""When progress rows are sent: at each multiple of a number of iterations, which no row names, and at saves."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Optional

from .findings import Finding, Words, finding
from .history import Row
from .row_kinds import RowKind

_END = "train_iterations_end"
_CANDIDATES = 12  # distances that are tried, the commonest ones


@dataclass(frozen=True)
class _Progress:
    """One progress row."""

    row: Row
    end: int
    #: it was sent since a checkpoint was about to be saved
    flushed: bool
    #: which training loop of the job it belongs to, and where that began
    loop: int
    begin: Optional[int]
    next: Optional[Row]


def cadence(named: Sequence[tuple[Row, Optional[RowKind]]]) -> list[Finding]:
    """The rows that do not come when they are due. ``named``: all rows, with their kinds."""
    progress = list(_progress([(row, kind) for row, kind in named if kind is not None]))
    ends = [one.end for one in progress if not one.flushed]
    if len(set(ends)) < 2:
        return []  # nothing to tell the cadence from
    steps = Counter(b - a for a, b in zip(ends, ends[1:]) if b > a)
    candidates = {*(step for step, _ in steps.most_common(_CANDIDATES)), ends[0], math.gcd(*ends)} - {0}
    if min(candidates, default=0) < 0:
        return []  # counts that are none have been told

    def fitness(every: int) -> tuple[int, int, int]:
        times = steps[every]
        return -sum(1 for _ in _walk(progress, every)), times if times > 1 else 0, every

    return list(_walk(progress, max(candidates, key=fitness)))


def _progress(rows: Sequence[tuple[Row, RowKind]]) -> Iterator[_Progress]:
    loop, begin = 0, None
    for at, (row, kind) in enumerate(rows):
        if kind.name == "train start":
            loop, start = loop + 1, row.values.get("train_iterations_start")
            begin = start if isinstance(start, int) and not isinstance(start, bool) else None
        end = row.values.get(_END)
        if kind.name == "progress" and isinstance(end, int) and not isinstance(end, bool):
            following = rows[at + 1] if at + 1 < len(rows) else None
            kinds = [one.name for _, one in rows[at + 1 : at + 3]]
            # a row that stands between them is out of place, and is named for that
            flushed = "save start" in kinds and kinds[0] != "progress"
            yield _Progress(row, end, flushed, loop, begin, following[0] if following else None)


def _walk(progress: Sequence[_Progress], every: int) -> Iterator[Finding]:
    """Each row that does not fit."""
    before: Optional[_Progress] = None
    due = 0
    for one in progress:
        if before is None or one.loop != before.loop:
            due = _first_due(one, every)
        if one.flushed:
            if one.end >= due:
                text = f"a row at {due} before it: they come every {every} iterations"
                yield finding(one.row, _END, "cadence", text, one.end)
                due = _after(one.end, every)
        elif before is not None and _again(before, one) and one.next is not None:
            text = "a row of 'save start' after the progress row that is sent for it"
            yield finding(one.next, "save_checkpoint_count", "order", text, Words("another row"))
        elif one is progress[-1] and one.next is None and one.end < due:
            continue  # killed before the row of the save for which it was sent
        elif one.end % every:
            yield finding(
                one.row, _END, "cadence", f"a multiple of {every}: rows come every {every} iterations", one.end
            )
        else:
            if one.end != due:
                yield finding(one.row, _END, "cadence", f"{due}: rows come every {every} iterations", one.end)
            due = _after(one.end, every)
        before = one


def _first_due(one: _Progress, every: int) -> int:
    """Of the first loop it is known where it began; of a later one, which goes on counting, it is not."""
    if one.begin is not None and one.loop == 1:
        return _after(one.begin, every)
    return one.end if one.end % every == 0 and not one.flushed else _after(one.end, every)


def _after(iterations: int, every: int) -> int:
    return iterations - iterations % every + every


def _again(before: _Progress, one: _Progress) -> bool:
    """Whether it says something else of the same iteration."""
    return before.loop == one.loop and before.end == one.end and not _equal(before.row, one.row)


def _equal(a: Row, b: Row) -> bool:
    return {**a.values, "app_last_log_time": 0} == {**b.values, "app_last_log_time": 0}
