"""A block: from its begin to its end this process's runs are the test's, and the process looks as if it were new.

All that the package and v2 know about the process is set aside at the begin and put back at the end. Loggers that were
made outside keep what they have: their rows go where they went.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional

from .. import _state
from .._job.open import STARTED_BY_TEST
from .._journal.destination import RunSpec
from .._log import warn
from .runs import MemorySink, Run
from .spans import Span

if TYPE_CHECKING:
    from .._v2.recording import V2State

_lock = threading.RLock()
_open: list[Block] = []  # the outermost first


class _Before(NamedTuple):
    """What was set aside."""

    process: _state.Process
    here: Any  # v2 as the run that was open told it
    marked: Optional[str]  # the variable that processes started by the test inherit
    v2: Optional[V2State]


class Block:
    """One block (a :class:`one_logger_v1_shim._state.Taker`).

    Attributes:
        rows: all rows, in order.
        runs: the runs that were opened, in order.
        spans: v2's spans, in order of their starts.
        no_spans: why there are none, if v2 cannot be used.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.runs: list[Run] = []
        self.spans: list[Span] = []
        self.no_spans: Optional[Exception] = None
        self.at_end: list[Callable[[], None]] = []
        self._sinks: list[MemorySink] = []
        self._ended = False
        self._before: Optional[_Before] = None
        self._thread = threading.current_thread()
        self._pid = os.getpid()

    @property
    def hears_v2(self) -> bool:
        """Whether the block has a v2 provider of its own."""
        return self.no_spans is None

    def open_sink(self, spec: RunSpec, asynchronous: bool) -> MemorySink:
        """The sink of a new run."""
        run = Run.of(spec)
        sink = MemorySink(run, self.rows)
        self.runs.append(run)
        self._sinks.append(sink)
        return sink

    # -- begin -------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Set the process's state aside.

        Raises:
            RuntimeError: another thread's block is open. Which rows would be whose?
        """
        with _lock:
            outer = _open[-1] if _open else None
            if outer is not None and outer._thread is not self._thread and outer._pid == self._pid:
                raise RuntimeError(
                    f"one_logger_v1_shim.testing: thread {outer._thread.name!r} has a block open, and a process "
                    "has one at a time; run tests in parallel as processes (pytest-xdist)"
                )
            self._before = self._set_aside()
            _open.append(self)

    def _set_aside(self) -> _Before:
        v2 = self._set_v2_aside()
        new = _state.Process(taker=self)
        new.hooked = _state.process.hooked
        process = _state.exchange(new)
        before = _Before(process, _mute(process), os.environ.get(STARTED_BY_TEST), v2)
        os.environ[STARTED_BY_TEST] = "1"
        return before

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
            before = self._before
            assert before is not None
            place = _open.index(self)
            above = _open[place + 1] if place + 1 < len(_open) else None
            try:
                self._finish(last=above is None)
            finally:
                del _open[place]
                if above is None:
                    _put_back(before)
                else:
                    above._before = before
        if above is not None:
            raise RuntimeError(
                "one_logger_v1_shim.testing: a block ended before one that began later; rows may be in either of them"
            )

    def _finish(self, last: bool) -> None:
        for sink in self._sinks:
            sink.ending()
        for function in reversed(self.at_end):
            try:
                function()
            except Exception as error:
                warn(f"the end of the job could not be reported: {error!r}")
        current = _state.process.current
        if last and current is not None:
            current.finish(0)
        for sink in self._sinks:
            sink.close()


def _put_back(before: _Before) -> None:
    if before.v2 is not None:
        from .._v2.recording import put_back

        put_back(before.v2)
    before.process.hooked = _state.process.hooked
    _state.exchange(before.process)
    if before.process.current is not None:
        before.process.current.here = before.here
    if before.marked is None:
        os.environ.pop(STARTED_BY_TEST, None)
    else:
        os.environ[STARTED_BY_TEST] = before.marked


def _mute(process: _state.Process) -> Any:
    """A run from outside the block tells v2 nothing: v2 has one provider, and it is the block's now."""
    if process.current is None:
        return None
    here, process.current.here = process.current.here, None
    return here


def _in_child() -> None:
    """A forked child: what was set aside is the parent's, too. The block goes on, for what the child itself logs."""
    global _lock
    _lock = threading.RLock()
    for block in _open:
        before = block._before
        if before is None:
            continue
        if before.process.current is not None:
            before.process.current.abandon()
        for one in before.process.offered:
            one.abandon()
        process = _state.Process(forked=True, taker=before.process.taker)
        process.tags, process.hooked = before.process.tags, before.process.hooked
        block._before = before._replace(process=process, here=None)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
