"""Instants that never run backwards, from v1's clock readings. Whoever plays calls, in any process."""

from __future__ import annotations

from typing import Any

from .calls import Reading, milliseconds


class Instants:
    """A wall clock that steps back inside an iteration makes timers raise, and spans end before they begin.

    The last instant counts therefore, plus what ``time.perf_counter()`` says has passed, until the clock has caught up.
    v1's rows take ``time.time()`` as it is.
    """

    def __init__(self) -> None:
        self._wall = 0.0
        self._perf = 0.0

    def at(self, reading: Reading, given_ms: Any = None) -> Reading:
        """The instant of ``reading``, or of ``given_ms`` (ms since the epoch) if that is a usable number."""
        now, perf = reading
        given = milliseconds(given_ms)
        if given is not None:
            return given / 1000, perf - (now - given / 1000) or perf
        if now < self._wall:
            now = self._wall + max(0.0, perf - self._perf)
        self._wall = now
        self._perf = perf
        return now, perf
