"""The JSON form. Its number changes when a key changes its meaning or goes; new keys may come without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._v1 import metrics as m
from . import definitions as d
from .counted import Counted
from .losses import losses
from .training import Training
from .trainings import Attempt

FORMAT = "one-logger-v1-shim goodput"
VERSION = 1


def document(trainings: Sequence[Training], notes: Sequence[str]) -> dict[str, Any]:
    """All trainings. Times are ms (instants: since the epoch), shares 0 to 1; null where the rows do not say."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "trainings": [_training(one) for one in trainings],
        "notes": list(notes),
    }


def _training(training: Training) -> dict[str, Any]:
    newest = training.attempts[-1].attempt
    return {
        "project": newest.value("project"),
        "app_tag": list(dict.fromkeys(tag for one in training.attempts for tag in one.attempt.rows.tags)),
        "app_tag_run_name": newest.value(m.APP_TAG_RUN_NAME),
        "begin_ms": training.begin / 1000,
        "end_ms": training.end / 1000,
        "parts": parts_in_ms(training.parts),
        "figures": {_key(one): training.figures[one.key] for one in d.FIGURES},
        "losses": [
            {
                "key": one.key,
                "label": one.label,
                "ms": one.us / 1000,
                "gpu_hours": one.gpu_hours,
                "share": one.share,
                "inside": one.inside,
            }
            for one in losses(training.attempts, training.parts, training.wall)
        ],
        "attempts": [_attempt(number, one) for number, one in enumerate(training.attempts, 1)],
        "notes": training.notes,
    }


def _attempt(number: int, counted: Counted) -> dict[str, Any]:
    attempt: Attempt = counted.attempt
    rows = attempt.rows
    return {
        "number": number,
        "id": attempt.value("id"),
        "run_name": attempt.value("run_name"),
        "folder": attempt.value("folder"),
        "ended": attempt.ended,
        "exit_code": attempt.exit_code,
        "begin_ms": counted.division.begin / 1000,
        "end_ms": counted.division.end / 1000,
        "last_sign_of_life_ms": counted.last_sign / 1000,
        "wall_ms": counted.wall / 1000,
        "parts": parts_in_ms(counted.division.parts),
        "gpus": counted.gpus,
        "gap_ms": counted.gap / 1000,
        "queue_ms": None if counted.queue is None else counted.queue / 1000,
        "launch_ms": None if counted.launch is None else counted.launch / 1000,
        "rows": rows.rows,
        "train_iterations_start": rows.start,
        "train_iterations_end": rows.end,
        "train_iterations_productive_end": rows.productive_end,
        "train_iterations_target": rows.target,
        "iterations_lost": counted.division.iterations_lost,
    }


def parts_in_ms(parts: dict[str, int]) -> dict[str, float]:
    """Each part under its name in the JSON form."""
    return {f"{one.key}_ms": parts[one.key] / 1000 for one in d.PARTS}


def _key(definition: d.Definition) -> str:
    return f"{definition.key}_ms" if definition.unit == "ms" else definition.key
