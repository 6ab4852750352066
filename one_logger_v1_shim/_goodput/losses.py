"""What was lost, the largest first: where a team should look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

from .._v1 import metrics as m
from . import definitions as d
from .counted import Counted
from .figures import done

QUEUE, LAUNCH, SLOWER = "queue", "launch", "slower_than_best"

LABELS = {
    **d.LABELS,
    QUEUE: "between attempts: in the queue",
    LAUNCH: "between attempts: launch",
    SLOWER: "slower than the best attempt",
}
#: parts that are no loss
_GOOD = (d.PRODUCTIVE, d.NOT_SAVED)
#: attempts that agree in these do the same in an iteration
_BATCH = (m.WORLD_SIZE, m.GLOBAL_BATCH_SIZE, m.MODEL_SEQ_LENGTH)
_ENOUGH = 10  # iterations; fewer say nothing about the speed of an attempt


@dataclass(frozen=True)
class Loss:
    """Time that became no progress.

    Attributes:
        key: a part's, or one of ``QUEUE``, ``LAUNCH``, ``SLOWER``.
        us: how long.
        gpu_hours: the same times the number of GPUs; None where no row tells that.
        share: of the wall time.
        inside: whether it is a part of the iterations, which the other losses do not have.
    """

    key: str
    us: int
    gpu_hours: Optional[float]
    share: float
    inside: bool = False

    @property
    def label(self) -> str:
        """For people."""
        return LABELS[self.key]


def losses(counted: Sequence[Counted], parts: dict[str, int], wall: int) -> list[Loss]:
    """All losses, those that cost most GPU-hours first. What waits in a queue costs none, and would have."""
    known = any(one.gpus for one in counted)
    times: dict[str, list[int]] = {}
    for key in parts:
        if key not in (*_GOOD, d.BETWEEN):
            times[key] = [one.division.parts[key] for one in counted]
    told = [one.launch is not None for one in counted]
    times[QUEUE] = [(one.queue or 0) if has else 0 for one, has in zip(counted, told)]
    times[LAUNCH] = [(one.launch or 0) if has else 0 for one, has in zip(counted, told)]
    times[d.BETWEEN] = [0 if has else one.gap for one, has in zip(counted, told)]
    times[SLOWER] = _slower(counted)
    found = []
    for key, some in times.items():
        us = sum(some)
        if us > 0:
            cost = sum(one.gpu_hours(each) for one, each in zip(counted, some)) if known else None
            found.append(Loss(key, us, cost, us / wall if wall else 0.0, inside=key == SLOWER))
    return sorted(found, key=lambda one: (one.gpu_hours or 0.0, one.us), reverse=True)


def _slower(counted: Sequence[Counted]) -> list[int]:
    """By how much each attempt's iterations took longer than at the speed of the best attempt with the same batches."""
    speeds: dict[object, float] = {}
    same = [tuple(str(one.attempt.value(key)) for key in _BATCH) for one in counted]
    counts = [done(one.attempt) for one in counted]
    spent = [0 if one.attempt.rows.progress.last is None else one.attempt.rows.progress.last.spent for one in counted]
    for kind, iterations, us in zip(same, counts, spent):
        if iterations >= _ENOUGH and us > 0:
            speeds[kind] = min(speeds.get(kind, us / iterations), us / iterations)
    return [
        max(0, round(us - iterations * speeds[kind])) if kind in speeds and iterations >= _ENOUGH else 0
        for kind, iterations, us in zip(same, counts, spent)
    ]
