"""Adds up the attempts of one training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Optional

from .._v1 import metrics as m
from . import definitions as d
from .attempt import Division, divide
from .trainings import DEFAULT_KEYS, FAILED, FINISHED, KILLED, RUNNING, Attempt, differences
from .values import number


@dataclass
class Counted:
    """One attempt and its division."""

    attempt: Attempt
    division: Division
    #: when its last sign of life was, in us; later than its division's end if the next attempt had begun by then
    last_sign: int

    @property
    def wall(self) -> int:
        """us"""
        return self.division.end - self.division.begin


@dataclass
class Training:
    """A training: its parts in us, which add up to ``wall``, and its figures in the units of ``definitions``."""

    attempts: list[Counted]
    begin: int
    end: int
    parts: dict[str, int]
    figures: dict[str, Optional[float]]
    notes: list[str] = field(default_factory=list)

    @property
    def wall(self) -> int:
        """us"""
        return self.end - self.begin

    @property
    def goodput(self) -> Optional[float]:
        """0 to 1; None for a training that took no time."""
        return self.figures["goodput"]


def add_up(attempts: Sequence[Attempt], keys: Sequence[str] = DEFAULT_KEYS) -> Training:
    """The training of these attempts, which are in order of time and each have a sign of life."""
    counted, notes = _divided(attempts)
    begin, end = counted[0].division.begin, max(one.last_sign for one in counted)
    parts = {key: sum(one.division.parts[key] for one in counted) for key in counted[0].division.parts}
    _gaps(counted, end, parts)
    notes += differences(attempts, keys) + _of_the_whole(attempts)
    for number_, one in enumerate(counted, 1):
        doubts = [*_clock(one.attempt), *one.attempt.rows.problems, *one.division.notes, *one.attempt.notes]
        notes += [f"attempt {number_}: {text}" for text in doubts]
    return Training(counted, begin, end, parts, _figures(counted, parts, end - begin), notes)


def _divided(attempts: Sequence[Attempt]) -> tuple[list[Counted], list[str]]:
    begins = [one.rows.begin or 0 for one in attempts]
    ends = [max(one.rows.last_sign or 0, begin) for one, begin in zip(attempts, begins)]
    starts = [one.rows.start if one.rows.loops or one.rows.progress.last else None for one in attempts]
    counted, notes = [], []
    for index, one in enumerate(attempts):
        end = ends[index]
        if index + 1 < len(attempts) and end > begins[index + 1]:
            notes.append(
                f"attempt {index + 1} logged for {(end - begins[index + 1]) / 1e6:.3f} s after attempt {index + 2} had "
                "begun; that time counts for the later one. If these are two trainings, see --group-by"
            )
            end = begins[index + 1]
        later = [start for start in starts[index + 1 :] if start is not None]
        limit = min(later) if later else one.rows.productive_end
        division = divide(one.rows, begins[index], end, limit, redone=bool(later))
        counted.append(Counted(one, division, ends[index]))
    return counted, notes


def _gaps(counted: Sequence[Counted], end: int, parts: dict[str, int]) -> None:
    """The time that is in no attempt's division: nothing ran, or an earlier attempt that is cut off still did."""
    reached = counted[0].division.end
    lives = counted[0].last_sign
    for one in counted[1:]:
        gap, alive = one.division.begin - reached, max(0, min(lives, one.division.begin) - reached)
        parts[d.UNKNOWN] += alive
        parts[d.BETWEEN] += gap - alive
        reached, lives = one.division.end, max(lives, one.last_sign)
    parts[d.UNKNOWN] += end - reached


def _clock(attempt: Attempt) -> list[str]:
    rows = attempt.rows
    if not rows.backs:
        return []
    return [
        f"row times go back {rows.backs} times, by {rows.back / 1e6:.3f} s at most: the clock stepped, or rows are out "
        "of order; its times are not certain"
    ]


def _of_the_whole(attempts: Sequence[Attempt]) -> list[str]:
    notes = []
    targets = list(dict.fromkeys(one.rows.target for one in attempts if one.rows.target is not None))
    if len(targets) > 1:
        said = ", ".join(f"{one:,.0f}" for one in targets)
        notes.append(f"train_iterations_target changes between attempts ({said}); the newest counts")
    trained = [one for one in attempts if one.rows.progress.last is not None]
    if trained and all(one.rows.productive_end is None for one in trained) and not trained[-1].rows.saves.total:
        notes.append("no checkpoint is logged: only what a later attempt continued from counts as kept")
    return notes


def _figures(counted: Sequence[Counted], parts: dict[str, int], wall: int) -> dict[str, Optional[float]]:
    attempts = [one.attempt for one in counted]
    interruptions = sum(one.ended in (FAILED, KILLED) for one in attempts)
    figures: dict[str, Optional[float]] = {
        "wall": wall / 1000,
        "goodput": parts[d.PRODUCTIVE] / wall if wall else None,
        "attempts": len(attempts),
        "interruptions": interruptions,
        "mean_time_between_interruptions": (wall - parts[d.BETWEEN]) / 1000 / interruptions if interruptions else None,
        **_speed(attempts),
        "iterations_lost": sum(one.division.iterations_lost for one in counted),
        **_way(attempts, wall),
    }
    return {one.key: figures[one.key] for one in d.FIGURES}


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
        iterations += number(newest.get(m.TRAIN_ITERATIONS)) or max(0.0, last.iterations - (one.rows.start or 0.0))
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


def _way(attempts: Sequence[Attempt], wall: int) -> dict[str, Optional[float]]:
    """Progress, target and time left."""
    trained = [one for one in attempts if one.rows.start is not None or one.rows.end is not None]
    targets = [one.rows.target for one in attempts if one.rows.target is not None]
    target = targets[-1] if targets else None
    if not trained:
        return {"progress": None, "target": target, "time_left": None}
    newest, first = trained[-1], trained[0].rows.start or 0.0
    progress = newest.rows.end
    if newest.ended not in (RUNNING, FINISHED) or newest is not attempts[-1]:
        progress = newest.rows.productive_end if newest.rows.productive_end is not None else newest.rows.start
    left = None
    if target is not None and progress is not None:
        made = progress - first
        left = 0.0 if progress >= target else (target - progress) * wall / 1000 / made if made > 0 else None
    return {"progress": progress, "target": target, "time_left": left}
