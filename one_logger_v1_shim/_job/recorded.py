"""v1's calls on their way into the journal, for a v2 that lives with the worker. Runs in the job's process.

An iteration is two clock readings. They wait for the next row, the next other call, or a second to pass, so that an
iteration without a row costs no line of its own. A job that is killed loses the readings that wait, and no row.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .._journal.lines import call_line, reading_line
from .calls import Read, Reading, milliseconds
from .sink import Sink

_MOST_WAITING = 512  # readings
_LONGEST_WAIT = 1.0  # seconds


class Recorded:
    """Writes v1's calls into the journal of ``sink``.

    Args:
        sink: where the lines go.
        read: the values of ``callables``.
        callables: the v1 keys whose values are callables: v2 has to hear when they change.
    """

    def __init__(self, sink: Sink, read: Read, callables: Iterable[str]) -> None:
        self._sink = sink
        self._reads = dict.fromkeys(callables, read)
        self._told: dict[str, Any] = dict.fromkeys(self._reads, self)  # equal to no value
        self._letters = ""
        self._readings: list[float] = []
        self._flushed = 0.0

    # -- readings ----------------------------------------------------------------------------------------------

    def batch_start(self, at: Reading) -> None:
        self._letters += "S"
        self._readings += at
        if not 0.0 <= at[1] - self._flushed < _LONGEST_WAIT:
            self._flush(at)

    def batch_end(self, at: Reading) -> None:
        if self._told:
            self._tell_values()
        self._letters += "E"
        self._readings += at
        if not 0.0 <= at[1] - self._flushed < _LONGEST_WAIT or len(self._letters) >= _MOST_WAITING:
            self._flush(at)

    def before_row(self, at: Reading) -> bytes:
        if self._told:
            self._tell_values()
        self._letters += "R"
        self._readings += at
        return self._take(at)

    def row(self, at: Reading, row: bytes) -> None:
        """It is in the journal already."""

    def _take(self, at: Reading) -> bytes:
        line = reading_line(self._letters, self._readings)
        self._letters = ""
        self._readings = []
        self._flushed = at[1]
        return line

    def _flush(self, at: Reading) -> None:
        if self._letters:
            self._sink.call(self._take(at))

    # -- calls -------------------------------------------------------------------------------------------------

    def open(self, at: Reading, given_ms: Any = None) -> None:
        self._call("open", at, milliseconds(given_ms))

    def training(self, at: Reading, values: dict[str, Any], read: Read) -> None:
        for key in values["callables"]:
            self._reads.setdefault(key, read)
            self._told.setdefault(key, self)
        self._call("training", at, values)

    def app_start(self, at: Reading, given_ms: Any = None) -> None:
        self._call("app_start", at, milliseconds(given_ms))

    def app_end(self, at: Reading, given_ms: Any = None) -> None:
        self._call("app_end", at, milliseconds(given_ms))

    def phase_start(self, at: Reading, phase: str, given_ms: Any = None) -> None:
        self._call("phase_start", at, phase, milliseconds(given_ms))

    def phase_end(self, at: Reading, phase: str, given_ms: Any = None) -> None:
        self._call("phase_end", at, phase, milliseconds(given_ms))

    def train_start(self, at: Reading, iterations: int, samples: int) -> None:
        self._call("train_start", at, iterations, samples)

    def train_end(self, at: Reading) -> None:
        self._call("train_end", at)

    def save_start(self, at: Reading, step: int) -> None:
        self._call("save_start", at, step)

    def save_end(self, at: Reading, step: int) -> None:
        self._call("save_end", at, step)

    def save_success(self, at: Reading, step: int) -> None:
        self._call("save_success", at, step)

    def close(self, at: Reading) -> None:
        self._call("close", at)

    def abandon(self) -> None:
        """The sink is abandoned too, and writes nothing."""

    def _call(self, name: str, at: Reading, *arguments: Any) -> None:
        if self._told:
            self._tell_values()
        self._flush(at)
        self._sink.call(call_line(name, at, *arguments))

    def _tell_values(self) -> None:
        """Say which values of callables have changed since v2 heard of them."""
        for key, told in self._told.items():
            value = self._reads[key](key)
            if value is not told and (type(value) is not type(told) or value != told):
                self._told[key] = value
                if self._letters:
                    self._sink.call(self._take((0.0, self._flushed)))
                self._sink.call(call_line("value", key, plain(value)))


def plain(value: Any) -> Any:
    """``value`` of a configuration key as JSON can carry it; v2's conversions take it as they would the original."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    item = getattr(value, "item", None)  # numpy and torch scalars
    try:
        return plain(item()) if callable(item) else str(value)
    except Exception:
        return str(value)
