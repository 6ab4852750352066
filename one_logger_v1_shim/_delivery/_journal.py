"""The journal: every row on local disk, one line each, before it goes anywhere else. It is also the queue.

A folder beside the W&B run: ``run.json`` (what the run is, never a key), ``rows-000001.jsonl`` and so on (rows, and
control lines that do not begin with ``{``), ``mark.json`` (how far W&B has taken it; the worker's), ``worker.log``.
When the disk takes no more, the files go on in :func:`overflow`, a folder in the temp directory.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
import string
import tempfile
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Optional

from .._log import logger, warn_once

SEGMENT_BYTES = 16 * 1024 * 1024
_CONTROL = ord("#")  # begins a line that is no row
FINISH = "#finish"  # and the job's exit code: nothing comes after it
FROM = "#from"  # and the number of rows in the files before this one, which may have been removed
# Rows that no disk takes are kept in memory up to these limits, and offered again with each new row.
_MOST_KEPT = 10_000
_MOST_KEPT_BYTES = 64 * 1024 * 1024
_RETRY = 1.0  # seconds between offers

NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_PREFIX = "one-logger-"


def new_run_id() -> str:
    """A W&B run id: ours to choose, so that a later process can find the run again."""
    letters = string.ascii_lowercase + string.digits
    return "".join(secrets.choice(letters) for _ in range(8))


def segment(number: int) -> str:
    """The name of the journal's ``number``-th file, from 1."""
    return f"rows-{number:06d}.jsonl"


def overflow(folder: Path) -> Path:
    """Where the journal in ``folder`` goes on when its disk takes no more. The run's id makes the name our own."""
    return Path(tempfile.gettempdir()) / f"{folder.name}-more"


def is_own(folder: Path) -> bool:
    """Is it a folder of this user, and no symlink to one?"""
    try:
        found = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()


def has_room(folder: Path) -> bool:
    """Does the disk of ``folder`` take as much as wandb writes at a time?"""
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            return file.write(bytes(65536)) == 65536
    except OSError:
        return False


def elsewhere(about: Mapping[str, Any]) -> list[Path]:
    """The folder of the run, if ``about`` is the ``run.json`` of a journal in the temp directory.

    A file says so: it is to be looked at, and nothing more.
    """
    base = about.get("base")
    return [Path(base)] if about.get("keep") is False and isinstance(base, str) else []


def write_json(path: Path, content: Any) -> None:
    """Replace ``path`` in one step: a reader sees the old content or the new one. Raises ``OSError``."""
    partial = path.with_name(path.name + ".partial")
    with suppress(FileNotFoundError):
        partial.unlink()
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW, 0o666)
    data = json.dumps(content).encode()
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    finally:
        os.close(descriptor)
    os.replace(partial, path)


