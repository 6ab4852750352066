"""One attempt of a training as it is counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

from .._v1 import metrics as m
from .attempt import Division
from .spans import length
from .trainings import Attempt
from .values import decoded, number

_HOUR = 3_600_000_000  # us


@dataclass
class Counted:
    """One attempt, its division, and the time before it. All times are us.

    Attributes:
        last_sign: its last sign of life; later than its division's end if the next attempt had begun by then.
        gap: how long nothing ran before it.
        queue, launch: the two parts of that, before and after its nodes were given; None if no row tells when.
        gpus: its world size; None if neither it nor another attempt tells.
    """

    attempt: Attempt
    division: Division
    last_sign: int
    gap: int = 0
    queue: Optional[int] = None
    launch: Optional[int] = None
    gpus: Optional[float] = None

    @property
    def wall(self) -> int:
        """us"""
        return length(self.division.own)

    def gpu_hours(self, us: int) -> float:
        """What so much of its time has cost; 0 where nobody knows the number of its GPUs."""
        return us * (self.gpus or 0.0) / _HOUR


def count_gpus(counted: Sequence[Counted]) -> None:
    """Give each attempt its world size; one that does not tell has that of its neighbour."""
    told = [_world_size(one) for one in counted]
    newest = next((one for one in told if one), None)
    for one, had in zip(counted, told):
        newest = had if had and had > 0 else newest
        one.gpus = newest


def _world_size(one: Counted) -> Optional[float]:
    value = decoded(one.attempt.rows.identity.get(m.WORLD_SIZE))
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return float(value)  # v1 took it as text, too
    return number(value)
