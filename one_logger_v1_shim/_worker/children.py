"""The worker as a process: its log, the signals it lives through, the processes that wandb started for it."""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from .._journal.process_table import is_running, stat
from .._journal.secret import hidden
from .._journal.system import KILL


class Log(io.TextIOBase):
    """Standard error that never raises: ``worker.log`` may be on a full disk, and wandb writes to it too."""

    def write(self, text: str) -> int:
        """Write at once."""
        with suppress(OSError):
            os.write(2, hidden(text, alike=True).encode("utf-8", "backslashreplace"))
        return len(text)

    def fileno(self) -> int:
        """For who wants to write by himself."""
        return 2


def say(message: str) -> None:
    """A line in worker.log; what is secret is not shown, whoever put it into the message."""
    with suppress(Exception):
        print(time.strftime("%Y-%m-%d %H:%M:%S"), hidden(message, alike=True), file=sys.stderr, flush=True)


def block_signals() -> None:
    """A scheduler that ends a job sends SIGTERM to all its processes, and gives them time: we use it to drain.

    Blocked and not ignored, where that can be: wandb's process inherits it, whatever handlers it installs.
    """
    ours = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, ours)
    else:
        for one in ours:
            signal.signal(one, signal.SIG_IGN)


def children() -> list[int]:
    """The processes that this one has started."""
    mine = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            pid = int(entry.name)
            words = stat(pid)
            if int(words[1]) == os.getpid() and words[0] != "Z":
                mine.append(pid)
    return mine


def end_children(grace: float = 0.0) -> None:
    """End the processes that wandb started for us; those that are ending get ``grace`` seconds to tidy up."""
    mine = children()
    patience = time.monotonic() + grace
    while any(map(is_running, mine)) and time.monotonic() < patience:
        time.sleep(0.02)
    for number in mine:
        with suppress(OSError):
            os.kill(number, KILL)
    limit = time.monotonic() + 3.0
    while any(map(is_running, mine)) and time.monotonic() < limit:
        time.sleep(0.02)


def tidy_up() -> None:
    """Remove temporary folders of this process (wandb makes two): it does not end in the ordinary way."""
    for one in gc.get_objects():
        if type(one) is tempfile.TemporaryDirectory:
            with suppress(Exception):
                one.cleanup()
