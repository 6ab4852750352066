"""Who hears of a journal beside W&B, in a thread of the worker's own: rows never wait for it. In the worker's process.

It reads the journal by itself, so that the journal is the only queue.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import deque
from pathlib import Path
from typing import Optional

from .._journal.calls import FINISH, FROM, Call, Reading, calls, is_call, is_row, number
from .._journal.follow import Follower
from .._journal.records import RunRecord
from .children import say

_POLL = 0.1  # seconds between looks at the journal


class Listener(threading.Thread, ABC):
    """One journal's calls and rows, in their order.

    Attributes:
        state: how far it is, or why nobody hears anything (:class:`one_logger_v1_shim._journal.records.Mark`).
        rows: rows that are done with.
        said: what the job is to log.
    """

    def __init__(self, name: str, folder: Path, record: RunRecord, state: str) -> None:
        super().__init__(name=name, daemon=True)
        self.state = state
        self.rows = 0
        self.said: list[str] = []
        self._folder = folder
        self._record = record
        self._follower = Follower(folder)
        self._read_rows = 0
        self._pending: deque[Call] = deque()  # of the line at hand
        self._last: Reading = (record.created, 1.0)
        self._code: Optional[int] = None  # the job's exit code, if the journal has its end
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

    def _follow(self) -> bool:
        """Hear the journal to its end. False: stopped before it."""
        while not self._halt.is_set():
            gone = self._gone.is_set()  # asked before reading
            lines = self._follower.lines(self._read_rows)
            for line in lines:
                if self._halt.is_set():
                    return False
                self._take(line)
                if self._code is not None:
                    return True
            self._pause()
            if not lines:
                if gone:
                    return True
                self._gone.wait(_POLL)
        return False

    def _take(self, line: bytes) -> None:
        """One line of the journal."""
        pending = self._pending
        if is_row(line):
            self._read_rows += 1
            logged = pending.popleft() if pending else Call("row", None)  # of v2's exporters, or an older version
            pending.appendleft(logged._replace(arguments=(line,)))
        elif is_call(line):
            pending.clear()  # of a line whose row is missing
            try:
                # of a row the journal's own words have no argument: it stands in the next line
                pending.extend(one._replace(arguments=()) if one.name == "row" else one for one in calls(line))
            except Exception as error:
                pending.clear()
                say(f"{self.name}: a line of calls could not be read: {error!r}")
        elif line.startswith(FROM):
            self._read_rows = max(self._read_rows, number(line))
        elif line.startswith(FINISH):
            self._code = number(line)
        while pending and (pending[0].name != "row" or pending[0].arguments):  # else its row has not come yet
            call = pending.popleft()
            self._last = call.at or self._last
            self._hear(call)

    @abstractmethod
    def _hear(self, call: Call) -> None:
        """One call; of a ``row`` its argument is the row as JSON, and its ``at`` is None where nothing says when."""

    def _pause(self) -> None:
        """Called now and then, between two lines."""
