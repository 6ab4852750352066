"""The process's one v1 run: what its calls did goes into the journal first, and then to whoever hears them here.

Runs in the job's process. One way for every call: the rows are encoded (the user's code may run there, so no lock is
held), the call and its rows are appended in one step, and only then, where the application itself uses v2 in this
process, v2 hears of it. Everybody else reads the journal: W&B and v2 with the worker, and the commands.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Callable, Optional

from .. import _state
from .._journal import clock
from .._journal.calls import (
    END,
    END_WITH_ROW,
    LOGGED,
    START,
    Call,
    Moment,
    call_line,
    milliseconds,
    moments_line,
    pack,
    plain,
)
from .._journal.destination import RunSpec
from .._log import speak, warn_once
from .._v1.bookkeeping import ROW, Emit, TagList
from . import ending
from .rows import Rows, offered

if TYPE_CHECKING:
    from .._conversion import V2Values
    from .._v2.here import Here

#: the value of a v1 key that is a callable, as v1 has read it last
Read = Callable[[str], Any]

#: where v2 hears v1's calls: with the worker, or here, if the application uses v2 in this process
WORKER, JOB, NONE = "worker", "job", "none"

# v2's modules; our own portion of its namespace package (nv_one_logger.training_telemetry.v1_adapter) is none of them
_V2 = ("nv_one_logger.api", "nv_one_logger.core", "nv_one_logger.training_telemetry.api")

_MOST_WAITING = 512  # readings
_LONGEST_WAIT = 1.0  # seconds


class Telemetry:
    """v1's rows and calls on their way out. One at a time per process; :func:`attach` makes it.

    Args:
        rows: the W&B run.
        here: v2 in this process, if it hears the calls here.
        described: project and run name, for messages.
    """

    def __init__(self, rows: Rows, here: Optional[Here], described: str) -> None:
        self.here = here
        self.described = described
        self.users = 0
        self._rows = rows
        # on the path of every iteration: two look-ups less
        self._encode = rows.encode
        self._put = rows.put if rows.sink is None else rows.sink.put
        self._dead = False  # in a forked child
        self._tags = _tags()  # of the process that opened the run: a test's block is another one
        self._last_tag: Optional[str] = None  # is in the list, which was sent
        # Readings that wait for a line. Each step on it is one for the interpreter, also among threads.
        self._waiting: deque[Moment] = deque()
        self._flushed = 0.0  # the counter (s) when the last of them was written
        self._reads: dict[str, Read] = {}  # of the keys whose values are callables
        self._told: dict[str, Any] = {}  # their values as v2 knows them

    # -- v1's calls --------------------------------------------------------------------------------------------

    def call(
        self,
        name: str,
        now: float,
        arguments: tuple[Any, ...] = (),
        emits: Iterable[Emit] = (),
        rows_first: bool = True,
    ) -> None:
        """One call of v1.

        Args:
            name: see :class:`one_logger_v1_shim._journal.calls.Call`; ``""``: what was emitted stands for itself.
            now: ``time.time()`` when the call came.
            arguments: of the call.
            emits: what v1 sent at this call: rows and tags.
            rows_first: does v2 hear of the rows before the call? (Of a start the rows belong to what has begun.)
        """
        if self._dead:
            return
        rows = [self._rows.encode(row, now) for row in self._rows_of(emits)]
        at = (now, clock.counter())
        logged = [Call("row", at, (row,)) for row in rows]
        calls: list[Call] = [*self._changed_values()]
        if name:
            call = Call(name, at, arguments)
            calls += [*logged, call] if rows_first else [call, *logged]
        else:
            calls += logged
        if calls:
            self._write(calls)

    def _rows_of(self, emits: Iterable[Emit]) -> list[Mapping[str, Any]]:
        """The rows among ``emits``; a tag is one where the list of tags is news to the run."""
        rows = []
        for kind, value in emits:
            if kind == ROW:
                if value:
                    rows.append(value)
            else:
                if self._tags.add(value) or not self._rows.tags_sent:
                    self._rows.tags_sent = True
                    rows.append(self._tags.row())
                self._last_tag = value if type(value) is str else None
        return rows

    def log_metrics(self, row: Mapping[str, Any], now: float) -> None:
        """``OneLogger.log_metrics``: one row. ``now``: ``time.time()``."""
        if self._dead:
            return
        encoded = self._encode(row, now)
        if self.here is None and not self._told:
            self._put(self._take((LOGGED, pack(now, clock.counter()))) + encoded)
        else:
            self._write([*self._changed_values(), Call("row", (now, clock.counter()), (encoded,))])

    def batch_start(self, now: float, counter: Optional[float] = None) -> None:
        """``on_train_batch_start``. ``counter``: ``clock.counter()`` at ``now``, if that is over."""
        if self._dead:
            return
        if counter is None:
            counter = clock.counter()
        self._waiting.append((START, pack(now, counter)))
        if self.here is not None:
            self._flush()
            self.here.play([Call("batch_start", (now, counter))])
        elif not 0.0 <= counter - self._flushed < _LONGEST_WAIT:
            self._flush()

    def batch_end(self, now: float, emits: list[Emit]) -> None:
        """The end of an iteration, with v1's tag, if it sent one, and the row that is due now and then."""
        if self._dead:
            return
        if emits and emits[0][1] is self._last_tag:  # the usual case, on the path of every iteration
            emits = emits[1:]
        if self._told or self.here is not None or (emits and (len(emits) > 1 or emits[0][0] != ROW)):
            self.call("batch_end", now, (), emits)
            return
        if emits:
            encoded = self._encode(emits[0][1], now)
            self._put(self._take((END_WITH_ROW, pack(now, clock.counter()))) + encoded)
            return
        counter = clock.counter()
        waiting = self._waiting
        waiting.append((END, pack(now, counter)))
        if not 0.0 <= counter - self._flushed < _LONGEST_WAIT or len(waiting) >= _MOST_WAITING:
            self._flush()

    # -- the journal, and whoever is here ----------------------------------------------------------------------

    def _write(self, calls: list[Call]) -> None:
        """Append ``calls`` in one step; then they are played to v2, if it is here."""
        lines = [self._take()] if self._waiting else []
        for call in calls:
            lines.append(call_line(call) + b"\n")
        self._rows.put(b"".join(lines)[:-1])
        if self.here is not None:
            self.here.play(calls)

    def _take(self, last: Optional[Moment] = None) -> bytes:
        """The line of the readings that wait and of ``last``, with its end.

        What has its row in the next line is given as ``last`` and never waits: another thread might take it.
        """
        waiting, taken = self._waiting, []
        while waiting:
            try:
                taken.append(waiting.popleft())
            except IndexError:  # another thread was faster
                break
        if last is not None:
            taken.append(last)
        if not taken:
            return b""
        self._flushed = clock.counter()
        return moments_line(taken)

    def _flush(self) -> None:
        line = self._take()
        if line:
            self._rows.put(line[:-1])

    def _changed_values(self) -> Iterable[Call]:
        """The values of callables that have changed since v2 heard of them: v2 reads them at moments of its own."""
        for key, told in list(self._told.items()):
            value = self._reads[key](key)
            if value is not told and (type(value) is not type(told) or value != told):
                self._told[key] = value
                yield Call("value", None, (key, plain(value)))

    # -- life --------------------------------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Whether the run has been finished: then a new v1 object needs a new run."""
        return self._rows.finished

    def join(self, values: V2Values, read: Read, now: float, app_start_ms: Any, emits: Iterable[Emit] = ()) -> None:
        """One more v1 object uses this run; all that its construction did is one step."""
        self.users += 1
        if self._dead:
            return
        rows = [self._rows.encode(row, now) for row in self._rows_of(emits)]
        at = (now, clock.counter())
        for key in values.callables:
            self._reads.setdefault(key, read)
            self._told.setdefault(key, self)  # equal to no value
        calls = [*self._changed_values(), Call("open", at, (milliseconds(app_start_ms),))]
        if values.training is not None:
            calls.append(Call("training", at, ({"fields": values.training, "callables": values.callables},)))
        self._write([*calls, *(Call("row", at, (row,)) for row in rows)])

    def leave(self) -> None:
        """A v1 object has finished; the run is finished with the last of them."""
        self.users -= 1
        if self.users <= 0:
            self.finish(0)

    def finish(self, exit_code: int) -> None:
        """End the run, end v2's application if we began it, and wait until W&B has the run. Idempotent, bounded."""
        if self._dead:
            return
        if not self._rows.finished:
            close = Call("close", (clock.now(), clock.counter()))
            self._rows.put(self._take() + call_line(close))
            self._rows.end(exit_code)
            if self.here is not None:
                self.here.play([close])
        self._rows.finish(exit_code)

    def abandon(self) -> None:
        """In a forked child: the run belongs to the parent."""
        self._dead = True
        self.here = None
        self._rows.abandon()


