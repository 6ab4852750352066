"""Whether a value of one run can be that of the same job in another run.

Times: the same unit, within the run's life, and 0 only where the other one is 0. Bookkeeping: type and unit. All other
numbers exactly; of floating-point results (TFLOP) to 1e-9.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Optional

from ..compare import ABSENT, BOOKKEEPING
from .beliefs import CONFIGURED, EPOCH_MS, INTEGER, METRICS, MSECS, SECONDS, TFLOPS_PER_GPU, Metric
from .history import Life, Row
from .numbers import as_number, is_number
from .spelled import spelled_alike

_SLACK_MS = 2000.0  # between an event and the row that says so
#: two machines differ by less than this, two units (s and ms) by more
_SPEEDS = 300.0
_SHORTEST_S = 1e-3  # below it, speeds say nothing
_RESOLUTION = 1e-6  # below it, a clock may show 0 (s, ms)
_EXACT = 1e-9
#: instants that v1 read in the call that sent them, unless the job gave them by hand
AT_THE_CALL = tuple(
    f"{what}_{edge}_time"
    for what in ("app_model_init", "app_build_dataiters", "app_build_optimizer", "load_checkpoint", "app_train_loop")
    for edge in ("start", "finish")
)
_AT_ONCE_MS = 2.0


@dataclass(frozen=True)
class Lives:
    """When the first and the last row of both runs were logged: :attr:`.history.History.lived`."""

    old: Life
    new: Life


def difference(name: str, was: Any, now: Any, before: Row, after: Row, lives: Lives, exact: bool) -> str:
    """In what two values differ: "metric", "type", "unit", "time", "value"; empty if they do not.

    ``before`` and ``after`` are their rows. ``exact``: both histories have the types that were logged.
    """
    if not exact:  # a table has no None beside "not there"
        was, now = (ABSENT if value is None else value for value in (was, now))
    if was is ABSENT or now is ABSENT:
        return "" if was is now else "metric"
    metric = METRICS.get(name)
    if metric is not None and name in BOOKKEEPING:
        return _bookkeeping(metric, was, now, after, exact)
    if is_number(was) and is_number(now):
        if metric is not None and metric.of_the_clock:
            return _implausible(metric, float(was), float(now), before, after, lives)
        return _number(metric, was, now, exact)
    if metric is not None and metric.type == CONFIGURED and not exact and as_number(was) == as_number(now) is not None:
        return ""  # "8" that a table has read as 8
    if metric is None and not exact and isinstance(was, str) != isinstance(now, str) and spelled_alike(was, now):
        return ""
    if was is None or now is None or isinstance(was, str) != isinstance(now, str):
        return "" if was is now else "type"
    if isinstance(was, (int, float)) and isinstance(now, (int, float)):
        if isinstance(was, bool) != isinstance(now, bool):
            return "type"
        return "" if was == now or (was != was and now != now) else _not_finite(metric)
    if type(was) is not type(now):
        return "type"
    return "" if _same(was, now) else "value"


def _not_finite(metric: Optional[Metric]) -> str:
    return "type" if metric is not None and metric.numeric else "value"


def _bookkeeping(metric: Metric, was: Any, now: Any, after: Row, exact: bool) -> str:
    """The values are free: another day, another cluster."""
    if not is_number(was) or not is_number(now):
        return "" if isinstance(was, str) and isinstance(now, str) else "type"
    if exact and isinstance(was, float) != isinstance(now, float):
        return "type"
    if metric.unit == EPOCH_MS:
        if not was or not now:  # SLURM has told it to one of them only
            return "" if was == now or "jobid" not in after.values else "unit"
        return "unit" if (was > 1e11) != (now > 1e11) else ""
    ratio = now / was if was else 1.0
    return "unit" if any(math.isclose(ratio, one) for one in (1000.0, 0.001)) else ""


def _number(metric: Optional[Metric], was: Any, now: Any, exact: bool) -> str:
    if metric is None:
        return "" if _same(was, now) else "value"
    whole = metric.type in (INTEGER, CONFIGURED)
    if whole and exact and isinstance(was, float) != isinstance(now, float):
        return "type"
    return "" if (was == now if whole else _same(was, now)) else "value"


def _same(was: Any, now: Any) -> bool:
    """Equal, floats within 1e-9."""
    if isinstance(was, bool) or isinstance(now, bool):
        return isinstance(was, bool) and isinstance(now, bool) and was == now
    if isinstance(was, (int, float)) and isinstance(now, (int, float)):
        if was == now or (was != was and now != now):
            return True
        return isinstance(was, float) and isinstance(now, float) and math.isclose(was, now, rel_tol=_EXACT)
    if isinstance(was, (list, tuple)) and isinstance(now, (list, tuple)):
        return len(was) == len(now) and all(map(_same, was, now))
    if isinstance(was, dict) and isinstance(now, dict):
        return was.keys() == now.keys() and all(_same(was[key], now[key]) for key in was)
    return type(was) is type(now) and bool(was == now)


def _implausible(metric: Metric, was: float, now: float, before: Row, after: Row, lives: Lives) -> str:
    """A time of another run: the unit has to be the same, and it has to lie in that run's life."""
    if was == now:
        return _late(metric.name, was, now, before, after) if metric.unit == EPOCH_MS else ""
    if metric.unit == EPOCH_MS:
        if was > 1e12 > now or now > 1e12 > was:
            return "unit" if now and was else "time"
        by_hand = not _within(was, lives.old)  # given by the job: another day, another hour
        return "time" if not by_hand and not _within(now, lives.new) else _late(metric.name, was, now, before, after)
    if now < 0 <= was or (now == 0 and was > _RESOLUTION):
        return "time"
    if metric.unit not in (SECONDS, MSECS, TFLOPS_PER_GPU):
        return ""
    scale = 1000.0 if metric.unit == MSECS else 1.0
    if metric.unit != TFLOPS_PER_GPU:
        if was == 0 and now / scale > _SPEEDS * _SHORTEST_S:
            return "time"
        if _longer(was / scale, lives.old):
            return ""  # between instants that were given by hand
        if _longer(now / scale, lives.new):
            return "unit" if was > 0 and now / was > _SPEEDS else "time"
        if max(was, now) / scale <= _SHORTEST_S:
            return ""
    return "unit" if min(was, now) > 0 and max(was, now) / min(was, now) > _SPEEDS else ""


def _late(name: str, was: float, now: float, before: Row, after: Row) -> str:
    """What was read when its row was sent is not read at another time now."""
    if name not in AT_THE_CALL or before.at_ms is None or after.at_ms is None:
        return ""
    return "time" if abs(before.at_ms - was) <= _AT_ONCE_MS and abs(after.at_ms - now) > _SLACK_MS else ""


def _longer(seconds: float, life: Life) -> bool:
    first, last = life
    return first is not None and last is not None and 1000 * seconds > last - first + _SLACK_MS


def _within(value: float, life: Life) -> bool:
    first, last = life
    return first is None or last is None or first - _SLACK_MS <= value <= last + _SLACK_MS
