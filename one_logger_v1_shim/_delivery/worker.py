"""The process that owns a W&B run: ``python -m one_logger_v1_shim._delivery.worker FOLDER``.

It follows the journal in FOLDER, gives each row to ``run.log`` and writes down how far it is. It ends after the
journal's ``#finish``, or when the job has gone, however it went, and all rows are taken. Standard input is the job's
doorbell (end of file: the job has gone), standard output its answers, standard error ``worker.log``.
"""

from __future__ import annotations

import logging
import os
import select
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Callable, NoReturn, Optional

from . import _server, _wandb
from ._children import Log, block_signals, children, end_children, lock, say, tidy_up
from ._follow import Follower
from ._journal import FINISH, FROM, has_room, is_own, overflow, read_json, read_mark, write_mark
from ._process import GIVEN_UP
from ._run import Run
from ._spec import RunSpec, started

_POLL = 0.1  # seconds between looks at the journal
_POLL_IDLE = 1.0  # after a while without rows
_MARK_EVERY = 0.5  # seconds between writes of mark.json
_HEARTBEAT = 30.0  # the same, when nothing is new: somebody on another machine may look
_LOOK_EVERY = 0.5  # seconds between looks at wandb's process
_MOST_TRIES = 3  # with a wandb process that lives for less than _SHORT seconds
_SHORT = 60.0