def _tags() -> TagList:
    process = _state.process
    if process.tags is None:
        process.tags = TagList()
    return process.tags


def current() -> Optional[Telemetry]:
    """The process's run, if a v1 object has opened one and it is not finished."""
    found = _state.process.current
    return found if found is not None and not found.finished else None


def attach(
    spec: RunSpec,
    asynchronous: bool,
    values: V2Values,
    read: Read,
    now: float,
    app_start_ms: Any = None,
    described: str = "",
    emits: Iterable[Emit] = (),
) -> Telemetry:
    """The process's run, opened on first use.

    Args:
        spec: where the run goes, if there is none yet.
        asynchronous: does a callback return before W&B has its row?
        values: v2's configuration, used if nobody has configured v2 yet.
        read: the values of those v1 keys that are callables.
        now: ``time.time()``.
        app_start_ms: when the application started (ms since the epoch), if the v1 configuration says so.
        described: project and run name, for the warning that a second object joins another's run.
        emits: what v1 sent at the construction.
    """
    process = _state.process
    with process.lock:
        ending.watch()
        telemetry = current()
        if telemetry is None:
            telemetry = process.current = _open(spec, asynchronous, values, described)
        elif described and described != telemetry.described:
            warn_once(
                f"second:{described}",
                f"this process has a OneLogger run already ({telemetry.described}); {described} joins it",
            )
    speak()
    telemetry.join(values, read, now, app_start_ms, emits)
    return telemetry


