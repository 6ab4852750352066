"""Two histories side by side: times by plausibility, all else exactly."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from one_logger_v1_shim._v1.metrics import EPOCH_MS, MSECS, SECONDS

from ..compare import ABSENT, BOOKKEEPING, TAG_KEYS, is_clock, same
from .beliefs import METRICS
from .history import History, Row

_SLACK_MS = 2000.0  # between an event and the row that says so
#: two machines differ by less than this, two units (s and ms) by more
_SPEEDS = 300.0
_SHORTEST_S = 1e-3  # below it, speeds say nothing
_MOST_ALIGNED = 4000  # rows that are aligned where some are missing


@dataclass(frozen=True)
class Sent:
    """What one call of the job sent: a row without v1's bookkeeping, or a list of tags that is new."""

    row: Row
    values: Mapping[str, Any]

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
        """Whether a chart of this metric finds no data, or other kinds of data. Other values: another picture only."""
        return self.kind in ("row", "metric", "type", "unit") and self.old is not None


def compare(old: History, new: History) -> list[Mismatch]:
    """All differences, in the order of the rows."""
    befores, afters = sent(old), sent(new)
    lives = (_life(old), _life(new))
    exact = old.exact and new.exact
    found: list[Mismatch] = []
    for before, after in _aligned(befores, afters):
        if before is None or after is None:
            there = before or after
            assert there is not None
            metric = min(there.names)
            was, now = (before.values, ABSENT) if before else (ABSENT, there.values)
            found.append(Mismatch(before, after, metric, "row", was, now))
        else:
            found += _values(before, after, lives, exact)
    return found


def sent(history: History) -> list[Sent]:
    """The rows to be compared. v1 sent an unchanged list of tags again and again; that says nothing new."""
    found: list[Sent] = []
    tags: Any = None
    for row in history.rows:
        if "app_tag" in row.values and row.values["app_tag"] != tags:
            tags = row.values["app_tag"]
            found.append(Sent(row, {name: row.values[name] for name in TAG_KEYS if name in row.values}))
        rest = {name: value for name, value in row.values.items() if name not in BOOKKEEPING and name not in TAG_KEYS}
        if rest:
            found.append(Sent(row, rest))
    return found


def _aligned(old: Sequence[Sent], new: Sequence[Sent]) -> Iterator[tuple[Optional[Sent], Optional[Sent]]]:
    """Pairs of rows with the same metrics, and those without a partner where they are missing."""
    begin = 0
    while begin < min(len(old), len(new)) and old[begin].names == new[begin].names:
        yield old[begin], new[begin]
        begin += 1
    old, new = old[begin:], new[begin:]
    if max(len(old), len(new)) > _MOST_ALIGNED:
        yield from zip(old, new)
        yield from ((one, None) for one in old[len(new) :])
        yield from ((None, one) for one in new[len(old) :])
        return
    matcher = difflib.SequenceMatcher(None, [one.names for one in old], [one.names for one in new], autojunk=False)
    for what, a, b, c, d in matcher.get_opcodes():
        if what == "replace":  # a row with other metrics in the same place
            pairs = min(b - a, d - c)
            yield from zip(old[a : a + pairs], new[c : c + pairs])
            a, c = a + pairs, c + pairs
        if what == "equal":
            yield from zip(old[a:b], new[c:d])
        else:
            yield from ((one, None) for one in old[a:b])
            yield from ((None, one) for one in new[c:d])


Life = tuple[Optional[float], Optional[float]]


def _life(history: History) -> Life:
    times = [row.at_ms for row in history.rows if row.at_ms is not None]
    return (min(times), max(times)) if times else (None, None)


def _values(before: Sent, after: Sent, lives: tuple[Life, Life], exact: bool) -> Iterator[Mismatch]:
    for name in dict.fromkeys((*before.values, *after.values)):
        was, now = before.values.get(name, ABSENT), after.values.get(name, ABSENT)
        if not exact:  # a table has no None beside "not there"
            was, now = (ABSENT if value is None else value for value in (was, now))
        kind = _difference(name, was, now, lives)
        if kind:
            yield Mismatch(before, after, name, kind, was, now)


def _difference(name: str, was: Any, now: Any, lives: tuple[Life, Life]) -> str:
    """In what they differ; empty if they do not."""
    if was is ABSENT or now is ABSENT:
        return "" if was is now else "metric"
    if _number(was) and _number(now):
        metric = METRICS.get(name)
        if metric is None:
            return "" if is_clock(name) or same(was, now) else "value"
        if metric.of_the_clock:
            return _implausible(metric.unit, float(was), float(now), lives)
        return "" if same(was, now) else "value"
    if was is None or now is None or type(was) is not type(now):
        return "" if was is now else "type"
    return "" if same(was, now) else "value"


def _implausible(unit: str, was: float, now: float, lives: tuple[Life, Life]) -> str:
    """A time of another run: the unit has to be the same, and it has to lie in that run's life."""
    if was == now:
        return ""
    if unit == EPOCH_MS:
        if was > 1e12 > now or now > 1e12 > was:
            return "unit" if now and was else "time"
        by_hand = not _within(was, lives[0])  # given by the job: another day, another hour
        return "" if by_hand or _within(now, lives[1]) else "time"
    if now < 0 <= was:
        return "time"
    if unit not in (SECONDS, MSECS):
        return ""
    scale = 1.0 if unit == SECONDS else 1000.0
    first, last = lives[1]
    if first is not None and last is not None and now / scale * 1000 > last - first + _SLACK_MS:
        return "unit" if was > 0 and now / was > _SPEEDS else "time"
    if min(was, now) > 0 and max(was, now) / scale > _SHORTEST_S and max(was, now) / min(was, now) > _SPEEDS:
        return "unit"
    return ""


def _within(value: float, life: Life) -> bool:
    first, last = life
    return first is None or last is None or first - _SLACK_MS <= value <= last + _SLACK_MS


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
