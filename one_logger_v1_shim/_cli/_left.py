"""Journals whose run did not finish and whose job is gone: what W&B has, and sending it the rest.

What a journal's files say is data: paths in them lead nowhere, names are checked, text is cut before it is shown, and a
key from the environment goes to no server that only a file names.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from typing import Callable, Optional

from .._job.environment import environment, start_command
from .._job.interpreter import VARIABLE, Interpreter
from .._job.interpreter import find as find_interpreter
from .._job.process import Exit
from .._journal.destination import mode, settle
from .._journal.files import is_own, quoted
from .._journal.follow import Follower
from .._journal.lines import FINISH, FROM, is_call, is_row, number
from .._journal.process_table import is_running
from .._journal.records import Mark, RunRecord
from .._worker import server
from .._worker.children import locked
from .._worker.player import UNPLAYED, read_played
from .._worker.wandb_file import FOLDERS, Scanner, rows_at_end, run_files

_ID = re.compile(r"[a-z0-9]{8}")
_GIVEN_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")
# A worker writes its mark twice a minute: on another machine that is the only sign of life.
_QUIET = 180.0
_SYNC_LIMIT = 1800.0
_EXPORTERS = "ONE_LOGGER_EXPORTER_CONFIG_PATH"
_LOOK = 0.5  # seconds between two looks at what a worker has done


@dataclass
class Left:
    """One journal: how much there is, how much W&B has on disk, and why it can't be sent now, if so."""

    folder: Path
    run_id: str = ""
    rows: int = 0
    stored: int = 0
    calls: int = 0
    played: int = 0
    v2: str = ""
    state: str = ""
    files: list[Path] = field(default_factory=list)
    busy: Optional[str] = None

    @property
    def finished(self) -> bool:
        """Is there nothing to do?"""
        return self.state == "finished" and self.stored >= self.rows and not self.unplayed

    @property
    def unplayed(self) -> int:
        """Lines of v1 calls that v2 has not heard and could still hear."""
        return max(0, self.calls - self.played) if self.v2 in ("", UNPLAYED) else 0

    @property
    def on_disk_only(self) -> bool:
        """Has W&B all rows in its files, but a server that did not take them?"""
        return self.rows > 0 and self.stored >= self.rows and any(one.parent.name[:4] == "run-" for one in self.files)


def find(where: Optional[Path]) -> list[Path]:
    """The user's own journals at ``where`` (one, a folder of them, or one that holds ``wandb/``), oldest first.

    Without ``where``: below the working directory, ``WANDB_DIR`` and the temp directory.
    """
    if where is not None:
        if is_own(where) and (where / "run.json").is_file():
            return [where]
        places = [where, where / "wandb"]
    else:
        given = os.environ.get("WANDB_DIR")
        places = [Path("wandb"), *([Path(given), Path(given) / "wandb"] if given else []), Path(tempfile.gettempdir())]
    found: dict[str, Path] = {}
    for place in places:
        for folder in place.glob("one-logger-*"):
            if is_own(folder) and (folder / "run.json").is_file():
                found.setdefault(os.path.realpath(folder), folder)
    return sorted(found.values(), key=lambda one: one.name)


def look(folder: Path, rows: Optional[int] = None) -> Left:
    """What is left of the run whose journal is in ``folder``. Changes nothing.

    Args:
        folder: the journal.
        rows: how many rows it has, if the caller has counted them to show the run. Then W&B's files are read from
            their end only: quick on a long run, and blind to damage in the middle of a file.
    """
    folder = Path(os.path.abspath(folder))
    record, mark = RunRecord.read(folder), Mark.read(folder)
    left = Left(folder, state=mark.state, v2=mark.v2)
    if not _ID.fullmatch(record.id):
        left.busy = "its run.json is damaged: no run id"
        return left
    if not record.readable:
        left.busy = f"its journal has format {record.format}, which this version can not read"
        return left
    run_id = left.run_id = mark.id if _GIVEN_ID.fullmatch(mark.id) else record.id
    left.rows, calls = _count(folder) if rows is None else (rows, 0)
    if record.v2 == "worker":
        left.calls, left.played = calls, read_played(folder)
    bases = [*record.elsewhere, folder.parent.parent, folder, Path(tempfile.gettempdir()) / f"{folder.name}-more"]
    homes = dict.fromkeys([base / name for base in bases for name in FOLDERS] + [folder.parent])
    left.files = [path for home in homes for path in run_files(home, run_id)]
    left.stored = max((_stored(path, quick=rows is not None) for path in left.files), default=0)
    left.busy = "its W&B process is at work" if locked(folder) else job_runs(folder, record)
    return left