def where_v2_hears() -> str:
    """Where v2 hears v1's calls, decided when a run is opened: :data:`WORKER`, :data:`JOB` or :data:`NONE`.

    With the worker, unless the application uses v2 in this process: a look at what is loaded, nothing is imported.
    """
    process = _state.process
    if process.taker is not None:
        return JOB if process.taker.hears_v2 else NONE
    if not any(name in sys.modules for name in _V2):
        return WORKER
    # The provider of a forked child came with the fork; its exporters' files and connections are the parent's.
    return NONE if process.forked else JOB


def _open(spec: RunSpec, asynchronous: bool, values: V2Values, described: str) -> Telemetry:
    rows = offered() or Rows(spec, asynchronous)
    where = where_v2_hears()
    rows.open(v2=where, v2_values=values.to_json() if where == WORKER else None)
    return Telemetry(rows, _v2_here(values, rows) if where == JOB else None, described)


def _v2_here(values: V2Values, rows: Rows) -> Optional[Here]:
    try:
        from .._v2.here import Here

        return Here(values, rows.exporter)
    except (Exception, SystemExit) as error:  # what is loaded may be a part of a broken installation
        warn_once("v2:attach", f"v2 hears nothing, it could not be set up ({error!r}); v1 rows are not affected")
        return None
