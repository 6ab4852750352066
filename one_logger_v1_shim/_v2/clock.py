"""v2's timestamps from v1's clock readings. Runs where v2 does."""

from __future__ import annotations

from typing import Any

from nv_one_logger.core.time import TracingTimestamp

from .._journal.calls import Reading, milliseconds


class Clock:
    """Makes v2 timestamps that never run backwards.

    A wall clock that steps back inside an iteration makes v2's timers raise, and from then on every second call. v2
    is therefore told the last instant plus what ``time.perf_counter()`` says has passed, until the clock has caught
    up. v1's rows take ``time.time()`` as it is.
    """

    def __init__(self) -> None:
        self._wall = 0.0
        self._perf = 0.0

    def stamp(self, at: Reading, given_ms: Any = None) -> TracingTimestamp:
        """The v2 timestamp of the reading ``at``, or of ``given_ms`` (ms) if that is a usable number.

        v2's own ``for_timestamp`` refuses what is older than ten minutes, and takes 0 for "now".
        """
        now, perf = at
        given = milliseconds(given_ms)
        if given is not None:
            return TracingTimestamp(given / 1000, perf - (now - given / 1000) or perf)
        if now < self._wall:
            now = self._wall + max(0.0, perf - self._perf)
        self._wall = now
        self._perf = perf
        return TracingTimestamp(now, perf)
