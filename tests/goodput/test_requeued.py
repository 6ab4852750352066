"""A real job with the real wandb, killed by SIGKILL twice and requeued: three attempts, each lost iteration counted."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Optional

import pytest

from compat_matrix.jobs import PROGRAMS
from tests.delivery.jobs import gone
from tests.support import clean_environment, run_command

pytestmark = pytest.mark.slow

SECONDS = 0.15
GOODPUT = [sys.executable, "-m", "one_logger_v1_shim", "goodput", "--json"]


def run_until(home: Path, restarts: int, kill_at: Optional[int]) -> list[int]:
    """Run the job, unedited; kill it as soon as it says ``kill_at``. Returns the iterations that it has finished."""
    environ = clean_environment(
        home, {"WANDB_MODE": "offline", "SLURM_JOBID": "4711", "SLURM_RESTART_COUNT": str(restarts)}
    )
    script = PROGRAMS / "requeued" / "train.py"
    command = [sys.executable, "-m", "one_logger_v1_shim", "run", str(script), str(home), str(SECONDS)]
    job = subprocess.Popen(command, cwd=home, env=environ, stdout=subprocess.PIPE, start_new_session=True, text=True)
    said = []
    try:
        assert job.stdout is not None
        for line in job.stdout:
            said.append(int(line))
            if said[-1] == kill_at:
                job.send_signal(signal.SIGKILL)
        assert job.wait(120) == (0 if kill_at is None else -signal.SIGKILL)
    finally:
        job.kill()
        job.wait()
    return said


@pytest.fixture(scope="module")
def attempts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[list[int]]]:
    """Where it ran, and what each attempt has finished."""
    home = tmp_path_factory.mktemp("requeued")
    said = [run_until(home, number, kill_at) for number, kill_at in enumerate((13, 19, None))]
    gone(home)  # the workers, which bring W&B's files to their end
    return home, said


def told(home: Path) -> dict[str, Any]:
    (training,) = json.loads(run_command([*GOODPUT, str(home)], home).stdout)["trainings"]
    found: dict[str, Any] = training
    return found


def check(training: dict[str, Any], said: list[list[int]]) -> None:
    starts = [done[0] - 1 for done in said]
    assert starts[0] == 0
    assert [done[-1] for done in said][2] == 25
    lost = [done[-1] - start for done, start in zip(said, starts[1:])]
    assert all(0 < one < 10 for one in lost), "killed between two checkpoints"
    got = training["attempts"]
    assert [one["train_iterations_start"] for one in got] == starts
    assert [one["train_iterations_end"] for one in got] == [done[-1] for done in said]
    assert [one["iterations_lost"] for one in got] == [*lost, 0]
    figures, parts = training["figures"], training["parts"]
    assert figures["iterations_lost"] == sum(lost)
    assert (figures["attempts"], figures["interruptions"]) == (3, 2)
    assert (figures["progress"], figures["target"], figures["time_left_ms"]) == (25, 25, 0)
    assert sum(parts.values()) == pytest.approx(figures["wall_ms"], abs=0.01)
    # the clock is the machine's: an iteration takes as long as it sleeps, and a little more
    for key, iterations in (("productive_ms", 25), ("lost_work_ms", sum(lost)), ("startup_model_init_ms", 3)):
        assert iterations * SECONDS * 1000 <= parts[key] < iterations * SECONDS * 1000 * 3, key
    assert parts["not_saved_ms"] == 0


def test_its_attempts_and_what_was_lost(attempts: tuple[Path, list[list[int]]]) -> None:
    home, said = attempts
    training = told(home)
    check(training, said)
    assert [one["ended"] for one in training["attempts"]] == ["killed", "killed", "finished"]
    assert [one["run_name"] for one in training["attempts"]] == ["requeued-0", "requeued-1", "requeued-2"]


def test_from_wandbs_files_alone(attempts: tuple[Path, list[list[int]]], tmp_path: Path) -> None:
    home, said = attempts
    shutil.copytree(home, tmp_path / "copy", symlinks=True)
    for folder in (tmp_path / "copy" / "wandb").glob("one-logger-*"):
        shutil.rmtree(folder)
    training = told(tmp_path / "copy")
    check(training, said)
    assert [one["ended"] for one in training["attempts"]] == ["failed", "failed", "finished"]
    assert os.listdir(tmp_path / "copy" / "wandb") != []