class Worker:
    """One run, from the journal in ``folder``.

    ``recovering``: nobody is there to ask or to be waited for, and what the files say is not trusted further than
    their own folder.
    """

    def __init__(self, folder: Path, answers: Optional[int], doorbell: Optional[int], recovering: bool) -> None:
        self.folder = folder
        self.about = read_json(folder / "run.json")
        self.mark = read_mark(folder)
        self.follower = Follower(folder)
        self.recovering = recovering
        self.tries = 0
        self.taken = 0  # rows of the journal that are in W&B's hands
        self._passed = 0  # rows that neither the server nor the journal has: W&B's older files have them
        self._answers = answers
        self._doorbell = None if recovering else doorbell
        self._parent = self.about.get("pid")
        self._began = self._marked = self._looked = time.monotonic()
        self._reason: Optional[str] = None  # why it is offline
        chosen = dict(self.about.get("chosen") or {})
        if os.environ.get("ONE_LOGGER_V1_HOST"):
            chosen["host"] = os.environ["ONE_LOGGER_V1_HOST"]
        self.spec = RunSpec(chosen=chosen, default=self.about.get("default") or {})
        self.run = Run(self.spec, folder, self.about, recovering)

    # -- opening -----------------------------------------------------------------------------------------------

    def open(self, offline_because: Optional[str]) -> None:
        """Open the run: online if W&B can, else offline, with the one line that says so."""
        reason = offline_because or _server.why_offline(self.spec, os.environ)
        self.run.await_older(self.mark)
        if reason is None and self.run.began_offline():
            reason = "it began offline"
        self._reason = reason
        if reason is None:
            with _otherwise(_wandb.init_limit() + 5.0, self._again_offline, "no answer from W&B in time"):
                try:
                    self.run.open(offline=False)
                except Exception as error:
                    say(f"wandb.init online: {error!r}")
                    self._again_offline(_first_line(error))
        else:
            # it asks no server, but it waits for wandb's own process, which may never come up (no descriptors left)
            with _otherwise(3 * _wandb.init_limit(), self._stuck):
                try:
                    self.run.open(offline=True)
                except Exception as error:
                    if self.run.home == overflow(self.folder):
                        raise
                    say(f"wandb.init offline in {self.run.home}: {error!r}")
                    self._again_offline(f"{reason}; {_first_line(error)}", "--overflow")
        self.mark = {
            "state": "online" if reason is None else "offline",
            "dir": self.run.folders()[-1],
            "dirs": self.run.folders(),
            "url": self.run.url if reason is None else None,
            "rows": self.run.skip,
            "processes": [[one, started(one)] for one in children()],
            "event": self.mark.get("event"),
            "notice": None if reason is None else _wandb.notice(self.spec, reason, self.run.folders()),
        }
        if self.run.skip:
            say(f"going on after {self.run.skip} rows")
        self._write_mark(force=True)

    def _stuck(self) -> NoReturn:
        """``wandb.init`` does not return, and nothing else can be tried in this process."""
        _give_up(self, "wandb.init does not return")
        end_children()
        os._exit(GIVEN_UP)

    def _again_offline(self, reason: str, *options: str) -> None:
        """wandb can't be asked twice in one process: after a failed ``init`` it hangs. Start over, offline."""
        say(f"starting over offline: {reason}")
        end_children()
        self.run.forget_attempts(online_only=True)
        self._again("--offline", reason, *options)

    def _again(self, *options: str) -> None:
        """Become a new process that is still the job's child and has its pipes."""
        command = [sys.executable, "-m", f"{__package__}.worker", str(self.folder), *options]
        if self.recovering:
            command.append("--recover")
        if self._answers is not None:
            os.dup2(self._answers, 1)
        tidy_up()
        os.chdir(self.folder)
        os.execv(sys.executable, command)

    # -- rows --------------------------------------------------------------------------------------------------

    def follow(self) -> int:
        """Take rows until the journal ends or the job has gone; returns the exit code of the job."""
        gone = asked = False
        idle = 0
        while True:
            lines = self.follower.lines(self.taken)
            for line in lines:
                if line.startswith(b"{"):
                    self.take(line)
                elif line.startswith(FINISH.encode()):
                    if not self.run.alive():
                        self._fail("wandb's process has ended")
                    return _number(line, 0)
                elif line.startswith(FROM.encode()):
                    self._passed = max(self._passed, _number(line, 0) - max(self.taken, self.run.skip))
                    self.taken = max(self.taken, _number(line, 0))
            self._write_mark()
            if asked:
                self._answer()
                asked = False
            if lines:
                idle = 0
                continue
            if gone or time.monotonic() - self._looked > _LOOK_EVERY:
                self._looked = time.monotonic()
                if not self.run.alive():
                    self._fail("wandb's process has ended")
            if gone:
                return 1
            idle += 1
            if self.follower.waiting():
                self.follower.remove(self.run.rows_on_disk())
            asked, gone = self._wait(_POLL if idle < 50 else _POLL_IDLE)

    def take(self, line: bytes) -> None:
        """Give one row to W&B. A row that is not valid JSON is said and skipped: nothing else can be done with it."""
        self.taken += 1
        try:
            said = self.run.log(self.taken - 1, line)
            if said:
                say(f"row {self.taken}: {said}")
        except ValueError as error:
            say(f"row {self.taken}: {error!r}")
        except Exception as error:
            self.taken -= 1
            say(f"row {self.taken + 1}: {error!r}")
            self._fail("wandb's process has ended")

    def _fail(self, why: str, *options: str) -> NoReturn:
        """wandb's own process has gone (a scheduler's SIGTERM ends it, and not us): go on with another one."""
        say(why)
        tries = self.tries + 1 if time.monotonic() - self._began < _SHORT else 1
        self.mark["state"] = "failed"
        if tries <= _MOST_TRIES:
            self.mark["event"] = f"{why}; another one goes on from the journal"
        self._write_mark(force=True)
        end_children()
        if tries <= _MOST_TRIES:
            because = ["--offline", self._reason] if self._reason is not None else []
            if self.run.home == overflow(self.folder) and "--overflow" not in options:
                options = (*options, "--overflow")
            self._again(*because, *options, "--tries", str(tries))
        os._exit(3)

    def _wait(self, limit: float) -> tuple[bool, bool]:
        """Wait for the doorbell. Returns whether it rang and whether the job has gone."""
        if self._doorbell is None:
            return False, True
        ready, _, _ = select.select([self._doorbell], [], [], limit)
        heard = os.read(self._doorbell, 65536) if ready else b""
        # A forked child of the job may hold the other end of the pipe open.
        gone = (bool(ready) and not heard) or os.getppid() != self._parent
        return bool(heard), gone

    def _answer(self) -> None:
        """Say how many rows ``run.log`` has been given."""
        if self._answers is not None:
            with suppress(OSError):
                os.write(self._answers, self.taken.to_bytes(8, "big"))

    # -- the end -----------------------------------------------------------------------------------------------

    def close(self, exit_code: int) -> None:
        """Finish the run and look whether W&B has everything; the answer is in the mark."""
        self.mark["state"] = "finishing"
        self._write_mark(force=True)
        missing = self.run.finish(exit_code, self.taken, _wandb.drain_limit())
        if self.run.rows_on_disk() < self.taken and self.tries < _MOST_TRIES:
            self._reason = self._reason or missing  # the server has had its time
            self._fail(missing, *([] if has_room(self.run.home) else ["--overflow"]))
        if self._passed > 0 and not missing:
            missing = f"{self._passed} older rows are in W&B's files only"
        self.mark["state"] = "unfinished" if missing else "finished"
        self.mark["exit_code"] = exit_code
        if missing:
            say(missing)
            self.mark["notice"] = f"{missing}; send it with: {self._how_to_send()}"
        self._write_mark(force=True)
        if not self.about.get("keep", True) and not missing:
            for folder in filter(is_own, (self.folder, overflow(self.folder))):
                if not (folder / "wandb").exists():  # else the run itself had to go there
                    shutil.rmtree(folder, ignore_errors=True)

    def _how_to_send(self) -> str:
        if self.run.rows_on_disk() >= self.taken:
            return _wandb.sync_command(self.spec, self.run.folders())
        return f"python -m one_logger_v1_shim recover {self.folder}"

    def _write_mark(self, force: bool = False) -> None:
        passed = time.monotonic() - self._marked
        if not force and passed < (_MARK_EVERY if self.taken != self.mark.get("rows") else _HEARTBEAT):
            return
        self._marked = time.monotonic()
        self.mark["rows"] = max(self.taken, self.run.skip)
        try:
            write_mark(self.folder, self.mark)
        except OSError as error:
            say(f"mark.json: {error}")


