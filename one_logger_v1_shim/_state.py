"""What this package knows about the process, in one object. Imported by every process; the standard library only.

A test (:mod:`one_logger_v1_shim.testing`) puts another one in its place, and a forked child gets one of its own.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Callable, Optional, Protocol

if TYPE_CHECKING:
    from ._job.open import Sink
    from ._job.rows import Rows
    from ._job.telemetry import Telemetry
    from ._journal.destination import RunSpec
    from ._v1.bookkeeping import TagList


class Taker(Protocol):
    """The block of a test that takes this process's runs.

    Attributes:
        at_end: what the program wants to be called when the process ends; called when the block ends, the last first.
    """

    at_end: list[Callable[[], None]]

    @property
    def hears_v2(self) -> bool:
        """Whether it has a v2 provider of its own."""

    def open_sink(self, spec: RunSpec, asynchronous: bool) -> Sink:
        """The sink of a new run."""


class Process:
    """One process.

    Attributes:
        lock: held while the journal is written and while a run is opened. While it is held nothing is logged and no
            code of the user's runs: both may come back to us by another thread that waits for it.
        said: the kinds of trouble that were logged, each with a token of whoever logged it.
        unsaid: lines that wait until the lock is free, to be logged.
        current: the run of the v1 classes.
        offered: runs that v2 exporters have opened: a v1 class joins the first one that is not finished.
        tags: v1's list of tags, whichever run they are sent to.
        taker: the test that takes the runs, if one does.
        forked: this is the forked child of a process that had a run.
        hooked: the functions for the end of the process and for forked children are in place.
    """

    def __init__(self, forked: bool = False, taker: Optional[Taker] = None) -> None:
        self.lock: Any = threading.RLock()
        self.said: dict[str, object] = {}
        self.unsaid: list[str] = []
        self.current: Optional[Telemetry] = None
        self.offered: list[Rows] = []
        self.tags: Optional[TagList] = None
        self.taker = taker
        self.forked = forked
        self.hooked = False

    def holds_lock(self) -> bool:
        """Whether this thread holds :attr:`lock`."""
        owned = getattr(self.lock, "_is_owned", None)
        return bool(owned is not None and owned())


#: the process as it is now
process = Process()


def exchange(new: Process) -> Process:
    """Put ``new`` in place of :data:`process`, which is returned."""
    global process
    before, process = process, new
    return before
