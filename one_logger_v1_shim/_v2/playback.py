"""Plays v1's calls to v2. Runs where v2 does: in the worker's process, or in the job's if the application uses v2.

One way for both: a call is data (:class:`one_logger_v1_shim._journal.calls.Call`), and here it is dispatched by name.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from .._journal.calls import Call
from .._log import warn_once
from .config import Read
from .forward import Forward


class Playback:
    """Plays calls to the v2 provider that ``join`` finds or configures.

    Args:
        join: called with a function that gives the values of those v1 keys that are callables; raises if v2 cannot be
            used, and gives None if it cannot be yet.
    """

    def __init__(self, join: Callable[[Read], Optional[Forward]]) -> None:
        self._values: dict[str, Any] = {}
        self._join = join
        self._forward: Optional[Forward] = None

    def join(self) -> None:
        """Find or configure the provider, which the first call does otherwise. Raises if v2 cannot be used."""
        if self._forward is None:
            self._forward = self._join(self._values.get)

    def leave(self) -> None:
        """Forget the provider; the next call joins another one."""
        self._forward = None

    def play(self, call: Call) -> None:
        """One call. What v2 raises is logged once and goes no further."""
        if call.name == "value":
            key, value = call.arguments
            self._values[key] = value
            return
        self.join()
        if self._forward is not None and call.at is not None:
            try:
                self._forward.hear(call.name, call.at, call.arguments, self._values.get)
            except Exception as error:
                warn_once(f"v2:{call.name}", f"v2 could not record {call.name} ({error!r}); v1 rows are not affected")
