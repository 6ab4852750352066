"""Jobs that nobody wrote: their clock, what is in them, how one that differs is made small."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from compat_matrix.compare import Difference
from compat_matrix.random_jobs import command, sequences, trial
from compat_matrix.random_jobs.shrink import shrink

JOBS = [sequences.make(seed, number) for seed in range(3) for number in range(150)]


def test_the_clock_never_goes_backwards() -> None:
    for job in JOBS:
        times = [step["at"] for step in job["steps"]]
        assert times == sorted(times), job["name"]


def test_the_batches_of_a_validation_differ() -> None:
    rounds = [lengths for job in JOBS for lengths in _rounds(job) if len(lengths) > 1]
    assert len(rounds) > 100
    assert sum(len(set(lengths)) > 1 for lengths in rounds) > 0.7 * len(rounds)


def _rounds(job: dict[str, Any]) -> list[list[float]]:
    """The lengths of the batches of each validation."""
    found: list[list[float]] = []
    began = 0.0
    for step in job["steps"]:
        if step["call"] == "on_validation_start":
            found.append([])
        elif step["call"] == "on_validation_batch_start":
            began = step["at"]
        elif step["call"] == "on_validation_batch_end" and found:
            found[-1].append(step["at"] - began)
    return found


def test_they_have_what_real_jobs_have() -> None:
    has = Counter[str]()
    for job in JOBS:
        calls = Counter(step["call"] for step in job["steps"])
        saved = Counter(step["kwargs"].get("global_step") for step in job["steps"]
                        if step["call"] == "on_save_checkpoint_start" and "kwargs" in step)  # fmt: skip
        has["slurm"] += "environment" in job
        has["uncaught"] += "uncaught" in job
        has["guarded"] += calls["guarded"] > 0
        has["rows of the core"] += any(call.startswith("one_logger.") for call in calls)
        has["loops"] += calls["on_train_start"] > 1
        has["saved twice"] += any(count > 1 for count in saved.values())
        has["metadata"] += bool(job["config"].get("metadata"))
        has["tags that grow"] += (
            isinstance(job["config"].get("app_tag"), dict) and "$sequence" in job["config"]["app_tag"]
        )
    assert all(has[what] >= 10 for what in has), has
    assert len(has) == 8


def test_the_same_numbers_make_the_same_job() -> None:
    one, again, other = (repr(sequences.make(7, number)) for number in (3, 3, 4))  # a NaN is not equal to itself
    assert one == again != other


def differs_at(call: str, trials: list[int]) -> Any:
    def differs(job: dict[str, Any]) -> list[Difference]:
        trials.append(len(job["steps"]))
        return [Difference("row 0", "x", 1, 2)] if any(step["call"] == call for step in job["steps"]) else []

    return differs


def test_shrinking_tells_and_is_bounded() -> None:
    job = next(one for one in JOBS if len(one["steps"]) > 40 and "uncaught" in one)
    call = job["steps"][17]["call"]
    trials: list[int] = []
    told: list[int] = []
    small = shrink(job, differs_at(call, trials), tell=lambda count, _job: told.append(count))
    assert [step["call"] for step in small["steps"]] == [call]
    assert "uncaught" not in small
    assert told == list(range(1, len(trials)))
    assert shrink(job, differs_at(call, trials), seconds=0.0) == job
    trials.clear()
    shrink(job, differs_at(call, trials), most=5)
    assert len(trials) == 6


@pytest.mark.ci
def test_random_jobs_are_equal_to_the_oracle(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--jobs", "12", "--seed", "5"]) == 0, capsys.readouterr().out


@pytest.mark.slow
def test_rows_alone_are_equal_to_the_oracle(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--rows", "--jobs", "60", "--seed", "9"]) == 0, capsys.readouterr().out
    assert "60 of 60 random jobs equal to the oracle" in capsys.readouterr().out


@pytest.mark.slow
def test_rows_alone_differ_where_one_row_does(tmp_path: Path) -> None:
    job = trial.recorded([next(one for one in JOBS if one.get("target") == "OneLogger")], tmp_path)[0]
    emit = next(emit for one in job["expect"] for emit in one["emits"] if emit[0] == "log_metrics" and emit[1])
    name = next(iter(emit[1]))
    emit[1][name] = "another"
    (found,) = trial.rows_alone([job], tmp_path)
    assert found.differences[0].metric == name
