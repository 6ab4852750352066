"""The process that owns a W&B run: it follows the journal, gives each row to ``run.log`` and writes down how far it is.

It ends after the journal's ``#finish``, or when the job has gone, however it went, and all rows are taken.
Started by :mod:`.start`. Standard input is the socket to the job, standard error ``worker.log``.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import NoReturn, Optional

from .._journal.calls import FINISH, FROM, is_call, is_row, number
from .._journal.destination import mode
from .._journal.files import as_text, has_room, is_text, overflow, recover_command, temporary
from .._journal.follow import Follower
from .._journal.interpreter import VARIABLE
from .._journal.locks import lock
from .._journal.outside import is_own, make_folder, remove_journal
from .._journal.process_table import started
from .._journal.records import SENT, UNPLAYED, UNSENT, Mark, RunRecord
from .._journal.server import Found
from .._journal.words import ELSEWHERE, HOST, Exit
from .._version import VERSION
from . import wandb_api
from .children import Log, block_signals, children, end_children, say, tidy_up
from .job import JobEnd
from .listener import Listener
from .opening import Opening, first_line
from .otlp import OTLP
from .otlp import make as make_otlp
from .player import Player
from .run import Recovery, Run
from .successor import Successor

_POLL = 0.1  # seconds between looks at the journal
_POLL_IDLE = 1.0  # after a while without rows
_MARK_EVERY = 0.5  # seconds between writes of mark.json
_HEARTBEAT = 30.0  # the same, when nothing is new: somebody on another machine may look
_LOOK_EVERY = 0.5  # seconds between looks at wandb's process
_ASK_EVERY = 5.0  # seconds between looks at wandb's log, whether the server still takes rows
_MOST_TRIES = 3  # with a wandb process that lives for less than _SHORT seconds
_SHORT = 60.0
_MOST_SAID = 20  # texts about rows in a mark
_APP_END = b'>["app_end",'
_LIMIT = 20.0  # seconds that v2 may take after the last row is with W&B, and a collector after that
_SEGMENTS = 16  # files (16 MiB each) that are kept for who has to be told from the beginning


class Worker:
    """One run, from the journal in ``folder``.

    ``job``: the job's end, if there is a job; without one a run is recovered: nobody is to be waited for, and what the
    files say is not trusted further than their own folder.
    """

    def __init__(
        self,
        folder: Path,
        job: Optional[JobEnd],
        tries: int = 0,
        own_entity: bool = False,
        recovery: Optional[Recovery] = None,
    ) -> None:
        self.folder = folder
        self.record = RunRecord.read(folder)
        self.mark = Mark.read(folder)
        self.follower = Follower(folder)
        self.tries = tries
        self.taken = 0  # rows of the journal that are in W&B's hands
        self._keep = False  # the journal has a row that W&B has not as it was
        self._passed = 0  # rows that neither the server nor the journal has: W&B's older files have them
        self._job = job
        self._began = self._marked = self._looked = self._asked = time.monotonic()
        self._reason: Optional[str] = None  # why it is offline
        self._settings: Optional[Found] = None
        spec = self.record.spec.changed(host=os.environ.get(HOST))
        if recovery is not None and mode(os.environ) != "offline":
            spec = spec.without("host")  # `recover` has decided, and the environment says it
        self.run = Run(spec.without("entity") if own_entity else spec, folder, self.record, self.mark, recovery)
        wanted = self.record.v2 == "worker" and self.mark.v2 in ("", UNPLAYED)
        self.player = Player(folder, self.record) if wanted else None
        self.otlp = make_otlp(folder, self.record, self.mark)
        if self.otlp is not None:
            self._forget_otlp()
        self._successor = Successor(folder, self.run, job, self.player, own_entity, recovery)

    # -- opening -----------------------------------------------------------------------------------------------

    def open(self, offline_because: Optional[str]) -> None:
        """Open the run: online if W&B can, else offline, with the one line that says so."""
        opening = Opening(self.folder, self.record, self.run, self._successor, self._stuck)
        opening.open(offline_because, self.mark)
        self._reason, self._settings = opening.reason, opening.settings
        folders = self.run.folders()
        self.mark = Mark(
            state="online" if self._reason is None else "offline",
            dir=folders[-1],
            dirs=folders,
            url=self.run.url if self._reason is None else None,
            rows=self.run.skip,
            processes=[[one, started(one)] for one in children()],
            event=self.mark.event,
            events=self.mark.events,
            notice=opening.notice(folders),
            id=self.run.id if self.run.id != self.record.id else "",
            v2=self.mark.v2,
            otlp=self.mark.otlp,
            said=self.mark.said,
            run=self.run.destination(),
        )
        if self.run.skip:
            say(f"going on after {self.run.skip} rows")
        self._write_mark(force=True)
        self._start_listeners()

    @property
    def _listeners(self) -> list[Listener]:
        """Who hears of the journal beside W&B."""
        return [one for one in (self.player, self.otlp) if one is not None]

    def _start_listeners(self) -> None:
        for one in self._listeners:
            one.start()

    def _stuck(self) -> NoReturn:
        """``wandb.init`` does not return, and nothing else can be tried in this process."""
        limit = wandb_api.stuck_limit()
        self.give_up(f"wandb.init does not return within {limit:g} s (see ONE_LOGGER_V1_INIT_TIMEOUT)")
        end_children()
        self.leave(Exit.GIVEN_UP)

    # -- rows --------------------------------------------------------------------------------------------------

    def follow(self) -> int:
        """Take rows until the journal ends or the job has gone; returns the exit code of the job.

        A job that has reported the end of its application and is then ended by its launcher has finished: 0.
        """
        gone = asked = ended = False
        idle = 0
        while True:
            lines = self.follower.lines(self.taken)
            for line in lines:
                if is_row(line):
                    self.take(line)
                elif is_call(line):
                    ended = ended or line.startswith(_APP_END)
                elif line.startswith(FINISH):
                    if not self.run.alive():
                        self._fail("wandb's process has ended")
                    return number(line)
                elif line.startswith(FROM):
                    self._passed = max(self._passed, number(line) - max(self.taken, self.run.skip))
                    self.taken = max(self.taken, number(line))
            self._write_mark()
            if time.monotonic() - self._asked > _ASK_EVERY:
                self._asked = time.monotonic()
                if self.run.refused():
                    self._go_offline("the W&B server refuses rows")
            if asked and self._job is not None:
                self._job.acknowledge(self.taken)
                asked = False
            if lines:
                idle = 0
                continue
            if gone or time.monotonic() - self._looked > _LOOK_EVERY:
                self._looked = time.monotonic()
                if not self.run.alive():
                    self._fail("wandb's process has ended")
            if gone:
                return 0 if ended else 1
            idle += 1
            if self.follower.waiting():
                self._remove_files()
            asked, gone = self._job.wait(_POLL if idle < 50 else _POLL_IDLE) if self._job is not None else (False, True)

    def _remove_files(self) -> None:
        told = [one.rows for one in self._listeners if one.state in (UNPLAYED, UNSENT)]
        self.follower.remove(min([self.run.rows_on_disk(), *told]), keep=_SEGMENTS if told else 0)

    def take(self, line: bytes) -> None:
        """Give one row to W&B. A row that is not valid JSON is logged and skipped: nothing else can be done with it."""
        self.taken += 1
        try:
            changed, said = self.run.log(self.taken - 1, line)
            if changed:
                self.follower.hold()
                self._keep = True
            for text in said:
                self._tell(text)
        except (ValueError, RecursionError) as error:
            self.follower.hold()
            self._keep = True
            self._tell(f"row {self.taken} cannot be read and is skipped ({error}): {self.folder}")
        except Exception as error:
            self.taken -= 1
            say(f"row {self.taken + 1}: {error!r}")
            self._fail("wandb's process has ended" if not self.run.alive() else f"run.log: {first_line(error)}")

    def _tell(self, text: str) -> None:
        """Something about a row that the job is to log."""
        say(text)
        self._pass_on(text)

    def _pass_on(self, text: str) -> None:
        if text not in self.mark.said and len(self.mark.said) < _MOST_SAID:
            self.mark.said = [*self.mark.said, text]

    def _fail(self, why: str, *options: str) -> NoReturn:
        """wandb's own process has gone (a scheduler's SIGTERM ends it, and not us): go on with another one."""
        say(why)
        tries = self.tries + 1 if time.monotonic() - self._began < _SHORT else 1
        self.mark.state = "failed"
        if tries <= _MOST_TRIES:
            self.mark.event = f"{why}; another one goes on from the journal"
            self.mark.events += 1
        self._write_mark(force=True)
        end_children()
        if tries <= _MOST_TRIES:
            because = ["--offline", self._reason] if self._reason is not None else []
            if self.run.home == overflow(self.folder) and "--overflow" not in options:
                options = (*options, "--overflow")
            self._successor.start(*because, *options, "--tries", str(tries))
        self.leave(Exit.LOST_WANDB)

    def _go_offline(self, why: str) -> NoReturn:
        """The server takes no rows any more, and wandb would never ask it again: the rest goes into an offline run."""
        say(why)
        self.mark.state = "failed"
        self._write_mark(force=True)
        self._successor.offline(why, *(["--overflow"] if self.run.home == overflow(self.folder) else []))

    # -- the end -----------------------------------------------------------------------------------------------

    def close(self, exit_code: int) -> None:
        """Finish the run and look whether W&B has everything; the answer is in the mark."""
        self._job_has_gone()
        self.mark.state = "finishing"
        self._write_mark(force=True)
        missing = self.run.finish(exit_code, self.taken, wandb_api.drain_limit(), self._settings)
        if self.run.rows_on_disk() < self.taken and self.tries < _MOST_TRIES:
            self._reason = self._reason or missing  # the server has had its time
            self._fail(missing, *([] if has_room(self.run.home) else ["--overflow"]))
        if self._passed > 0 and not missing:
            missing = f"{self._passed} older rows are in W&B's files only"
        self.mark.state = "unfinished" if missing else "finished"
        self.mark.exit_code = exit_code
        if missing:
            say(missing)
            self.mark.notice = f"{missing}; send it with: {self._how_to_send()}"
        unplayed, unsent = self._await_v2(), self._await_otlp()
        self._write_mark(force=True)
        if not self.record.keep and not missing and not unplayed and not unsent and not self._keep:
            self.remove_journal()

    def _job_has_gone(self) -> None:
        for one in self._listeners:
            one.job_has_gone()

    def _forget_otlp(self) -> None:
        """What was said of trouble that is over."""
        self.mark.said = [text for text in self.mark.said if not text.startswith(OTLP)]

    def _await_v2(self) -> bool:
        """Wait, bounded, until v2 has heard all calls. True: it has not."""
        player = self.player
        if player is None:
            return False
        player.join(_LIMIT)
        self.mark.v2 = player.state
        if player.state != UNPLAYED:
            return False
        player.stop()
        self.mark.v2 = UNPLAYED
        text = f"v2 has not heard all calls within {_LIMIT:g} s; to play the rest: {recover_command(self.folder)}"
        say(text)
        self.mark.notice = f"{self.mark.notice}; {text}" if self.mark.notice else text
        return True

    def _await_otlp(self) -> bool:
        """Wait, bounded, until a collector has everything: without the job, which waits for W&B only. True: it has not.

        Whoever is quick has been so while W&B's run was finished.
        """
        if self.otlp is None:
            return False
        self.otlp.settle()
        if self.otlp.is_alive():
            if not self.otlp.said:
                self._tell(
                    f"{OTLP}: a collector has not taken all spans and metrics yet; to send what it has not taken "
                    f"in {_LIMIT:g} s: {recover_command(self.folder)}"
                )
            self._write_mark(force=True)
            if self._job is not None:
                self._job.part()
            self.otlp.join(_LIMIT)
        self.mark.otlp = self.otlp.state
        if self.otlp.state == SENT:
            self.otlp.said.clear()
            self._forget_otlp()
        return self.otlp.state == UNSENT

    def remove_journal(self) -> None:
        """Remove the journal of a run that is finished. What else is in its folder, W&B's run for example, stays."""
        remove_journal(overflow(self.folder))
        remove_journal(self.folder)

    def _how_to_send(self) -> str:
        if self.run.rows_on_disk() >= self.taken:
            return wandb_api.sync_command(self.run.spec, self.run.folders())
        return recover_command(self.folder)

    def _write_mark(self, force: bool = False) -> None:
        passed = time.monotonic() - self._marked
        if not force and passed < (_MARK_EVERY if self.taken != self.mark.rows else _HEARTBEAT):
            return
        self._marked = time.monotonic()
        self.mark.rows = max(self.taken, self.run.skip)
        if self.player is not None:
            self.mark.v2 = self.player.state
        if self.otlp is not None:
            self.mark.otlp = self.otlp.state
        for one in self._listeners:
            for text in one.said:
                self._pass_on(text)
        try:
            self.mark.write(self.folder)
        except OSError as error:
            say(f"mark.json: {error}")

    def give_up(self, why: str, advice: str = "") -> None:
        """Another worker would do no better: leave the reason in the mark."""
        say(why)
        self.mark.state = "failed"
        before = f"{advice} && " if advice else ""
        self.mark.notice = (
            f"{why}; rows are kept in {self.folder}; send them with: {before}{recover_command(self.folder)}"
        )
        with suppress(OSError):
            self.mark.write(self.folder)

    def play_only(self) -> None:
        """Nobody wants the rows (``WANDB_MODE=disabled``), or W&B has them: v2 and a collector hear of them.

        Returns with the journal gone if it is not to be kept and all is told.
        """
        self.taken = self.mark.rows
        listeners = self._listeners
        self._start_listeners()
        while any(one.is_alive() for one in listeners) and self._job is not None and not self._job.wait(_POLL)[1]:
            pass
        self._job_has_gone()
        left = [self._await_v2(), self._await_otlp()]
        if self.record.mode != "disabled":
            self._write_mark(force=True)
        elif listeners and not any(left):
            self.remove_journal()

    def leave(self, code: int) -> NoReturn:
        """End the process. Not an ordinary exit: after trouble with the server wandb's exit handlers may not return."""
        if self._job is not None:
            self._job.goodbye(code)
        os._exit(code)


