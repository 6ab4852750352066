"""Two histories side by side: times by plausibility, v1's bookkeeping by presence, type and unit, all else exactly."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ..compare import ABSENT, BOOKKEEPING, LAST_LOG_TIME, TAG_KEYS
from .align import common, gaps
from .beliefs import COUNT, METRICS
from .history import History, Row
from .numbers import windows
from .plausible import AT_THE_CALL, Lives, difference
from .shapes import Shapes, sender_of
from .timers import AVERAGES, TIMERS


@dataclass(frozen=True)
class Sent:
    """What one call of the job sent: a row without v1's bookkeeping, or a list of tags that is new."""

    row: Row
    values: Mapping[str, Any]
    #: the kind of row that it resembles, "tags", or ""
    kind: str

    @property
    def names(self) -> frozenset[str]:
        """Its metrics."""
        return frozenset(self.values)


@dataclass(frozen=True)
class Mismatch:
    """One difference. ``old`` or ``new`` is None where only the other one has such a row."""

    old: Optional[Sent]
    new: Optional[Sent]
    metric: str
    #: "row", "metric", "type", "unit", "time", "value"
    kind: str
    was: Any
    now: Any

    @property
    def breaks(self) -> bool:
        """Whether a chart of this metric finds other kinds of data. Other values: another picture only."""
        return self.kind in ("metric", "type", "unit") and self.old is not None


def compare(old: History, new: History) -> list[Mismatch]:
    """All differences, in the order of the rows."""
    befores, afters = sent(old), sent(new)
    lives = Lives(old.lived, new.lived)
    exact = old.exact and new.exact
    found = list(_first_rows(old, new, lives, exact))
    logged: set[int] = set()
    for before, after in _aligned(befores, afters):
        if before is None or after is None:
            there = before or after
            assert there is not None
            was, now = (before.values, ABSENT) if before else (ABSENT, there.values)
            found.append(Mismatch(before, after, min(there.names), "row", was, now))
            continue
        for name in dict.fromkeys((*before.values, *after.values)):
            was, now = before.values.get(name, ABSENT), after.values.get(name, ABSENT)
            if was == now and type(was) is type(now) and name not in AT_THE_CALL:
                continue
            kind = difference(name, was, now, before.row, after.row, lives, exact)
            if kind:
                found.append(Mismatch(before, after, name, kind, was, now))
        found += _counts(before, after)
        if before.row.number not in logged:  # a row may have been split into tags and the rest
            logged.add(before.row.number)
            was, now = (one.row.values.get(LAST_LOG_TIME, ABSENT) for one in (before, after))
            kind = difference(LAST_LOG_TIME, was, now, before.row, after.row, lives, exact)
            if kind:
                found.append(Mismatch(before, after, LAST_LOG_TIME, kind, was, now))
    return found


def sent(history: History) -> list[Sent]:
    """The rows to be compared. v1 sent an unchanged list of tags again and again; that says nothing new."""
    found: list[Sent] = []
    shapes = Shapes(history, sender_of(history))
    tags: Any = None
    for row in history.rows:
        if "app_tag" in row.values and row.values["app_tag"] != tags:
            tags = row.values["app_tag"]
            found.append(Sent(row, {name: row.values[name] for name in TAG_KEYS if name in row.values}, "tags"))
        rest = {name: value for name, value in row.values.items() if name not in BOOKKEEPING and name not in TAG_KEYS}
        if rest:
            like = shapes.of(row).like
            found.append(Sent(row, rest, like.name if like is not None else ""))
    return found


# -- which row is which --------------------------------------------------------------------------------------------


