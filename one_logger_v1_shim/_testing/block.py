"""A block: from its begin to its end this process's runs are the test's, and the process looks as if it were new.

All that the package and v2 know about the process is set aside at the begin and put back at the end. Loggers that were
made outside keep what they have: their rows go where they went.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional

from .._job import capture, rows, telemetry
from .._job.calls import Deaf, Listener
from .._job.recorded import Recorded
from .._journal.destination import RunSpec
from .._log import exchange_said, warn
from .._v1.bookkeeping import TagList
from .runs import MemorySink, Run
from .spans import Span

if TYPE_CHECKING:
    from .._v2.recording import V2State

_lock = threading.RLock()
_open: list[Block] = []  # the outermost first


class _Process(NamedTuple):
    """What was set aside."""

    telemetry: telemetry.State
    listener: Optional[Listener]  # of the run that was open
    offered: list[rows.Rows]
    said: set[str]
    active: Optional[capture.Taker]
    marked: Optional[str]  # the variable that processes started by the test inherit
    v2: Optional[V2State]


class Block:
    """One block (a :class:`one_logger_v1_shim._job.capture.Taker`).

    Attributes:
        rows: all rows, in order.
        runs: the runs that were opened, in order.
        spans: v2's spans, in order of their starts.
        no_spans: why there are none, if v2 can not be used.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.runs: list[Run] = []
        self.spans: list[Span] = []
        self.no_spans: Optional[Exception] = None
        self.at_end: list[Callable[[], None]] = []
        self._sinks: list[MemorySink] = []
        self._ended = False
        self._process: Optional[_Process] = None
        self._thread = threading.current_thread()
        self._pid = os.getpid()

    @property
    def hears_v2(self) -> bool:
        """Whether the block has a v2 provider of its own."""
        return self.no_spans is None

    def open_sink(self, spec: RunSpec, asynchronous: bool) -> MemorySink:
        """The sink of a new run."""
        run = Run.of(spec)
        sink = MemorySink(run, self.rows, asynchronous)
        self.runs.append(run)
        self._sinks.append(sink)
        return sink

    # -- begin -------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Set the process's state aside.

        Raises:
            RuntimeError: another thread's block is open. Which rows would be whose?
        """
        _survive_forks()
        with _lock:
            outer = _open[-1] if _open else None
            if outer is not None and outer._thread is not self._thread and outer._pid == self._pid:
                raise RuntimeError(
                    f"one_logger_v1_shim.testing: thread {outer._thread.name!r} has a block open, and a process "
                    "has one at a time; run tests in parallel as processes (pytest-xdist)"
                )
            self._process = self._set_aside()
            _open.append(self)

    def _set_aside(self) -> _Process:
        v2 = self._set_v2_aside()
        known = telemetry.exchange(telemetry.State(None, TagList(), False))
        process = _Process(
            known,
            _mute(known.current),
            rows.exchange_offered([]),
            exchange_said(set()),
            capture.active,
            os.environ.get(capture.STARTED_BY_TEST),
            v2,
        )
        capture.active = self
        os.environ[capture.STARTED_BY_TEST] = "1"
        return process

    def _set_v2_aside(self) -> Optional[V2State]:
        try:
            from .._v2.recording import set_aside

            return set_aside(self.spans)
        except Exception as error:  # not installed, too old for this environment, changed: rows do without
            self.no_spans = error
            return None

    # -- end ---------------------------------------------------------------------------------------------------

    def end(self) -> None:
        """End what the program has left open, as the end of a process would, and put the process's state back.

        Raises:
            RuntimeError: a block that began later is still open. The state is put back all the same, at its end.
        """
        with _lock:
            if self._ended:
                return
            self._ended = True
            process = self._process
            assert process is not None
            place = _open.index(self)
            above = _open[place + 1] if place + 1 < len(_open) else None
            try:
                self._finish(telemetry.current() if above is None else None)
            finally:
                del _open[place]
                if above is None:
                    _put_back(process)
                else:
                    above._process = process
        if above is not None:
            raise RuntimeError(
                "one_logger_v1_shim.testing: a block ended before one that began later; rows may be in either of them"
            )

    def _finish(self, current: Optional[telemetry.Telemetry]) -> None:
        for sink in self._sinks:
            sink.end()
        for function in reversed(self.at_end):
            try:
                function()
            except Exception as error:
                warn(f"the end of the job could not be reported: {error!r}")
        if current is not None:
            current.finish(0)
        for sink in self._sinks:
            sink.close()


def _put_back(process: _Process) -> None:
    if process.v2 is not None:
        from .._v2.recording import put_back

        put_back(process.v2)
    telemetry.exchange(process.telemetry)
    if process.telemetry.current is not None and process.listener is not None:
        process.telemetry.current.listener = process.listener
    rows.exchange_offered(process.offered)
    exchange_said(process.said)
    capture.active = process.active
    if process.marked is None:
        os.environ.pop(capture.STARTED_BY_TEST, None)
    else:
        os.environ[capture.STARTED_BY_TEST] = process.marked


def _mute(current: Optional[telemetry.Telemetry]) -> Optional[Listener]:
    """A run from outside the block tells v2 nothing: v2 has one provider, and it is the block's now."""
    if current is None or isinstance(current.listener, Recorded):
        return None
    listener: Listener = current.listener
    current.listener = Deaf()
    return listener


_surviving = False


def _survive_forks() -> None:
    global _surviving
    if not _surviving:
        _surviving = True
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_in_child)


def _in_child() -> None:
    """A forked child: what was set aside is the parent's, too. The block goes on, for what the child itself logs."""
    global _lock
    _lock = threading.RLock()
    for block in _open:
        process = block._process
        if process is None:
            continue
        if process.telemetry.current is not None:
            process.telemetry.current.abandon()
        for one in process.offered:
            one.abandon()
        state = telemetry.State(None, process.telemetry.tags, True)
        block._process = process._replace(telemetry=state, listener=None, offered=[])
