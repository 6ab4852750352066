"""Makes a job that fails small: whole stretches of calls first, then single ones, then what is in the configuration.

A smaller job counts only if it fails in the same way (:func:`kind`), so that one difference does not become another.
"""

from __future__ import annotations

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


def shrink(job: Recorded, differs: Try, most: int = 200) -> Recorded:
    """The smallest job that was found with at most ``most`` trials. ``job`` must differ."""
    wanted = kind(differs(job))
    assert wanted is not None, "a job that does not differ can not be shrunk"
    trials = 0
    again = True
    while again and trials < most:
        again = False
        for smaller in _smaller(job):
            trials += 1
            if kind(differs(smaller)) == wanted:
                job, again = smaller, True
                break
            if trials >= most:
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