def _aligned(old: list[Sent], new: list[Sent]) -> Iterator[tuple[Optional[Sent], Optional[Sent]]]:
    """Pairs of rows, and those without a partner where they are missing.

    By all that does not depend on the clock; what is left between them by v1's counts, then by its metrics, then by its
    kind; a last pair in the same place if they have a metric in common.
    """
    pairs: list[tuple[int, int]] = []
    holes = [(range(len(old)), range(len(new)))]
    for key in (_exact, _counted, _named, _kind):
        left: list[tuple[range, range]] = []
        for ours, theirs in holes:
            here = common([key(old[at]) for at in ours], [key(new[at]) for at in theirs])
            pairs += [(ours[i], theirs[j]) for i, j in here]
            for mine, other in gaps(here, len(ours), len(theirs)):
                left.append((ours[mine.start : mine.stop], theirs[other.start : other.stop]))
        holes = [hole for hole in left if all(hole)]
    for ours, theirs in holes:
        if len(ours) == len(theirs):
            pairs += [(i, j) for i, j in zip(ours, theirs) if old[i].names & new[j].names]
    pairs.sort()
    i = j = 0
    for a, b in (*pairs, (len(old), len(new))):
        yield from ((one, None) for one in old[i:a])
        yield from ((None, one) for one in new[j:b])
        if a < len(old):
            yield old[a], new[b]
        i, j = a + 1, b + 1


def _exact(one: Sent) -> Any:
    names = _sorted(tuple(one.values))
    return names.every, tuple([repr(one.values[name]) for name in names.exact]), _windows(one)


def _counted(one: Sent) -> Any:
    names = _sorted(tuple(one.values))
    return names.every, tuple([repr(one.values[name]) for name in names.counts]), _windows(one)


def _named(one: Sent) -> Any:
    return _sorted(tuple(one.values)).every


@dataclass(frozen=True)
class _Names:
    every: tuple[str, ...]
    #: those that do not depend on the clock
    exact: tuple[str, ...]
    #: those of v1 that count
    counts: tuple[str, ...]


@functools.lru_cache(maxsize=10_000)
def _sorted(names: tuple[str, ...]) -> _Names:
    every = tuple(sorted(names))
    counts = tuple(name for name in every if name in METRICS and METRICS[name].unit == COUNT)
    return _Names(every, tuple(name for name in every if not _of_the_clock(name)), counts)


def _kind(one: Sent) -> Any:
    return one.kind


def _of_the_clock(name: str) -> bool:
    metric = METRICS.get(name)
    return metric is not None and metric.of_the_clock


def _windows(one: Sent) -> tuple[Optional[int], ...]:
    values = one.values
    if one.kind not in TIMERS:
        return ()
    return tuple([windows(values[total], values.get(avg)) if total in values else None for total, avg in AVERAGES])


# -- what differs --------------------------------------------------------------------------------------------------


def _counts(before: Sent, after: Sent) -> Iterator[Mismatch]:
    """How many windows a timer had measured does not depend on the clock, though no row says it."""
    for (_, average), was, now in zip(AVERAGES, _windows(before), _windows(after)):
        if was is not None and now is not None and was != now:
            yield Mismatch(before, after, average, "value", f"the average of {was}", f"the average of {now}")


def _first_rows(old: History, new: History, lives: Lives, exact: bool) -> Iterator[Mismatch]:
    """What v1's core added to the first row of a run: whether it is there, its type, its unit."""
    before, after = _bookkept(old), _bookkept(new)
    for name in dict.fromkeys((*before, *after)):
        was, now = before.get(name), after.get(name)
        a, b = (one.values[name] if one is not None else ABSENT for one in (was, now))
        rows = (was or old.rows[0], now or new.rows[0])
        kind = difference(name, a, b, *rows, lives, exact)
        if kind:
            sides = tuple(Sent(one, {name: one.values[name]}, "") if one is not None else None for one in (was, now))
            yield Mismatch(sides[0], sides[1], name, kind, a, b)


def _bookkept(history: History) -> dict[str, Row]:
    """The first row of each metric of v1's bookkeeping but the one that every row has."""
    found: dict[str, Row] = {}
    for row in history.rows:
        for name in row.values.keys() & BOOKKEEPING:
            if name != LAST_LOG_TIME:
                found.setdefault(name, row)
    return found
