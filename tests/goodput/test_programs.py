"""Programs that log through the core with times of their own: the rows that they send make the same table."""

from __future__ import annotations

import json
from typing import Any

import pytest

from compat_matrix.jobs import GOLDENS, PROGRAMS, golden
from one_logger_v1_shim._goodput import definitions as d
from one_logger_v1_shim._goodput.rows import AttemptRows
from one_logger_v1_shim._goodput.training import add_up
from one_logger_v1_shim._goodput.trainings import FINISHED, Attempt
from one_logger_v1_shim._v1 import metrics as m
from tests.goodput.story import ms

#: program -> its parts in ms, from its rows and its clock, which moves by 1/1024 s at least
EXPECTED: dict[str, dict[str, float]] = {
    # Times as whole ms: optimizer 0 to 4, load 4 to 12, data loader 12 to 16, loop 16 to 98, end at 102.
    # 8 iterations 58.59375 ms, 3 validations 11.71875 ms, 2 saves 11.71875 ms: with the rounding of the loop 82 ms.
    "megatron": {
        d.OPTIMIZER: 4.0,
        d.LOAD_CHECKPOINT: 8.0,
        d.DATA_LOADER: 4.0,
        d.PRODUCTIVE: 58.56,
        d.VALIDATION: 11.72,
        d.SAVE_CHECKPOINT: 11.72,
        d.SHUTDOWN: 4.0,
    },
    # A fork without phases and totals but those of checkpoints; 12 iterations of 3.90625 ms.
    "megatron_async": {d.PRODUCTIVE: 46.88, d.SAVE_CHECKPOINT: 2.93, d.UNKNOWN: 0.2},
    # Neither phases nor totals nor checkpoints: 5 iterations of 3.90625 ms, known by their average.
    "megatron_2024": {d.NOT_SAVED: 19.53, d.UNKNOWN: 0.47},
    "requeued": {d.MODEL_INIT: 3.91, d.PRODUCTIVE: 97.66},
}


def parts(name: str) -> dict[str, float]:
    (run,) = json.loads((PROGRAMS / name / "expected.json").read_text(encoding="utf-8"))["runs"]
    rows = AttemptRows()
    for kind, row, at in run["events"]:
        rows.take({**({m.APP_TAG: row} if kind == "tags" else row), m.APP_LAST_LOG_TIME: at})
    told = add_up([Attempt(rows, {"project": run["project"]}, FINISHED)])
    assert sum(told.parts.values()) == told.wall
    return ms(told.parts)


@pytest.mark.parametrize("name", EXPECTED)
def test_program(name: str) -> None:
    assert parts(name) == pytest.approx(EXPECTED[name], abs=0.05)


@pytest.mark.parametrize("path", sorted(GOLDENS.glob("*.json")), ids=lambda path: path.stem)
def test_recorded_jobs_add_up(path: Any) -> None:
    for run in golden(path).runs:
        rows = AttemptRows()
        for event in run.events:
            kind, content, at = event.spelled()
            rows.take({**({m.APP_TAG: content} if kind == "tags" else content), m.APP_LAST_LOG_TIME: at})
        rows.settle()
        assert rows.begin is not None
        told = add_up([Attempt(rows, {}, FINISHED)])
        assert sum(told.parts.values()) == told.wall
        assert all(us >= 0 for us in told.parts.values()), told.parts
