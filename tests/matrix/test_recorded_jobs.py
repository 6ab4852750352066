"""The recorded jobs: each metric of v1 has one, with what v1's core added; and a comparison sees each of them."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from compat_matrix.compare import compare_run
from compat_matrix.jobs import GOLDENS, HOME, golden
from one_logger_v1_shim._v1.metrics import UNITS
from tests.matrix.made import stored_run

WHOLE = GOLDENS / "slurm_tags_log_times.json"


def test_there_is_one_for_each_metric() -> None:
    found: set[str] = set()
    for path in GOLDENS.glob("*.json"):
        job = json.loads(path.read_text(encoding="utf-8"))
        rows = [emit[1] for step in job["expect"] for emit in step["emits"] if emit[0] == "log_metrics"]
        found.update(name for row in (*rows, *job.get("rows", ())) for name in row)
    assert UNITS.keys() - found == set()


def whole() -> tuple[Any, list[dict[str, Any]]]:
    run = golden(WHOLE, whole=True).runs[0]
    assert run.rows is not None
    return run, [dict(row) for row in run.rows]


def differences(rows: list[dict[str, Any]]) -> list[str]:
    run, _ = whole()
    stored = stored_run(run.project, run.name, run.events)
    summary = {name: value for row in rows for name, value in row.items() if value is not None}
    stored = dataclasses.replace(stored, rows=rows, steps=list(range(len(rows))), summary=summary)
    return [f"{one.where}: {one.metric}" for one in compare_run(run, stored)]


def test_the_rows_are_those_that_are_expected() -> None:
    _, rows = whole()
    assert differences(rows) == []
    first, second = rows[:2]
    assert differences([{**first, **second}, *rows[2:]]) == []  # tags with the row of the same call


@pytest.mark.parametrize(
    "name", ["jobid", "step_id", "job_start_time", "limit_run", "app_first_log_time", "app_tag_id"]
)
def test_another_value_of_the_bookkeeping_is_a_difference(name: str) -> None:
    _, rows = whole()
    value = rows[0][name]
    rows[0][name] = value / 1000 if isinstance(value, int) else value[:-1]
    assert any(name in one for one in differences(rows))


@pytest.mark.slow
def test_the_oracle_says_the_same_of_the_first_row() -> None:
    job = json.loads(WHOLE.read_text(encoding="utf-8"))
    code = (
        "import json, sys; sys.path[:0] = [sys.argv[1]]; from one_logger.core import first_row;"
        "print(json.dumps(first_row(json.loads(sys.argv[2]))))"
    )
    command = [sys.executable, "-c", code, str(Path(HOME) / "oracle"), json.dumps(job["environment"])]
    said = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert said == job["first_row"]
