"""Spans and metrics to an OpenTelemetry collector, in a thread of the worker's own. Runs in the worker's process.

The journal is the queue: while a collector takes nothing, nothing more is read, and how far it has come stands in the
file ``sent``. A worker that goes on for another one, or for `recover`, plays the journal from its beginning, to have
the same spans open, and sends what comes after that place: at least once, with the same ids and times.

Neither rows nor v2 wait for it: it reads the journal by itself.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from .._journal.calls import FINISH, FROM, Call, Reading, calls, is_call, is_row, number
from .._journal.files import recover_command
from .._journal.follow import Follower
from .._journal.outside import json_value
from .._journal.records import SENT, UNSENT, Mark, RunRecord, Sent
from .._journal.secret import hidden
from .children import say

if TYPE_CHECKING:
    from .._otlp.meter import Meter, Point
    from .._otlp.sender import Sender
    from .._otlp.trace import Span, Trace

_POLL = 0.1  # seconds between looks at the journal
_EVERY = 5.0  # seconds between requests
_MOST = 2000  # points and spans that wait for a request
_QUICK = 1.0  # seconds for a request
_SETTLE = 5.0  # seconds for all of it, on a busy machine

#: what is said of it begins with this
OTLP = "OTLP"
NOT_AFFECTED = "v1 rows are not affected"


class Otlp(threading.Thread):
    """One journal's spans and metrics.

    Attributes:
        state: :data:`UNSENT`, :data:`SENT`, or why a collector gets nothing.
        rows: rows that a collector has taken.
        said: what the job is to log.
    """

    def __init__(self, folder: Path, record: RunRecord) -> None:
        super().__init__(name="otlp", daemon=True)
        self.state = UNSENT
        self.rows = 0
        self.said: list[str] = []
        self._folder = folder
        self._record = record
        self._gone = threading.Event()
        self._sent = Sent.read(folder)
        self._before = (self._sent.segment, self._sent.line)
        self._here = (0, 0)
        self._follower = Follower(folder)
        self._read_rows = 0
        self._last: Reading = (record.created, 0.0)
        self._pending: deque[Call] = deque()  # of the line at hand; of a `row` the row has not come yet
        self._waiting: list[Point] = []
        self._asked = 0.0  # since when a request has been on its way, 0: none is
        self._finished = False
        self._over = ""

    def job_has_gone(self) -> None:
        """Nothing more will be written: the end of the files is the end."""
        self._gone.set()

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
        sender = Sender(self._sent.resource, os.environ)
        trace = Trace(self._record.id, sender.most_events)
        self._follow(sender, trace, Meter(nanoseconds(self._record.created), sender.delta))
        self.state = SENT

    def _follow(self, sender: Sender, trace: Trace, meter: Meter) -> None:
        """Read and send until the end."""
        asked = time.monotonic()
        while not self._finished:
            gone = self._gone.is_set()
            lines = self._follower.lines(self._read_rows)
            for line in lines:
                self._hear(line, trace, meter)
            if not lines and not gone and not self._finished:
                self._gone.wait(_POLL)
            elif not lines:
                self._finished = True
                self._over = self._over or "the job has gone"
            if self._finished:
                trace.end(self._last, self._over)
            waiting = len(self._waiting) + len(trace.ended)
            if waiting >= _MOST or self._finished or (waiting and time.monotonic() - asked >= _EVERY):
                self._send(sender, trace)
                asked = time.monotonic()

    def _hear(self, line: bytes, trace: Trace, meter: Meter) -> None:
        segment, count = self._here
        self._here = (segment, count + 1) if segment == self._follower.segment else (self._follower.segment, 1)
        if is_row(line):
            self._read_rows += 1
            self._row(line, trace, meter)
        elif is_call(line):
            try:
                self._pending = deque(calls(line))
            except Exception as error:
                self._pending.clear()
                say(f"OTLP: a line of calls could not be read: {error!r}")
        elif line.startswith(FROM):
            self._read_rows = max(self._read_rows, number(line))
        elif line.startswith(FINISH):
            self._finished = True
            code = number(line)
            self._over = f"exit code {code}" if code else ""
        self._play(trace)
        if self._here <= self._before:  # a collector has it
            trace.ended.clear()
            self._waiting.clear()

    def _play(self, trace: Trace) -> None:
        """What is pending, up to the call whose row has not come yet."""
        while self._pending and self._pending[0].name != "row":
            call = self._pending.popleft()
            self._last = call.at or self._last
            trace.hear(call)

    def _row(self, line: bytes, trace: Trace, meter: Meter) -> None:
        from .._otlp.trace import nanoseconds

        call = self._pending.popleft() if self._pending else None
        try:
            row: Any = json_value(line)
        except (ValueError, RecursionError):
            return  # who takes the rows says so
        if not isinstance(row, dict):
            return
        at = call.at if call is not None else None
        if at is None:  # of an exporter of v2's, or an older version: a row says when it was logged
            logged = row.get("app_last_log_time")
            at = (logged / 1000, self._last[1]) if isinstance(logged, (int, float)) else self._last
        self._last = at
        trace.row(at, row)
        self._waiting += meter.points(row, nanoseconds(at[0]))

    def _send(self, sender: Sender, trace: Trace) -> None:
        """Until a collector has taken what waits. What waits longer than the worker does is for `recover`."""
        from .._otlp.sender import NotSentError, waits

        spans: list[Span] = trace.ended
        for seconds in waits():
            self._asked = time.monotonic()
            try:
                sender.send(trace.id, spans, self._waiting)
                break
            except NotSentError as error:
                text = hidden(f"{OTLP}: {error}", alike=True)
                say(text)
                if not self.said:
                    self.said.append(f"{text}; what is not sent waits in the journal, {NOT_AFFECTED}; after the job: "
                                     f"{recover_command(self._folder)}")  # fmt: skip
            time.sleep(seconds)
        self._asked = 0.0
        trace.ended, self._waiting = [], []
        self.rows = self._read_rows
        self._sent.segment, self._sent.line = max(self._here, self._before)
        self._sent.write(self._folder)


def make(folder: Path, record: RunRecord, mark: Mark) -> Optional[Otlp]:
    """What sends a journal's spans and metrics, if that is wanted and not done."""
    from .._otlp.settings import wanted

    try:
        on = wanted(os.environ)
    except ValueError:
        on = True  # it says so
    return Otlp(folder, record) if on and mark.otlp in ("", UNSENT) else None
