"""v2's timestamps from v1's clock readings."""

from __future__ import annotations

import time
from typing import Any, Optional

from nv_one_logger.core.time import TracingTimestamp


class Clock:
    """Makes v2 timestamps that never run backwards.

    A wall clock that steps back inside an iteration makes v2's timers raise, and from then on every second call. v2
    is therefore told the last instant plus what ``time.perf_counter()`` says has passed, until the clock has caught
    up. v1's rows take ``time.time()`` as it is.
    """

    def __init__(self) -> None:
        self._wall = 0.0
        self._perf = 0.0

    def read(self, now: float) -> tuple[float, float]:
        """The instant ``now`` (s since the epoch) as v2 may hear it: s since the epoch, s of the counter."""
        perf = time.perf_counter()
        if now < self._wall:
            now = self._wall + max(0.0, perf - self._perf)
        self._wall = now
        self._perf = perf
        return now, perf

    def stamp(self, now: float, given_ms: Any = None) -> TracingTimestamp:
        """The v2 timestamp of ``now`` (s since the epoch), or of ``given_ms`` (ms) if that is a usable number.

        v2's own ``for_timestamp`` refuses what is older than ten minutes, and takes 0 for "now".
        """
        given = _seconds(given_ms) if given_ms is not None else None
        if given is not None:
            perf = time.perf_counter()
            return TracingTimestamp(given, perf - (now - given) or perf)
        return TracingTimestamp(*self.read(now))


def _seconds(given_ms: Any) -> Optional[float]:
    if isinstance(given_ms, (int, float)) and not isinstance(given_ms, bool) and 0 < given_ms < 1e15:
        return given_ms / 1000
    return None
