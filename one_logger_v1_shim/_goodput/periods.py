"""The time of trainings by day or week: parts of each period, which add up to the parts of the trainings, exactly."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo

from . import definitions as d
from .columns import columns
from .counted import Counted
from .spans import Span, clip, length
from .training import Training

DAY, WEEK = "day", "week"
_US = 1_000_000


@dataclass
class Period:
    """From ``begin`` to ``end`` (us since the epoch), which may be an hour more or less than whole days."""

    first: date
    begin: int
    end: int
    #: us
    parts: dict[str, int] = field(default_factory=lambda: {one.key: 0 for one in d.PARTS})
    trainings: int = 0
    #: GPU-hours; ``known``: whether a row tells the number of GPUs
    paid: float = 0.0
    kept: float = 0.0
    open: float = 0.0
    known: bool = False

    @property
    def wall(self) -> int:
        """us, of all trainings."""
        return sum(self.parts.values())

    @property
    def lost(self) -> float:
        """GPU-hours"""
        return max(0.0, self.paid - self.kept - self.open)


def periods(trainings: Sequence[Training], per: str, zone: tzinfo) -> list[Period]:
    """The days or weeks (from Monday on) in ``zone`` in which one of ``trainings`` lived, in order."""
    found: dict[date, Period] = {}
    for training in trainings:
        some = _calendar(training.begin, training.end, per, zone)
        for one in training.attempts:
            _attempt(one, some)
        for period in some:
            if period.wall:
                period.trainings = 1
                _add(found.setdefault(period.first, Period(period.first, period.begin, period.end)), period)
    return [found[first] for first in sorted(found)]


def _calendar(begin: int, end: int, per: str, zone: tzinfo) -> list[Period]:
    first = datetime.fromtimestamp(begin // _US, zone).date()
    step = timedelta(days=7 if per == WEEK else 1)
    first -= timedelta(days=first.weekday()) if per == WEEK else timedelta()
    found: list[Period] = []
    while not found or found[-1].end < end:
        found.append(Period(first, _midnight(first, zone), _midnight(first + step, zone)))
        first += step
    return found


def _midnight(day: date, zone: tzinfo) -> int:
    return round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * _US


def _attempt(one: Counted, some: list[Period]) -> None:
    """Give each period its part of an attempt and of the time before it."""
    before = (one.division.begin - one.gap, one.division.begin)
    launch = (one.division.begin - (one.launch or 0), one.division.begin)
    here = [period for period in some if period.begin < one.division.end and one.division.begin < period.end]
    rooms = [length(clip(one.division.own, period.begin, period.end)) for period in here]
    for period, room, parts in zip(here, rooms, _divided(one, here, rooms)):
        for part, us in parts.items():
            period.parts[part] += us
        period.known = period.known or bool(one.gpus)
        period.paid += one.gpu_hours(room)
        period.kept += one.gpu_hours(parts.get(d.PRODUCTIVE, 0))
        period.open += one.gpu_hours(parts.get(d.NOT_SAVED, 0))
    for period in some:
        period.parts[d.BETWEEN] += _within(before, period)
        period.paid += one.gpu_hours(_within(launch, period))


def _within(span: Span, period: Period) -> int:
    return max(0, min(span[1], period.end) - max(span[0], period.begin))


def _divided(one: Counted, here: list[Period], rooms: list[int]) -> list[dict[str, int]]:
    """The parts of an attempt by period: where the rows say that they lie, as far as both sums allow it.

    Each period has as much as the attempt lived in it, and each part is spread as a whole. What the rows do not place
    takes the room that is left, in the order of time.
    """
    wanted = {part: us for part, us in one.division.parts.items() if us}
    found: list[dict[str, int]] = [{} for _ in here]
    begins = [period.begin for period in here]
    for begin, _, parts in columns(one, begins[1:]):
        index = max(0, bisect_right(begins, begin) - 1)
        for part, us in parts.items():
            found[index][part] = found[index].get(part, 0) + us
    placed = {part: sum(some.get(part, 0) for some in found) for part in wanted}
    left, room = dict(wanted), list(rooms)
    for index, some in enumerate(found):
        for part in list(some):
            us = some.pop(part)
            if part in wanted:
                us = us * wanted[part] // placed[part] if placed[part] > wanted[part] else us
                some[part] = us = min(us, room[index])
                left[part], room[index] = left[part] - us, room[index] - us
    for index, some in enumerate(found):
        for part in left:
            us = min(left[part], room[index])
            some[part] = some.get(part, 0) + us
            left[part], room[index] = left[part] - us, room[index] - us
    return found


def _add(whole: Period, part: Period) -> None:
    for key, us in part.parts.items():
        whole.parts[key] += us
    whole.trainings += part.trainings
    whole.paid, whole.kept, whole.open = whole.paid + part.paid, whole.kept + part.kept, whole.open + part.open
    whole.known = whole.known or part.known
