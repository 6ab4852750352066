"""Sends what is left of a run: by a worker that goes through the journal, or by ``wandb sync``.

A run goes where it was to go when it began, and a key from the environment to no server that only a file names.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG
from typing import Callable, Optional

from .._journal import server
from .._journal.destination import mode, settle, without_user
from .._journal.environment import environment, start_command
from .._journal.files import is_own, quoted
from .._journal.interpreter import VARIABLE, Interpreter
from .._journal.interpreter import find as find_interpreter
from .._journal.locks import locked
from .._journal.records import UNPLAYED, Mark, RunRecord
from .._journal.settings_files import setting
from .._journal.wandb_file import sync_options
from .._journal.words import Exit
from .._variables import seconds
from ._ask_wandb import ask
from ._left import Left, look, shown

_SYNC_LIMIT = 1800.0
_START_LIMIT = 60.0  # seconds until the worker owns the journal; a Python on a slow network file system
_EXPORTERS = "ONE_LOGGER_EXPORTER_CONFIG_PATH"
_LOOK = 0.5  # seconds between two looks at what a worker has done


def send(left: Left, progress: Optional[Callable[[int], None]] = None) -> Iterator[str]:
    """Send what is left of a run, and say how it went, line by line. ``left.state`` is ``finished`` if all is well.

    Args:
        left: what :func:`look` has found.
        progress: hears twice a second how many rows W&B has on disk by then.
    """
    record = RunRecord.read(left.folder)
    spec = record.spec
    interpreter = find_interpreter(os.environ)
    if interpreter is None:
        yield f"there is no Python interpreter to run wandb on; set {VARIABLE}"
        return
    environ = environment(spec, interpreter, folder=left.folder)
    settle(environ, record.settled)
    refused = _credentials((spec.host or environ.get("WANDB_BASE_URL", "")).rstrip("/"), environ)
    if refused:
        yield refused
        return
    if left.on_disk_only and not left.unplayed and mode(environ) != "offline":
        if spec.host:  # the worker tells wandb.init; `wandb sync` has the environment only
            environ["WANDB_BASE_URL"] = spec.host
        yield from _sync(left, interpreter, environ)
        return
    if left.stored >= left.rows and not left.unplayed:
        # All rows lie in W&B's files: a further file with none would add nothing.
        _mark(left, "finished")
        words = _shell(_sync_commands(left, interpreter, environ), environ)
        yield f"W&B's files have all {left.rows} rows; sync them with: {words}"
        return
    if record.mode == "offline" and not mode(environ):
        environ["WANDB_MODE"] = "offline"
    plays = record.v2 == "worker" and left.v2 in ("", UNPLAYED)
    if plays and record.exporters and not environ.get(_EXPORTERS):
        if _is_safe(Path(record.exporters)):
            environ[_EXPORTERS] = record.exporters
        else:
            name = shown(record.exporters, 300)
            yield f"v2's export configuration {name} is not used: not there, or not this user's; set {_EXPORTERS}"
    yield from _work(left, interpreter, environ, record, progress)


def _is_safe(path: Path) -> bool:
    """Exporters are imported classes: who names them must be this user or root, in a file not writable for all."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return False
    return S_ISREG(found.st_mode) and found.st_uid in (0, os.getuid()) and not found.st_mode & 0o002


def _work(
    left: Left,
    interpreter: Interpreter,
    environ: dict[str, str],
    record: RunRecord,
    progress: Optional[Callable[[int], None]],
) -> Iterator[str]:
    """Let a worker go through the journal."""
    # v2's file exporter writes where the job's would have written
    directory = record.cwd if record.cwd and is_own(Path(record.cwd)) else os.getcwd()
    options = ["--attached", "--recover", "--directory", directory]
    with (left.folder / "worker.log").open("ab") as log:
        try:
            worker = subprocess.Popen(
                start_command(interpreter, left.folder, *options),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=left.folder,
                env=environ,
            )
        except OSError as error:
            yield f"{interpreter.path} ({interpreter.origin}) can not be started ({error.strerror})"
            return
        code = _wait(worker, left, progress)
    if code is None:
        yield f"{interpreter.path} ({interpreter.origin}) has not run our code within {_START_LIMIT:g} s"
        return
    after, mark = look(left.folder), Mark.read(left.folder)
    left.state, left.stored, left.files = after.state, after.stored, after.files
    left.played, left.v2 = after.played, after.v2
    yield from (shown(text, 1000) for text in mark.said)
    if code not in (Exit.DONE, Exit.GIVEN_UP):
        left.state = "failed"
        yield f"the W&B process ended with code {code}; see {left.folder / 'worker.log'}"
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


