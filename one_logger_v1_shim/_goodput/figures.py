"""What is told about a training beside its parts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Optional

from .._v1 import metrics as m
from . import definitions as d
from .counted import Counted
from .lineage import Lineage
from .trainings import FAILED, FINISHED, KILLED, RUNNING, Attempt
from .values import number


def figures(counted: Sequence[Counted], parts: dict[str, int], wall: int, line: Lineage) -> dict[str, Optional[float]]:
    """The figures of ``definitions``, in their units."""
    attempts = [one.attempt for one in counted]
    interruptions = sum(one.ended in (FAILED, KILLED) for one in attempts)
    between = (wall - parts[d.BETWEEN]) / 1000 / interruptions if interruptions else None
    nothing_told = logs_no_checkpoint(attempts) and attempts[-1].ended == FINISHED and not parts[d.PRODUCTIVE]
    found: dict[str, Optional[float]] = {
        "wall": wall / 1000,
        "goodput": None if not wall or nothing_told else parts[d.PRODUCTIVE] / wall,
        "goodput_once_saved": (parts[d.PRODUCTIVE] + parts[d.NOT_SAVED]) / wall if wall else None,
        "attempts": len(attempts),
        "interruptions": interruptions,
        "mean_time_between_interruptions": between,
        **_gpu_hours(counted),
        **_checkpoints(counted, between),
        **_speed(attempts),
        "iterations_lost": sum(one.division.iterations_lost for one in counted),
        **_way(attempts, wall, line),
    }
    return {one.key: found[one.key] for one in d.FIGURES}


def logs_no_checkpoint(attempts: Sequence[Attempt]) -> bool:
    """Whether there were iterations, and no row of a save."""
    trained = [one for one in attempts if one.rows.progress.last is not None]
    return (
        bool(trained) and all(one.rows.productive_end is None for one in trained) and not trained[-1].rows.saves.total
    )


def _gpu_hours(counted: Sequence[Counted]) -> dict[str, Optional[float]]:
    if not any(one.gpus for one in counted):
        return dict.fromkeys(("gpu_hours_paid", "gpu_hours_kept", "gpu_hours_open", "gpu_hours_lost"))
    paid = sum(one.gpu_hours(one.wall + (one.launch or 0)) for one in counted)
    kept = sum(one.gpu_hours(one.division.parts[d.PRODUCTIVE]) for one in counted)
    still_open = sum(one.gpu_hours(one.division.parts[d.NOT_SAVED]) for one in counted)
    return {
        "gpu_hours_paid": paid, "gpu_hours_kept": kept, "gpu_hours_open": still_open,
        "gpu_hours_lost": max(0.0, paid - kept - still_open),
    }  # fmt: skip


def _checkpoints(counted: Sequence[Counted], between: Optional[float]) -> dict[str, Optional[float]]:
    """How often is saved, and how often would be best (Young's formula). ms"""
    saves = sum(one.attempt.rows.saves_begun for one in counted)
    cost = sum(one.division.parts[d.SAVE_CHECKPOINT] for one in counted) / 1000
    trained = (d.PRODUCTIVE, d.LOST_WORK, d.NOT_SAVED, d.VALIDATION, d.IDLE)
    loop = sum(one.division.parts[key] for one in counted for key in trained) / 1000
    best = math.sqrt(2 * cost / saves * between) if saves and cost and between else None
    return {"checkpoint_interval": loop / saves if saves else None, "checkpoint_interval_best": best}


def _speed(attempts: Sequence[Attempt]) -> dict[str, Optional[float]]:
    spent = iterations = weighted = weight = 0.0
    tokens: Optional[float] = None
    best: list[float] = []
    most: list[float] = []
    for one in attempts:
        newest, last = one.rows.newest, one.rows.progress.last
        if last is None:
            continue
        spent += last.spent / 1000
        iterations += done(one)
        throughput = number(newest.get(m.TRAIN_THROUGHPUT_PER_GPU))
        if throughput is not None:
            weighted, weight = weighted + throughput * last.spent, weight + last.spent
        best += [value for value in (number(newest.get(m.TRAIN_ITERATIONS_TIME_MSECS_MIN)),) if value]
        most += [value for value in (number(newest.get(m.TRAIN_THROUGHPUT_PER_GPU_MAX)),) if value]
        trained = number(newest.get(m.TRAIN_TOKENS))
        tokens = tokens if trained is None else (tokens or 0.0) + trained
    return {
        "iteration_time_average": spent / iterations if iterations else None,
        "iteration_time_best": min(best, default=None),
        "throughput_average": weighted / weight if weight else None,
        "throughput_best": max(most, default=None),
        "tokens": tokens,
    }


def done(attempt: Attempt) -> float:
    """The iterations that an attempt has logged."""
    last = attempt.rows.progress.last
    if last is None:
        return 0.0
    return number(attempt.rows.newest.get(m.TRAIN_ITERATIONS)) or max(
        0.0, last.iterations - (attempt.rows.start or 0.0)
    )


def _way(attempts: Sequence[Attempt], wall: int, line: Lineage) -> dict[str, Optional[float]]:
    """Progress, target and time left."""
    trained = [one for one in attempts if one.rows.start is not None or one.rows.end is not None]
    targets = [one.rows.target for one in attempts if one.rows.target is not None]
    target = targets[-1] if targets else None
    if not trained:
        return {"progress": None, "target": target, "time_left": None}
    newest, first = trained[-1], trained[0].rows.start or 0.0
    progress = newest.rows.end
    if newest.ended not in (RUNNING, FINISHED) or newest is not attempts[-1]:
        progress = first if line.stand is None else line.stand.iterations
    left = None
    if target is not None and progress is not None:
        made = progress - first
        left = 0.0 if progress >= target else (target - progress) * wall / 1000 / made if made > 0 else None
    return {"progress": progress, "target": target, "time_left": left}