def _foreign_shim() -> Optional[str]:
    """The version of this package that the interpreter's own environment has, if it is another one."""
    if not sys.flags.isolated:
        return None
    try:
        found = metadata.version("one-logger-v1-shim")
    except metadata.PackageNotFoundError:
        return None
    return found if found != VERSION else None


def _isolate() -> str:
    """The command that makes an environment for the worker, which must not be hidden by the variable."""
    return f"unset {VARIABLE} && " * (VARIABLE in os.environ) + "python -m one_logger_v1_shim isolate"


def _work(worker: Worker, because: Optional[str], without_wandb: bool) -> None:
    """Own the run until it is finished."""
    if not worker.record.readable:
        worker.give_up(f"the journal has format {worker.record.format}, which version {VERSION} cannot read")
        worker.leave(Exit.GIVEN_UP)
    other = _foreign_shim()
    if other is not None:
        worker.give_up(f"{sys.executable} has one-logger-v1-shim {other} and the job has {VERSION}; install that there "
                       "or make an environment", _isolate())  # fmt: skip
        worker.leave(Exit.GIVEN_UP)
    if without_wandb or worker.record.mode == "disabled":
        worker.play_only()
        return
    if not wandb_api.git_answers():
        say("git does not answer; the run is without its commit")
        wandb_api.hide_git(os.environ)
    why = wandb_api.unusable()
    if why is not None:
        worker.give_up(why, _isolate())
        worker.leave(Exit.GIVEN_UP)
    worker.open(because)
    worker.close(worker.follow())


