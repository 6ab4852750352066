"""The job's end of a run that lives in a process of its own. Runs in the job's process.

A row is one ``write`` to the journal; there is no pipe that can fill, no thread, no wandb. The worker
(:mod:`one_logger_v1_shim._worker`) follows the file. In sync mode a byte on its socket asks it to say how far it is.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any, Optional

from .._journal.destination import RunSpec, is_quietly_offline, mode
from .._journal.files import recover_command
from .._journal.records import Mark
from .._log import warn, warn_once
from .._variables import seconds, switch
from .environment import environment
from .interpreter import Interpreter
from .process import Exit, WorkerProcess
from .record import new_record
from .writer import begin

_LOOK_EVERY = 5.0  # seconds between looks at the worker, while rows come in
_MOST_WORKERS = 3  # that live for less than _LONG seconds
_LONG = 300.0
_SURELY = 10.0  # seconds after which an interpreter that has not run our code never will
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
        self.asynchronous = asynchronous
        self._lock = threading.RLock()
        self._spec = spec
        self._interpreter = interpreter
        self._finished = False
        self._abandoned = False
        self._notice: Optional[str] = None
        self._late = False
        self._process: Optional[WorkerProcess] = None
        self._workers = 0
        self._libraries = False
        self._waits = seconds(os.environ, "ONE_LOGGER_V1_SYNC_TIMEOUT", _FIRST_WAIT)
        self._next_look = time.monotonic() + _LOOK_EVERY
        record = new_record(
            spec,
            delivery="worker",
            keep=switch(os.environ, "ONE_LOGGER_V1_JOURNAL") and mode(os.environ) != "disabled",
            python=interpreter.path if interpreter is not None else "",
            v2=v2,
            v2_values=v2_values,
        )
        self._journal = begin(spec.folder(os.environ), record)
        if interpreter is not None:
            self._start(interpreter)

    # -- the worker --------------------------------------------------------------------------------------------

    def _start(self, interpreter: Interpreter) -> None:
        self._workers += 1
        self._began = time.monotonic()
        environ = environment(self._spec, interpreter, libraries=self._libraries)
        try:
            self._process = WorkerProcess(self._journal.folder, interpreter, environ)
        except Exception as error:
            self._process = None
            warn_once("worker:start", f"no process could be started for W&B ({self._who(error)}); {self._kept()}")

    def _look(self) -> None:
        """Look, now and then, whether the worker is alive and has something to say."""
        self._next_look = time.monotonic() + _LOOK_EVERY
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
        if time.monotonic() - self._began > _LONG:
            self._workers = 0
        if self._workers < _MOST_WORKERS and self._interpreter is not None:
            if process.came_up:
                warn_once(f"worker:died:{self._workers}", f"the W&B process {_ended(code)}; "
                          "another one goes on from the journal")  # fmt: skip
            self._start(self._interpreter)
        else:
            warn_once("worker:gone", f"the W&B process does not stay up ({_ended(code)}); {self._kept()}")

    def _no_worker_there(self, code: int) -> bool:
        """Our code never ran there. An interpreter of its own may need the job's libraries to start: tried once."""
        interpreter = self._interpreter
        if interpreter is None or not interpreter.isolated:
            return False
        if code != Exit.TOO_OLD and not self._libraries and "LD_LIBRARY_PATH" in os.environ:
            self._libraries = True
            return False
        why = "it is older than Python 3.9" if code == Exit.TOO_OLD else f"it {_ended(code)} before our code ran"
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
            if not (is_quietly_offline(os.environ) and mark.state in ("offline", "finished")):
                warn(mark.notice)
        for text in mark.said:
            warn_once(f"worker:said:{text}", str(text))
        if mark.v2 and mark.v2 not in ("played", "unplayed"):
            warn_once("worker:v2", mark.v2)

    def _kept(self) -> str:
        return f"rows are kept in {self._journal.folder}; send them with: {self._recover()}"

    def _recover(self) -> str:
        return recover_command(self._journal.folder)

    # -- rows --------------------------------------------------------------------------------------------------

    def put(self, row: bytes, before: bytes = b"") -> None:
        """One row."""
        if self._abandoned:
            return
        # A caller that hears of an exception may give the row again: v2 does. Where no memory or no stack is left each
        # call may raise, the lock's and those of a handler too.
        kept, written = False, self._journal.written
        try:
            with self._lock:
                if self._finished:
                    warn_once("put:finished", "a row came after the run was finished; it is dropped")
                    return
                self._journal.append(before + b"\n" + row if before else row)
                kept = True
                if not self.asynchronous and not self._journal.unwritten:
                    self._wait_for(self._journal.rows)
                if time.monotonic() >= self._next_look:
                    self._look()
        except Exception as error:
            try:
                if not kept:
                    self._journal.missed(row, written, error)
                else:
                    warn_once(
                        "worker:look", f"the W&B process could not be looked at: {error!r}; rows are not affected"
                    )
            except Exception:
                return

    def call(self, line: bytes) -> None:
        """One line of calls for v2."""
        if self._abandoned:
            return
        with self._lock:
            if not self._finished:
                self._journal.append(line)

    def _wait_for(self, rows: int) -> None:
        """Sync mode: until the worker has given that many rows to ``run.log``, bounded.

        A worker that was late once is not waited for again until it has caught up.
        """
        process = self._process
        caught_up = not self._late or (process is not None and process.acknowledged >= rows - 1)
        limit = time.monotonic() + (self._waits if caught_up else 0.0)
        while True:
            process = self._process
            if process is None:
                return
            left = limit - time.monotonic()
            alive = process.ring() and process.listen(max(0.0, min(0.5, left)))
            if process.acknowledged >= rows:
                self._late = False
                self._waits = seconds(os.environ, "ONE_LOGGER_V1_SYNC_TIMEOUT")
                return
            if not alive:
                process.wait(1.0)
                self._look()
            if left <= 0:
                if not self._late:
                    self._late = True
                    warn_once("sync:late", f"W&B did not take a row within {self._waits:g} s; callbacks do not wait "
                              "until it has caught up, rows are kept and follow")  # fmt: skip
                return

    # -- the end -----------------------------------------------------------------------------------------------

    def finish(self, exit_code: int = 0) -> None:
        """Write the end into the journal and wait for the worker, bounded."""
        if self._abandoned:
            return
        with self._lock:
            if self._finished:
                return
            self._finished = True
            try:
                self._look()
                self._journal.end(exit_code)
                if self._journal.unwritten:
                    warn_once("journal:lost", f"{_count(self._journal.unwritten)} could not be written anywhere")
                if self._process is not None:
                    self._await_end()
                self._tell()
            except Exception as error:
                warn_once("worker:finish", f"the W&B process could not be waited for: {error!r}; {self._kept()}")

    def _await_end(self) -> None:
        limit = seconds(os.environ, "ONE_LOGGER_V1_FINISH_TIMEOUT")
        began = time.monotonic()
        told = False
        while self._process is not None:
            process = self._process
            process.ring()
            process.hang_up()
            while True:
                waited = time.monotonic() - began
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
                 f"to see to it later: {self._recover()}")  # fmt: skip
        else:
            warn_once("worker:interpreter", f"no W&B process: {self._who(f'no answer in {limit:g} s')}; {self._kept()}")

    def abandon(self) -> None:
        """In a forked child: let go of the files, leave the run and its worker to the parent."""
        self._abandoned = True
        self._finished = True
        self._lock = threading.RLock()  # another thread of the parent may have held it
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
