"""The throughput of ``OneLoggerUtils``: v1's maximum is one of cumulative averages, which bounds it from both sides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from .findings import Finding, finding
from .history import Row
from .numbers import as_number, is_number

_MAX, _NOW = "train_throughput_per_gpu_max", "train_throughput_per_gpu"
_SLACK = 1e-6


@dataclass
class Throughput:
    """Follows the progress rows of a history."""

    _before: Optional[Row] = None
    _loops: int = 0

    def new_loop(self) -> None:
        """A training loop begins: what was computed is counted anew, the time goes on."""
        self._before = None
        self._loops += 1

    def check(self, row: Row, latest: Mapping[str, Any]) -> Iterator[Finding]:
        """Call it once for each progress row, in order."""
        before, self._before = self._before, row
        value, now = row.values.get(_MAX), row.values.get(_NOW)
        if not is_number(value) or not is_number(now) or self._loops > 1:
            return
        old = before.values.get(_MAX) if before is not None else 0.0
        more = _more(row, before)
        if not is_number(old) or more is None:
            return
        known = max(old, now)
        if more <= 1:
            at_most: Optional[float] = known
        else:
            at_most = _bound(row, latest)
            at_most = max(at_most, known) if at_most is not None else None
        if at_most is not None and value > at_most * (1 + _SLACK) + 1e-9:
            text = f"at most {at_most:.6g}: no average so far can have been higher"
            yield finding(row, _MAX, "relation", text, value)


def _more(row: Row, before: Optional[Row]) -> Optional[int]:
    """Iterations since the row before."""
    now = row.values.get("train_iterations")
    old = before.values.get("train_iterations") if before is not None else 0
    return now - old if isinstance(now, int) and isinstance(old, int) else None


def _bound(row: Row, latest: Mapping[str, Any]) -> Optional[float]:
    """No average is higher than that of the shortest iteration. (A batch size that has grown says nothing of it.)"""
    names = ("train_tflop", "train_iterations", "train_samples", "train_iterations_time_msecs_min")
    tflop, iterations, samples, shortest = (as_number(row.values.get(name)) for name in names)
    world, size = (as_number(latest.get(name)) for name in ("world_size", "global_batch_size"))
    if tflop is None or iterations is None or shortest is None or world is None or size is None:
        return None
    if min(iterations, shortest, world) <= 0 or samples != iterations * size:
        return None
    return tflop / iterations / (shortest / 1000) / world
