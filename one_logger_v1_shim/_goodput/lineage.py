"""Which checkpoints a training stands on: what an attempt continued from and saved, not what it announced, decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Optional

from .._v1 import metrics as m
from .progress import has
from .rows import AttemptRows


@dataclass(frozen=True)
class Stand:
    """A checkpoint: of which attempt, and after which iteration."""

    attempt: int
    iterations: float


@dataclass
class Lineage:
    """What became of the attempts of a training, by their numbers from 0 on.

    Attributes:
        limits: the iteration up to which an attempt's progress is kept; None: nothing of it is.
        redone: whether a later attempt began to train, so that what is not kept is lost.
        stand: the checkpoint on which the end stands.
        doubts: attempts that continue from what only a later one (by the clock) has saved, with that one.
    """

    limits: list[Optional[float]]
    redone: list[bool]
    stand: Optional[Stand] = None
    doubts: list[tuple[int, int]] = field(default_factory=list)


def lineage(attempts: Sequence[AttemptRows]) -> Lineage:
    """The lineage of attempts in order of time."""
    trained = [bool(one.loops or len(one.progress)) for one in attempts]
    starts = [one.start if begun else None for one, begun in zip(attempts, trained)]
    last = max((number for number, begun in enumerate(trained) if begun), default=-1)
    found = Lineage([None] * len(attempts), [number < last for number in range(len(attempts))])
    saved: dict[float, int] = {}
    tried: dict[float, int] = {}
    parents: list[Optional[Stand]] = [None] * len(attempts)
    for number, (one, start) in enumerate(zip(attempts, starts)):
        if not trained[number]:
            continue
        # a program that does not tell where it began went on from what was there
        parent = found.stand if start is None else _parent(attempts, starts, number, saved, tried)
        parents[number] = parent
        own, start = one.productive_end, start or 0.0
        if own is not None and own > start:
            found.stand = Stand(number, own)
        elif found.stand is None or start >= found.stand.iterations:
            found.stand = parent
        # else it went back and has saved nothing: what others have saved is still there
        saved.update((at, number) for at in one.progress.saved if at > start)
        # an asynchronous save may have succeeded without anybody there to report it
        unreported = saved if one.identity.get(m.SAVE_CHECKPOINT_STRATEGY) == "async" else tried
        unreported.update((at, number) for at in one.progress.tried if at > start)
        if parent is None and start > 0:
            found.doubts += [(number, later) for later in _saved_later(attempts, starts, number)]
    stand = found.stand
    while stand is not None:
        found.limits[stand.attempt] = stand.iterations
        stand = parents[stand.attempt]
    return found


def _parent(
    attempts: Sequence[AttemptRows],
    starts: Sequence[Optional[float]],
    number: int,
    saved: dict[float, int],
    tried: dict[float, int],
) -> Optional[Stand]:
    """The checkpoint from which an attempt continued: one that is there for certain, else one that may be."""
    start = starts[number] or 0.0
    known = saved.get(start, tried.get(start))
    if known is not None:
        return Stand(known, start)
    furthest: Optional[int] = None
    for other in range(number - 1, -1, -1):
        begin, reached = starts[other], attempts[other].end
        if begin is None or begin >= start or reached is None or reached <= begin:
            continue
        if reached >= start:
            return Stand(other, start)
        if furthest is None or reached > (attempts[furthest].end or 0.0):
            furthest = other  # its last iterations may be in no row
    return None if furthest is None else Stand(furthest, start)


def _saved_later(attempts: Sequence[AttemptRows], starts: Sequence[Optional[float]], number: int) -> list[int]:
    start = starts[number]
    for later in range(number + 1, len(attempts)):
        begin = starts[later]
        if start is None or begin is None or begin >= start:
            continue
        one = attempts[later]
        if has(one.progress.saved, start) or (one.productive_end is None and (one.end or 0.0) >= start):
            return [later]
    return []