def _stored(path: Path, quick: bool) -> int:
    if not quick:
        return Scanner(path).advance()
    try:
        return rows_at_end(path)
    except OSError:
        return 0


def job_runs(folder: Path, record: RunRecord) -> Optional[str]:
    """Where the job of a journal runs, in words; None if it is over."""
    machine = record.machine
    if machine == socket.gethostname() or machine is None:
        if record.pid is not None and is_running(record.pid, record.started):
            return f"its job runs (process {record.pid})"
        return None
    newest = max((path.lstat().st_mtime for path in folder.iterdir()), default=0.0)
    if time.time() - newest < _QUIET:
        return f"its job seems to run on {shown(machine)}"
    return None


def _count(folder: Path) -> tuple[int, int]:
    """How many rows and how many lines of calls the journal in ``folder`` has."""
    follower = Follower(folder)
    rows = calls = 0
    while True:
        lines = follower.lines(rows)
        if not lines:
            follower.close()
            return rows, calls
        for line in lines:
            if is_row(line):
                rows += 1
            elif is_call(line):
                calls += 1
            elif line.startswith(FROM):
                rows = max(rows, number(line))
            elif line.startswith(FINISH):
                follower.close()
                return rows, calls


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
    environ = environment(spec, interpreter)
    settle(environ, record.settled)
    refused = _credentials((spec.host or environ.get("WANDB_BASE_URL", "")).rstrip("/"), environ)
    if refused:
        yield refused
        return
    if left.on_disk_only and not left.unplayed and mode(environ) != "offline":
        yield from _sync(left, interpreter, environ)
        return
    if left.stored >= left.rows and not left.unplayed:
        # All rows lie in W&B's files: a further file with none would add nothing.
        _mark(left, "finished")
        yield f"W&B's files have all {left.rows} rows; sync them with: {_sync_words(left)}"
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
    after, mark = look(left.folder), Mark.read(left.folder)
    left.state, left.stored, left.files = after.state, after.stored, after.files
    left.played, left.v2 = after.played, after.v2
    if code not in (Exit.DONE, Exit.GIVEN_UP):
        left.state = "failed"
        yield f"the W&B process ended with code {code}; see {left.folder / 'worker.log'}"
    elif mark.notice:
        yield shown(mark.notice, 1000)
    else:
        yield f"sent; {shown(mark.url or 'all rows are with W&B')}"


def _wait(worker: subprocess.Popen[bytes], left: Left, progress: Optional[Callable[[int], None]]) -> int:
    """The exit code of the worker. Ctrl-C ends the worker, too: what it has not sent waits for the next time."""
    while True:
        try:
            return worker.wait(timeout=_LOOK if progress is not None else None)
        except subprocess.TimeoutExpired:
            if progress is not None:
                progress(look(left.folder, rows=left.rows).stored)
        except BaseException:
            worker.kill()
            worker.wait()
            raise


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
    yield f"all rows are on disk; syncing {len(left.files)} folder(s) with the server"
    for path in left.files:
        command = [interpreter.path, "-m", "wandb", "sync", str(path.parent)]
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, env=environ, timeout=_SYNC_LIMIT, check=False
            )
        except subprocess.TimeoutExpired:
            yield f"no end within {_SYNC_LIMIT:g} s: {_sync_words(left)}"
            return
        if done.returncode != 0:
            last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
            yield f"wandb sync failed: {shown(''.join(last))}; try: {_sync_words(left)}"
            return
    _mark(left, "finished")
    yield "synced"


def _sync_words(left: Left) -> str:
    return "wandb sync " + " ".join(quoted(path.parent) for path in left.files)


def _mark(left: Left, state: str) -> None:
    left.state = state
    mark = Mark.read(left.folder)
    mark.state, mark.rows = state, left.rows
    mark.write(left.folder)


def shown(value: object, most: int = 200) -> str:
    """Text from a file, for a terminal: cut, and without what a terminal would obey."""
    text = "".join(one if one.isprintable() else "?" for one in str(value)[: most + 1])
    return text if len(text) <= most else text[:most] + "..."
