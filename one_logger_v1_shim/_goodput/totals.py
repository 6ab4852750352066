"""v1's totals as they grow from row to row. A stopwatch that was started and never stopped begins again in v1."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import NamedTuple, Optional

from .spans import Measure, Span

BEFORE, LOOP, AFTER = "before", "loop", "after"
_PLACES = (BEFORE, LOOP, AFTER)
_FLOAT = 5  # us; what v1's floats of seconds and of ms may differ by
_ROUNDING = 2_000  # us: row times are whole ms
_CLEARLY = 0.9  # so much of the least that windows can have taken
_NEVER = -1


class Reading(NamedTuple):
    """A stopwatch as a row tells it; times are us."""

    total: int
    #: windows that are in the total, if the row tells the average
    inside: Optional[int] = None
    least: Optional[int] = None
    most: Optional[int] = None
    #: windows since the job began: a number that never begins again
    windows: Optional[float] = None
    #: when the row was logged, and the row before it; None where rows repeat the total
    at: Optional[int] = None
    before: Optional[int] = None


class Series:
    """Adds up the series of one stopwatch."""

    def __init__(self) -> None:
        self._base = 0
        self._last: Optional[Reading] = None
        #: what :meth:`goes_on` has taken since then: total, windows, at
        self._more: Optional[tuple[int, float, int]] = None
        #: (windows at the begin of the series, us before it) of each series but the first
        self._begins: list[tuple[float, int]] = []
        #: whether the newest reading began a series
        self.is_new = False
        #: of all series so far
        self.total = 0
        #: of the newest series alone
        self.newest = 0

    def take(self, now: Reading) -> int:
        """The total of all series up to ``now``."""
        last = self._last
        if self._more is not None:
            last, self._more = Reading(self._more[0], windows=self._more[1], at=self._more[2]), None
        self.is_new = False
        if last is not None:
            if now.total < last.total - _FLOAT and ((now.least or 0) < 0 or self._goes_on(last, now)):
                self._base += last.total - now.total  # the clock went back inside of a window
            elif _is_anew(last, now):
                self._base += last.total + max(0, -now.total)  # nonsense in a row takes no time back
                self._begins.append((last.windows or 0.0, self._base))
                self.is_new = True
        elif now.total < 0:
            self._base = -now.total
        self._last, self.newest = now, now.total
        self.total = self._base + now.total
        return self.total

    def goes_on(self, total: int, windows: float, at: int) -> bool:
        """Take the total of a row of which is known that it is of the same series; False: it is not."""
        if self._last is None or total < self.newest:
            return False
        self.is_new = False
        self.newest, self._more = total, (total, windows, at)
        self.total = self._base + total
        return True

    def within(self, windows: float, total: int) -> int:
        """The total of all series, where that of one series was ``total`` after ``windows``."""
        first = 0 if self._begins else self._base
        return next((base for begin, base in reversed(self._begins) if windows > begin), first) + total

    @staticmethod
    def _goes_on(last: Reading, now: Reading) -> bool:
        return None not in (last.inside, now.inside, last.windows, now.windows) and (
            (now.inside or 0) - (last.inside or 0) == (now.windows or 0) - (last.windows or 0) != 0
        )


def _is_anew(last: Reading, now: Reading) -> bool:
    if now.total < last.total - _FLOAT:
        return True
    if last.at is None or now.at is None or now.total > now.at - last.at + _ROUNDING:
        return False  # a series that began after the last row cannot be longer than the time since then
    more = now.total - last.total
    if last.least is not None and now.least is not None and last.total and now.least > last.least + _FLOAT:
        return True  # the shortest window of a series never gets longer
    if last.most is not None and now.most is not None and now.most < last.most - _FLOAT:
        return True
    windows = None if last.windows is None or now.windows is None else now.windows - last.windows
    if abs(more) <= _FLOAT and now.total and windows != 0 and now.before is not None:
        # as long as the series before it, if the time since the newest row can have been spent in it
        return now.at - now.before >= now.total - _ROUNDING
    if last.inside is not None and now.inside is not None:
        if now.inside < last.inside or (now.inside == last.inside and more > _FLOAT):
            return True
        if windows is not None and now.inside < last.inside + windows and now.inside <= windows and more > _FLOAT:
            return True
        windows = now.inside - last.inside
    if windows is None or now.least is None:
        return False
    if windows == 1 and last.least is not None and now.least < last.least - _FLOAT and more > now.least + _FLOAT:
        return True  # the one window that is new would be the shortest
    return more < _CLEARLY * windows * now.least - _FLOAT


class Running:
    """A total (us) as it grows, and where: before, in and after the training loop."""

    def __init__(self) -> None:
        self.total = 0
        self._series = Series()
        #: of each growth: how much, when a row told it, where that was
        self._more, self._at, self._place = array("q"), array("q"), array("b")

    @property
    def newest(self) -> int:
        """As the newest row tells it."""
        return self._series.newest

    def take(self, reading: Reading, place: str, at: Optional[int]) -> int:
        """A row tells ``reading``; returns how much more that is."""
        total = self._series.take(reading)
        more = total - self.total
        if more <= 0:
            return 0
        self.total = total
        self._more.append(more)
        self._at.append(_NEVER if at is None else at)
        self._place.append(_PLACES.index(place))
        return more

    def growths(self, place: str) -> Iterator[tuple[int, Optional[int]]]:
        """How much it grew at ``place`` each time, and when a row told it."""
        wanted = _PLACES.index(place)
        told = zip(self._more, self._at, self._place)
        return ((more, None if at == _NEVER else at) for more, at, where in told if where == wanted)

    def grown(self, place: str, own: Measure, after: Optional[int] = None) -> int:
        """How much it grew at ``place`` within ``own``, and after the instant ``after`` if that is given."""
        found = 0
        for more, at in self.growths(place):
            if at is None or after is None or at > after:
                found += more if at is None else own.until(at) - own.until(at - more)
        return found

    def spans(self, *places: str) -> list[Span]:
        """Where it grew, as far as row times tell; ``places``: only there."""
        wanted = [_PLACES.index(place) for place in places or _PLACES]
        told = zip(self._more, self._at, self._place)
        return [(at - more, at) for more, at, place in told if at != _NEVER and place in wanted]
