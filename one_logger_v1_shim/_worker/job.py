"""The worker's end of the socket to its job, and the question whether the job is still there.

Runs in the worker's process.
"""

from __future__ import annotations

import os
import select
from contextlib import suppress
from typing import Optional

from .._journal.process_table import has_gone
from .._journal.words import ENDED, PARTS, ROWS, UP, Exit, message


class JobEnd:
    """The job, as the worker sees it. Messages: see :mod:`one_logger_v1_shim._journal.words`.

    Args:
        pid: the job's process. The worker's own parentage tells nothing: it is a grandchild.
    """

    def __init__(self, pid: Optional[int]) -> None:
        self._pid = pid
        # Moved away from 0 and 1, which wandb's process inherits: it would hold the socket open after us.
        self._descriptor = os.dup(0)
        os.set_blocking(self._descriptor, False)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        os.dup2(2, 1)

    def hello(self) -> None:
        """The worker has come up."""
        self._say(UP, os.getpid())

    def acknowledge(self, rows: int) -> None:
        """Say how many rows ``run.log`` has been given."""
        self._say(ROWS, rows)

    def goodbye(self, code: int) -> None:
        """Say the exit code; the process ends right after it."""
        self._say(ENDED, code)

    def part(self) -> None:
        """Say that there is nothing more to wait for; the process goes on."""
        self._say(PARTS, Exit.DONE)

    def _say(self, letter: bytes, number: int) -> None:
        with suppress(OSError):
            os.write(self._descriptor, message(letter, number))

    def wait(self, limit: float) -> tuple[bool, bool]:
        """Wait for a question, ``limit`` seconds at most. Returns whether one came and whether the job has gone."""
        poll = select.poll()  # ``select.select`` refuses a descriptor from 1,024 on
        poll.register(self._descriptor, select.POLLIN)
        ready = poll.poll(limit * 1000.0)
        heard = b""
        closed = False
        if ready:
            try:
                heard = os.read(self._descriptor, 65536)
                closed = not heard
            except BlockingIOError:
                pass
            except OSError:
                closed = True
        # A forked child of the job may hold the other end of the socket open.
        return bool(heard), closed or (self._pid is not None and has_gone(self._pid))

    def hand_over(self) -> None:
        """The next program in this process finds the socket where this one found it."""
        os.dup2(self._descriptor, 0)
        os.set_blocking(0, True)