@contextmanager
def _otherwise(limit: float, do: Callable[..., object], *arguments: object) -> Iterator[None]:
    """Call ``do``, in a thread of its own, if the block takes longer than ``limit`` seconds."""
    timer = threading.Timer(limit, do, arguments)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _number(line: bytes, default: int) -> int:
    try:
        return int(line.split()[1])
    except (IndexError, ValueError):
        return default


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0][:200]}" if text else type(error).__name__


def _give_up(worker: Worker, why: str) -> None:
    say(why)
    worker.mark["state"] = "failed"
    worker.mark["notice"] = (
        f"{why}; rows are kept in {worker.folder}; send them with: python -m one_logger_v1_shim recover {worker.folder}"
    )
    with suppress(OSError):
        write_mark(worker.folder, worker.mark)


def main(arguments: list[str]) -> NoReturn:
    """Own the run of the journal in ``arguments[0]`` until it is finished."""
    block_signals()
    folder = Path(arguments[0])
    because = arguments[arguments.index("--offline") + 1] if "--offline" in arguments else None
    recovering = "--recover" in arguments
    # wandb and everybody else write to worker.log; the job's answers have a descriptor of their own.
    answers = os.dup(1)
    os.set_blocking(answers, False)
    os.dup2(2, 1)
    sys.stdout = sys.stderr = Log()
    logging.raiseExceptions = False
    code = 1
    try:
        if not lock(folder):
            say("another process owns this run")
            os._exit(5)
        worker = Worker(folder, None if recovering else answers, 0, recovering)
        if "--overflow" in arguments:
            with suppress(FileExistsError):
                overflow(folder).mkdir(mode=0o700)
            if is_own(overflow(folder)):
                worker.run.home = overflow(folder)
        if "--tries" in arguments:
            worker.tries = int(arguments[arguments.index("--tries") + 1])
        if not recovering:
            with suppress(OSError):
                os.chdir(str(worker.about.get("cwd") or folder))
        try:
            import wandb  # noqa: F401
        except Exception as error:
            _give_up(worker, f"wandb can not be imported ({error!r})")
            os._exit(GIVEN_UP)
        worker.open(because)
        worker.close(worker.follow())
        code = 0
    except BaseException as error:
        say(f"the worker ends: {error!r}")
        with suppress(Exception):
            end_children()
    finally:
        with suppress(Exception):
            tidy_up()
        # Not an ordinary exit: after trouble with the server wandb's own exit handlers may never return.
        os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
