"""The rows of one W&B run, from the dictionary to the sink. Runs in the job's process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from .._journal.destination import RunSpec
from .._v1.bookkeeping import Bookkeeping
from .._version import VERSION
from . import encode as encoder
from .sink import Sink


class Rows:
    """One W&B run as this process fills it. A v1 face makes one, or a v1-compatible exporter of v2.

    Args:
        spec: where the run goes.
        asynchronous: does a callback return before W&B has its row?

    Attributes:
        tags_sent: has the list of tags been sent to this run?
        finished: no more rows are taken.
        sink: the way to disk and to W&B, once the run is open.
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

    def open(self, v2: str = "", v2_values: Optional[dict[str, Any]] = None) -> Sink:
        """Open the sink, once; never raises an ``Exception``. ``v2``, ``v2_values``: see :func:`.open.open_sink`."""
        if self.sink is None:
            from .open import open_sink

            encoder.choose()
            self.sink = open_sink(self.spec, asynchronous=self.asynchronous, v2=v2, v2_values=v2_values)
        return self.sink

    def encode(self, row: Mapping[str, Any], now: float) -> bytes:
        """``row`` with what v1's core added, as the journal takes it. ``now``: ``time.time()``."""
        return encoder.encode(self._bookkeeping.complete(row, now))

    def put(self, row: bytes, before: bytes = b"") -> None:
        """Send a row that was encoded (:meth:`.sink.Sink.put`)."""
        if self.sink is not None:
            self.sink.put(row, before)

    def finish(self, exit_code: int = 0) -> None:
        """Drain and finish the W&B run. Idempotent, bounded, never raises."""
        self.finished = True
        if self.sink is not None:
            self.sink.finish(exit_code)

    def abandon(self) -> None:
        """In a forked child: never touch the parent's run."""
        if self.sink is not None:
            self.sink.abandon()


#: runs that v2 exporters of this process have opened: a v1 face joins the first one that is not finished
_offered: list[Rows] = []


def offer(rows: Rows) -> None:
    """An exporter has opened a run; v1 faces of this process may use it."""
    _offered[:] = [one for one in _offered if not one.finished and one is not rows]
    _offered.append(rows)


def offered() -> Optional[Rows]:
    """The run of an exporter, if there is one."""
    return next((one for one in _offered if not one.finished), None)


def exchange_offered(new: list[Rows]) -> list[Rows]:
    """Put other runs in place of those that are offered, which are returned."""
    before = list(_offered)
    _offered[:] = new
    return before


def abandon_offered() -> None:
    """In a forked child: these runs are the parent's."""
    for one in _offered:
        one.abandon()
    _offered.clear()
