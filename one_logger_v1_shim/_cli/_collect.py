"""Takes the rows of one run and keeps what its report needs, and no more: memory stays flat over a million rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

from .._v1 import metrics as m
from . import _format as f
from ._model import Points

_MOST_OTHER_SERIES = 24
_MOST_OTHER_NAMES = 10_000
_MOST_OTHER_POINTS = 512
_MOST_KINDS = 1_000
# W&B's own stamp counts as known: it is read where a row has none of v1's.
STAMP = "_timestamp"
_KNOWN = frozenset({*m.UNITS, STAMP})
#: ms that an iteration took between two rows
BETWEEN = "between rows"
_COLUMNS = (
    m.TRAIN_ITERATIONS_TIME_MSECS_AVG, m.TRAIN_ITERATIONS_TIME_MSECS_MIN, m.TRAIN_THROUGHPUT_PER_GPU,
    m.TRAIN_THROUGHPUT_PER_GPU_MAX, m.TRAIN_ITERATIONS_END,
)  # fmt: skip


@dataclass
class Other:
    """In how many rows a name was, and its curve: the row's number and the value, empty for what is no number."""

    count: int = 0
    curve: list[tuple[float, float]] = field(default_factory=list)


class _Kind:
    """The rows with one set of names, of which a long run has a few: what a row has is looked up once."""

    def __init__(self, row: dict[str, Any]) -> None:
        self.others = [name for name in row if name not in _KNOWN]
        #: what is no metric of v1's, numbers first
        self.drawn = sorted(self.others, key=lambda name: f.number(row[name]) is None)[:_MOST_OTHER_SERIES]
        self.is_metadata = m.ONE_LOGGER_UTILS_VERSION in row
        self.trains, self.saves = m.TRAIN_ITERATIONS_TIME_TOTAL in row, m.SAVE_CHECKPOINT_SYNC_TIME_TOTAL in row
        self.count = 0
        #: the newest row, and its number
        self.newest, self.at = row, 0
        #: a row's number, and its values of what is drawn
        self.points = Points(_MOST_OTHER_POINTS) if self.others and not self.is_metadata else None


class Collector:
    """The newest value of every metric, counts of the others, and curves thinned out to a bounded number of points.

    :meth:`settle` follows the last row.
    """

    def __init__(self) -> None:
        self.last: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        #: what is no metric of v1's
        self.others: dict[str, Other] = {}
        self.rows = 0
        #: x, then BETWEEN and _COLUMNS
        self._progress = Points()
        self._curves = 0
        #: x, time of all saves
        self.saves = Points()
        self._before: Optional[dict[str, Any]] = None
        self._kinds: dict[tuple[str, ...], _Kind] = {}

    def take(self, row: dict[str, Any]) -> None:
        """One row. It is kept: the caller must not change it afterwards."""
        self.rows += 1
        names = tuple(row)
        kind = self._kinds.get(names)
        if kind is None:
            if len(self._kinds) >= _MOST_KINDS:
                self.settle()
            kind = self._kinds[names] = _Kind(row)
        kind.count += 1
        kind.newest, kind.at = row, self.rows
        if kind.points is not None:
            kind.points.add_later(_numbers, self.rows, row, kind.drawn)
        if kind.trains:
            self._training(row)
        if kind.saves:
            self.saves.add_later(_saved, row)

    def settle(self) -> None:
        """Put what the kinds of rows have into ``last``, ``metadata`` and ``others``."""
        kinds = list(self._kinds.values())
        self._kinds.clear()
        for kind in kinds:
            self._count(kind)
        for kind in sorted(kinds, key=lambda kind: kind.at):
            if kind.is_metadata:
                self.last.update((name, value) for name, value in kind.newest.items() if name in _KNOWN)
                self.metadata.update((name, f.decoded(kind.newest[name])) for name in kind.others)
            else:
                self.last.update(kind.newest)
        for name in self.last.keys() - _KNOWN - self.others.keys():
            del self.last[name]

    def _count(self, kind: _Kind) -> None:
        if kind.points is None:
            return
        for name in kind.others:
            other = self.others.get(name)
            if other is None:
                if len(self.others) >= _MOST_OTHER_NAMES:
                    continue  # of too many nothing is kept
                other = self.others[name] = Other()
            other.count += kind.count
        for column, name in enumerate(kind.drawn, 1):
            points, other = kind.points.curve(column), self.others.get(name)
            if other is None or not points or (not other.curve and self._curves >= _MOST_OTHER_SERIES):
                continue
            self._curves += not other.curve
            other.curve = sorted([*other.curve, *points])
            while len(other.curve) > 2 * _MOST_OTHER_POINTS:
                del other.curve[1:-1:2]

    def decoded(self) -> dict[str, Any]:
        """The newest values, as JSON values."""
        return {name: f.decoded(value) for name, value in self.last.items()}

    def curve(self, name: str) -> list[tuple[float, float]]:
        """Of the rows of progress: when (ms since the epoch), and the metric ``name`` or :data:`BETWEEN`."""
        return self._progress.curve(1 + (BETWEEN, *_COLUMNS).index(name))

    def _training(self, row: dict[str, Any]) -> None:
        done = row.get(m.TRAIN_ITERATIONS)
        if self._before is not None and self._before.get(m.TRAIN_ITERATIONS) == done:
            return  # the same numbers again, before a checkpoint
        self._progress.add_later(_point, row, self._before)
        self._before = row


def _numbers(number: int, row: dict[str, Any], names: list[str]) -> tuple[Optional[float], ...]:
    return (float(number), *(f.number(row[name]) for name in names))


def _saved(row: dict[str, Any]) -> tuple[Optional[float], ...]:
    return moment(row), f.number(row[m.SAVE_CHECKPOINT_SYNC_TIME_TOTAL])


def _point(row: dict[str, Any], before: Optional[dict[str, Any]]) -> tuple[Optional[float], ...]:
    done = f.number(row.get(m.TRAIN_ITERATIONS))
    if not done:  # zeros before the first iteration
        return (None,) * (2 + len(_COLUMNS))
    passed = None
    if before is not None:
        more = done - (f.number(before.get(m.TRAIN_ITERATIONS)) or 0.0)
        times = [f.number(one.get(m.TRAIN_ITERATIONS_TIME_TOTAL)) for one in (before, row)]
        if more > 0 and times[0] is not None and times[1] is not None and times[1] >= times[0]:
            passed = (times[1] - times[0]) * 1000 / more
    return (moment(row), passed, *(f.number(row.get(name)) for name in _COLUMNS))


def moment(row: dict[str, Any]) -> Optional[float]:
    """When the row was logged, in ms since the epoch: by v1's stamp, else by W&B's."""
    at = f.number(row.get(m.APP_LAST_LOG_TIME))
    if at is not None:
        return at
    stamp = f.number(row.get(STAMP))
    return None if stamp is None else stamp * 1000
