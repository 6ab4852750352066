"""The job's end of a run that lives in a process of its own.

A row is one ``write`` to the journal; there is no pipe that can fill, no thread, no wandb. The worker
(:mod:`.worker`) follows the file. In sync mode a byte on its standard input asks it to say how far it is.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Optional

from .._log import logger, warn_once
from .._version import VERSION
from ._journal import FINISH, Journal, make_folder, new_run_id, read_json, write_json
from ._spec import FOREIGN, RunSpec, mode, seconds

_LOOK_EVERY = 5.0  # seconds between looks at the worker, while rows come in
_MOST_WORKERS = 3
_NOT_FOR_THE_WORKER = ("ONE_LOGGER_V1_SHIM", "PYTHONINSPECT", "PYTHONSTARTUP", "PYTHONPROFILEIMPORTTIME")


class WorkerSink:
    """A journal, and a worker process that owns the W&B run."""

    def __init__(self, spec: RunSpec, asynchronous: bool) -> None:
        self.asynchronous = asynchronous
        self._lock = threading.RLock()
        self._spec = spec
        self._finished = False
        self._abandoned = False
        self._said = False
        self._worker: Optional[subprocess.Popen[bytes]] = None
        self._workers = 0
        self._waits = seconds(os.environ, "ONE_LOGGER_V1_SYNC_TIMEOUT", 60.0)
        self._next_look = time.monotonic() + _LOOK_EVERY
        keep = os.environ.get("ONE_LOGGER_V1_JOURNAL", "1") != "0"
        run_id = new_run_id()
        base = spec.folder(os.environ)
        folder = make_folder(base, run_id, keep)
        # A base that can't be written would send W&B's own folder to the temp directory as well.
        home = base if not keep or folder.parent.parent == base else folder
        self._journal = Journal(folder)
        self._keep = keep
        write_json(
            folder / "run.json",
            {
                "id": run_id,
                "pid": os.getpid(),
                "created": time.time(),
                "version": VERSION,
                "delivery": "worker",
                "mode": mode(os.environ),
                "chosen": {key: value for key, value in spec.chosen.items() if key != "api_key"},
                "default": {key: value for key, value in spec.default.items() if key != "api_key"},
                "base": str(home),
                "cwd": os.getcwd(),
                "program": sys.argv[0] if sys.argv else "",
                "keep": keep,
            },
        )
        self._start()

    # -- the worker --------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._workers += 1
        folder = self._journal.folder
        log = os.open(
            folder / "worker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0), 0o666
        )
        try:
            self._worker = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.worker", str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=folder,  # stands first on the worker's sys.path, so it must hold nothing to import
                env=self._environment(),
                start_new_session=True,  # Ctrl-C in the job's terminal is the job's
                close_fds=True,
            )
            assert self._worker.stdin is not None
            os.set_blocking(self._worker.stdin.fileno(), False)
        except OSError as error:
            self._worker = None
            warn_once("worker:start", f"no process could be started for W&B ({error}); rows are kept in {folder}; "
                      f"send them with: {self._recover()}")  # fmt: skip
        finally:
            os.close(log)

    def _environment(self) -> dict[str, str]:
        environ = {key: value for key, value in os.environ.items() if key not in (*FOREIGN, *_NOT_FOR_THE_WORKER)}
        if self._spec.api_key:
            environ["WANDB_API_KEY"] = self._spec.api_key
        # The job's sys.path may have been extended by hand; the standard library's own entries come last anyway.
        entries = [os.path.abspath(entry) for entry in environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
        root = str(Path(__file__).resolve().parent.parent.parent)
        extra = [root, *(entry for entry in sys.path if entry.endswith("-packages"))]
        for entry in extra:
            if entry not in entries:
                entries.append(entry)
        environ["PYTHONPATH"] = os.pathsep.join(entries)
        return environ

    def _look(self) -> None:
        """Now and then: is the worker alive, has it something to say?"""
        self._next_look = time.monotonic() + _LOOK_EVERY
        self._say()
        worker = self._worker
        if worker is None or worker.poll() is None:
            return
        self._worker = None
        if self._workers < _MOST_WORKERS:
            warn_once(f"worker:died:{self._workers}", f"the W&B process ended with code {worker.returncode}; "
                      "another one goes on from the journal")  # fmt: skip
            self._start()
        else:
            warn_once("worker:gone", f"the W&B process does not stay up; rows are kept in {self._journal.folder}; "
                      f"send them with: {self._recover()}")  # fmt: skip

    def _say(self) -> None:
        """Pass on the worker's one line, once: that the run is offline, where, and how to sync it."""
        if self._said:
            return
        mark = read_json(self._journal.folder / "mark.json")
        if mark.get("notice"):
            self._said = True
            silent = os.environ.get("WANDB_SILENT", "").lower() in ("1", "true")
            if not (silent and mode(os.environ) == "offline"):
                logger.warning("%s", mark["notice"])

    def _recover(self) -> str:
        return f"python -m one_logger_v1_shim recover {self._journal.folder}"

    # -- rows --------------------------------------------------------------------------------------------------

    def put(self, text: str) -> None:
        """One row."""
        if self._abandoned:
            return
        with self._lock:
            if self._finished:
                warn_once("put:finished", "a row came after the run was finished; it is dropped")
                return
            self._journal.append(text)
            if not self.asynchronous:
                self._wait_for(self._journal.rows)
            if time.monotonic() >= self._next_look:
                self._look()

    def _ring(self, byte: bytes = b"s") -> bool:
        worker = self._worker
        if worker is None or worker.stdin is None:
            return False
        try:
            os.write(worker.stdin.fileno(), byte)
        except (OSError, ValueError):
            return False
        return True

    def _wait_for(self, rows: int) -> None:
        """Sync mode: until the worker has given that many rows to ``run.log``."""
        limit = time.monotonic() + self._waits
        while True:
            worker = self._worker
            if worker is None or worker.stdout is None or not self._ring():
                self._look()
                if self._worker is None or self._worker is worker:
                    return
                continue
            ready, _, _ = select.select([worker.stdout], [], [], max(0.0, limit - time.monotonic()))
            if not ready:
                self.asynchronous = True
                warn_once("sync:late", f"W&B did not take a row within {self._waits:g} s; "
                          "rows are delivered asynchronously from now on")  # fmt: skip
                return
            answer = os.read(worker.stdout.fileno(), 65536)
            if len(answer) >= 8 and int.from_bytes(answer[-8:], "big") >= rows:
                self._waits = seconds(os.environ, "ONE_LOGGER_V1_SYNC_TIMEOUT", 10.0)
                return
            if not answer:  # the worker has gone
                with suppress(subprocess.TimeoutExpired):
                    worker.wait(1)
                self._look()

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
            self._journal.append(f"{FINISH} {exit_code}")
            if self._journal.unwritten:
                warn_once(
                    "journal:lost", f"{self._journal.unwritten} rows could not be written to {self._journal.folder}"
                )
            self._journal.close()
            worker = self._worker
            if worker is None:
                self._say()
                return
            self._ring()
            with suppress(OSError):
                assert worker.stdin is not None
                worker.stdin.close()
            self._await_end(worker)
            self._say()

    def _await_end(self, worker: subprocess.Popen[bytes]) -> None:
        limit = seconds(os.environ, "ONE_LOGGER_V1_FINISH_TIMEOUT", 30.0)
        began = time.monotonic()
        said = False
        while True:
            waited = time.monotonic() - began
            if waited >= limit and limit > 0:
                break
            try:
                code = worker.wait(min(0.5, limit - waited) if limit > 0 else 0)
            except subprocess.TimeoutExpired:
                if limit == 0:
                    break
                mark = read_json(self._journal.folder / "mark.json")
                # wandb takes a second or two to come up; that alone is not worth a line
                if not said and waited > (2.0 if mark.get("state") else 5.0):
                    said = True
                    logger.warning("waiting for W&B: %s of %s rows taken", mark.get("rows", 0), self._journal.rows)
                continue
            if worker.stdout is not None:
                worker.stdout.close()
            if code != 0:
                logger.warning("the W&B process ended with code %s; rows are in %s; send them with: %s",
                               code, self._journal.folder, self._recover())  # fmt: skip
            return
        # It outlives us and has a limit of its own.
        worker.returncode = 0  # so that Popen does not warn about a process that is meant to go on
        logger.warning("W&B has not taken all rows within %g s; the rest goes on in the background from %s", limit,
                       self._journal.folder)  # fmt: skip

    def abandon(self) -> None:
        """In a forked child: let go of the files, leave the run and its worker to the parent."""
        self._abandoned = True
        self._finished = True
        self._journal.close()
        worker, self._worker = self._worker, None
        if worker is not None:
            for stream in (worker.stdin, worker.stdout):
                with suppress(OSError):
                    if stream is not None:
                        stream.close()
            worker.returncode = 0  # it is not this process's child
