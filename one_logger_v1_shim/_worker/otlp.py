"""Spans and metrics to an OpenTelemetry collector, in a thread of the worker's own. Runs in the worker's process.

The journal is the queue: while a collector takes nothing, nothing more is read, and how far it has come stands in the
file ``sent``. A worker that goes on for another one, or for `recover`, plays the journal from its beginning, to have
the same spans open, and sends what comes after that place: at least once, with the same ids and times.

Neither rows nor v2 wait for it: it reads the journal by itself.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from .._journal.calls import Call
from .._journal.files import recover_command
from .._journal.outside import json_value
from .._journal.records import SENT, UNSENT, Mark, RunRecord, Sent
from .._journal.secret import hidden
from .children import say
from .listener import Listener

if TYPE_CHECKING:
    from .._otlp.meter import Meter, Point
    from .._otlp.sender import Sender
    from .._otlp.trace import Trace

_EVERY = 5.0  # seconds between requests
_MOST = 2000  # points and spans that wait for a request
_QUICK = 1.0  # seconds for a request
_SETTLE = 5.0  # seconds for all of it, on a busy machine

#: what is said of it begins with this
OTLP = "OTLP"
NOT_AFFECTED = "v1 rows are not affected"


class Otlp(Listener):
    """One journal's spans and metrics. Its state is :data:`UNSENT`, :data:`SENT`, or why a collector gets nothing.

    Its rows are done with when a collector has taken them.
    """

    _sender: Sender
    _trace: Trace
    _meter: Meter

    def __init__(self, folder: Path, record: RunRecord) -> None:
        super().__init__(OTLP, folder, record, UNSENT)
        self._sent = Sent.read(folder)
        self._before = (self._sent.segment, self._sent.line)
        self._here = (0, 0)
        self._waiting: list[Point] = []
        self._asked = 0.0  # since when a request has been on its way, 0: none is
        self._last_sent = time.monotonic()

    def settle(self) -> None:
        """Wait for a collector that is quick, and not for one that has been silent for a second or has refused."""
        limit = time.monotonic() + _SETTLE
        while self.is_alive() and not self.said and time.monotonic() < limit:
            if self._asked and time.monotonic() - self._asked > _QUICK:
                break
            self.join(0.05)

    def run(self) -> None:
        """The thread."""
        try:
            self._run()
        except BaseException as error:  # a broken installation may raise anything
            self._gets_nothing(f"could not be set up ({type(error).__name__}: {error})")
        finally:
            self._follower.close()

    def _gets_nothing(self, why: str) -> None:
        self.state = hidden(f"{OTLP} {why}; {NOT_AFFECTED}", alike=True)
        self.said.append(self.state)
        say(self.state)

    def _run(self) -> None:
        from .._otlp import resource, settings

        try:
            settings.wanted(os.environ)
            missing = settings.missing(settings.signals(os.environ))
        except ValueError as error:
            self._gets_nothing(f"is off: {error}")
            return
        if missing:
            self._gets_nothing(
                f"needs {' and '.join(missing)} in {sys.executable}: "
                "pip install 'one-logger-v1-shim[otel]', or isolate --otel"
            )
            return
        from .._otlp.meter import Meter
        from .._otlp.sender import Sender
        from .._otlp.trace import Trace, nanoseconds

        if not self._sent.resource:
            mark = Mark.read(self._folder)
            run_id = mark.id or self._record.id
            self._sent.resource = dict(resource.attributes(self._record, run_id, mark.url, os.environ))
            self._sent.write(self._folder)  # `recover` has another environment
        self._sender = Sender(self._sent.resource, os.environ)
        self._trace = Trace(self._record.id, self._sender.most_events)
        self._meter = Meter(nanoseconds(self._record.created), self._sender.delta)
        if self._follow():
            over = "the job has gone" if self._code is None else f"exit code {self._code}" if self._code else ""
            self._trace.end(self._last, over)
            self._send()
            self.state = SENT

    def _pause(self) -> None:
        waiting = len(self._waiting) + len(self._trace.ended)
        if waiting >= _MOST or (waiting and time.monotonic() - self._last_sent >= _EVERY):
            self._send()

    def _take(self, line: bytes) -> None:
        segment, count = self._here
        self._here = (segment, count + 1) if segment == self._follower.segment else (self._follower.segment, 1)
        super()._take(line)
        if self._here <= self._before:  # a collector has it
            self._trace.ended.clear()
            self._waiting.clear()

    def _hear(self, call: Call) -> None:
        if call.name != "row":
            self._trace.hear(call)
            return
        from .._otlp.trace import nanoseconds

        try:
            row: Any = json_value(call.arguments[0])
        except (ValueError, RecursionError):
            return  # who takes the rows says so
        if not isinstance(row, dict):
            return
        logged = row.get("app_last_log_time")
        if call.at is None and isinstance(logged, (int, float)):
            self._last = (logged / 1000, self._last[1])
        self._trace.row(self._last, row)
        self._waiting += self._meter.points(row, nanoseconds(self._last[0]))

    def _send(self) -> None:
        """Until a collector has taken what waits. What waits longer than the worker does is for `recover`."""
        self._asked = time.monotonic()
        self._sender.deliver(self._trace.id, self._trace.ended, self._waiting, self._not_sent)
        self._asked = 0.0
        self._trace.ended, self._waiting = [], []
        self.rows = self._read_rows
        self._sent.segment, self._sent.line = max(self._here, self._before)
        self._sent.write(self._folder)
        self._last_sent = time.monotonic()

    def _not_sent(self, error: Exception) -> None:
        text = hidden(f"{OTLP}: {error}", alike=True)
        say(text)
        if not self.said:
            self.said.append(f"{text}; what is not sent waits in the journal, {NOT_AFFECTED}; after the job: "
                             f"{recover_command(self._folder)}")  # fmt: skip


def make(folder: Path, record: RunRecord, mark: Mark) -> Optional[Otlp]:
    """What sends a journal's spans and metrics, if that is wanted and not done."""
    from .._otlp.settings import wanted

    try:
        on = wanted(os.environ)
    except ValueError:
        on = True  # it says so
    return Otlp(folder, record) if on and mark.otlp in ("", UNSENT) else None
