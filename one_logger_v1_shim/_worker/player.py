"""Plays v1's calls to v2, in a thread of the worker's own: rows never wait for v2.

The calls stand in the journal, each line with the job's clock readings. How many lines have been played is written
down after each one (``played``), so that a worker that goes on for one that was killed tells v2's exporters nothing
twice: it plays what they have heard with their ears closed, to have the same spans open, and then the rest.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from .._journal.files import NO_FOLLOW
from .._journal.follow import Follower
from .._journal.lines import FINISH, FROM, calls, is_call, is_row, number
from .._journal.records import RunRecord
from .._log import logger
from .children import say

if TYPE_CHECKING:
    from .._v2.playback import Playback

_POLL = 0.1  # seconds between looks at the journal

PLAYED, UNPLAYED = "played", "unplayed"


class Player(threading.Thread):
    """One journal's calls, played to v2.

    Attributes:
        state: :data:`UNPLAYED`, :data:`PLAYED`, or why v2 hears nothing.
        rows: rows that have passed.
        said: what was logged about v2, for the job to log.
    """

    def __init__(self, folder: Path, record: RunRecord) -> None:
        super().__init__(name="v2", daemon=True)
        self.state = UNPLAYED
        self.rows = 0
        self.said: list[str] = []
        self._folder = folder
        self._record = record
        self._follower = Follower(folder)
        self._before = read_played(folder)
        self._lines = 0
        self._row_at: Optional[Any] = None
        self._last: Any = (record.created, 1.0)
        self._gone = threading.Event()
        self._halt = threading.Event()

    def job_has_gone(self) -> None:
        """Nothing more will be written: the end of the files is the end."""
        self._gone.set()

    def stop(self, limit: float = 2.0) -> None:
        """Stop between two lines; what is left is for the next worker."""
        self._halt.set()
        if self.is_alive():
            self.join(limit)

    def run(self) -> None:
        """The thread."""
        handler = _Overheard(self.said)
        logger.addHandler(handler)
        try:
            self._run()
        finally:
            logger.removeHandler(handler)

    def _run(self) -> None:
        try:
            from .._v2.playback import Playback
        except Exception as error:
            self._deaf(error)
            return
        try:
            values = self._record.v2_values or {}
            playback = Playback(values, self._record.id, resumed=self._before > 0)
        except Exception as error:
            self._deaf(error)
            return
        try:
            if self._follow(playback):
                playback.close(self._last)
                self.state = PLAYED
        except Exception as error:  # the journal can't be read: the rows have the same trouble, and say so
            say(f"v2: {error!r}")
        finally:
            self._follower.close()

    def _deaf(self, error: Exception) -> None:
        missing = isinstance(error, ImportError)
        what = "is not installed" if missing and "nv_one_logger" in str(error) else f"could not be set up ({error!r})"
        self.state = f"v2 (nv_one_logger) hears nothing: it {what} in {sys.executable}; v1 rows are not affected"
        say(self.state)

    def _follow(self, playback: Playback) -> bool:
        """Play until the end. False: stopped before it."""
        while not self._halt.is_set():
            gone = self._gone.is_set()
            lines = self._follower.lines(self.rows)
            for line in lines:
                if self._halt.is_set():
                    return False
                if is_row(line):
                    self.rows += 1
                    self._play_row(playback, line)
                elif is_call(line):
                    self._play(playback, line)
                elif line.startswith(FROM):
                    self.rows = max(self.rows, number(line))
                elif line.startswith(FINISH):
                    return True
            if not lines:
                if gone:
                    return True
                self._halt.wait(_POLL)
        return False

    def _play(self, playback: Playback, line: bytes) -> None:
        heard = self._lines < self._before
        try:
            for name, arguments in calls(line):
                self._last = arguments[0] if name != "value" else self._last
                if name == "row":
                    self._row_at = arguments[0]
                else:
                    playback.play(name, arguments, heard)
        except Exception as error:
            say(f"v2: a line of calls could not be played: {error!r}")
        if self._row_at is None:
            self._count()

    def _play_row(self, playback: Playback, row: bytes) -> None:
        at, self._row_at = self._row_at, None
        if at is not None:
            playback.play("row", [at, row], self._lines < self._before)
            self._count()

    def _count(self) -> None:
        self._lines += 1
        if self._lines > self._before:
            _write_played(self._folder, self._lines)


class _Overheard(logging.Handler):
    """What the thread that makes it logs, in ``said`` and in worker.log."""

    def __init__(self, said: list[str]) -> None:
        super().__init__()
        self._said = said
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        say(text)
        if record.thread == self._thread:
            self._said.append(text)


def read_played(folder: Path) -> int:
    """How many lines of calls v2 has heard of the journal in ``folder``."""
    try:
        descriptor = os.open(folder / "played", os.O_RDONLY | NO_FOLLOW)
        with os.fdopen(descriptor, "rb") as file:
            return int.from_bytes(file.read(8), "big")
    except OSError:
        return 0


def _write_played(folder: Path, lines: int) -> None:
    with suppress(OSError):
        descriptor = os.open(folder / "played", os.O_WRONLY | os.O_CREAT | NO_FOLLOW, 0o666)
        try:
            os.pwrite(descriptor, lines.to_bytes(8, "big"), 0)
        finally:
            os.close(descriptor)
