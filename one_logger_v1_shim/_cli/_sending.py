"""Sends what is left of a run: by a worker that goes through the journal, or by ``wandb sync``.

A run goes where it was to go when it began, if this user names that server, too (:mod:`._where`). What is started here
works in a fresh folder that is empty: neither code nor settings lie there.
"""

from __future__ import annotations

import functools
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
from .._journal.environment import environment, start_command, without_working_directory
from .._journal.files import quoted
from .._journal.interpreter import VARIABLE, Interpreter
from .._journal.interpreter import find as find_interpreter
from .._journal.locks import locked
from .._journal.outside import open_to_write
from .._journal.records import UNPLAYED, Mark, RunRecord
from .._journal.settings_files import setting
from .._journal.wandb_file import sync_options
from .._journal.words import Exit
from .._otlp.settings import VARIABLE as VARIABLE_OTLP
from .._otlp.settings import wanted
from .._variables import seconds
from ._ask_wandb import ask
from ._belongs import is_harmless
from ._left import Left, look, shown
from ._where import EXPORTERS, decide, own_server

_SYNC_LIMIT = 1800.0
_START_LIMIT = 60.0  # seconds until the worker owns the journal; a Python on a slow network file system
_LOOK = 0.5  # seconds between two looks at what a worker has done


def send(left: Left, progress: Optional[Callable[[int], None]] = None) -> Iterator[str]:
    """Send what is left of a run, and say how it went, line by line. ``left.state`` is ``finished`` if all is well.

    Args:
        left: what :func:`look` has found.
        progress: hears twice a second how many rows W&B has on disk by then.
    """
    record = RunRecord.read(left.folder)
    interpreter = find_interpreter(os.environ)
    if interpreter is None:
        yield f"there is no Python interpreter to run wandb on; set {VARIABLE}"
        return
    # v2's exporters write here what they write into a working directory
    private = Path(tempfile.mkdtemp(prefix="shim-recover-"))
    try:
        yield from _send(left, record, interpreter, private, progress)
    finally:
        for one in private.glob("wandb"):  # W&B's own, if anything
            shutil.rmtree(one, ignore_errors=True)
        with suppress(OSError):
            private.rmdir()
    if private.exists():
        yield f"v2's exporters have written into {shown(private)}"


def _send(
    left: Left,
    record: RunRecord,
    interpreter: Interpreter,
    private: Path,
    progress: Optional[Callable[[int], None]],
) -> Iterator[str]:
    # what of the environment is meant for a worker, and nothing that the journal says
    environ = without_working_directory(environment(RunSpec(chosen={}, default={}), interpreter, folder=left.folder))
    refused = decide(record, environ, left.folder, private)
    if refused:
        yield refused
        return
    work = functools.partial(_work, left, interpreter, environ, private, progress)
    if left.unsent:
        yield from _otlp(left, environ, work)
        if left.finished or left.stored < left.rows or left.state == "failed":
            return
    if left.on_disk_only and not left.unplayed and mode(environ) != "offline":
        yield from _sync(left, interpreter, environ, private)
        return
    if left.stored >= left.rows and not left.unplayed:
        # All rows lie in W&B's files: a further file with none would add nothing.
        _mark(left, "finished")
        words = _shell(_sync_commands(left, interpreter, environ, private), environ)
        yield f"W&B's files have all {left.rows} rows" + (f"; sync them with: {words}" if words else "")
        return
    if record.v2 == "worker" and left.v2 in ("", UNPLAYED) and record.exporters and not environ.get(EXPORTERS):
        name = shown(record.exporters, 300)
        yield f"v2's export configuration {name} is not used: a journal names no code to run; set {EXPORTERS}"
    yield from work()


def _otlp(left: Left, environ: dict[str, str], work: Callable[..., Iterator[str]]) -> Iterator[str]:
    """Send spans and metrics to where this user's environment says; W&B is not asked if it has all rows on disk."""
    try:
        on = wanted(environ)
    except ValueError as error:
        yield shown(error)
        on = False
    if not on:
        yield f"a collector has not taken all spans and metrics; to send them, set {VARIABLE_OTLP}=1 and its address"
    elif left.stored < left.rows:
        yield from work()
    else:
        yield from work("--without-wandb")