def _credentials(host: str, environ: dict[str, str]) -> Optional[str]:
    """A key in the environment is for the server that the user's environment names, or for W&B's own.

    Args:
        host: the server that the journal names, or the user's environment; "": W&B's settings decide.
        environ: the worker's environment.
    """
    if not host or not environ.get("WANDB_API_KEY") or mode(environ) == "offline":
        return None
    if host in (os.environ.get("WANDB_BASE_URL", "").rstrip("/"), "https://api.wandb.ai"):
        return None
    if server.netrc_key(environ, host):
        del environ["WANDB_API_KEY"]
        return None
    return f"it goes to {shown(host)}; to send your WANDB_API_KEY there, say so with WANDB_BASE_URL={shown(host)}"


def _sync(left: Left, interpreter: Interpreter, environ: dict[str, str]) -> Iterator[str]:
    commands = _sync_commands(left, interpreter, environ)
    words = _shell(commands, environ)
    why = _out_of_reach(interpreter, environ)
    if why:
        yield f"{shown(why)}; sync W&B's files later with: {words}"
        return
    yield f"all rows are on disk; syncing {len(left.files)} folder(s) with the server"
    for path, command in zip(left.files, commands):
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, env=environ, timeout=_SYNC_LIMIT, check=False
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


def _out_of_reach(interpreter: Interpreter, environ: dict[str, str]) -> Optional[str]:
    """Why the server won't take anything now; None: it may. ``wandb sync`` would try for ever, and say nothing."""
    answer, _ = ask(interpreter, environ)
    if not answer.get("base_url") or not answer.get("direct"):
        return None  # the settings are refused, or a proxy is between: wandb itself will know
    base_url = environ.get("WANDB_BASE_URL") or answer["base_url"]
    key, known = server.credentials(setting(environ, "api_key")[0], environ, base_url)
    if not known:
        return "no API key"
    return server.malformed(key) or server.unreachable(base_url, key, seconds(environ, "ONE_LOGGER_V1_CONNECT_TIMEOUT"))


def _has_sent(path: Path, said: bytes) -> bool:
    """Whether ``wandb sync`` says that it has sent the file. It passes over some, and its exit code is 0 all the same.

    The marker is there if the run was finished; else the last line of newer, or of older versions.
    """
    return path.with_name(f"{path.name}.synced").exists() or b"Finished syncing" in said or b"done." in said


def _sync_commands(left: Left, interpreter: Interpreter, environ: dict[str, str]) -> list[list[str]]:
    """What sends W&B's files, in their order."""
    folders = [path.parent for path in left.files]
    sync = [interpreter.path, "-m", "wandb", "sync"]
    options = sync_options(folders)
    later: list[str] = []
    if len(folders) > 1:  # must it be told that a folder goes on with the run of another one?
        asked = subprocess.run(
            [*sync, "--help"], stdin=subprocess.DEVNULL, capture_output=True, env=environ, check=False
        )
        later = ["--append"] if b"--append" in asked.stdout else []
    return [[*sync, *options, *(later if number else []), str(folder)] for number, folder in enumerate(folders)]


def _shell(commands: list[list[str]], environ: dict[str, str]) -> str:
    """The commands for a shell that has the user's environment."""
    host = environ.get("WANDB_BASE_URL", "")
    prefix = "" if host == os.environ.get("WANDB_BASE_URL", "") else f"WANDB_BASE_URL={quoted(without_user(host))} "
    return " && ".join(prefix + " ".join(map(quoted, command)) for command in commands)


def _mark(left: Left, state: str) -> None:
    left.state = state
    mark = Mark.read(left.folder)
    mark.state, mark.rows = state, left.rows
    mark.write(left.folder)