def main(arguments: list[str]) -> NoReturn:
    """Own the run of the journal in FOLDER until it is finished."""
    parser = argparse.ArgumentParser(prog="worker")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--attached", action="store_true", help="stay this process's child")
    parser.add_argument("--recover", metavar="ID", help="there is no job any more; the run's id")
    parser.add_argument("--known", action="append", type=Path, default=[], help="a file of W&B's with rows of the run")
    parser.add_argument("--foreign", action="append", type=Path, default=[], help="one of another run with that id")
    parser.add_argument("--offline", metavar="REASON", help="do not ask the server")
    parser.add_argument("--overflow", action="store_true", help="W&B's folder goes to the temp directory")
    parser.add_argument("--without-wandb", action="store_true", help="it has all rows")
    parser.add_argument("--own-entity", action="store_true", help="the account may not write to v1's default entity")
    parser.add_argument("--tries", type=int, default=0, help="workers before this one that lived for a short time")
    parser.add_argument("--directory", help="where v2's exporters are to work")
    given = parser.parse_args(arguments)
    del sys.argv[1:]  # wandb would store it, and the folder may have a name that is no text
    block_signals()
    for name in ("TMPDIR", "TEMP", "TMP"):
        place = os.environ.get(name, os.curdir)
        if not os.path.isdir(place) or not is_text(place):  # it was removed, wandb reads no such name: there are others
            del os.environ[name]
    record = RunRecord.read(given.folder)
    recovery = None
    if given.recover is not None:
        recovery = Recovery(given.recover, frozenset(given.known), frozenset(given.foreign))
    job = None if recovery is not None else JobEnd(record.pid)
    sys.stdout = sys.stderr = Log()
    logging.raiseExceptions = False
    if job is not None:
        job.hello()
    code: int = Exit.FAILED
    try:
        if not lock(given.folder):
            say("another process owns this run")
            code = Exit.NOT_OWNER
        else:
            home = Path(os.path.expanduser("~"))
            if not is_text(home):  # wandb takes no such name
                os.environ["HOME"] = str(as_text(home, given.folder, "home"))
            # what a file says about where a job has worked counts only while the job is there
            where = (
                given.directory
                or (record.cwd if job is not None and ELSEWHERE not in os.environ else "")
                or given.folder
            )
            with suppress(OSError):
                os.chdir(where if is_text(where) else temporary())
            worker = Worker(given.folder, job, given.tries, given.own_entity, recovery)
            if given.overflow:
                with suppress(FileExistsError):
                    make_folder(overflow(given.folder))
                if is_own(overflow(given.folder)):
                    worker.run.home = overflow(given.folder)
            _work(worker, given.offline, given.without_wandb)
            code = Exit.DONE
    except BaseException as error:
        say(f"the worker ends: {error!r}")
        with suppress(Exception):
            end_children()
    finally:
        with suppress(Exception):
            tidy_up()
        if job is not None:
            job.goodbye(code)
        os._exit(code)
