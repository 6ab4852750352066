"""The oracle is trusted because it makes every recorded job's rows, and names every exception that v1 raised."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from compat_matrix.commands.record import record
from compat_matrix.compare import same
from compat_matrix.jobs import GOLDENS, HOME, PROGRAMS

pytestmark = pytest.mark.slow

JOBS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(GOLDENS.glob("*.json"))}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the oracle says of each recorded job."""
    folder = tmp_path_factory.mktemp("oracle")
    (folder / "jobs").write_text("".join(json.dumps(job) + "\n" for job in JOBS.values()), encoding="utf-8")
    oracle = HOME / "oracle"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(oracle), str(HOME / "inside")])}
    command = [sys.executable, str(oracle / "record_jobs.py"), str(folder / "jobs"), str(folder / "said")]
    subprocess.run(command, env=environ, check=True)
    return dict(zip(JOBS, map(json.loads, (folder / "said").read_text(encoding="utf-8").splitlines())))


@pytest.mark.parametrize("name", JOBS)
def test_recorded_job(name: str, recorded: dict[str, Any]) -> None:
    """Call by call and to the letter: v1 also sent empty rows and unchanged tags."""
    said, expect = recorded[name]["expect"], JOBS[name]["expect"]
    assert [one["call"] for one in said] == [one["call"] for one in expect]
    assert [one.get("raises") for one in said] == [one.get("raises") for one in expect]
    for one, other in zip(expect, said):
        assert same(one["emits"], other["emits"]), one["call"]


def mine() -> list[str]:
    folders = sorted(path.parent for path in PROGRAMS.glob("*/expected.json"))
    return [f.name for f in folders if not json.loads((f / "expected.json").read_text(encoding="utf-8")).get("needs")]


@pytest.mark.parametrize("name", mine())
def test_expected_rows_are_what_the_oracle_says_today(name: str) -> None:
    assert record(name) == json.loads((PROGRAMS / name / "expected.json").read_text(encoding="utf-8"))
