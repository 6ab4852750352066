"""The job's end of a run that lives in a process of its own. Runs in the job's process.

What a call of v1 did is one ``write`` to the journal; there is no pipe that can fill, no thread, no wandb. The worker
(:mod:`one_logger_v1_shim._worker`) follows the file. In sync mode a byte on its socket asks it to say how far it is.

The process's lock is held while the journal is written, and for nothing else: another lock keeps those apart who talk
to the worker, and nobody waits for that one without a limit.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Optional

from .. import _state
from .._handlers import raised_by_handler
from .._journal.calls import rows_in
from .._journal.clock import monotonic
from .._journal.destination import RunSpec, is_quietly_offline, mode
from .._journal.environment import environment
from .._journal.files import recover_command
from .._journal.interpreter import Interpreter
from .._journal.outside import open_regular
from .._journal.records import PLAYED, UNPLAYED, Mark
from .._journal.words import Exit
from .._log import later, speak, warn, warn_once
from .._variables import seconds, switch
from .record import new_record
from .wandb_here import environment_as_wandb_has_it
from .writer import begin

if TYPE_CHECKING:
    from .process import WorkerProcess

_LOOK_EVERY = 5.0  # seconds between looks at the worker, while rows come in
_FIRST_LOOK = 1.0  # then after twice that time, up to the above: a job may be short
_MOST_WORKERS = 3  # that live for less than _LONG seconds
_LONG = 300.0
_SURELY = 10.0  # seconds after which an interpreter that has not run our code never will
# Variables of launchers that end their processes without exit handlers, often in a working directory of their own
_SILENT = {"RAY_RAYLET_PID": "Ray", "PYTHON_WORKER_FACTORY_SECRET": "Spark", "PYTHON_WORKER_FACTORY_SOCK_DIR": "Spark"}
_FIRST_WAIT = 20.0  # seconds that a callback may wait in sync mode for the first row, while wandb comes up


class WorkerSink:
    """A journal, and a worker process that owns the W&B run. ``interpreter`` None: the journal alone."""

    def __init__(
        self,
        spec: RunSpec,
        asynchronous: bool,
        interpreter: Optional[Interpreter],
        v2: str = "",
        v2_values: Optional[dict[str, Any]] = None,
    ) -> None:
        environ = environment_as_wandb_has_it(spec)
        disabled = mode(environ) == "disabled"
        self._asynchronous = asynchronous or disabled  # nobody takes the rows: there is nothing to wait for
        self._disabled = disabled
        self._talking = threading.RLock()
        self._spec = spec
        self._interpreter = interpreter
        self._finished = False
        self._waited = False
        self._abandoned = False
        self._notice: Optional[str] = None
        self._late = self._answered = False
        self._process: Optional[WorkerProcess] = None
        self._workers = 0
        self._libraries = False
        self._waits = seconds(os.environ, "ONE_LOGGER_V1_SYNC_TIMEOUT", _FIRST_WAIT)
        self._opened = monotonic()
        self._next_look = self._opened + _FIRST_LOOK
        record = new_record(
            spec,
            environ,
            keep=switch(os.environ, "ONE_LOGGER_V1_JOURNAL") and not disabled,
            python=interpreter.path if interpreter is not None else "",
            v2=v2,
            v2_values=v2_values,
        )
        self._journal = begin(spec.folder(environ), record, synced=switch(os.environ, "ONE_LOGGER_V1_FSYNC"))
        launcher = next((_SILENT[name] for name in _SILENT if name in os.environ), None)
        if launcher is not None and not disabled and not is_quietly_offline(environ):
            warn(f"{launcher} may end this process without notice; the journal of its run is {self._journal.folder}; "
                 f"to send rows that are left: {self._recover()}")  # fmt: skip
        if interpreter is not None:
            self._start(interpreter)

    # -- the worker --------------------------------------------------------------------------------------------

    def _start(self, interpreter: Interpreter) -> None:
        self._workers += 1
        self._began = monotonic()
        try:
            environ = environment(
                self._spec,
                interpreter,
                environment_as_wandb_has_it(self._spec),
                libraries=self._libraries,
                folder=self._journal.folder,
            )
            from . import process  # a script's own select.py or signal.py may hide what it imports

            self._process = process.WorkerProcess(self._journal.folder, interpreter, environ)
        except Exception as error:
            self._process = None
            warn_once("worker:start", f"no process could be started for W&B ({self._who(error)}); {self._kept()}")

    def _look(self) -> None:
        """Look, now and then, whether the worker is alive and has something to say."""
        now = monotonic()
        self._next_look = now + min(_LOOK_EVERY, max(_FIRST_LOOK, now - self._opened))
        with later():
            if not self._talking.acquire(blocking=False):
                return  # another thread is doing it
            try:
                self._look_alone()
            finally:
                self._talking.release()

    def _look_alone(self) -> None:
        process = self._process
        code = process.ended() if process is not None else None
        self._tell()
        if process is None or code is None:
            return
        process.close()
        self._process = None
        if code in (Exit.GIVEN_UP, Exit.DONE) and process.came_up:
            return  # it has said why
        if not process.came_up and self._no_worker_there(code):
            return
        if monotonic() - self._began > _LONG:
            self._workers = 0
        if self._workers < _MOST_WORKERS and self._interpreter is not None:
            if process.came_up and code != Exit.FAILED:  # else it has failed by itself, and will most likely again
                warn_once(f"worker:died:{self._workers}", f"the W&B process {_ended(code)}; "
                          "another one goes on from the journal")  # fmt: skip
            self._start(self._interpreter)
        else:
            warn_once("worker:gone", f"the W&B process does not stay up ({_ended(code)}{self._last_words(code)}); "
                      f"{self._kept()}")  # fmt: skip

    def _no_worker_there(self, code: int) -> bool:
        """Our code never ran there. An interpreter of its own may need the job's libraries to start: tried once."""
        interpreter = self._interpreter
        if interpreter is None or not interpreter.isolated:
            return False
        if code != Exit.TOO_OLD and not self._libraries and "LD_LIBRARY_PATH" in os.environ:
            self._libraries = True
            return False
        why = (
            "it is older than Python 3.9"
            if code == Exit.TOO_OLD
            else f"it {_ended(code)} before our code ran{self._last_words(code)}"
        )
        warn_once("worker:interpreter", f"no W&B process: {self._who(why)}; {self._kept()}")
        return True

    def _who(self, why: object) -> str:
        interpreter = self._interpreter
        text = getattr(why, "strerror", None) or why
        return f"{interpreter.origin}={interpreter.path}: {text}" if interpreter and interpreter.isolated else str(text)

    def _tell(self) -> None:
        """Pass on what the worker has to say: that the run is offline, where, and how to sync it."""
        mark = Mark.read(self._journal.folder)
        if mark.event:
            warn_once(f"worker:{self._journal.folder}:{mark.events}", mark.event)
        if mark.notice and mark.notice != self._notice:
            self._notice = mark.notice
            if not (
                is_quietly_offline(environment_as_wandb_has_it(self._spec)) and mark.state in ("offline", "finished")
            ):
                warn(mark.notice)
        for text in mark.said:
            warn_once(f"worker:said:{text}", str(text))
        if mark.v2 not in ("", PLAYED, UNPLAYED) and not self._disabled:
            warn_once("worker:v2", mark.v2)

    def _last_words(self, code: int) -> str:
        """The last line of the worker's log, if it has failed by itself."""
        if code <= 0:  # ended by a signal: the log does not tell
            return ""
        with suppress(Exception), open_regular(self._journal.folder / "worker.log") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - 4096))
            lines = log.read(4096).decode("utf-8", "replace").split("\n")
            said = next(line.strip() for line in reversed(lines) if line.strip())
            return f"; the last line of worker.log: {said[:300]}"
        return ""

    def _kept(self) -> str:
        return f"rows are kept in {self._journal.folder}; send them with: {self._recover()}"

    def _recover(self) -> str:
        return recover_command(self._journal.folder)

    # -- rows --------------------------------------------------------------------------------------------------

    def put(self, data: bytes) -> None:
        """What one call of v1 did."""
        if self._abandoned:
            return
        journal, process = self._journal, _state.process
        # A caller that hears of an exception may give the row again: v2 does. Where no memory or no stack is left each
        # call may raise, the lock's and those of a handler too.
        kept, late, written = False, False, journal.written
        try:
            with process.lock:  # nothing else: a signal handler may raise between an `acquire` and a `try`
                late = self._finished
                if not late:
                    journal.append(data)
                    kept = True
            if process.unsaid:
                speak()
            if late:
                if rows_in(data):
                    warn_once(
                        "put:finished", "a row came after finish(), and is dropped: neither W&B nor the journal has it"
                    )
                return
            if not self._asynchronous and rows_in(data) and not journal.unwritten:
                self._wait_for(journal.rows)
            if monotonic() >= self._next_look:
                self._look()
        except Exception as error:
            if raised_by_handler(error):
                raise
            try:
                if not kept:
                    journal.missed(data, written, error)
                else:
                    warn_once(
                        "worker:look", f"the W&B process could not be looked at: {error!r}; rows are not affected"
                    )
            except Exception:
                return

    def _wait_for(self, rows: int) -> None:
        """Sync mode: until the worker has given that many rows to ``run.log``, bounded.

        A worker that was late once is not waited for again until it has caught up.
        """
        process = self._process
        caught_up = not self._late or (process is not None and process.acknowledged >= rows - 1)
        limit = monotonic() + (self._waits if caught_up else 0.0)
        while self._process is not None and not self._finished:
            left = limit - monotonic()
            alive = self._ask(max(0.0, min(0.5, left)))
            process = self._process
            if process is not None and process.acknowledged >= rows:
                if not self._answered:  # the run is open: what is to be said of it is said before the row returns
                    self._answered, self._next_look = True, 0.0
                self._late = False
                self._waits = seconds(os.environ, "ONE_LOGGER_V1_SYNC_TIMEOUT")
                return
            if not alive:
                self._look()
            if left <= 0:
                if not self._late:
                    self._late = True
                    warn_once("sync:late", f"W&B did not take a row within {self._waits:g} s; callbacks do not wait "
                              "until it has caught up, rows are kept and follow")  # fmt: skip
                return

    def _ask(self, limit: float) -> bool:
        """Ask the worker how far it is, and wait up to ``limit`` seconds for its answer. False: it has gone."""
        if not self._talking.acquire(timeout=max(limit, 0.001)):
            return True  # another thread is waiting for an answer
        try:
            process = self._process
            if process is None or (process.poke() and process.listen(limit)):
                return True
            process.wait(1.0)
            return False
        finally:
            self._talking.release()

    # -- the end -----------------------------------------------------------------------------------------------

    def end(self, exit_code: int) -> None:
        """Write the end into the journal."""
        if self._abandoned:
            return
        process = _state.process
        with process.lock:
            if not self._finished:
                self._finished = True
                try:
                    self._journal.end(exit_code)
                except Exception as error:
                    warn_once("worker:finish", f"the end of the run could not be written: {error!r}; {self._kept()}")
        speak()
        if self._journal.unwritten:
            warn_once(
                "journal:lost",
                f"{_count(self._journal.unwritten)} could not be written to any disk, and that is lost",
            )

    def wait(self) -> None:
        """Wait for the worker, bounded."""
        if self._abandoned or self._waited:
            return
        self._waited = True
        try:
            if self._talking.acquire(timeout=1.0):  # a thread that waits for its row sees that the run has ended
                self._talking.release()
            self._look()
            if self._process is not None:
                self._await_end()
            self._tell()
        except Exception as error:
            if raised_by_handler(error):
                raise
            warn_once("worker:finish", f"the W&B process could not be waited for: {error!r}; {self._kept()}")

    def _await_end(self) -> None:
        limit = seconds(os.environ, "ONE_LOGGER_V1_FINISH_TIMEOUT")
        began = monotonic()
        told = False
        while self._process is not None:
            process = self._process
            process.poke()
            process.hang_up()
            while True:
                waited = monotonic() - began
                code = process.wait(max(0.0, min(0.1, limit - waited)))
                if code is not None or waited >= limit:
                    break
                mark = Mark.read(self._journal.folder)
                # wandb takes a second or two to come up; that alone is not worth a line
                if not told and waited > (2.0 if mark.state else 5.0):
                    told = True
                    warn(f"waiting for W&B: {mark.rows} of {self._journal.rows} rows taken")
            if code is None:
                self._process = None
                stuck = limit >= _SURELY and not process.came_up
                process.leave(end=stuck)
                self._tell_late(stuck, limit)
            elif code != Exit.DONE or not process.came_up:
                self._look()  # another one, if it may be
            else:
                self._process = None
                process.close()

    def _tell_late(self, stuck: bool, limit: float) -> None:
        if not stuck:
            warn(f"W&B has not taken all rows within {limit:g} s; that goes on in the background; "
                 f"to send what is left then: {self._recover()}")  # fmt: skip
        else:
            warn_once("worker:interpreter", f"no W&B process: {self._who(f'no answer in {limit:g} s')}; {self._kept()}")

    def abandon(self) -> None:
        """In a forked child: let go of the files, leave the run and its worker to the parent."""
        self._abandoned = True
        self._finished = True
        self._talking = threading.RLock()  # another thread of the parent may have held it
        self._journal.close()
        process, self._process = self._process, None
        if process is not None:
            process.abandon()


def _ended(code: int) -> str:
    if code == Exit.UNKNOWN:
        return "has ended"
    return f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"


def _count(rows: int) -> str:
    return f"{rows} row" if rows == 1 else f"{rows} rows"
