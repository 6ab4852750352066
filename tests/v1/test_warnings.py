"""Where v1 crashed, or lost what it had measured, the job hears of it: one line, once, naming the call."""

from __future__ import annotations

from typing import Any

import pytest

from tests.v1.job import V1Job

# what the job calls -> what it reads. Each line is logged once, however often it happens.
ACCIDENTS: dict[str, tuple[list[tuple[str, dict[str, Any]]], str]] = {
    "app_end_twice": (
        [("on_app_start", {}), ("on_app_end", {}), ("on_app_end", {})],
        "on_app_end was called again after the end; it is ignored",
    ),
    "train_end_twice": (
        [("on_train_start", {"train_iterations_start": 0}), ("on_train_end", {}), ("on_train_end", {})],
        "on_train_end was called again after the end; it is ignored",
    ),
    **{
        callback: ([(callback, {})], f"{callback} was called without its start")
        for callback in (
            "on_app_end",
            "on_model_init_end",
            "on_dataloader_init_end",
            "on_optimizer_init_end",
            "on_load_checkpoint_end",
            "on_train_end",
            "on_train_batch_end",
            "on_validation_batch_end",
        )
    },
    "on_validation_end": (
        [
            ("on_validation_batch_start", {}),
            ("on_validation_batch_end", {}),
            ("on_validation_end", {}),
        ],
        "on_validation_end was called without its start",
    ),
    "validation_without_batches": (
        [("on_validation_start", {}), ("on_validation_end", {})],
        "on_validation_end: no validation batch was reported; nothing is logged",
    ),
    "on_save_checkpoint_end": (
        [("on_save_checkpoint_end", {"global_step": 4})],
        "on_save_checkpoint_end was called without its start",
    ),
    "on_save_checkpoint_success": (
        [("on_save_checkpoint_success", {"global_step": 4})],
        "on_save_checkpoint_success(global_step=4) was called without a save of that step; only its count is logged",
    ),
    "restart": (
        [("on_model_init_start", {}), ("on_model_init_start", {})],
        "Timer `model_init` was not correctly stopped, suggesting a possible issue. The timer will be reset for now.",
    ),
}


@pytest.mark.parametrize("accident", ACCIDENTS)
def test_accident_is_said_once(
    accident: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    calls, text = ACCIDENTS[accident]
    job = V1Job(monkeypatch)
    for callback, arguments in calls:
        job.emits(callback, **arguments)
    assert [record.getMessage() for record in caplog.records] == [text]
    job.emits(calls[-1][0], **calls[-1][1])
    assert [record.getMessage() for record in caplog.records].count(text) == 1


def test_one_kind_of_accident_does_not_silence_another(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    job = V1Job(monkeypatch)
    for callback in ("on_model_init_end", "on_optimizer_init_end", "on_train_batch_end", "on_validation_batch_end"):
        job.emits(callback)
    for callback in ("on_save_checkpoint_end", "on_save_checkpoint_success"):
        job.emits(callback, global_step=1)
    for _ in range(2):
        for callback in ("on_model_init_end", "on_optimizer_init_end"):
            job.emits(callback)
    assert len(caplog.records) == 8


def test_interval_of_zero(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    job = V1Job(monkeypatch, log_every_n_train_iterations=0)
    assert [record.getMessage() for record in caplog.records] == [
        "log_every_n_train_iterations=0: training progress is logged at checkpoints only"
    ]
    assert job.iterations(3) == []
    assert job.rows("on_save_checkpoint_start", global_step=3)[0]["train_iterations"] == 3


def test_sound_job_says_nothing(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    job = V1Job(monkeypatch)
    for phase in ("on_model_init", "on_dataloader_init", "on_optimizer_init", "on_load_checkpoint"):
        job.emits(f"{phase}_start")
        job.emits(f"{phase}_end")
    job.emits("on_app_start")
    job.emits("on_train_start", train_iterations_start=0)
    job.iterations(3)
    job.validation(1.0)
    for order in (("start", "end", "success"), ("start", "success", "end")):
        for call in order:
            job.emits(f"on_save_checkpoint_{call}", global_step=len(order[1]))
    job.emits("on_train_end")
    job.emits("on_app_end")
    assert caplog.records == []
