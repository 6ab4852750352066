"""The rows of one W&B run, from the dictionary to the sink. Runs in the job's process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from .. import _state
from .._journal.destination import RunSpec
from .._v1.bookkeeping import Bookkeeping
from .._version import VERSION
from . import encode as encoder
from .open import Sink, open_sink


class Rows:
    """One W&B run as this process fills it. A v1 class makes one, or a v1-compatible exporter of v2.

    Args:
        spec: where the run goes.
        asynchronous: does a callback return before W&B has its row?

    Attributes:
        tags_sent: has the list of tags been sent to this run?
        finished: no more rows are taken.
        sink: the way to disk and to W&B, once the run is open; None: nobody takes its rows.
        exporter: the v2 exporter of this run, if it has one.
    """

    def __init__(self, spec: RunSpec, asynchronous: bool) -> None:
        self.spec = spec
        self.asynchronous = asynchronous
        self.tags_sent = False
        self.finished = False
        self.sink: Optional[Sink] = None
        self.exporter: Any = None
        self._bookkeeping = Bookkeeping(VERSION)

    def open(self, v2: str, v2_values: Optional[dict[str, Any]] = None) -> None:
        """Open the sink, unless it is; never raises an ``Exception``. Arguments: see :func:`.open.open_sink`."""
        if self.sink is None:
            self.sink = open_sink(self.spec, asynchronous=self.asynchronous, v2=v2, v2_values=v2_values)

    def encode(self, row: Mapping[str, Any], now: float) -> bytes:
        """``row`` with what v1's core added, as the journal takes it. ``now``: ``time.time()``.

        Code of the user's may run: methods of the values and of the dictionary.
        """
        return encoder.encode(self._bookkeeping.complete(encoder.as_dict(row), now))

    def put(self, data: bytes) -> None:
        """Append what one call did: rows that were encoded, calls (:meth:`.open.Sink.put`)."""
        if self.sink is not None:
            self.sink.put(data)

    def end(self, exit_code: int) -> None:
        """No more rows: the end of the run is in the journal. Idempotent, never raises."""
        self.finished = True
        if self.sink is not None:
            self.sink.end(exit_code)

    def finish(self, exit_code: int = 0) -> None:
        """End the run and wait, bounded, until W&B has it. Idempotent, never raises."""
        self.end(exit_code)
        if self.sink is not None:
            self.sink.wait()

    def abandon(self) -> None:
        """In a forked child: never touch the parent's run."""
        if self.sink is not None:
            self.sink.abandon()


def offer(rows: Rows) -> None:
    """An exporter has opened a run; v1 classes of this process may use it."""
    offered = _state.process.offered
    offered[:] = [one for one in offered if not one.finished and one is not rows]
    offered.append(rows)


def offered() -> Optional[Rows]:
    """The run of an exporter, if there is one."""
    return next((one for one in _state.process.offered if not one.finished), None)