def _work(
    left: Left,
    interpreter: Interpreter,
    environ: dict[str, str],
    private: Path,
    progress: Optional[Callable[[int], None]],
    *more: str,
) -> Iterator[str]:
    """Let a worker go through the journal."""
    options = ["--attached", "--recover", left.run_id, "--directory", str(private), *more]
    for path in left.known:
        options += ["--known" if path in left.files else "--foreign", str(path)]
    log = open_to_write(left.folder / "worker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        worker = subprocess.Popen(
            start_command(interpreter, left.folder, *options),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=private,
            env=environ,
        )
    except OSError as error:
        yield f"{shown(interpreter.path)} ({interpreter.origin}) cannot be started ({error.strerror})"
        return
    finally:
        os.close(log)
    code = _wait(worker, left, progress)
    if code is None:
        yield f"{shown(interpreter.path)} ({interpreter.origin}) has not run our code within {_START_LIMIT:g} s"
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
    elif mark.notice:
        yield shown(mark.notice, 1000)
    else:
        yield f"sent; {shown(mark.url or 'all rows are with W&B')}"


def _wait(worker: subprocess.Popen[bytes], left: Left, progress: Optional[Callable[[int], None]]) -> Optional[int]:
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
                began = began or locked(left.folder)
            if progress is not None:
                progress(look(left.folder, rows=left.rows).stored)
            if not began and time.monotonic() > limit:
                return None
    finally:
        if worker.poll() is None:
            worker.kill()
            worker.wait()


def _sync(left: Left, interpreter: Interpreter, environ: dict[str, str], private: Path) -> Iterator[str]:
    commands = _sync_commands(left, interpreter, environ, private)
    words = _shell(commands, environ)
    why = _out_of_reach(interpreter, environ, private)
    if why:
        yield f"{shown(why)}; sync W&B's files later with: {words}"
        return
    if not all(map(is_harmless, left.files)):
        yield f"W&B's files name other files of this machine, which would be uploaded; if they are yours: {words}"
        return
    (private / "wandb").mkdir()  # for wandb's own log
    yield f"all rows are on disk; syncing {len(left.files)} folder(s) with the server"
    for path, command in zip(left.files, commands):
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                cwd=private,
                env=environ,
                timeout=_SYNC_LIMIT,
                check=False,
            )
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
    _mark(left, "finished")
    yield "synced"


def _out_of_reach(interpreter: Interpreter, environ: dict[str, str], private: Path) -> Optional[str]:
    """Why the server won't take anything now; None: it may. ``wandb sync`` would try for ever, and say nothing."""
    answer, _ = ask(interpreter, environ, where=private)
    if not answer.get("base_url") or not answer.get("direct"):
        return None  # the settings are refused, or a proxy is between: wandb itself will know
    base_url = environ.get("WANDB_BASE_URL") or answer["base_url"]
    key, known = server.credentials(setting(environ, "api_key", own=True)[0], environ, base_url)
    if not known:
        return "no API key"
    return server.malformed(key) or server.unreachable(base_url, key, seconds(environ, "ONE_LOGGER_V1_CONNECT_TIMEOUT"))


def _has_sent(path: Path, said: bytes) -> bool:
    """Whether ``wandb sync`` says that it has sent the file. It passes over some, and its exit code is 0 all the same.

    The marker is there if the run was finished; else the last line of newer, or of older versions.
    """
    return path.with_name(f"{path.name}.synced").exists() or b"Finished syncing" in said or b"done." in said


def _sync_commands(left: Left, interpreter: Interpreter, environ: dict[str, str], private: Path) -> list[list[str]]:
    """What sends W&B's files, in their order."""
    folders = [path.parent for path in left.files]
    sync = [interpreter.path, "-m", "wandb", "sync"]
    options = sync_options(folders)
    later: list[str] = []
    if len(folders) > 1:  # must it be told that a folder goes on with the run of another one?
        asked = subprocess.run(
            [*sync, "--help"], stdin=subprocess.DEVNULL, capture_output=True, cwd=private, env=environ, check=False
        )
        later = ["--append"] if b"--append" in asked.stdout else []
    return [[*sync, *options, *(later if number else []), str(folder)] for number, folder in enumerate(folders)]


def _shell(commands: list[list[str]], environ: dict[str, str]) -> str:
    """The commands for a shell that has the user's environment."""
    prefix = "".join(f"{name}={quoted(value)} " for name, value in own_server(environ).items())
    return " && ".join(
        prefix + " ".join([quoted(python), *map(shlex.quote, words), quoted(folder)])
        for python, *words, folder in commands
    )


def _mark(left: Left, state: str) -> None:
    left.state = state
    mark = Mark.read(left.folder)
    mark.state, mark.rows = state, left.rows
    mark.write(left.folder)
