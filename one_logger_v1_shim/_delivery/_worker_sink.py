"""The job's end of a run that lives in a process of its own.

A row is one ``write`` to the journal; there is no pipe that can fill, no thread, no wandb. The worker
(:mod:`.worker`) follows the file. In sync mode a byte on its standard input asks it to say how far it is.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from typing import Optional

from .._log import logger, warn_once
from .._version import VERSION
from ._journal import new_run_id, read_mark
from ._process import GIVEN_UP, Process, environment
from ._spec import RunSpec, mode, public, seconds, started
from ._writer import begin

_LOOK_EVERY = 5.0  # seconds between looks at the worker, while rows come in
_MOST_WORKERS = 3  # that live for less than _LONG seconds
_LONG = 300.0
# Seconds that a callback may wait in sync mode: for the first row, while wandb comes up; for the others.
_FIRST_WAIT, _WAIT = 20.0, 10.0


class WorkerSink:
    """A journal, and a worker process that owns the W&B run."""

    def __init__(self, spec: RunSpec, asynchronous: bool) -> None:
        self.asynchronous = asynchronous
        self._lock = threading.RLock()
        self._spec = spec
        self._finished = False
        self._abandoned = False
        self._said: Optional[str] = None
        self._late = False
        self._process: Optional[Process] = None
        self._workers = 0
        self._waits = seconds(os.environ, "ONE_LOGGER_V1_SYNC_TIMEOUT", _FIRST_WAIT)
        self._next_look = time.monotonic() + _LOOK_EVERY
        keep = os.environ.get("ONE_LOGGER_V1_JOURNAL", "1") != "0"
        run_id = new_run_id()
        about = {
            "id": run_id,
            "pid": os.getpid(),
            "started": started(os.getpid()),
            "machine": socket.gethostname(),
            "created": time.time(),
            "version": VERSION,
            "delivery": "worker",
            "mode": mode(os.environ),
            "chosen": public(spec.chosen),
            "default": public(spec.default),
            "cwd": _working_directory(),
            "program": sys.argv[0] if sys.argv else "",
            "keep": keep,
        }
        self._journal = begin(spec.folder(os.environ), run_id, keep, about)
        self._start()

    # -- the worker --------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._workers += 1
        self._began = time.monotonic()
        try:
            self._process = Process(self._journal.folder, environment(self._spec))
        except Exception as error:
            self._process = None
            warn_once("worker:start", f"no process could be started for W&B ({error}); rows are kept in "
                      f"{self._journal.folder}; send them with: {self._recover()}")  # fmt: skip

    def _look(self) -> None:
        """Now and then: is the worker alive, has it something to say?"""
        self._next_look = time.monotonic() + _LOOK_EVERY
        process = self._process
        code = process.ended() if process is not None else None
        self._say()
        if process is None:
            return
        if code is None:
            return
        process.close()
        self._process = None
        if code == GIVEN_UP:
            return  # it has said why
        if time.monotonic() - self._began > _LONG:
            self._workers = 0
        if self._workers < _MOST_WORKERS:
            warn_once(f"worker:died:{self._workers}", f"the W&B process {_ended(code)}; "
                      "another one goes on from the journal")  # fmt: skip
            self._start()
        else:
            warn_once("worker:gone", f"the W&B process does not stay up ({_ended(code)}); rows are kept in "
                      f"{self._journal.folder}; send them with: {self._recover()}")  # fmt: skip

    def _say(self) -> None:
        """Pass on the worker's one line: that the run is offline, where, and how to sync it."""
        mark = read_mark(self._journal.folder)
        if mark.get("event"):
            warn_once(f"worker:{mark.get('processes')}", str(mark["event"]))
        notice = mark.get("notice")
        if notice and notice != self._said:
            self._said = notice
            silent = os.environ.get("WANDB_SILENT", "").lower() in ("1", "true")
            if not (silent and mode(os.environ) == "offline" and mark.get("state") in ("offline", "finished")):
                logger.warning("%s", notice)

    def _recover(self) -> str:
        return f"python -m one_logger_v1_shim recover {self._journal.folder}"

    # -- rows --------------------------------------------------------------------------------------------------

    def put(self, row: bytes) -> None:
        """One row."""
        if self._abandoned:
            return
        with self._lock:
            if self._finished:
                warn_once("put:finished", "a row came after the run was finished; it is dropped")
                return
            self._journal.append(row)
            if not self.asynchronous and not self._journal.unwritten:
                self._wait_for(self._journal.rows)
            if time.monotonic() >= self._next_look:
                self._look()

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
            alive = process.ring() and process.listen(min(0.5, left))
            if process.acknowledged >= rows:
                self._late = False
                self._waits = seconds(os.environ, "ONE_LOGGER_V1_SYNC_TIMEOUT", _WAIT)
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
            self._look()
            self._journal.end(exit_code)
            if self._journal.unwritten:
                warn_once("journal:lost", f"{self._journal.unwritten} rows could not be written anywhere")
            if self._process is not None:
                self._await_end()
            self._say()

    def _await_end(self) -> None:
        limit = seconds(os.environ, "ONE_LOGGER_V1_FINISH_TIMEOUT", 30.0)
        began = time.monotonic()
        said = False
        while self._process is not None:
            process = self._process
            process.ring()
            process.hang_up()
            while True:
                waited = time.monotonic() - began
                code = process.wait(max(0.0, min(0.1, limit - waited)))
                if code is not None or waited >= limit:
                    break
                mark = read_mark(self._journal.folder)
                # wandb takes a second or two to come up; that alone is not worth a line
                if not said and waited > (2.0 if mark.get("state") else 5.0):
                    said = True
                    logger.warning("waiting for W&B: %s of %s rows taken", mark.get("rows", 0), self._journal.rows)
            if code is None:
                self._process = None
                process.leave()
                logger.warning("W&B has not taken all rows within %g s; that goes on in the background; "
                               "to see to it later: %s", limit, self._recover())  # fmt: skip
            elif code != 0:
                self._look()  # another one, if it may be
            else:
                self._process = None
                process.close()

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
    return f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return ""
