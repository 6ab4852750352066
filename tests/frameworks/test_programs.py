"""Legacy programs on the real frameworks, unedited, in no-edit mode."""

from __future__ import annotations

from typing import Callable

import pytest

from tests.frameworks import jobs

Run = Callable[[str], jobs.Result]

TRAIN = ["train"] * 2
SAVE = ["train", "save", "saved", "success"]


JOBS = [("program", {"name": name}) for name in ("vila", "eagle", "boltz_cp", "codonfm", "nemo_builder")]


@pytest.fixture
def run(job: Callable[..., jobs.Result]) -> Callable[[str], jobs.Result]:
    """``run(name)``: the program's result."""

    def run(name: str) -> jobs.Result:
        if name in ("vila", "eagle"):
            pytest.importorskip("transformers", reason="NOT RUN: pip install 'one-logger-v1-shim[huggingface]'")
        result = job("program", name=name)
        assert result.returncode == 0, result.output
        return result

    return run


def test_vila(run: Run) -> None:
    result = run("vila")
    model = ["init", "app_start", "model_init_start", "model_init_end"]
    half = [*TRAIN, "validation", *SAVE]
    assert result.kinds == [*model, "train_start", *half, *half, "train_end", "train", "save", "saved", "app_end"]
    assert result.only("init")["world_size"] == -1
    assert result.every("train")[-1]["train_tokens"] == 40 * 4 * 8


def test_eagle_has_a_one_logger_of_its_own(run: Run) -> None:
    result = run("eagle")
    model = ["init", "app_start", "model_init_start", "model_init_end"]
    half = [*TRAIN, *SAVE]
    assert result.kinds == [*model, "train_start", *half, *half, "train_end", "app_end"]


def test_boltz_cp_is_silent(run: Run) -> None:
    result = run("boltz_cp")
    assert result.runs == []
    assert "one_logger" not in result.output.lower()
    assert "wandb" not in result.output.lower()


def test_codonfm_resumes(run: Run) -> None:
    result = run("codonfm")
    first, second = (
        jobs.Result(0, "", {}, [one], result.folder) for one in sorted(result.runs, key=lambda run: len(run.rows))[::-1]
    )
    model = ["init", "model_init_start", "model_init_end"]
    half = [*TRAIN, *SAVE, "validation"]
    assert first.kinds == [*model, "app_start", "train_start", *half, *half, "train_end", "app_end"]
    load = ["load_start", "load_end"]
    assert second.kinds == [*model, *load, "app_start", "train_start", *half, "train_end", "app_end"]
    assert second.only("train_start")["train_iterations_start"] == 40
    assert second.every("train")[-1]["train_iterations_end"] == 60


def test_nemo_builder(run: Run) -> None:
    result = run("nemo_builder")
    begin = [
        "init", "model_init_start", "dataloader_init_start", "dataloader_init_end", "load_start", "load_end",
        "model_init_end", "app_start", "optimizer_init_start", "optimizer_init_end", "train_start",
    ]  # fmt: skip
    assert result.kinds[: len(begin)] == begin
    assert [row["save_checkpoint_async_count"] for row in result.every("success")] == [1, 2]
    assert len(result.every("saved")) == len(result.every("validation")) == 2
    assert result.kinds[-1] == "app_end"
    assert len(result.runs) == 1, "the inference trainer does not log"
