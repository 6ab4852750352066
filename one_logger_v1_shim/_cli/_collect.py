"""Takes the rows of one run and keeps what its report needs, and no more: memory stays flat over a million rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from .._v1 import metrics as m
from . import _format as f
from ._model import Points

_MOST_OTHER_SERIES = 24
_MOST_OTHER_NAMES = 10_000
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
    """In how many rows a name was, and its curve."""

    count: int = 0
    points: Optional[Points] = None


class Collector:
    """The newest value of every metric, counts of the others, and curves thinned out to a bounded number of points."""

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
        #: names of a row -> those of others among them: the rows of a long run have a few sets of names
        self._kinds: dict[tuple[str, ...], tuple[str, ...]] = {}

    def take(self, row: dict[str, Any]) -> None:
        """One row. It is kept: the caller must not change it afterwards."""
        self.rows += 1
        names = tuple(row)
        others = self._kinds.get(names)
        if others is None:
            others = tuple(name for name in names if name not in _KNOWN)
            if len(self._kinds) < _MOST_KINDS:
                self._kinds[names] = others
        if not others:
            self.last.update(row)
        elif m.ONE_LOGGER_UTILS_VERSION in row:
            self.last.update((name, row[name]) for name in names if name in _KNOWN)
            self.metadata.update((name, f.decoded(row[name])) for name in others)
        else:
            self.last.update(row)
            for name in others:
                other = self.others.get(name) or self._other(name)
                other.count += 1
                points = other.points or self._curve(other, row[name])
                if points is not None:
                    points.add_later(_numbered, self.rows, row[name])
        if m.TRAIN_ITERATIONS_TIME_TOTAL in row:
            self._training(row)
        if m.SAVE_CHECKPOINT_SYNC_TIME_TOTAL in row:
            self.saves.add_later(_saved, row)

    def decoded(self) -> dict[str, Any]:
        """The newest values, as JSON values."""
        return {name: f.decoded(value) for name, value in self.last.items()}

    def curve(self, name: str) -> list[tuple[float, float]]:
        """Of the rows of progress: when (ms since the epoch), and the metric ``name`` or :data:`BETWEEN`."""
        return self._progress.curve(1 + (BETWEEN, *_COLUMNS).index(name))

    def _other(self, name: str) -> Other:
        """A name that is new; of too many nothing is kept."""
        other = Other()
        if len(self.others) < _MOST_OTHER_NAMES:
            self.others[name] = other
        else:
            del self.last[name]
        return other

    def _curve(self, other: Other, value: Any) -> Optional[Points]:
        """The curve of a name that has had no number until now."""
        if self._curves < _MOST_OTHER_SERIES and f.number(value) is not None:
            self._curves += 1
            other.points = Points(512)
        return other.points

    def _training(self, row: dict[str, Any]) -> None:
        done = row.get(m.TRAIN_ITERATIONS)
        if self._before is not None and self._before.get(m.TRAIN_ITERATIONS) == done:
            return  # the same numbers again, before a checkpoint
        self._progress.add_later(_point, row, self._before)
        self._before = row


def _numbered(row: int, value: Any) -> tuple[Optional[float], ...]:
    return (float(row), f.number(value))


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
