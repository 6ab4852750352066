"""Whether a test takes this process's runs (:mod:`one_logger_v1_shim.testing`). Runs in the job's process.

Outside of tests :data:`active` is None, and asked only when a run is opened.
"""

from __future__ import annotations

import atexit
from typing import Callable, Optional, Protocol

from .._journal.destination import RunSpec
from .sink import Sink

#: set while a test takes the runs of this process. A process that inherits it logs nothing: it has no way back into the
#: test, and a test is not to start workers, write files or upload rows.
STARTED_BY_TEST = "ONE_LOGGER_V1_STARTED_BY_TEST"


class Taker(Protocol):
    """The block of a test.

    Attributes:
        at_end: what the program wants to be called when the process ends; called when the block ends, the last first.
    """

    at_end: list[Callable[[], None]]

    @property
    def hears_v2(self) -> bool:
        """Whether it has a v2 provider of its own."""

    def open_sink(self, spec: RunSpec, asynchronous: bool) -> Sink:
        """The sink of a new run."""


#: the innermost open block of this process
active: Optional[Taker] = None


def at_exit(function: Callable[[], None]) -> None:
    """Call ``function`` when the process ends; in a test when its block ends."""
    if active is not None:
        active.at_end.append(function)
    else:
        atexit.register(function)


def not_at_exit(function: Callable[[], None]) -> None:
    """Do not call it. Nothing happens if :func:`at_exit` has not been asked for it."""
    atexit.unregister(function)
    if active is not None and function in active.at_end:
        active.at_end.remove(function)