def read_json(path: Path) -> dict[str, Any]:
    """The object in ``path``; empty when there is none or it is damaged. Follows no symlink."""
    try:
        descriptor = os.open(path, os.O_RDONLY | NO_FOLLOW | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            content = json.loads(file.read(4 * 1024 * 1024))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def read_mark(folder: Path) -> dict[str, Any]:
    """How far W&B has taken the journal in ``folder``; empty before the worker has said so."""
    more = overflow(folder)
    return (read_json(more / "mark.json") if is_own(more) else {}) or read_json(folder / "mark.json")


def write_mark(folder: Path, mark: dict[str, Any]) -> None:
    """Replace the mark of the journal in ``folder``. Raises ``OSError`` when no disk takes it."""
    more = overflow(folder)
    try:
        write_json(folder / "mark.json", mark)
    except OSError:
        with suppress(FileExistsError):
            more.mkdir(mode=0o700)
        if not is_own(more):
            raise
        write_json(more / "mark.json", mark)
    else:
        if is_own(more):
            with suppress(OSError):
                (more / "mark.json").unlink()


def folder_name(run_id: str) -> str:
    """The name of a new journal's folder."""
    return f"{_PREFIX}{time.strftime('%Y%m%d_%H%M%S')}-{run_id}"


def begin(base: Path, run_id: str, keep: bool, about: dict[str, Any], followed: bool = True) -> Journal:
    """A new journal in a new folder under ``base``; in the temp directory if that can't be or is not wanted.

    ``about`` becomes its ``run.json``, with ``base``: the folder that will hold W&B's ``wandb/``. Raises ``OSError``
    when the temp directory takes nothing either.
    """
    name = folder_name(run_id)
    if keep:
        try:
            (base / "wandb").mkdir(parents=True, exist_ok=True)
            folder = base / "wandb" / name
            folder.mkdir()  # fails on anything that is there, a symlink too
            write_json(folder / "run.json", {**about, "base": str(base)})
            return Journal(folder, followed)
        except OSError as error:
            warn_once("journal:folder", f"{base}: no journal can be kept there ({error.strerror}); it is kept in "
                      f"{tempfile.gettempdir()}")  # fmt: skip
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    # A base that can't be written would send W&B's own folder to the temp directory as well.
    write_json(folder / "run.json", {**about, "base": str(folder if keep else base)})
    return Journal(folder, followed)


class Journal:
    """The job's end: appends. One ``write`` a row; one thread at a time: its sink has a lock.

    ``followed``: a worker reads it, and removes files when W&B has their rows; else the last two are kept.
    """

    def __init__(self, folder: Path, followed: bool = True) -> None:
        self._followed = followed
        self.folder = folder
        self.rows = 0
        self._number = 0
        self._descriptor: Optional[int] = None
        self._size = 0
        self._spilled = False
        self._kept: deque[bytes] = deque()
        self._kept_bytes = 0
        self._lost = 0
        self._retry = 0.0
        self._next_segment(folder)

    def append(self, line: bytes) -> None:
        """Put one line (given without its end) on disk.

        Raises nothing: trouble is said once, and the line offered again later.
        """
        data = line + b"\n"
        control = data[0] == _CONTROL
        if self._descriptor is None:
            return
        if not control:
            self.rows += 1
        if self._kept:
            self._keep(data)
            self._offer(control)
        elif not self._write(data):
            self._keep(data)
            self._offer(True)
        if self._size >= SEGMENT_BYTES and not self._kept:
            with suppress(OSError):  # then the old file goes on
                self._next_segment(overflow(self.folder) if self._spilled else self.folder)
                if not self._followed and self._number > 2:
                    (self.folder / segment(self._number - 2)).unlink()

    def close(self) -> None:
        """Give the file back; what comes later is dropped."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None and self._is_ours(descriptor):
            with suppress(OSError):
                os.close(descriptor)

    @property
    def unwritten(self) -> int:
        """Rows that no disk has taken."""
        return len(self._kept) + self._lost

    def _is_ours(self, descriptor: int) -> bool:
        """A program that closes all descriptors (a daemon) may have got the number for a file of its own."""
        try:
            return os.lseek(descriptor, 0, os.SEEK_CUR) == self._size
        except OSError:
            return False

    def _write(self, data: bytes) -> bool:
        descriptor = self._descriptor
        if descriptor is None:
            return False
        written = 0
        try:
            if os.lseek(descriptor, 0, os.SEEK_CUR) != self._size:  # see _is_ours
                raise OSError(0, "the job has closed its file")
            written = os.write(descriptor, data)
            while written < len(data):
                written += os.write(descriptor, data[written:])
        except OSError as error:
            warn_once("journal:write", f"the journal in {self.folder} can not be written ({error.strerror}); "
                      "the job goes on")  # fmt: skip
            if written:  # half a row: the file ends with whole rows again
                with suppress(OSError):
                    os.ftruncate(descriptor, self._size)
                    os.lseek(descriptor, self._size, os.SEEK_SET)
            return False
        self._size += len(data)
        return True

    def _keep(self, data: bytes) -> None:
        self._kept.append(data)
        self._kept_bytes += len(data)
        while len(self._kept) > _MOST_KEPT or self._kept_bytes > _MOST_KEPT_BYTES:
            self._kept_bytes -= len(self._kept.popleft())
            self._lost += 1

    def _offer(self, now: bool) -> None:
        """Write what is kept in memory, in a new file if the old one takes nothing."""
        if not now and time.monotonic() < self._retry:
            return
        self._retry = time.monotonic() + _RETRY
        self._flush()
        if not self._kept:
            return
        more = overflow(self.folder)
        try:
            with suppress(FileExistsError):  # the worker may have been there first
                more.mkdir(mode=0o700)
            if not is_own(more):
                return
            self._next_segment(more)
        except OSError:
            return
        if not self._spilled:
            self._spilled = True
            logger.warning("the journal of %s goes on in %s", self.folder, more)
        self._flush()

    def _flush(self) -> None:
        while self._kept and self._write(self._kept[0]):
            self._kept_bytes -= len(self._kept.popleft())

    def _next_segment(self, folder: Path) -> None:
        """Go on in a new file. Raises ``OSError``; the old file is in force then."""
        path = folder / segment(self._number + 1)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | NO_FOLLOW
        descriptor = os.open(path, flags, 0o666)
        before = self.rows - self._lost - sum(1 for one in self._kept if not one.startswith(b"#"))
        head = f"{FROM} {before}\n".encode()
        try:
            if os.write(descriptor, head) != len(head):
                raise OSError(0, "the disk is full")
        except OSError:
            os.close(descriptor)
            path.unlink()
            raise
        if self._descriptor is not None and self._is_ours(self._descriptor):
            os.close(self._descriptor)
        self._descriptor, self._number, self._size = descriptor, self._number + 1, len(head)
