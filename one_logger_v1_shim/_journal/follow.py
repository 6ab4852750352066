"""Reading a journal: whole lines as they come, over all its files, and the removal of what is safe.

Both processes.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Optional

from .calls import ROW
from .files import overflow, segment, segment_number
from .outside import MOST_LINE, is_ours, is_own, open_to_read

_CHUNK = 256 * 1024
_END = -1


class Follower:
    """Reads whole lines. A torn last line waits until it is whole, or for ever."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._number = self._first()
        self._descriptor: Optional[int] = None
        self._at = 0
        #: file -> how many rows there are up to its end
        self._ends: dict[Path, int] = {}
        self._held: set[int] = set()

    def _first(self) -> int:
        numbers = map(segment_number, self.folder.glob("rows-*.jsonl"))
        return min((number for number in numbers if number is not None), default=1)

    def lines(self, taken: int) -> list[bytes]:
        """New lines without their ends, about a quarter of a megabyte; empty when there is nothing new.

        ``taken``: how many rows the caller has taken so far.
        """
        while True:
            if self._descriptor is None and not self._open():
                return []
            complete = self._path(self._number + 1) is not None  # asked before reading
            found = self._read()
            if found or not complete:
                return found
            self._next(taken)

    def _open(self) -> bool:
        path = self._path(self._number)
        try:
            if path is None:
                return False
            self._descriptor = open_to_read(path)
        except OSError:
            return False
        self._at = 0
        return True

    def _read(self) -> list[bytes]:
        assert self._descriptor is not None
        if self._at == _END:
            return []
        size = _CHUNK
        while True:
            os.lseek(self._descriptor, self._at, os.SEEK_SET)
            data = os.read(self._descriptor, size)
            end = data.rfind(b"\n") + 1
            if end:
                self._at += end
                return data[: end - 1].split(b"\n")
            if len(data) < size:
                return []
            if size >= MOST_LINE:  # damaged: the rest of the file is one row that nobody can read
                self._at = _END
                return [ROW]
            size *= 4  # a row that is longer than that

    def _path(self, number: int) -> Optional[Path]:
        more = overflow(self.folder)
        for folder in (self.folder, more):
            path = folder / segment(number)
            if os.path.lexists(path) and (folder is self.folder or is_own(more, self.folder)):
                return path
        return None

    def _next(self, taken: int) -> None:
        assert self._descriptor is not None
        path = self._path(self._number)
        if path is not None and self._number not in self._held:
            self._ends[path] = taken
        os.close(self._descriptor)
        self._descriptor = None
        self._number += 1

    def hold(self) -> None:
        """Never remove the file that is read now: it has a row that W&B has not as it was."""
        self._held.add(self._number)

    @property
    def segment(self) -> int:
        """The number of the file that the last lines are from."""
        return self._number

    def waiting(self) -> bool:
        """Whether there are files that can be removed once W&B has their rows."""
        return bool(self._ends)

    def remove(self, stored: int, keep: int = 0) -> None:
        """Remove the files whose rows are all among the first ``stored`` ones, which W&B has on disk.

        ``keep``: how many of the files that are complete stay all the same.
        """
        if not is_ours(self.folder):
            return
        complete = list(self._ends.items())
        for path, end in complete[: len(complete) - keep]:
            if end <= stored:
                del self._ends[path]
                with suppress(OSError):
                    path.unlink()

    def close(self) -> None:
        """Give the file back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
