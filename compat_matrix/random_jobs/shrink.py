"""Makes a job that fails small: whole stretches of calls first, then single ones, then what is in the configuration.

A smaller job counts only if it fails in the same way (:func:`kind`), so that one difference does not become another.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from ..compare import Difference

Recorded = dict[str, Any]
#: the differences of a job
Try = Callable[[Recorded], list[Difference]]

_KEPT = ("enable_for_current_rank", "one_logger_project", "project")


def kind(differences: list[Difference]) -> Any:
    """What makes two failures the same: the metric of the first difference. None: no failure."""
    return differences[0].metric if differences else None


def shrink(
    job: Recorded,
    differs: Try,
    most: int = 200,
    seconds: float = 60.0,
    tell: Callable[[int, Recorded], None] = lambda _trials, _job: None,
) -> Recorded:
    """The smallest job that was found in at most ``most`` trials and ``seconds``. ``job`` must differ.

    ``tell`` hears of each trial: how many there were, and the smallest job so far.
    """
    wanted = kind(differs(job))
    assert wanted is not None, "a job that does not differ cannot be shrunk"
    until = time.monotonic() + seconds
    trials = 0
    again = True
    while again:
        again = False
        for smaller in _smaller(job):
            if trials >= most or time.monotonic() >= until:
                return job
            trials += 1
            tell(trials, job)
            if kind(differs(smaller)) == wanted:
                job, again = smaller, True
                break
    return job


def _smaller(job: Recorded) -> Iterator[Recorded]:
    """Jobs with less in them, those with the least first."""
    steps = job["steps"]
    size = len(steps)
    while size > 0:
        for start in range(0, len(steps), size):
            yield {**job, "steps": steps[:start] + steps[start + size :]}
        size //= 2
    for key in ("environment", "uncaught"):
        if key in job:
            yield {name: value for name, value in job.items() if name != key}
    for key in job["config"]:
        if key not in _KEPT:
            yield {**job, "config": {name: value for name, value in job["config"].items() if name != key}}
    for number, step in enumerate(steps):
        for name in step.get("kwargs", {}):
            kwargs = {key: value for key, value in step["kwargs"].items() if key != name}
            yield {**job, "steps": [*steps[:number], {**step, "kwargs": kwargs}, *steps[number + 1 :]]}
    for key, value in job["config"].items():
        if isinstance(value, dict) and set(value) <= {"$callable", "$sequence"}:
            plain = value.get("$callable", (value.get("$sequence") or [None])[0])
            yield {**job, "config": {**job["config"], key: plain}}
