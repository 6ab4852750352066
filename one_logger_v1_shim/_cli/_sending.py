"""Sends what is left of a run: by a worker that goes through the journal, or by ``wandb sync``.

A run goes where it was to go when it began, if this user names that server, too (:mod:`._where`). What is started here
works in a fresh folder that is empty: neither code nor settings lie there.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Callable, Optional

from .._journal import server
from .._journal.destination import RunSpec, mode
from .._journal.environment import environment, settings_command, start_command, without_working_directory
from .._journal.files import quoted
from .._journal.interpreter import VARIABLE, Interpreter
from .._journal.interpreter import find as find_interpreter
from .._journal.locks import locked
from .._journal.outside import open_to_write
from .._journal.records import UNPLAYED, Mark, RunRecord
from .._journal.settings_files import setting
from .._journal.wandb_file import sync_options
from .._journal.words import Exit
from .._otlp.settings import VARIABLE as OTLP
from .._otlp.settings import wanted
from .._variables import seconds
from ._ask_wandb import ask
from ._belongs import is_harmless
from ._left import Left, look, shown
from ._where import EXPORTERS, decide, own_server

_SYNC_LIMIT = 1800.0
_START_LIMIT = 60.0  # seconds until the worker owns the journal; a Python on a slow network file system
_LOOK = 0.5  # seconds between two looks at what a worker has done


def send(left: Left, progress: Callable[[int], None] = lambda rows: None) -> Iterator[str]:
    """Send what is left of a run, and say how it went, line by line. ``left.state`` is ``finished`` if all is well.

    Args:
        left: what :func:`look` has found.
        progress: hears twice a second how many rows W&B has on disk by then.
    """
    interpreter = find_interpreter(os.environ)
    if interpreter is None:
        yield f"there is no Python interpreter to run wandb on; set {VARIABLE}"
        return
    # v2's exporters write here what they write into a working directory
    private = Path(tempfile.mkdtemp(prefix="shim-recover-"))
    try:
        yield from _Sending(left, interpreter, private, progress).lines()
    finally:
        for one in private.glob("wandb"):  # W&B's own, if anything
            shutil.rmtree(one, ignore_errors=True)
        with suppress(OSError):
            private.rmdir()
    if private.exists():
        yield f"v2's exporters have written into {shown(private)}"


class _Sending:
    """A run on its way: what is left of it, who sends it, with which environment, and in which empty folder."""

    def __init__(self, left: Left, interpreter: Interpreter, private: Path, progress: Callable[[int], None]) -> None:
        self._left, self._interpreter, self._private, self._progress = left, interpreter, private, progress
        # what of the environment is meant for a worker, and nothing that the journal says
        nobody = RunSpec(chosen={}, default={})
        self._environ = without_working_directory(environment(nobody, interpreter, folder=left.folder))

    def lines(self) -> Iterator[str]:
        """As :func:`send`."""
        left, record = self._left, RunRecord.read(self._left.folder)
        refused = decide(record, self._environ, left.folder, self._private)
        if refused:
            yield refused
            return
        if left.unsent:
            yield from self._otlp()
            if left.finished or left.stored < left.rows or left.state == "failed":
                return
        if left.on_disk_only and not left.unplayed and mode(self._environ) != "offline":
            yield from self._sync()
            return
        if left.stored >= left.rows and not left.unplayed:
            # All rows lie in W&B's files: a further file with none would add nothing.
            _mark_finished(left)
            words = _shell(self._sync_commands(), self._environ)
            yield f"W&B's files have all {left.rows} rows" + (f"; sync them with: {words}" if words else "")
            return
        has_more = record.exporters and not self._environ.get(EXPORTERS)
        if record.v2 == "worker" and left.v2 in ("", UNPLAYED) and has_more:
            name = shown(record.exporters, 300)
            yield f"v2's export configuration {name} is not used: a journal names no code to run; set {EXPORTERS}"
        yield from self._work()

    def _otlp(self) -> Iterator[str]:
        """Send spans and metrics to where this user's environment says; W&B is not asked if it has all rows on disk."""
        try:
            on = wanted(self._environ)
        except ValueError as error:
            yield shown(error)
            on = False
        if not on:
            yield f"a collector has not taken all spans and metrics; to send them, set {OTLP}=1 and its address"
            return
        yield from self._work(*([] if self._left.stored < self._left.rows else ["--without-wandb"]))

    def _work(self, *more: str) -> Iterator[str]:
        """Let a worker go through the journal."""
        left, python = self._left, self._interpreter
        options = ["--attached", "--recover", left.run_id, "--directory", str(self._private), *more]
        for path in left.known:
            options += ["--known" if path in left.files else "--foreign", str(path)]
        command = start_command(python, left.folder, *options)
        log = open_to_write(left.folder / "worker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        where, environ = self._private, self._environ
        try:
            worker = subprocess.Popen(command, cwd=where, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        except OSError as error:
            yield f"{shown(python.path)} ({python.origin}) cannot be started ({error.strerror})"
            return
        finally:
            os.close(log)
        code = self._wait(worker)
        if code is None:
            yield f"{shown(python.path)} ({python.origin}) has not run our code within {_START_LIMIT:g} s"
            return
        after, mark = look(left.folder), Mark.read(left.folder)
        if code == Exit.DONE and not left.folder.exists():  # nothing of it was to be kept
            after.state, after.stored = "finished", left.rows
        left.state, left.stored, left.files = after.state, after.stored, after.files
        left.played, left.v2, left.unsent = after.played, after.v2, after.unsent
        yield from (shown(text, 1000) for text in mark.said)
        if code not in (Exit.DONE, Exit.GIVEN_UP):
            left.state = "failed"
            yield f"the W&B process ended with code {code}; see {shown(left.folder / 'worker.log', 1000)}"
        else:
            yield shown(mark.notice, 1000) if mark.notice else f"sent; {shown(mark.url or 'all rows are with W&B')}"

    def _wait(self, worker: subprocess.Popen[bytes]) -> Optional[int]:
        """The exit code of the worker; None: it never began, and was ended.

        Ctrl-C ends the worker, too: what it has not sent waits for the next time.
        """
        limit = time.monotonic() + _START_LIMIT
        began = False
        try:
            while True:
                try:
                    return worker.wait(timeout=_LOOK)
                except subprocess.TimeoutExpired:
                    began = began or locked(self._left.folder)
                self._progress(look(self._left.folder, rows=self._left.rows).stored)
                if not began and time.monotonic() > limit:
                    return None
        finally:
            if worker.poll() is None:
                worker.kill()
                worker.wait()

    def _sync(self) -> Iterator[str]:
        files, commands = self._left.files, self._sync_commands()
        words = _shell(commands, self._environ)
        why = self._out_of_reach()
        if why:
            yield f"{shown(why)}; sync W&B's files later with: {words}"
            return
        if not all(map(is_harmless, files)):
            yield f"W&B's files name other files of this machine, which would be uploaded; if they are yours: {words}"
            return
        (self._private / "wandb").mkdir()  # for wandb's own log
        yield f"all rows are on disk; syncing {len(files)} folder(s) with the server"
        for path, command in zip(files, commands):
            try:
                done = self._run(command, _SYNC_LIMIT)
            except subprocess.TimeoutExpired:
                yield f"no end within {_SYNC_LIMIT:g} s: {words}"
                return
            if done.returncode != 0:
                last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
                yield f"wandb sync failed: {shown(''.join(last))}; try: {words}"
                return
            if not _has_sent(path, done.stdout + done.stderr):
                yield f"wandb sync does not say that it has sent {shown(path)}; try: {words}"
                return
        _mark_finished(self._left)
        yield "synced"

    def _run(self, command: list[str], limit: Optional[float] = None) -> subprocess.CompletedProcess[bytes]:
        where, environ = self._private, self._environ
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, cwd=where, env=environ, timeout=limit, check=False
        )

    def _out_of_reach(self) -> Optional[str]:
        """Why the server won't take anything now; None: it may. ``wandb sync`` would try for ever, and say nothing."""
        environ = self._environ
        answer, _ = ask(settings_command(self._interpreter), environ, self._private)
        if not answer.get("base_url") or not answer.get("direct"):
            return None  # the settings are refused, or a proxy is between: wandb itself will know
        base_url = environ.get("WANDB_BASE_URL") or answer["base_url"]
        key, known = server.credentials(setting(environ, "api_key", own=True)[0], environ, base_url)
        if not known:
            return "no API key"
        limit = seconds(environ, "ONE_LOGGER_V1_CONNECT_TIMEOUT")
        return server.malformed(key) or server.unreachable(base_url, key, limit)

    def _sync_commands(self) -> list[list[str]]:
        """What sends W&B's files, in their order."""
        folders = [path.parent for path in self._left.files]
        sync = [self._interpreter.path, "-m", "wandb", "sync"]
        options, later = sync_options(folders), []
        # must it be told that a folder goes on with the run of another one?
        if len(folders) > 1 and b"--append" in self._run([*sync, "--help"]).stdout:
            later = ["--append"]
        return [[*sync, *options, *(later if number else []), str(folder)] for number, folder in enumerate(folders)]


def _has_sent(path: Path, said: bytes) -> bool:
    """Whether ``wandb sync`` says that it has sent the file. It passes over some, and its exit code is 0 all the same.

    The marker is there if the run was finished; else the last line of newer, or of older versions.
    """
    return path.with_name(f"{path.name}.synced").exists() or b"Finished syncing" in said or b"done." in said


def _shell(commands: list[list[str]], environ: dict[str, str]) -> str:
    """The commands for a shell that has the user's environment."""
    prefix = "".join(f"{name}={quoted(value)} " for name, value in own_server(environ).items())
    return " && ".join(
        prefix + " ".join([quoted(python), *map(shlex.quote, words), quoted(folder)])
        for python, *words, folder in commands
    )


def _mark_finished(left: Left) -> None:
    mark = Mark.read(left.folder)
    mark.state, mark.rows = left.state, left.rows = "finished", left.rows
    mark.write(left.folder)
