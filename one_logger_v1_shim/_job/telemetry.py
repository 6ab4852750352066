"""The process's one v1 run: its rows, and who else hears v1's calls. Runs in the job's process.

Rows come first: a row is in the journal before anybody else hears of it, and nothing that a listener does can keep it
from there. All calls go through one lock, so that the journal and v2 hear them in one order.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional

from .._journal.destination import RunSpec, mode
from .._log import logger, renew, warn, warn_once
from .._v1.bookkeeping import TagList
from .._v1.config import as_number
from .._variables import choice
from . import forwarding
from .calls import Deaf, Listener, Read
from .recorded import Recorded
from .rows import Rows, abandon_offered, offered

if TYPE_CHECKING:
    from ..config_adapter import V2Values

#: the process's tags, whichever run they are sent to
tags = TagList()

_lock = threading.RLock()
_current: Optional[Telemetry] = None
_hooked = False
_forked = False  # this process is the forked child of one that had a run


class Telemetry:
    """v1's rows and calls on their way out. One at a time per process; :func:`attach` makes it.

    Args:
        rows: the W&B run.
        listener: hears v1's calls.
        described: project and run name, for messages.
    """

    def __init__(self, rows: Rows, listener: Listener, described: str) -> None:
        self._lock = threading.RLock()
        self._rows = rows
        self.listener = listener
        self.described = described
        self.users = 0
        self._tags = tags
        self._dead = False  # in a forked child

    # -- rows --------------------------------------------------------------------------------------------------

    def log_metrics(self, row: Mapping[str, Any], now: float) -> None:
        """Send one row. ``now``: ``time.time()``."""
        if self._dead:
            return
        with self._lock:
            encoded = self._rows.encode(row, now)
            at, listener = (now, time.perf_counter()), self.listener
            try:
                before = listener.before_row(at)
            except Exception as error:
                before = b""
                _unheard("before_row", error)
            self._rows.put(encoded, before)
            try:
                listener.row(at, encoded)
            except Exception as error:
                _unheard("row", error)

    def log_app_tag(self, tag: Any, now: float) -> None:
        """Add to the process's list of tags; a row when the list is new to this run."""
        if self._dead:
            return
        with self._lock:
            if self._tags.add(tag) or not self._rows.tags_sent:
                self._rows.tags_sent = True
                self.log_metrics(self._tags.row(), now)

    # -- v1's calls --------------------------------------------------------------------------------------------

    def app_start(self, now: float, given_ms: Any) -> None:
        self._hear(self.listener.app_start, now, given_ms)

    def app_end(self, now: float, given_ms: Any) -> None:
        self._hear(self.listener.app_end, now, given_ms)

    def phase_start(self, now: float, phase: str, given_ms: Any = None) -> None:
        self._hear(self.listener.phase_start, now, phase, given_ms)

    def phase_end(self, now: float, phase: str, given_ms: Any = None) -> None:
        self._hear(self.listener.phase_end, now, phase, given_ms)

    def train_start(self, now: float, iterations: Any, samples: Any) -> None:
        self._hear(self.listener.train_start, now, max(0, _whole(iterations)), max(0, _whole(samples)))

    def train_end(self, now: float) -> None:
        self._hear(self.listener.train_end, now)

    def batch_start(self, now: float) -> None:
        if self._dead:
            return
        with self._lock:
            try:
                self.listener.batch_start((now, time.perf_counter()))
            except Exception as error:
                _unheard("batch_start", error)

    def batch_end(self, now: float) -> None:
        if self._dead:
            return
        with self._lock:
            try:
                self.listener.batch_end((now, time.perf_counter()))
            except Exception as error:
                _unheard("batch_end", error)

    def save_start(self, now: float, step: Any) -> None:
        self._hear(self.listener.save_start, now, _whole(step))

    def save_end(self, now: float, step: Any) -> None:
        self._hear(self.listener.save_end, now, _whole(step))

    def save_success(self, now: float, step: Any) -> None:
        self._hear(self.listener.save_success, now, _whole(step))

    def _hear(self, method: Callable[..., None], now: float, *arguments: Any) -> None:
        if self._dead:
            return
        with self._lock:
            try:
                method((now, time.perf_counter()), *arguments)
            except Exception as error:
                _unheard(getattr(method, "__name__", "a call"), error)

    # -- life --------------------------------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Whether the run has been finished: then a new face needs a new run."""
        return self._rows.finished

    def join(self, values: V2Values, read: Read, now: float, app_start_ms: Any) -> None:
        """One more v1 face uses this run."""
        self.users += 1
        self._hear(self.listener.open, now, app_start_ms)
        if values.training is not None:
            training = {"fields": values.training, "callables": values.callables}
            self._hear(self.listener.training, now, training, read)

    def leave(self) -> None:
        """A v1 face has finished; the run is finished with the last of them."""
        self.users -= 1
        if self.users <= 0:
            self.finish(0)

    def finish(self, exit_code: int) -> None:
        """End v2's application if we began it, and finish the W&B run. Idempotent, bounded."""
        if self._dead:
            return
        if not self._rows.finished:
            self._hear(self.listener.close, time.time())
        self._rows.finish(exit_code)

    def abandon(self) -> None:
        """In a forked child: the run belongs to the parent."""
        self._dead = True
        self.listener.abandon()
        self._rows.abandon()


