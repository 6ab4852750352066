"""Adds up the attempts of one training."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Callable, Optional

from . import definitions as d
from .attempt import divide
from .counted import Counted, count_gpus
from .figures import figures, logs_no_checkpoint
from .lineage import Lineage, lineage
from .spans import Span, clip, length, union
from .trainings import DEFAULT_KEYS, Attempt, differences


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
    line = lineage([one.rows for one in attempts])
    counted, notes = _divided(attempts, line)
    begin, end = counted[0].division.begin, max(one.last_sign for one in counted)
    parts = {key: sum(one.division.parts[key] for one in counted) for key in counted[0].division.parts}
    _gaps(counted, parts)
    notes += differences(attempts, keys) + _of_the_whole(attempts)
    for number_, each in enumerate(counted, 1):
        doubts = [*_clock(each.attempt), *each.attempt.rows.problems, *each.division.notes, *each.attempt.notes]
        notes += [f"attempt {number_}: {text}" for text in doubts]
    count_gpus(counted)
    return Training(counted, begin, end, parts, figures(counted, parts, end - begin, line), notes)


def _divided(attempts: Sequence[Attempt], line: Lineage) -> tuple[list[Counted], list[str]]:
    begins = [one.rows.begin or 0 for one in attempts]
    ends = [max(one.rows.last_sign or 0, begin) for one, begin in zip(attempts, begins)]
    counted, notes = [], []
    for index, one in enumerate(attempts):
        later = union(itertools.takewhile(_before(ends[index]), zip(begins[index + 1 :], ends[index + 1 :])))
        taken = length(clip(later, begins[index], ends[index]))
        if taken:
            notes.append(
                f"attempt {index + 1} logged for {taken / 1e6:.3f} s after attempt {index + 2} had begun, or the "
                "clocks of their hosts differ; that time counts for the later one. If these are two trainings, see "
                "--group-by"
            )
        life = (begins[index], ends[index])
        division = divide(one.rows, life, later, line.limits[index], redone=line.redone[index])
        counted.append(Counted(one, division, ends[index]))
    for early, late in line.doubts:
        notes.append(
            f"attempt {early + 1} continues from iteration {attempts[early].rows.start:,.0f}, which attempt {late + 1} "
            "has reached, and by its clock that began later: the clocks of their hosts differ, or earlier attempts are "
            "missing; what was kept and what was lost is not certain"
        )
    return counted, notes


def _before(end: int) -> Callable[[Span], bool]:
    return lambda life: life[0] < end


def _gaps(counted: Sequence[Counted], parts: dict[str, int]) -> None:
    """The time in which no attempt lived."""
    reached = counted[0].last_sign
    for one in counted[1:]:
        one.gap = max(0, one.division.begin - reached)
        parts[d.BETWEEN] += one.gap
        given = one.attempt.rows.job_start
        if given is not None and given <= one.division.begin:
            one.launch = min(one.gap, one.division.begin - given)
            one.queue = one.gap - one.launch
        reached = max(reached, one.last_sign)


def _clock(attempt: Attempt) -> list[str]:
    clock = attempt.rows.clock
    if not clock.backs:
        return []
    return [
        f"row times go back {clock.backs} times, by {clock.back / 1e6:.3f} s at most: the clock stepped, or rows are "
        "out of order; its times are not certain"
    ]


def _of_the_whole(attempts: Sequence[Attempt]) -> list[str]:
    notes = []
    targets = list(dict.fromkeys(one.rows.target for one in attempts if one.rows.target is not None))
    if len(targets) > 1:
        said = ", ".join(f"{one:,.0f}" for one in targets)
        notes.append(f"train_iterations_target changes between attempts ({said}); the newest counts")
    if logs_no_checkpoint(attempts):
        notes.append("no checkpoint is logged: only what a later attempt continued from counts as kept")
    return notes
