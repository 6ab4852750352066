"""The job's end of the journal: rows and calls in, lines on disk. Runs in the job's process."""

from __future__ import annotations

import os
import sys
from collections import deque
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Optional

from .._handlers import raised_by_handler
from .._journal.calls import FINISH, FROM, rows_in
from .._journal.clock import monotonic
from .._journal.files import above_standard, folder_name, overflow, segment, temporary
from .._journal.outside import is_own, make_folder, open_to_write
from .._journal.records import RunRecord
from .._log import warn_once

SEGMENT_BYTES = 16 * 1024 * 1024
# Rows that no disk takes are kept in memory up to these limits, and offered again with each new row.
_MOST_KEPT = 10_000
_MOST_KEPT_BYTES = 64 * 1024 * 1024
_RETRY = 1.0  # seconds between offers


def begin(base: Path, record: RunRecord, synced: bool = False) -> Journal:
    """A new journal in a new folder under ``base``; in the temp directory if that can't be or is not wanted.

    ``synced``: a row is on the disk when its call returns; else the kernel has it, and writes it within seconds.
    ``record`` becomes its ``run.json``, with ``base``: the folder that will hold W&B's ``wandb/``. Raises ``OSError``
    when the temp directory takes nothing either.
    """
    name = folder_name(record.id)
    if record.keep:
        try:
            (base / "wandb").mkdir(parents=True, exist_ok=True)
            folder = base / "wandb" / name
            make_folder(folder)  # fails on anything that is there, a symlink too
            replace(record, base=str(base)).write(folder)
            return Journal(folder, synced)
        except OSError as error:
            warn_once("journal:folder", f"{base}: no journal can be kept there ({error.strerror}); it is kept in "
                      f"{temporary()}; rows are sent from there, and those that W&B lacks at a reboot are lost; set "
                      "WANDB_DIR to another folder")  # fmt: skip
    import tempfile  # only here: a script's own modules may hide what it imports

    folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    # A base that can't be written would send W&B's own folder to the temp directory as well.
    replace(record, base=str(folder if record.keep else base)).write(folder)
    return Journal(folder, synced)


