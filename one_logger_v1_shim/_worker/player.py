"""Plays v1's calls to v2, in a thread of the worker's own: rows never wait for v2. Runs in the worker's process.

The calls stand in the journal, with the job's clock readings. How many lines of them have been played is written down
after each one (``played``), so that a worker that goes on for one that was killed tells v2's exporters nothing twice:
it plays what they have heard without telling them, to have the same spans open, and then the rest.
"""

from __future__ import annotations

import logging
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from .._journal.calls import Call, is_call
from .._journal.records import PLAYED, UNPLAYED, RunRecord, read_played, write_played
from .._log import logger
from .children import say
from .listener import Listener

if TYPE_CHECKING:
    from .._v2.replay import Replay


class Player(Listener):
    """One journal's calls, played to v2. Its state is :data:`UNPLAYED`, :data:`PLAYED`, or why v2 hears nothing."""

    _replay: Replay

    def __init__(self, folder: Path, record: RunRecord) -> None:
        super().__init__("v2", folder, record, UNPLAYED)
        self._before = read_played(folder)
        self._lines = 0

    def run(self) -> None:
        """The thread."""
        handler = _Overheard(self.said)
        logger.addHandler(handler)
        try:
            self._run()
        finally:
            logger.removeHandler(handler)
            self._follower.close()

    def _run(self) -> None:
        try:
            # a broken installation of v2 may raise anything, and end the process
            from .._v2.replay import Replay

            self._replay = Replay(self._record.v2_values or {}, self._record.id, resumed=self._before > 0)
        except BaseException as error:
            self._hears_nothing(error)
            return
        try:
            if self._follow():
                self._replay.close(self._last)
                self.state = PLAYED
        except Exception as error:  # the journal can't be read: the rows have the same trouble, and say so
            say(f"v2: {error!r}")

    def _hears_nothing(self, error: BaseException) -> None:
        missing = isinstance(error, ImportError)
        what = "is not installed" if missing and "nv_one_logger" in str(error) else f"could not be set up ({error!r})"
        self.state = f"v2 (nv_one_logger) hears nothing: it {what} in {sys.executable}; v1 rows are not affected"
        say(self.state)

    def _take(self, line: bytes) -> None:
        about_calls = is_call(line) or bool(self._pending)
        super()._take(line)
        if about_calls and not self._pending:
            self._lines += 1
            if self._lines > self._before:
                write_played(self._folder, self._lines)
        self.rows = self._read_rows

    def _hear(self, call: Call) -> None:
        if call.name == "row" and call.at is None:
            return  # v2 has sent it itself, or the line that tells of it is damaged
        self._replay.play(call, heard=self._lines < self._before)


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
