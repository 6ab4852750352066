"""v1's named stopwatches. All seconds; the instants are ``time.time()``, handed in by the caller.

Runs in the job's process.
"""

from __future__ import annotations

from typing import Callable, Optional

from .._log import warn_once


class Stopwatch:
    """One name's statistics.

    ``start`` and ``finish`` are seconds since the epoch; ``latest``, ``min``, ``max`` and ``total`` seconds.
    """

    __slots__ = ("active", "count", "finish", "latest", "max", "min", "start", "total")

    def __init__(self) -> None:
        self.active = False
        self.start: float = 0.0
        self.finish: float = 0.0
        self.count = 0
        self.latest: float = 0.0
        self.min: float = 0.0
        self.max: float = 0.0
        self.total: float = 0.0

    @property
    def avg(self) -> float:
        """Mean of the finished windows in seconds; 0 before the first."""
        return self.total / self.count if self.count else 0.0


class NamedTimer:
    """v1's ``OneLoggerUtils.timer``: a stopwatch by name, with an optional barrier before each reading."""

    def __init__(self, barrier: Optional[Callable[[], object]] = None) -> None:
        self._barrier = barrier
        self._watches: dict[str, Stopwatch] = {}

    def __getitem__(self, name: str) -> Stopwatch:
        watch = self._watches.get(name)
        if watch is None:
            watch = self._watches[name] = Stopwatch()
        return watch

    def get(self, name: str) -> Stopwatch:
        """The stopwatch called ``name`` (made when it is new)."""
        return self[name]

    def is_active(self, name: str) -> bool:
        """Whether ``name`` has been started and not yet stopped."""
        return self[name].active

    @property
    def active_timers(self) -> list[str]:
        """Names that run now."""
        return [name for name, watch in self._watches.items() if watch.active]

    def reset(self, name: str) -> None:
        """Forget all that ``name`` measured."""
        self._watches[name] = Stopwatch()

    def wait(self) -> None:
        """Call the barrier. Raises ``RuntimeError`` when there is none, as v1 did."""
        if self._barrier is None:
            raise RuntimeError("No barrier function to call in the _NamedTimer")
        self._barrier()

    def start(self, name: str, now: float) -> Stopwatch:
        """Start ``name`` at ``now``. A stopwatch that already runs loses its whole history: v1 did that too."""
        watch = self[name]
        if watch.active:
            warn_once(
                f"timer:{name}",
                f"Timer `{name}` was not correctly stopped, suggesting a possible issue. "
                "The timer will be reset for now.",
            )
            self.reset(name)
            watch = self._watches[name]
        watch.active = True
        watch.start = now
        return watch

    def stop(self, name: str, now: float) -> Stopwatch:
        """Stop ``name`` at ``now``. Raises ``RuntimeError`` when it does not run."""
        watch = self[name]
        if not watch.active:
            raise RuntimeError(f"Cannot end timer = '{name}' since it is not active")
        watch.active = False
        watch.finish = now
        window = now - watch.start
        watch.latest = window
        if watch.count == 0 or window < watch.min:
            watch.min = window
        if window > watch.max:
            watch.max = window
        watch.total += window
        watch.count += 1
        return watch
