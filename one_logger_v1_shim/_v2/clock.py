"""v2's timestamps from v1's clock readings. Runs where v2 does."""

from __future__ import annotations

from typing import Any

from nv_one_logger.core.time import TracingTimestamp

from .._journal.calls import Reading
from .._journal.instants import Instants


class Clock:
    """Makes v2 timestamps that never run backwards: else v2's timers raise, and from then on every second call."""

    def __init__(self) -> None:
        self._instants = Instants()

    def stamp(self, at: Reading, given_ms: Any = None) -> TracingTimestamp:
        """The v2 timestamp of the reading ``at``, or of ``given_ms`` (ms) if that is a usable number.

        v2's own ``for_timestamp`` refuses what is older than ten minutes, and takes 0 for "now".
        """
        return TracingTimestamp(*self._instants.at(at, given_ms))
