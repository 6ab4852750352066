"""The process that owns a W&B run: ``python -m one_logger_v1_shim._delivery.worker FOLDER``.

It follows the journal in FOLDER, gives each row to ``run.log`` and writes down how far it is. It ends after the
journal's ``#finish``, or when the job has gone, however it went, and all rows are taken. Standard input is the job's
doorbell (end of file: the job has gone), standard output its answers, standard error ``worker.log``.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, Optional

from . import _wandb
from ._journal import FINISH, Follower, read_json, write_json
from ._spec import RunSpec, seconds
from .wandb_file import rows_on_disk

_POLL = 0.1  # seconds between looks at the journal
_POLL_IDLE = 1.0  # after a while without rows
_MARK_EVERY = 0.5  # seconds between writes of mark.json
_INIT_LIMIT = 45.0  # seconds for wandb.init, online


def say(message: str) -> None:
    """A line in worker.log."""
    print(time.strftime("%Y-%m-%d %H:%M:%S"), message, file=sys.stderr, flush=True)


class Worker:
    """One run."""

    def __init__(self, folder: Path, answers: Optional[int], doorbell: Optional[int]) -> None:
        self.folder = folder
        self.about = read_json(folder / "run.json")
        self.spec = RunSpec(chosen=self.about.get("chosen") or {}, default=self.about.get("default") or {})
        self.run_id = str(self.about.get("id") or "")
        self.base = str(self.about.get("base") or folder)
        self.mark = read_json(folder / "mark.json")
        self.follower = Follower(folder)
        self._answers = answers
        self._doorbell = doorbell
        self._parent = os.getppid()
        self._marked = 0.0
        self.taken = 0  # rows of the journal that are in W&B's hands
        self._skip = 0
        self._run: Any = None

    # -- opening -----------------------------------------------------------------------------------------------

    def open(self, offline_because: Optional[str]) -> None:
        """Open the run: online if W&B can, else offline, with the one line that says so."""
        reason = offline_because or _wandb.why_offline(self.spec, os.environ)
        dirs = [str(one) for one in self.mark.get("dirs") or []]
        more: dict[str, Any] = {"program": self.about.get("program")}
        if self.mark.get("rows"):
            # An earlier worker of this run has gone: go on after the rows that W&B has on disk for certain.
            self._skip = max((rows_on_disk(Path(one)) for one in dirs), default=0)
            more["resume"] = "allow"
            say(f"going on after {self._skip} rows")
        if reason is None:
            timer = threading.Timer(_INIT_LIMIT, self._again_offline, ["no answer from W&B in time"])
            timer.daemon = True
            timer.start()
            try:
                self._run = _wandb.init(self.spec, self.run_id, self.base, False, **more)
            except Exception as error:
                say(f"wandb.init online: {error!r}")
                self._again_offline(_first_line(error))
            finally:
                timer.cancel()
        else:
            self._run = _wandb.init(self.spec, self.run_id, self.base, True, **more)
        where = _wandb.run_folder(self._run)
        self.mark = {
            "state": "online" if reason is None else "offline",
            "dir": where,
            "dirs": [*dirs, where],
            "url": getattr(self._run, "url", None) if reason is None else None,
            "rows": max(self._skip, int(self.mark.get("rows") or 0)),
            "notice": None if reason is None else _wandb.notice(self.spec, reason, where),
        }
        self._write_mark(force=True)

    def _again_offline(self, reason: str) -> None:
        """wandb can't be asked twice in one process: after a failed ``init`` it hangs. Start over, offline."""
        say(f"starting over offline: {reason}")
        end_children()
        command = [sys.executable, "-m", f"{__package__}.worker", str(self.folder), "--offline", reason]
        if self._answers is not None:
            os.dup2(self._answers, 1)
            command.append("--answering")
        os.chdir(self.folder)
        os.execv(sys.executable, command)

    # -- rows --------------------------------------------------------------------------------------------------

    def follow(self) -> int:
        """Take rows until the journal ends or the job has gone; returns the exit code of the job."""
        gone = asked = False
        idle = 0
        while True:
            lines = self.follower.lines()
            for line in lines:
                if line.startswith(FINISH.encode()):
                    return _exit_code(line)
                if line.startswith(b"{"):
                    self.take(line)
            self._write_mark()
            if lines:
                idle = 0
                continue
            if asked:
                self._answer()
                asked = False
            if gone:
                return 1
            idle += 1
            asked, gone = self._wait(_POLL if idle < 50 else _POLL_IDLE)

    def take(self, line: bytes) -> None:
        """Give one row to W&B. A row that is not valid JSON is said and skipped: nothing else can be done with it."""
        self.taken += 1
        if self.taken <= self._skip:
            return
        try:
            row = json.loads(line)
            step = {"step": self.taken - 1} if self._skip else {}
            said = _wandb.log(self._run, row, **step)
            if said:
                say(said)
        except Exception as error:
            say(f"row {self.taken}: {error!r}")
            if not isinstance(error, ValueError):
                # wandb's own process has gone: another worker can go on, this one can't
                self.mark["state"] = "failed"
                self.taken -= 1
                self._write_mark(force=True)
                end_children()
                os._exit(3)

    def _wait(self, limit: float) -> tuple[bool, bool]:
        """Wait for the doorbell. Returns whether it rang and whether the job has gone."""
        if self._doorbell is None:
            return False, True
        ready, _, _ = select.select([self._doorbell], [], [], limit)
        heard = os.read(self._doorbell, 4096) if ready else b""
        # A forked child of the job may hold the other end of the pipe open.
        gone = (bool(ready) and not heard) or os.getppid() != self._parent
        return bool(heard), gone

    def _answer(self) -> None:
        """Say how many rows ``run.log`` has been given: all that the journal holds."""
        if self._answers is not None:
            with suppress(OSError):
                os.write(self._answers, self.taken.to_bytes(8, "big"))

    # -- the end -----------------------------------------------------------------------------------------------

    def finish(self, exit_code: int) -> int:
        """``run.finish``, bounded: with a server that died it may never return."""
        done = threading.Event()

        def run() -> None:
            try:
                self._run.finish(exit_code=exit_code)
                done.set()
            except Exception as error:
                say(f"run.finish: {error!r}")

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(seconds(os.environ, "ONE_LOGGER_V1_DRAIN_TIMEOUT", 300.0))
        ok = done.is_set()
        self.mark["state"] = "finished" if ok else "unfinished"
        self.mark["exit_code"] = exit_code
        if not ok and self.mark.get("notice") is None:
            where = str(self.mark.get("dir"))
            self.mark["notice"] = _wandb.notice(self.spec, "the server did not take all rows", where)
        self._write_mark(force=True)
        return 0

    def close(self) -> None:
        """End wandb's own process: the run's file is complete on disk when it has gone."""
        import wandb

        thread = threading.Thread(target=lambda: wandb.teardown(), daemon=True)
        thread.start()
        thread.join(10.0)
        end_children()

    def _write_mark(self, force: bool = False) -> None:
        now = time.monotonic()
        if not force and (now - self._marked < _MARK_EVERY or self.taken == self.mark.get("rows")):
            return
        self._marked = now
        self.mark["rows"] = max(self.taken, self._skip)
        try:
            write_json(self.folder / "mark.json", self.mark)
        except OSError as error:
            say(f"mark.json: {error}")


