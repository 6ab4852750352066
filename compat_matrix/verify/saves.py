"""v1's checkpoints, told from consecutive rows: what a success says was true when its save began.

At each start v1 kept the progress of that moment and sent it with the success (``*_productive``), so that it stands in
the history twice. The windows of the saves (start to end) are the difference of two totals.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from .findings import CONTRADICTS, REMARK, Finding, Words, finding
from .history import Row
from .numbers import Number, close, is_number

_TOTAL, _MIN, _MAX = (f"save_checkpoint_sync_time_{what}" for what in ("total", "min", "max"))
_TOTAL_PRODUCTIVE = f"{_TOTAL}_productive"
_FIRST, _LAST = (f"{which}_successful_save_checkpoint_sync_finish_time" for which in ("first", "last"))
_FIRST_START = "first_saved_train_iterations_start_time"
_END = "train_iterations_productive_end"
_VALIDATION = "validation_iterations_time_total"
#: what a success says -> what the progress row before its start had said
_KEPT = {
    "train_samples_productive_end": "train_samples_end",
    "train_iterations_time_total_productive": "train_iterations_time_total",
    "train_tflop_productive_end": "train_tflop_end",
}


@dataclass
class Saves:
    """Follows the saves of ``OneLoggerUtils`` through the rows of a history."""

    #: by the iteration of a save: the progress when it began
    _began: dict[Any, list[dict[str, Any]]] = field(default_factory=dict)
    _totals: list[Number] = field(default_factory=list)
    _finishes: list[float] = field(default_factory=list)
    _last: Optional[dict[str, Any]] = None

    def start(self, row: Row, latest: Mapping[str, Any], flushed: bool) -> None:
        """A row of a start. ``flushed``: the progress of this moment stands in the row before it."""
        end = row.values.get("train_iterations_save_checkpoint_end")
        known = dict(latest) if flushed else {_VALIDATION: latest.get(_VALIDATION)}
        if isinstance(end, (int, float)):
            kept = {name: known.get(name) for name in (*_KEPT.values(), _VALIDATION)}
            self._began.setdefault(end, []).append(kept)

    def end(self, row: Row, anew: bool, latest: Mapping[str, Any]) -> Iterator[Finding]:
        """A row of an end. ``anew``: the save was started twice, so that its timer counts anew."""
        values = row.values
        total, shortest, longest = (values.get(name) for name in (_TOTAL, _MIN, _MAX))
        yield from self._success(row, latest)
        if row.at_ms is not None:
            self._finishes.append(row.at_ms)
        if not (is_number(total) and is_number(shortest) and is_number(longest)):
            self._last = None
            return
        before = None if anew else self._last
        self._last = {_TOTAL: total, _MIN: shortest, _MAX: longest}
        first = not self._totals
        self._totals.append(total)
        if before is not None:
            spent = total - before[_TOTAL]
            expected = {_MIN: min(before[_MIN], spent), _MAX: max(before[_MAX], spent)}
        elif anew or first:
            expected = {_MIN: total, _MAX: total}
        else:
            return
        for name, value in expected.items():
            if not _near(values[name], value):
                text = f"{value:.6g}: this save took {spent if before is not None else total:.6g} s"
                yield finding(row, name, "relation", text, values[name])
        productive = values.get(_TOTAL_PRODUCTIVE)
        if is_number(productive) and not close(productive, total):
            yield finding(row, _TOTAL_PRODUCTIVE, "relation", f"{total!r}, as {_TOTAL}", productive)

    def success(self, row: Row, latest: Mapping[str, Any]) -> Iterator[Finding]:
        """A row of a success."""
        yield from self._success(row, latest)
        productive = row.values.get(_TOTAL_PRODUCTIVE)
        if is_number(productive) and self._totals and not any(_near(productive, one) for one in self._totals):
            yield finding(row, _TOTAL_PRODUCTIVE, "relation", f"the {_TOTAL} of a row before it", productive)
        end = row.values.get(_END)
        if not isinstance(end, (int, float)) or not self._began:
            return
        if end not in self._began:
            yield finding(row, _END, "relation", "the train_iterations_save_checkpoint_end of a row before it", end)
            return
        yield from self._kept(row, self._began[end])

    def _kept(self, row: Row, began: list[dict[str, Any]]) -> Iterator[Finding]:
        for name, source in _KEPT.items():
            value = row.values.get(name)
            known = [one[source] for one in began if is_number(one[source])]
            if is_number(value) and len(known) == len(began) and not any(_near(value, one) for one in known):
                text = f"{known[-1]!r}, {source} when the save began"
                yield finding(row, name, "relation", text, value)
        name, value = f"{_VALIDATION}_productive", row.values.get(f"{_VALIDATION}_productive")
        if not is_number(value):
            return
        known = [one[_VALIDATION] or 0.0 for one in began if is_number(one[_VALIDATION] or 0.0)]
        if known and not any(_near(value, one) for one in known):
            text = f"{known[-1]!r}, {_VALIDATION} when the save began"
            # more: batches of a validation that went on
            yield finding(row, name, "relation", text, value, REMARK if value > min(known) else CONTRADICTS)

    def _success(self, row: Row, latest: Mapping[str, Any]) -> Iterator[Finding]:
        values = row.values
        first, last = values.get(_FIRST), values.get(_LAST)
        if is_number(first) and is_number(last) and not close(first, last):
            yield finding(row, _FIRST, "relation", f"{last!r}, as {_LAST}: it is the first one", first)
        start, loop = values.get(_FIRST_START), latest.get("app_train_loop_start_time")
        if is_number(start) and is_number(loop) and start > 0 and not close(start, loop):
            yield finding(row, _FIRST_START, "relation", f"{loop!r}, as app_train_loop_start_time", Words(repr(start)))


def _near(a: Any, b: Any) -> bool:
    return close(a, b) or (isinstance(a, float) and abs(a - b) <= 1e-6 + 1e-9 * abs(b))
