"""v2's checkpoint events -> v1's rows: the first success, the newest, the windows."""

from __future__ import annotations

from typing import Any

import pytest
from nv_one_logger.core.event import Event
from nv_one_logger.training_telemetry.api import attributes as v2
from nv_one_logger.training_telemetry.api.checkpoint import CheckPointStrategy
from nv_one_logger.training_telemetry.api.events import StandardTrainingJobEventName as EventName

from one_logger_v1_shim._v2.translation import Translation
from tests.v2.events import T0, event, only_row, translation

LAST = "last_successful_save_checkpoint_sync_finish_time"
FIRST_ROW = {
    "first_saved_train_iterations_start_time": T0 * 1000 + 500,
    "first_successful_save_checkpoint_sync_finish_time": T0 * 1000 + 1000,
}
PRODUCTIVE_ROW = {
    "train_iterations_productive_end": 12,
    "train_samples_productive_end": 96,
    "train_iterations_time_total_productive": 3.0,
    "validation_iterations_time_total_productive": 1.5,
}


def success(strategy: CheckPointStrategy = CheckPointStrategy.SYNC, iteration: int = 12, **more: Any) -> Event:
    attributes = v2.SaveCheckpointSuccessEventAttributes.create(
        checkpoint_strategy=strategy,
        current_iteration=iteration,
        first_successful_save_checkpoint_timestamp_sec=T0 + 1,
        latest_successful_save_checkpoint_timestamp_sec=T0 + 2,
        save_checkpoint_success_count=7,
        productive_train_iterations=12,
        productive_train_samples=96,
        productive_train_iterations_sec=3.0,
        productive_validation_iterations_sec=1.5,
        training_start_timestamp_sec=T0 + 0.5,
        **more,
    )
    return event(EventName.SAVE_CHECKPOINT_SUCCESS, attributes)


def window(rows: Translation, total: float) -> dict[str, Any]:
    attributes = v2.SyncCheckpointMetricsUpdateAttributes.create(
        save_checkpoint_sync_time_total_sec=total,
        save_checkpoint_sync_time_min_sec=0.5,
        save_checkpoint_sync_time_max_sec=1.5,
    )
    return only_row(rows.event(event(EventName.SYNC_CHECKPOINT_METRICS_UPDATE, attributes)))


def test_success() -> None:
    row = only_row(translation().event(success(productive_train_tflops=9.0)))
    assert row == {
        LAST: T0 * 1000 + 2000,
        **FIRST_ROW,
        **PRODUCTIVE_ROW,
        "train_tflop_productive_end": 9.0,
    }


def test_only_the_first_success_tells_when_the_first_was() -> None:
    rows = translation()
    rows.event(success(iteration=12))
    assert only_row(rows.event(success(iteration=13))) == {LAST: T0 * 1000 + 2000, **PRODUCTIVE_ROW}


@pytest.mark.parametrize("iteration", [11, 12])
def test_success_that_is_not_newer_adds_no_productive_metrics(iteration: int) -> None:
    rows = translation()
    rows.event(success(iteration=12))
    assert only_row(rows.event(success(iteration=iteration))) == {LAST: T0 * 1000 + 2000}


def test_first_success_of_iteration_0_is_productive() -> None:
    assert only_row(translation().event(success(iteration=0))).keys() >= PRODUCTIVE_ROW.keys()


def test_asynchronous_successes_are_counted() -> None:
    row = only_row(translation().event(success(CheckPointStrategy.ASYNC)))
    assert row == {LAST: T0 * 1000 + 2000, **FIRST_ROW, **PRODUCTIVE_ROW, "save_checkpoint_async_count": 7}


def test_window_of_a_save() -> None:
    rows = translation()
    times = {"save_checkpoint_sync_time_min": 0.5, "save_checkpoint_sync_time_max": 1.5}
    assert window(rows, 1.0) == {"save_checkpoint_sync_time_total": 1.0, **times, "save_checkpoint_sync_count": 1}
    rows.event(success())
    assert window(rows, 2.5) == {
        "save_checkpoint_sync_time_total": 2.5,
        **times,
        "save_checkpoint_sync_count": 2,
        "save_checkpoint_sync_time_total_productive": 2.5,
    }
    assert window(rows, 3.0) == {"save_checkpoint_sync_time_total": 3.0, **times, "save_checkpoint_sync_count": 3}
