"""transformers jobs, real ones: the rows are v1's, and their counts are transformers' own."""

from __future__ import annotations

import math
from typing import Any, Callable

import pytest

from tests.frameworks import jobs
from tests.frameworks.capturing import captured
from tests.frameworks.test_lightning import counts

Job = Callable[..., jobs.Result]

BEGIN = ["init", "app_start", "model_init_start", "model_init_end", "train_start"]

TWO_DATASETS = {"two_datasets": True, "event": [20, "stop"], "user_adds": True, "accumulate": 1, "batch": 4}
FAILED = [("raise", "UserError: out of luck"), ("sigint", "KeyboardInterrupt: ")]
OFF = {"enabled": "no"}
TWO = {"processes": 2, "batch": 1, "ranks": 2}
#: in a test's block, and the error that ends the job
CAPTURED: list[tuple[dict[str, Any], Any]] = [({}, None), ({"event": [12, "raise"]}, "UserError")]
JOBS: list[tuple[str, dict[str, Any]]] = [
    *(
        ("huggingface", settings)
        for settings in ({}, TWO_DATASETS, *({"event": [12, one[0]]} for one in FAILED), OFF, TWO)
    ),
    *(("captured", {"of": "huggingface", **one[0]}) for one in CAPTURED),
    *(("program", {"name": name}) for name in ("vila", "eagle")),
]


def loop(first: int, last: int) -> list[str]:
    """The rows of the steps after ``first``: progress every 5, validation every 20, a checkpoint every 10."""
    kinds = []
    for step in range(first + 1, last + 1):
        if step % 5 == 0:
            kinds.append("train")
        if step % 20 == 0:
            kinds.append("validation")
        if step % 10 == 0:
            kinds += ["train", "save", "saved", "success"]
    return kinds


def test_the_rows_are_v1s(job: Job) -> None:
    result = job("huggingface")
    assert result.returncode == 0, result.output
    # nobody called on_app_end: it is sent when the process exits
    assert result.kinds == [*BEGIN, *loop(0, 40), "train_end", "app_end"]
    (run,) = result.runs
    assert (run.project, run.exit_code) == ("tests", 0)
    facts, last = result.facts, result.every("train")[-1]
    # one iteration is one optimizer step
    assert last["train_iterations"] == last["train_iterations_end"] == facts["steps"] == facts["global_step"] == 40
    assert facts["substeps"] > 0
    assert last["train_samples"] == last["train_samples_end"] == 160
    assert [row["train_iterations_save_checkpoint_end"] for row in result.every("save")] == facts["saves"]
    assert len(result.every("success")) == len(facts["files"]) == 4
    assert len(result.every("validation")) == facts["evaluations"] == 2
    assert "was not correctly stopped" not in result.output


def test_validation_batches_are_those_of_evaluations_only(job: Job) -> None:
    result = job("huggingface")
    validation = result.every("validation")[-1]
    total_ms = validation["validation_iterations_time_total"] * 1000
    batches = round(total_ms / validation["validation_iterations_time_msecs_avg"])
    # 12 samples in batches of 4, twice; the third pass over them is predict()'s
    assert (batches, result.facts["prediction_steps"]) == (6, 9)


def test_names_and_units(job: Job) -> None:
    result = job("huggingface")
    start, end = result.only("app_start")["app_start_time"], result.only("app_end")["app_finish_time"]
    assert 1.6e12 < start < end < start + 150_000
    first = result.only("init")
    # strings and -1 are what VILA passes; rows keep them
    assert (first["world_size"], first["global_batch_size"]) == (-1, "4")
    for row in result.every("train"):
        total_ms = row["train_iterations_time_total"] * 1000
        assert math.isclose(row["train_iterations_time_msecs_avg"] * row["train_iterations"], total_ms, rel_tol=1e-6)


def test_several_datasets_are_one_evaluation(job: Job) -> None:
    result = job("huggingface", **TWO_DATASETS)
    assert result.returncode == 0, result.output
    assert (result.facts["global_step"], result.facts["evaluations"]) == (20, 2)
    assert len(result.every("validation")) == 1
    assert result.kinds == [*BEGIN, *loop(0, 20), "train_end", "app_end"]


def test_resume(job: Job) -> None:
    before = job("huggingface")
    result = job("huggingface", resume=str(before.folder / "out" / "checkpoint-20"))
    assert result.returncode == 0, result.output
    assert result.kinds == [*BEGIN, *loop(20, 40), "train_end", "app_end"]
    start, last = result.only("train_start"), result.every("train")[-1]
    assert (start["train_iterations_start"], start["train_samples_start"]) == (20, 80)
    assert (last["train_iterations"], last["train_iterations_end"]) == (result.facts["steps"], 40) == (20, 40)
    assert (last["train_samples"], last["train_samples_end"]) == (80, 160)


@pytest.mark.parametrize(("event", "error"), FAILED, ids=str)
def test_a_job_that_fails_is_finished_and_keeps_its_own_error(job: Job, event: str, error: str) -> None:
    result = job("huggingface", event=[12, event])
    assert result.facts["error"] == error
    assert result.returncode != 0
    assert result.kinds == [*BEGIN, *loop(0, 12), "train_end", "app_end"]
    assert result.runs[0].exit_code, "W&B shows a failed run"


def test_a_rank_that_does_not_log(job: Job) -> None:
    result = job("huggingface", **OFF)
    assert result.returncode == 0, result.output
    assert result.facts["global_step"] == 40
    assert result.runs == []
    assert result.facts["heavy"] == []
    assert "one_logger" not in result.output.lower()


def test_two_ranks_are_one_run_with_the_rows_of_one_process_for_the_same_global_batch(job: Job) -> None:
    alone, both = job("huggingface"), job("huggingface", **TWO)
    assert both.returncode == 0, both.output
    assert len(both.runs) == 1
    assert both.runs[0].exit_code == 0
    assert counts(both) == counts(alone)
    assert both.only("init")["world_size"] == "2"


@pytest.mark.parametrize(("settings", "error"), CAPTURED, ids=["whole", "fails"])
def test_rows_in_a_block_are_those_of_wandbs_file(job: Job, settings: dict[str, Any], error: Any) -> None:
    found = captured(job, "huggingface", **settings)
    assert found["kinds"] == job("huggingface", **settings).kinds
    assert found["kinds"] == [*found["kinds before"], "app_end"], "with the process, or here with the block"
    assert (found["error"], found["finished"]) == (error, [False])
    assert [span[:2] for span in found["spans"][:2]] == [["application", None], ["model_initialization", "application"]]
    assert all(span[2] is not None for span in found["spans"])


# -- legacy programs, unedited, in no-edit mode ------------------------------------------------------------------------


def test_vila(job: Job) -> None:
    result = job("program", name="vila")
    assert result.returncode == 0, result.output
    model = ["init", "app_start", "model_init_start", "model_init_end"]
    half = ["train", "train", "validation", *jobs.SAVE]
    assert result.kinds == [*model, "train_start", *half, *half, "train_end", "train", "save", "saved", "app_end"]
    assert result.only("init")["world_size"] == -1
    assert result.every("train")[-1]["train_tokens"] == 40 * 4 * 8


def test_eagle_has_a_one_logger_of_its_own(job: Job) -> None:
    result = job("program", name="eagle")
    assert result.returncode == 0, result.output
    model = ["init", "app_start", "model_init_start", "model_init_end"]
    half = ["train", "train", *jobs.SAVE]
    assert result.kinds == [*model, "train_start", *half, *half, "train_end", "app_end"]