def _unheard(what: str, error: Exception) -> None:
    warn_once(f"v2:{what}", f"v2 could not record {what} ({error!r}); v1 rows are not affected")


def _whole(value: Any) -> int:
    number = as_number(value)
    return int(number) if number is not None and number == number and abs(number) != float("inf") else 0


def current() -> Optional[Telemetry]:
    """The process's run, if a v1 face has opened one and it is not finished."""
    return _current if _current is not None and not _current.finished else None


def attach(
    spec: RunSpec,
    asynchronous: bool,
    values: V2Values,
    read: Read,
    now: float,
    app_start_ms: Any = None,
    described: str = "",
) -> Telemetry:
    """The process's run, opened on first use.

    Args:
        spec: where the run goes, if there is none yet.
        asynchronous: does a callback return before W&B has its row?
        values: v2's configuration, used if nobody has configured v2 yet.
        read: the values of those v1 keys that are callables.
        now: ``time.time()``.
        app_start_ms: when the application started (ms since the epoch), if the v1 configuration says so.
        described: project and run name, for the warning that a second face joins another's run.
    """
    global _current
    with _lock:
        hook()
        telemetry = current()
        if telemetry is None:
            rows, listener = _open(spec, asynchronous, values, read)
            telemetry = _current = Telemetry(rows, listener, described)
        elif described and described != telemetry.described:
            warn_once(
                f"second:{described}",
                f"this process has a OneLogger run already ({telemetry.described}); {described} joins it",
            )
        telemetry.join(values, read, now, app_start_ms)
        return telemetry


def _open(spec: RunSpec, asynchronous: bool, values: V2Values, read: Read) -> tuple[Rows, Listener]:
    """The run, and who hears v1's calls. Whatever is wrong with v2, the run is opened."""
    rows = offered() or Rows(spec, asynchronous)
    where = forwarding.where()
    if where == forwarding.JOB:
        if _forked:
            # v2's provider and its exporters came with the fork; their files and connections are the parent's
            return _unheard_by_v2(rows)
        try:
            from .._v2.attach import attach as attach_v2
        except ImportError as error:
            logger.debug("v2 can not be imported in the job's process: %r", error)
        except Exception as error:
            _without_v2(error)
        else:
            return _in_this_process(attach_v2, rows, values, read)
    if where == forwarding.NONE or _nobody_would_hear():
        return _unheard_by_v2(rows)
    sink = rows.open(v2=forwarding.WORKER, v2_values=values.to_json())
    return rows, Recorded(sink, read, values.callables)


def _in_this_process(
    attach_v2: Callable[..., tuple[Rows, Listener]], rows: Rows, values: V2Values, read: Read
) -> tuple[Rows, Listener]:
    try:
        return attach_v2(rows, values, read)
    except Exception as error:
        _without_v2(error)
        return _unheard_by_v2(rows)


def _unheard_by_v2(rows: Rows) -> tuple[Rows, Listener]:
    rows.open(v2=forwarding.NONE)
    return rows, Deaf()


def _without_v2(error: Exception) -> None:
    warn_once("v2:attach", f"v2 hears nothing, it could not be set up ({error!r}); v1 rows are not affected")


def _nobody_would_hear() -> bool:
    """There is no worker that could play the calls, or none that is wanted."""
    from .interpreter import find
    from .open import delivery

    interpreter = find(os.environ)
    if delivery() == "inline":
        warn_once("v2:none", "v2 (nv_one_logger) can not be imported and hears nothing; v1 rows are not affected")
        return True
    if mode(os.environ) != "disabled":
        return False
    asked = choice(os.environ, "ONE_LOGGER_V1_FORWARD") == forwarding.WORKER
    return interpreter is None or not (interpreter.isolated or asked)


class State(NamedTuple):
    """What this module knows about the process; a new one is that of a process that has logged nothing."""

    current: Optional[Telemetry]
    tags: TagList
    forked: bool


def exchange(new: State) -> State:
    """Put another state in place of the process's own, which is returned. For :mod:`one_logger_v1_shim.testing`."""
    global _current, tags, _forked
    with _lock:
        before = State(_current, tags, _forked)
        _current, tags, _forked = new
        return before


def hook() -> None:
    """Be called when this process ends, and in its forked children."""
    global _hooked
    if not _hooked:
        _hooked = True
        atexit.register(_at_exit)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_in_child)


def _at_exit() -> None:
    if _current is not None:
        try:
            # last_type is set by the interpreter when an exception ends the program
            _current.finish(1 if getattr(sys, "last_type", None) else 0)
        except Exception as error:
            warn(f"the run could not be finished at exit: {error!r}")


def _in_child() -> None:
    """A forked child: the parent's run stays the parent's; the child may open one of its own."""
    global _current, _forked, _lock
    renew()
    _lock = threading.RLock()  # another thread of the parent may have held it
    _forked = True
    if _current is not None:
        _current.abandon()
        _current = None
    abandon_offered()
