"""A clock that the job, the shim and v2 see, and nobody else.

W&B waits on clocks, so it must not see one that stands still. A reading is therefore answered by who asks: the modules
below get the virtual time, everybody else (wandb, threading, logging) the real one.
"""

from __future__ import annotations

import sys
import time
from typing import Any

#: top-level packages that live in virtual time; ``__main__`` is the program
SEEING = frozenset({"__main__", "one_logger", "one_logger_utils", "one_logger_v1_shim", "nv_one_logger"})

T0 = 1700000000.0
_PERF0 = 1000.0


class VirtualClock:
    """``now`` (s since the epoch) moves only when somebody sets it, or by the program's own ``time.sleep``."""

    def __init__(self, start: float = T0) -> None:
        self._start = start
        self.now = start

    def install(self) -> None:
        """Replace the clocks of the ``time`` module."""
        self._replace("time", lambda: self.now)
        self._replace("perf_counter", lambda: self.now - self._start + _PERF0)
        self._replace("time_ns", lambda: round(self.now * 1e9))
        self._replace("perf_counter_ns", lambda: round((self.now - self._start + _PERF0) * 1e9))
        real_sleep = time.sleep

        def sleep(seconds: float) -> None:
            if sys._getframe(1).f_globals.get("__name__") == "__main__":
                self.now += seconds
            else:
                real_sleep(seconds)

        time.sleep = sleep

    @staticmethod
    def _replace(name: str, virtual: Any) -> None:
        real = getattr(time, name)

        def read() -> Any:
            asking = sys._getframe(1).f_globals.get("__name__") or ""
            return virtual() if asking.partition(".")[0] in SEEING else real()

        setattr(time, name, read)
