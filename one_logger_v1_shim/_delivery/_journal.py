"""The journal: every row on local disk, one line each, before it goes anywhere else. It is also the queue.

A folder beside the W&B run: ``run.json`` (what the run is, never a key), ``rows-000001.jsonl`` and so on (rows, and
control lines that do not begin with ``{``), ``mark.json`` (how far W&B has taken it; the worker's), ``worker.log``.
"""

from __future__ import annotations

import json
import os
import secrets
import string
import tempfile
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any, Optional

from .._log import warn_once

SEGMENT_BYTES = 16 * 1024 * 1024
FINISH = "#finish"
# Rows that a full disk did not take are kept in memory up to this number, and offered again with each new row.
_MOST_KEPT = 10_000

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


def new_run_id() -> str:
    """A W&B run id: ours to choose, so that a later process can find the run again."""
    letters = string.ascii_lowercase + string.digits
    return "".join(secrets.choice(letters) for _ in range(8))


def segment(number: int) -> str:
    """The name of the journal's ``number``-th file, from 1."""
    return f"rows-{number:06d}.jsonl"


def write_json(path: Path, content: Any) -> None:
    """Replace ``path`` in one step: a reader sees the old content or the new one."""
    partial = path.with_name(path.name + ".partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _NO_FOLLOW, 0o666)
    try:
        os.write(descriptor, json.dumps(content).encode())
    finally:
        os.close(descriptor)
    os.replace(partial, path)


def read_json(path: Path) -> dict[str, Any]:
    """The object in ``path``; empty when there is none or it is damaged."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def make_folder(base: Path, run_id: str, keep: bool) -> Path:
    """A new folder for a journal: under ``base``, in the temp directory if that is not possible or not wanted."""
    name = f"one-logger-{time.strftime('%Y%m%d_%H%M%S')}-{run_id}"
    if keep:
        try:
            (base / "wandb").mkdir(parents=True, exist_ok=True)
            folder = base / "wandb" / name
            folder.mkdir()  # fails on anything that is there, a symlink too
            return folder
        except OSError as error:
            warn_once("journal:folder", f"{base}: no journal can be kept there ({error.strerror}); it is kept in "
                      f"{tempfile.gettempdir()}")  # fmt: skip
    return Path(tempfile.mkdtemp(prefix=f"{name}-"))


class Journal:
    """The job's end: appends. One ``write`` a row; thread-safe; may be re-entered from a signal handler."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = 0
        self._lock = threading.RLock()
        self._number = 0
        self._descriptor: Optional[int] = None
        self._size = 0
        self._kept: deque[bytes] = deque(maxlen=_MOST_KEPT)
        self._next_segment()

    def append(self, line: str) -> None:
        """Put one line on disk. Raises nothing: a full disk is said once, and offered the line again later."""
        data = line.encode("ascii", "backslashreplace") + b"\n"
        with self._lock:
            if self._descriptor is None:
                return
            if not line.startswith("#"):
                self.rows += 1
            if self._kept:
                self._kept.append(data)
                self._offer()
            elif not self._write(data):
                self._kept.append(data)
            if self._size >= SEGMENT_BYTES and not self._kept:
                self._next_segment()

    def close(self) -> None:
        """Give the file back; what comes later is dropped."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is not None:
                os.close(descriptor)

    @property
    def unwritten(self) -> int:
        """Rows that the disk has not taken."""
        return len(self._kept)

    def _offer(self) -> None:
        while self._kept and self._write(self._kept[0]):
            self._kept.popleft()

    def _write(self, data: bytes) -> bool:
        assert self._descriptor is not None
        try:
            written = os.write(self._descriptor, data)
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError as error:
            warn_once("journal:write", f"the journal in {self.folder} can not be written ({error.strerror}); "
                      f"the job goes on, up to {_MOST_KEPT} rows are kept in memory")  # fmt: skip
            self._discard(data)
            return False
        self._size += len(data)
        return True

    def _discard(self, data: bytes) -> None:
        # Half a row may have been written; the file ends with whole rows again.
        try:
            if self._descriptor is not None and os.fstat(self._descriptor).st_size != self._size:
                os.ftruncate(self._descriptor, self._size)
        except OSError:
            pass

    def _next_segment(self) -> None:
        path = self.folder / segment(self._number + 1)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | _NO_FOLLOW
        try:
            descriptor = os.open(path, flags, 0o666)
        except OSError as error:
            if self._descriptor is None:
                raise
            warn_once("journal:segment", f"{path} can not be made ({error.strerror}); the old file goes on")
            return
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor, self._number, self._size = descriptor, self._number + 1, 0


class Follower:
    """The worker's end: reads whole lines as they come, over all segments."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = 0
        self._number = self._first()
        self._file: Any = None
        self._rest = b""

    def _first(self) -> int:
        numbers = sorted(int(path.stem[5:]) for path in self.folder.glob("rows-*.jsonl") if path.stem[5:].isdigit())
        return numbers[0] if numbers else 1

    def lines(self, most: int = 1000) -> list[bytes]:
        """Up to ``most`` new lines, without their ends; empty when there is nothing new. A torn last line waits."""
        found: list[bytes] = []
        while len(found) < most:
            if self._file is None:
                try:
                    descriptor = os.open(self.folder / segment(self._number), os.O_RDONLY | _NO_FOLLOW)
                except OSError:
                    return found
                self._file = os.fdopen(descriptor, "rb")
            line = self._file.readline()
            if line.endswith(b"\n"):
                found.append(self._rest + line[:-1])
                self._rest = b""
                continue
            self._rest += line
            if line or self._rest or not (self.folder / segment(self._number + 1)).exists():
                return found
            # The next file is there, so this one is complete; look once more, then leave it.
            line = self._file.readline()
            if line:
                self._rest = line
                continue
            self._file.close()
            self._file = None
            self._number += 1
            self._drop_old()
        return found

    def _drop_old(self) -> None:
        """Remove what W&B has taken, but for the newest closed file: ``run.log`` returning is not durability."""
        old = self.folder / segment(self._number - 2)
        if self._number > 2 and old.exists():
            old.unlink()