class Journal:
    """Appends lines: one ``write`` for each call of v1. One thread at a time: the process has a lock.

    A signal handler of the job may come between any two instructions of that thread. It may log rows (they follow the
    one that it has interrupted), end the journal, or raise: a row stays in the queue until it is known to be in the
    file, and what is in the file is told from the file.
    """

    def __init__(self, folder: Path, synced: bool = False) -> None:
        self.folder = folder
        self._synced = synced
        # Asked for now: it imports, and an import at exit may make Python forget that Ctrl-C has ended the program (a
        # namedtuple evaluates text, which resets what the exit code is made of).
        self._overflow = overflow(folder)
        self._queue: deque[bytes] = deque()  # lines that are not in a file yet, the oldest first
        self._busy = False
        #: rows that are in a file
        self.written = 0
        self._lost = 0
        self._retry = 0.0
        self._number = 0
        self._descriptor: Optional[int] = None
        self._identity = (0, 0)  # device and inode of the file
        self._size = self._head = 0  # bytes of the file, and of its first line
        self._spilled = False
        self._trouble = ""  # why the disk has not taken a row
        self._opening: Optional[Path] = None
        self._next_segment(folder)

    @property
    def rows(self) -> int:
        """Rows so far, wherever they are."""
        return self.written + self.unwritten

    @property
    def unwritten(self) -> int:
        """Rows that no disk has taken."""
        return sum(map(rows_in, self._queue)) + self._lost if self._queue else self._lost

    def append(self, line: bytes) -> None:
        """Put lines (the last one without its end), what one call of v1 did, on disk in one step.

        Once the line is in the queue no ``Exception`` leaves: trouble is logged once, and the line is offered again
        later. A caller that heard of an exception might give the row again.
        """
        if self._descriptor is None:
            return
        data = line + b"\n"
        queue = self._queue
        queue.append(data)
        if self._busy and self._is_interrupted():
            return
        self._busy = True
        try:
            usual = len(queue) == 1 and self._opening is None and self._write(data)
            if not usual or queue or self._size >= SEGMENT_BYTES:
                self._write_queue()
        except Exception as error:  # the disk's own trouble is dealt with below
            with suppress(Exception):
                self._write_queue()
            if raised_by_handler(error):
                raise
            warn_once(
                "journal:append", f"a row could not be written at once ({error!r}) and follows later; the job goes on"
            )
        finally:
            self._busy = False

    def missed(self, line: bytes, before: int, error: Exception) -> None:
        """:meth:`append` has raised, as no memory is left. ``before``: :attr:`written` before it was called."""
        queue = self._queue
        in_queue = bool(queue) and queue[-1].endswith(line + b"\n")
        if not in_queue and (queue or self.written == before):
            self._lost += rows_in(line)
        warn_once("journal:append", f"a row could not be kept ({error!r}) and is missing in W&B; the job goes on")

    def _is_interrupted(self) -> bool:
        """Whether a signal handler has come into the middle of :meth:`append`.

        Otherwise an earlier ``append`` raised before it could reset ``_busy``; the flag is stale.
        """
        frame: Optional[FrameType] = sys._getframe(2)
        while frame is not None:
            if frame.f_code is Journal.append.__code__ and frame.f_locals.get("self") is self:
                return True
            frame = frame.f_back
        return False

    def end(self, exit_code: int) -> None:
        """Write the last line, with the job's exit code, and give the file back; what comes later is dropped."""
        interrupted, self._busy = self._busy, False
        self.append(FINISH + f" {exit_code}".encode())
        # Who was interrupted in the middle of a row may have the number in hand: it must not become another file's.
        self.close(leave_open=interrupted)

    def close(self, leave_open: bool = False) -> None:
        """Give the file back; what comes later is dropped."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None and not leave_open and self._is_ours(descriptor):
            with suppress(OSError):
                os.close(descriptor)

    # -- the file ----------------------------------------------------------------------------------------------

    def _write_queue(self) -> None:
        queue = self._queue
        if self._opening is not None:  # somebody was interrupted there: the old file is closed to new rows
            self._rotate()
        if len(queue) > 1 and monotonic() < self._retry and not queue[-1].startswith(FINISH):
            self._bound()
            return
        if not self._flush():
            self._retry = monotonic() + _RETRY
            self._go_elsewhere()
            if not self._flush():
                self._bound()
        if self._trouble:
            self._tell()
        # Only when no row is on its way: one that is in the old file already must not follow into the new one. One new
        # file for each call, and only when a line is in the old one: a first line alone may be as long as a file.
        if self._size >= SEGMENT_BYTES and self._size > self._head and not queue and self._rotate():
            self._flush()

    def _flush(self) -> bool:
        """Write what is in the queue. False: the disk does not take it."""
        queue = self._queue
        while queue:
            if not self._write(queue[0]):
                return self._descriptor is None  # a signal handler has ended the journal: nothing to be done
        return True

    def _write(self, data: bytes) -> bool:
        """Write the first line of the queue. False: the disk does not take it."""
        descriptor = self._descriptor
        if descriptor is None:
            return False
        length, written = len(data), 0
        rows = data.count(b"\n{") + (data[:1] == b"{")  # calls.rows_in, without the call
        try:
            end = os.lseek(descriptor, 0, os.SEEK_CUR)
            if self._descriptor is None:  # a signal handler has ended the journal, this line in it
                return False
            if end == self._size or not self._has_it(descriptor, end, data):
                written = os.write(descriptor, data)
                while written < length:
                    written += os.write(descriptor, data[written:])
        except OSError as error:
            if raised_by_handler(error):
                raise
            if self._descriptor is None:  # a signal handler has ended the journal
                return False
            self._trouble = str(error.strerror)
            if written:
                self._cut(descriptor)
            return False
        if self._queue and self._queue[0] is data:  # else a signal handler has done the rest
            # No call from here on: the interpreter looks for signals at calls, and only calls raise.
            self._size += length
            self.written += rows
            del self._queue[0]
        return True

    def _has_it(self, descriptor: int, end: int, data: bytes) -> bool:
        """The file does not end where it should: whether ``data`` is in it, whose writer was interrupted after it.

        Raises ``OSError`` if it is not our file any more.
        """
        if not self._is_ours(descriptor):
            raise OSError(0, "the job has closed its file")
        if end == self._size + len(data):
            return True
        self._cut(descriptor)
        return False

    def _cut(self, descriptor: int) -> None:
        """Half a row: the file ends with whole rows again."""
        with suppress(OSError):
            os.ftruncate(descriptor, self._size)
            os.lseek(descriptor, self._size, os.SEEK_SET)

    def _is_ours(self, descriptor: int) -> bool:
        """A program that closes all descriptors (a daemon) may have got the number for a file of its own."""
        try:
            found = os.fstat(descriptor)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._identity

    # -- another file ------------------------------------------------------------------------------------------

    def _rotate(self) -> bool:
        """Go on in a new file beside the old one. False: it can't be made, the old one goes on."""
        usual = self._overflow if self._spilled else self.folder
        try:
            self._next_segment(usual if self._opening is None else self._opening.parent)
        except OSError:
            return False
        return True

    def _go_elsewhere(self) -> None:
        """The disk takes no more: go on in the temp directory."""
        more = self._overflow
        try:
            with suppress(FileExistsError):  # the worker may have been there first
                make_folder(more)
            if not is_own(more):
                return
            self._next_segment(more)
        except OSError:
            return
        self._spilled = True

    def _tell(self) -> None:
        """One line about a disk that takes no rows: what that costs, and what helps."""
        if self._spilled:
            now = (
                f"it goes on in {self._overflow}; rows are sent from there, "
                "and those that W&B lacks at a reboot are lost"
            )
        elif self._queue:
            now = f"rows wait in memory, {_MOST_KEPT:,} at most, and are offered again; the job goes on"
        else:
            now = "the second try succeeded; the job goes on"
        warn_once("journal:write", f"the journal in {self.folder} cannot be written ({self._trouble}); {now}")
        self._trouble = ""

    def _next_segment(self, folder: Path) -> None:
        """Go on in a new file. Raises ``OSError``; the old file is in force then."""
        path = folder / segment(self._number + 1)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        # Whoever was interrupted here has made the file already, and the worker may be reading it.
        flags |= 0 if path == self._opening else os.O_EXCL
        flags |= getattr(os, "O_DSYNC", 0) if self._synced else 0
        self._opening = path
        try:
            descriptor = above_standard(open_to_write(path, flags))
        except OSError:
            self._opening = None
            raise
        try:
            found, size = self._begin(path, descriptor)
            old = self._descriptor
            if old is not None and self._is_ours(old):
                os.close(old)
        except BaseException:  # a signal handler's, too: nobody else knows the number
            os.close(descriptor)
            raise
        self._descriptor, self._identity, self._size, self._head = descriptor, (found.st_dev, found.st_ino), size, size
        self._number += 1
        self._opening = None

    def _begin(self, path: Path, descriptor: int) -> tuple[os.stat_result, int]:
        """The first line of a new file. Returns what the file is, and where it ends. Raises ``OSError``."""
        head = FROM + f" {self.written}\n".encode()
        try:
            if os.write(descriptor, head) != len(head):
                raise OSError(0, "the disk is full")
            if self._synced:
                _sync_names(path.parent)
            return os.fstat(descriptor), os.lseek(descriptor, 0, os.SEEK_CUR)
        except OSError:
            path.unlink()
            self._opening = None
            raise

    def _bound(self) -> None:
        """Drop the oldest of what no disk takes, beyond the limits."""
        queue = self._queue
        size = sum(map(len, queue))
        while len(queue) > _MOST_KEPT or size > _MOST_KEPT_BYTES:
            dropped = queue.popleft()
            size -= len(dropped)
            self._lost += rows_in(dropped)


def _sync_names(folder: Path) -> None:
    """The journal's files as they are, and their names, are on the disk. Raises ``OSError``."""
    for path in (*(one for one in folder.iterdir() if not one.is_symlink()), folder, folder.parent):
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
