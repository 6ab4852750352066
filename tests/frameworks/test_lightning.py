"""Lightning jobs, real ones: the rows are v1's, and their counts are Lightning's own."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Any, Callable

import pytest

from tests.frameworks import jobs
from tests.frameworks.capturing import captured

Job = Callable[..., jobs.Result]

BASE = [
    {"family": "lightning.pytorch", "via": "hook", "user_adds": "before"},
    {"family": "pytorch_lightning", "via": "hook", "user_adds": "after"},
    {"family": "lightning.pytorch", "via": "trainer"},
]
ASYNC = {"family": "pytorch_lightning", "via": "hook", "asynchronous": True}
FAILED = [
    ("hook", "raise", "UserError: out of luck"),
    ("callback", "raise", "UserError: out of luck"),
    ("trainer", "sigint", "SystemExit: 1"),  # what Lightning makes of Ctrl-C
]
FAILS_TO_SAVE = {"via": "trainer", "asynchronous": True, "fail_save": 20}
STOPS = {"event": [11, "stop"], "user_adds": "append"}
STAGES = {"first": ["validate"], "then": ["save", "validate", "test", "fit"]}
OFF = {"enabled": "no", "user_adds": "before"}


def failing(via: str, event: str) -> dict[str, Any]:
    return {"family": "pytorch_lightning", "via": via, "event": [12, event]}


TWO = {**BASE[2], "devices": 2, "batch": 2}
#: in a test's block, and the error that ends the job
CAPTURED = [(BASE[0], None), (failing("hook", "raise"), "UserError")]
JOBS = [
    ("lightning", TWO),
    *(
        ("lightning", settings)
        for settings in (*BASE, ASYNC, FAILS_TO_SAVE, *(failing(*one[:2]) for one in FAILED), STOPS, STAGES, OFF)
    ),
    ("lightning", {**TWO, "ranks": 2}),
    *(("captured", {"of": "lightning", **one[0]}) for one in CAPTURED),
    *(("program", {"name": name}) for name in ("boltz_cp", "codonfm", "nemo_builder")),
]


def loop(first: int, last: int) -> list[str]:
    """The rows of the steps after ``first``: progress every 5, a checkpoint every 10, validation every 20."""
    kinds = []
    for step in range(first + 1, last + 1):
        if step % 5 == 0:
            kinds.append("train")
        if step % 10 == 0:
            kinds += ["train", "save", "saved", "success"]
        if step % 20 == 0:
            kinds.append("validation")
    return kinds


def whole(first: int = 0, last: int = 40) -> list[str]:
    return ["init", "app_start", "train_start", *loop(first, last), "train_end", "app_end"]


def identity(value: Any) -> str:
    return "-".join(str(one) for one in value.values() if one)


@pytest.mark.parametrize("settings", BASE, ids=identity)
def test_the_rows_are_v1s_whoever_adds_the_callback(job: Job, settings: dict[str, Any]) -> None:
    result = job("lightning", **settings)
    assert result.returncode == 0, result.output
    assert result.kinds == whole()
    assert len(result.runs) == 1
    assert (result.runs[0].project, result.runs[0].name, result.runs[0].exit_code) == ("tests", "lightning", 0)
    assert "was not correctly stopped" not in result.output


@pytest.mark.parametrize("settings", [*BASE, ASYNC], ids=identity)
def test_counts_are_lightnings_own(job: Job, settings: dict[str, Any]) -> None:
    result = job("lightning", **settings)
    facts = result.facts
    assert facts["global_step"] == 40
    last = result.every("train")[-1]
    assert last["train_iterations"] == last["train_iterations_end"] == facts["batches"] == facts["global_step"]
    assert last["train_samples"] == last["train_samples_end"] == facts["samples"]
    assert [row["train_iterations_save_checkpoint_end"] for row in result.every("save")] == facts["dumped"]
    assert len(result.every("success")) == len(result.every("saved")) == len(facts["files"]) == 4
    assert result.every("saved")[-1]["save_checkpoint_sync_count"] == 4
    assert len(result.every("validation")) == 2
    assert facts["validation_batches"] == 6


@pytest.mark.parametrize("settings", BASE, ids=identity)
def test_names_and_units(job: Job, settings: dict[str, Any]) -> None:
    result = job("lightning", **settings)
    start, end = result.only("app_start")["app_start_time"], result.only("app_end")["app_finish_time"]
    train = result.only("train_start")
    # milliseconds (v1's Lightning module sent seconds), in the order of events
    times = [
        start, train["app_train_loop_start_time"],
        result.every("train")[0]["first_logged_train_iterations_finish_time"],
        result.every("train")[-1]["last_logged_train_iterations_finish_time"],
        result.only("train_end")["app_train_loop_finish_time"], end,
    ]  # fmt: skip
    assert times == sorted(times)
    assert 1.6e12 < start < end < start + 150_000
    assert train["app_start_time"] == start
    assert (train["train_iterations_start"], train["train_samples_start"]) == (0, 0)
    for row in result.every("train"):
        total_ms = row["train_iterations_time_total"] * 1000  # s
        assert math.isclose(row["train_iterations_time_msecs_avg"] * row["train_iterations"], total_ms, rel_tol=1e-6)
        assert 0 < row["train_iterations_time_msecs_min"] <= row["train_iterations_time_msecs_avg"]
    validation = result.every("validation")[-1]
    total_ms = validation["validation_iterations_time_total"] * 1000
    batches = result.facts["validation_batches"]
    assert math.isclose(validation["validation_iterations_time_msecs_avg"] * batches, total_ms, rel_tol=1e-6)
    for at, row in enumerate(result.every("success"), 1):
        assert row["train_iterations_productive_end"] == at * 10
        assert row["train_samples_productive_end"] == at * 40
    assert result.runs[0].rows[0]["app_tag"] == ["tag"]


def test_asynchronous_checkpoints(job: Job) -> None:
    result = job("lightning", **ASYNC)
    assert result.returncode == 0, result.output
    assert Counter(result.kinds) == Counter(whole())
    assert [row["save_checkpoint_async_count"] for row in result.every("success")] == [1, 2, 3, 4]
    assert [row["train_iterations_productive_end"] for row in result.every("success")] == [10, 20, 30, 40]
    successes = [at for at, kind in enumerate(result.kinds) if kind == "success"]
    ends = [at for at, kind in enumerate(result.kinds) if kind == "saved"]
    assert all(end < success for end, success in zip(ends, successes))
    assert result.kinds[-1] == "app_end", "all saves are reported before the job ends"


def test_an_asynchronous_save_that_fails_surfaces_and_is_no_success(job: Job) -> None:
    result = job("lightning", **FAILS_TO_SAVE)
    assert result.facts["error"] == "OSError: no space left"
    assert result.returncode == 1
    assert [row["train_iterations_productive_end"] for row in result.every("success")] == [10, 30]
    assert len(result.every("save")) == 3
    assert result.facts["files"] == ["step=10.ckpt", "step=30.ckpt"]
    assert result.kinds[-1] == "app_end"


def test_resume(job: Job) -> None:
    before = job("lightning", **BASE[0])
    result = job("lightning", resume=str(before.folder / "checkpoints" / "step=20.ckpt"))
    assert result.returncode == 0, result.output
    assert result.facts["global_step"] == 40
    assert result.kinds == whole(20)
    start, last = result.only("train_start"), result.every("train")[-1]
    assert (start["train_iterations_start"], start["train_samples_start"]) == (20, 80)
    assert (last["train_iterations"], last["train_iterations_end"]) == (result.facts["batches"], 40) == (20, 40)
    assert (last["train_samples"], last["train_samples_end"]) == (result.facts["samples"], 160)


# -- how a job can end -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("via", "event", "error"),
    FAILED,
)
def test_a_job_that_fails_is_finished_and_keeps_its_own_error(job: Job, via: str, event: str, error: str) -> None:
    result = job("lightning", **failing(via, event))
    assert result.facts["error"] == error
    assert result.returncode == 1
    assert result.facts["global_step"] == 12
    # the callback on its own can't see checkpoints
    saves = ["train", "save", "saved", "success"] if via != "callback" else []
    assert result.kinds == ["init", "app_start", "train_start", "train", "train", *saves, "train_end", "app_end"]
    assert result.runs[0].exit_code, "W&B shows a failed run"


def test_should_stop(job: Job) -> None:
    result = job("lightning", **STOPS)
    assert (result.returncode, result.facts["error"], result.facts["global_step"]) == (0, None, 12)
    assert result.kinds.count("train_end") == result.kinds.count("app_end") == 1
    assert result.kinds[-2:] == ["train_end", "app_end"]
    assert result.every("train")[-1]["train_iterations"] == 10
    assert result.runs[0].exit_code == 0


def test_stages_before_and_after_fit(job: Job) -> None:
    result = job("lightning", **STAGES)
    assert result.returncode == 0, result.output
    assert result.kinds == ["init", "app_start", "validation", *whole()[2:]]
    # what comes after the end is named once, in one line
    assert len(re.findall("the run was finished when training ended", result.output)) == 1
    # a second fit is a run of its own: nothing of it is lost
    assert len(result.runs) == 2
    assert [key for row in result.runs[1].rows for key in row if key == "app_finish_time"] == ["app_finish_time"]


# -- the other ranks ---------------------------------------------------------------------------------------------------


def test_a_rank_that_does_not_log(job: Job) -> None:
    result = job("lightning", **OFF)
    assert result.returncode == 0, result.output
    assert result.facts["global_step"] == 40
    assert result.runs == []
    assert result.facts["heavy"] == []
    assert "one_logger" not in result.output.lower()
    assert not list(result.folder.rglob("*onelogger*"))


def test_only_the_family_of_the_users_class_is_imported(job: Job) -> None:
    for settings in BASE:
        assert job("lightning", **settings).facts["other_family"] == [], settings


def counts(result: jobs.Result) -> list[Any]:
    """Everything in the rows but times."""
    return [
        (jobs.kind_of(row), {key: value for key, value in row.items() if "time" not in key and key != "world_size"})
        for row in result.rows
    ]


@pytest.mark.parametrize("more", [{}, {"ranks": 2}], ids=["lightning's own launcher", "torchrun's variables"])
def test_two_ranks_are_one_run_with_the_rows_of_one_process_for_the_same_global_batch(
    job: Job, more: dict[str, Any]
) -> None:
    alone, both = job("lightning", **BASE[2]), job("lightning", **TWO, **more)
    assert both.returncode == 0, both.output
    assert len(both.runs) == 1
    assert both.runs[0].exit_code == 0
    assert counts(both) == counts(alone)
    assert both.facts["global_step"] == 40
    assert both.facts["samples"] == both.every("train")[-1]["train_samples"] == 160


# -- in a test's block -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("settings", "error"), CAPTURED, ids=["whole", "fails"])
def test_rows_in_a_block_are_those_of_wandbs_file(job: Job, settings: dict[str, Any], error: Any) -> None:
    found = captured(job, "lightning", **settings)
    assert found["kinds"] == found["kinds before"] == job("lightning", **settings).kinds
    assert len(found["kinds"]) > 5
    assert (found["error"], found["finished"]) == (error, [True])
    assert [span[:2] for span in found["spans"][:2]] == [["application", None], ["training_loop", "application"]]
    assert all(span[2] is not None for span in found["spans"])


# -- legacy programs, unedited, in no-edit mode ------------------------------------------------------------------------


def test_boltz_cp_is_silent(job: Job) -> None:
    result = job("program", name="boltz_cp")
    assert result.returncode == 0, result.output
    assert result.runs == []
    assert "one_logger" not in result.output.lower()
    assert "wandb" not in result.output.lower()


def test_codonfm_resumes(job: Job) -> None:
    result = job("program", name="codonfm")
    assert result.returncode == 0, result.output
    first, second = (
        jobs.Result(0, "", {}, [one], result.folder) for one in sorted(result.runs, key=lambda run: len(run.rows))[::-1]
    )
    model = ["init", "model_init_start", "model_init_end"]
    half = ["train", "train", *jobs.SAVE, "validation"]
    assert first.kinds == [*model, "app_start", "train_start", *half, *half, "train_end", "app_end"]
    load = ["load_start", "load_end"]
    assert second.kinds == [*model, *load, "app_start", "train_start", *half, "train_end", "app_end"]
    assert second.only("train_start")["train_iterations_start"] == 40
    assert second.every("train")[-1]["train_iterations_end"] == 60


def test_nemo_builder(job: Job) -> None:
    result = job("program", name="nemo_builder")
    assert result.returncode == 0, result.output
    begin = [
        "init", "model_init_start", "dataloader_init_start", "dataloader_init_end", "load_start", "load_end",
        "model_init_end", "app_start", "optimizer_init_start", "optimizer_init_end", "train_start",
    ]  # fmt: skip
    assert result.kinds[: len(begin)] == begin
    assert [row["save_checkpoint_async_count"] for row in result.every("success")] == [1, 2]
    assert len(result.every("saved")) == len(result.every("validation")) == 2
    assert result.kinds[-1] == "app_end"
    assert len(result.runs) == 1, "the inference trainer does not log"
