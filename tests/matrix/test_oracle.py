"""The oracle is trusted because it makes every recorded job's rows, and names every exception that v1 raised."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from compat_matrix.commands.record import record
from compat_matrix.compare import Event, ExpectedRun, compare_run, events_of
from compat_matrix.jobs import GOLDENS, HOME, PROGRAMS, golden
from compat_matrix.wandb_file import StoredRun

pytestmark = pytest.mark.slow

REPLAY = """
import json, os, sys
sys.path[:0] = [{inside!r}, {oracle!r}]
import recorded
from clock import VirtualClock
from one_logger import core
from one_logger_utils import OneLoggerUtils
done = {{}}
for path in {paths!r}:
    core.CORES.clear()
    with open(path) as file:
        job = json.load(file)
    os.environ["ONE_LOGGER_V1_WIRE"] = job.get("environment", {{}}).get("ONE_LOGGER_V1_WIRE", "1.0.2")
    clock = VirtualClock(job["t0"])
    clock.install()
    cls = core.OneLogger if job.get("target") == "OneLogger" else OneLoggerUtils
    results = recorded.replay(job, cls, clock)
    done[path] = [core.dump(), results]
print(json.dumps(done))
"""


@pytest.fixture(scope="module")
def replayed() -> dict[str, Any]:
    paths = [str(path) for path in sorted(GOLDENS.glob("*.json"))]
    code = REPLAY.format(inside=str(HOME / "inside"), oracle=str(HOME / "oracle"), paths=paths)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@pytest.mark.parametrize("path", sorted(GOLDENS.glob("*.json")), ids=lambda path: path.stem)
def test_recorded_job(path: Path, replayed: dict[str, Any]) -> None:
    cores, results = replayed[str(path)]
    job = golden(path)
    raised = [result["raises"].partition(":")[0] if result["raises"] else None for result in results]
    assert raised == list(job.raises)
    emits = [emit for core in cores for emit in core["emits"]]
    times = [round(at * 1000) for core in cores for at in core["times"]]
    events = events_of(emits, times, [])
    if not job.runs:
        assert events == []
        return
    assert compare_run(job.runs[0], stored(job.runs[0], events)) == []
    # to the letter: v1 also sent empty rows and unchanged tags
    raw = json.loads(path.read_text(encoding="utf-8"))
    kinds = [emit[0] for expect in raw["expect"] for emit in expect["emits"]]
    assert [emit[0] for emit in emits] == kinds


def stored(run: ExpectedRun, events: list[Event]) -> StoredRun:
    from tests.matrix.made import stored_run

    return stored_run(run.project, run.name, events)


def mine() -> list[str]:
    folders = sorted(path.parent for path in PROGRAMS.glob("*/expected.json"))
    return [f.name for f in folders if not json.loads((f / "expected.json").read_text(encoding="utf-8")).get("needs")]


@pytest.mark.parametrize("name", mine())
def test_expected_rows_are_what_the_oracle_says_today(name: str) -> None:
    assert record(name) == json.loads((PROGRAMS / name / "expected.json").read_text(encoding="utf-8"))
