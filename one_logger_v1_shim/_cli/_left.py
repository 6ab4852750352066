"""Journals whose run did not finish and whose job is gone: how much W&B has of them.

What a journal's files say is data: paths in them lead nowhere, names are checked, text is cut before it is shown.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from .._journal.calls import is_call
from .._journal.files import overflow, quoted, temporary
from .._journal.locks import locked
from .._journal.outside import is_own, writers
from .._journal.process_table import is_running
from .._journal.records import UNPLAYED, UNSENT, Mark, RunRecord, is_run_id, read_played, run_id
from .._journal.system import is_mine, user_number
from .._journal.wandb_file import FOLDERS, Scanner, is_offline, rows_at_end, run_files
from ._belongs import belonging, journal_lines
from ._format import clean

# A worker writes its mark twice a minute: on another machine that is the only sign of life.
_QUIET = 180.0


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
    #: a collector has not taken all spans and metrics
    unsent: bool = False
    state: str = ""
    #: W&B's files of the run, and all that have its id: the rows in a file say whose it is
    files: list[Path] = field(default_factory=list)
    known: list[Path] = field(default_factory=list)
    busy: Optional[str] = None
    #: why nothing can be done about it
    damaged: Optional[str] = None

    @property
    def finished(self) -> bool:
        """Whether there is nothing to do."""
        return self.state == "finished" and self.stored >= self.rows and not self.unplayed and not self.unsent

    @property
    def unplayed(self) -> int:
        """Lines of v1 calls that v2 has not heard and could still hear."""
        return max(0, self.calls - self.played) if self.v2 in ("", UNPLAYED) else 0

    @property
    def on_disk_only(self) -> bool:
        """Whether W&B has all rows in its files, but the server did not take them."""
        return self.rows > 0 and self.stored >= self.rows and not all(is_offline(one.parent) for one in self.files)


def find(where: Optional[Path]) -> list[Path]:
    """The user's own journals at ``where`` (one, a folder of them, or one that holds ``wandb/``), oldest first.

    Without ``where``: below the working directory, ``WANDB_DIR`` and the temp directory.
    """
    # an administrator recovers what users have left, where he names it
    own = is_own if where is None or user_number() != 0 else _is_somebodys
    if where is not None:
        if own(where) and os.path.isfile(where / "run.json"):
            return [where]
        places = [where, where / "wandb"]
    else:
        given = os.environ.get("WANDB_DIR")
        places = [Path("wandb"), *([Path(given), Path(given) / "wandb"] if given else []), temporary()]
    found: dict[str, Path] = {}
    for place in places:
        for folder in place.glob("one-logger-*"):
            if own(folder) and os.path.lexists(folder / "run.json"):
                found.setdefault(os.path.realpath(folder), folder)
    return sorted(found.values(), key=lambda one: one.name)


def _is_somebodys(folder: Path) -> bool:
    return is_own(folder, folder)


def examine(folder: Path) -> Left:
    """As :func:`look`, for what is to be sent. Whatever is wrong with one journal is nothing to the others."""
    try:
        left = look(folder)
        left.damaged = left.damaged or (None if left.finished else _distrusted(folder))
    except Exception as error:
        left = Left(folder, damaged=f"it cannot be read ({error!r})")
    return left


def look(folder: Path, rows: Optional[int] = None) -> Left:
    """What is left of the run whose journal is in ``folder``. Changes nothing.

    Args:
        folder: the journal.
        rows: how many rows it has, if the caller has counted them to show the run. Then W&B's files are read from
            their end only: quick on a long run, and blind to damage in the middle of a file.
    """
    folder = Path(os.path.abspath(folder))
    record, mark = RunRecord.read(folder), Mark.read(folder)
    left = Left(folder, state=mark.state, v2=mark.v2, unsent=mark.otlp == UNSENT)
    known = run_id(record)
    if known is None:
        left.damaged = "its run.json is damaged: no run id"
        return left
    if not record.readable:
        left.damaged = f"its journal has format {record.format}, which this version cannot read"
        return left
    left.rows, calls = _count(folder) if rows is None else (rows, 0)
    if record.v2 == "worker":
        left.calls, left.played = calls, read_played(folder)
    bases = [*record.elsewhere, folder.parent.parent, folder, overflow(folder)]
    homes = list(dict.fromkeys([base / name for base in bases for name in FOLDERS] + [folder.parent]))
    quick = rows is not None
    for one in dict.fromkeys([known, *([mark.id] if is_run_id(mark.id) else [])]):
        stored = {path: _stored(path, quick) for home in homes for path in run_files(home, one)}
        found, certain = (list(stored), bool(stored)) if quick else belonging(folder, stored)
        left.known.extend(stored)
        if certain or not left.run_id:  # the id that W&B has given it, if there are rows of it under that one
            left.run_id, left.files = one, found
            left.stored = max((stored[path] for path in found), default=0)
    left.busy = "its W&B process is at work" if locked(folder) else job_runs(folder, record)
    return left


def _distrusted(folder: Path) -> Optional[str]:
    """Why a journal may be somebody else's work, or not only this user's, and what makes it his; None: it is his."""
    why = writers(folder)
    return None if why is None else f"{why}; if you trust what is in it: chmod -R go-w {quoted(folder)}, and again"


def somebodys(folder: Path) -> Optional[str]:
    """Whose journal that is, if not this user's."""
    try:
        import pwd

        owner = os.lstat(folder).st_uid
        return None if is_mine(owner) else pwd.getpwuid(owner).pw_name
    except (ImportError, OSError):
        return None
    except KeyError:
        return f"user {owner}"


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
    rows = calls = 0
    for counted, line in journal_lines(folder):
        rows, calls = counted, calls + is_call(line)
    return rows, calls


def shown(value: object, most: int = 200) -> str:
    """Text from a file, for a terminal: cut, without what a terminal would obey and without what is secret."""
    return clean(value, most)