def end_children() -> None:
    """End the processes that wandb started for us."""
    mine = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            if int(entry.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                mine.append(int(entry.parent.name))
    for number in mine:
        with suppress(OSError):
            os.kill(number, signal.SIGTERM)
    limit = time.monotonic() + 3.0
    for number in mine:
        while time.monotonic() < limit:
            with suppress(OSError):
                if os.waitpid(number, os.WNOHANG) != (0, 0):
                    break
                time.sleep(0.02)
                continue
            break
        else:
            with suppress(OSError):
                os.kill(number, signal.SIGKILL)


def _exit_code(line: bytes) -> int:
    try:
        return int(line.split()[1])
    except (IndexError, ValueError):
        return 0


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200] if str(error).strip() else ''}"


def main(arguments: list[str]) -> NoReturn:
    """Own the run of the journal in ``arguments[0]`` until it is finished."""
    folder = Path(arguments[0])
    because = arguments[arguments.index("--offline") + 1] if "--offline" in arguments else None
    # wandb and everybody else write to worker.log; the job's answers have a descriptor of their own.
    answers = os.dup(1)
    os.dup2(2, 1)
    worker = Worker(folder, answers, 0)
    with suppress(OSError):
        os.chdir(str(worker.about.get("cwd") or folder))
    code = 1
    try:
        worker.open(because)
        code = worker.finish(worker.follow())
        worker.close()
        if not worker.about.get("keep", True) and worker.mark.get("state") == "finished":
            import shutil

            shutil.rmtree(folder, ignore_errors=True)
    except BaseException as error:
        say(f"the worker ends: {error!r}")
        code = 1
    finally:
        sys.stderr.flush()
        # Not an ordinary exit: after trouble with the server wandb's own exit handlers may never return.
        os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
