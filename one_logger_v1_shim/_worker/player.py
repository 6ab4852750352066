"""Plays v1's calls to v2, in a thread of the worker's own: rows never wait for v2. Runs in the worker's process.

The calls stand in the journal, with the job's clock readings. How many lines of them have been played is written down
after each one (``played``), so that a worker that goes on for one that was killed tells v2's exporters nothing twice:
it plays what they have heard without telling them, to have the same spans open, and then the rest.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from .._journal.calls import FINISH, FROM, Call, Reading, calls, is_call, is_row, number
from .._journal.follow import Follower
from .._journal.records import PLAYED, UNPLAYED, RunRecord, read_played, write_played
from .._log import logger
from .children import say

if TYPE_CHECKING:
    from .._v2.replay import Replay

_POLL = 0.1  # seconds between looks at the journal


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
        self._pending: deque[Call] = deque()  # of the line at hand; of a `row` the row has not come yet
        self._last: Reading = (record.created, 1.0)
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
            # a broken installation of v2 may raise anything, and end the process
            from .._v2.replay import Replay

            replay = Replay(self._record.v2_values or {}, self._record.id, resumed=self._before > 0)
        except BaseException as error:
            self._hears_nothing(error)
            return
        try:
            if self._follow(replay):
                replay.close(self._last)
                self.state = PLAYED
        except Exception as error:  # the journal can't be read: the rows have the same trouble, and say so
            say(f"v2: {error!r}")
        finally:
            self._follower.close()

    def _hears_nothing(self, error: BaseException) -> None:
        missing = isinstance(error, ImportError)
        what = "is not installed" if missing and "nv_one_logger" in str(error) else f"could not be set up ({error!r})"
        self.state = f"v2 (nv_one_logger) hears nothing: it {what} in {sys.executable}; v1 rows are not affected"
        say(self.state)

    def _follow(self, replay: Replay) -> bool:
        """Play until the end. False: stopped before it."""
        while not self._halt.is_set():
            gone = self._gone.is_set()
            lines = self._follower.lines(self.rows)
            for line in lines:
                if self._halt.is_set():
                    return False
                if is_row(line):
                    self.rows += 1
                    if self._pending:
                        self._play(replay, line)
                elif is_call(line):
                    self._read(line)
                    self._play(replay, None)
                elif line.startswith(FROM):
                    self.rows = max(self.rows, number(line))
                elif line.startswith(FINISH):
                    return True
            if not lines:
                if gone:
                    return True
                self._halt.wait(_POLL)
        return False

    def _read(self, line: bytes) -> None:
        self._pending.clear()  # of a line whose row is missing
        try:
            self._pending.extend(calls(line))
        except Exception as error:
            self._pending.clear()
            say(f"v2: a line of calls could not be read: {error!r}")

    def _play(self, replay: Replay, row: Optional[bytes]) -> None:
        """Play what is pending, up to the call whose row has not come yet. ``row``: that of the first one."""
        heard = self._lines < self._before
        while self._pending:
            call = self._pending[0]
            if call.name == "row":
                if row is None:
                    return
                call, row = call._replace(arguments=(row,)), None
            self._pending.popleft()
            self._last = call.at or self._last
            replay.play(call, heard)
        self._lines += 1
        if self._lines > self._before:
            write_played(self._folder, self._lines)


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
