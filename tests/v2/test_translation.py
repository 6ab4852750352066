"""What v2's spans and events say -> v1's names and units, table by table. v2 itself makes the events."""

from __future__ import annotations

from typing import Any

import pytest
from nv_one_logger.core.attributes import Attributes
from nv_one_logger.core.span import StandardSpanName
from nv_one_logger.core.time import TracingTimestamp
from nv_one_logger.training_telemetry.api import attributes as v2
from nv_one_logger.training_telemetry.api.checkpoint import CheckPointStrategy
from nv_one_logger.training_telemetry.api.events import StandardTrainingJobEventName as EventName
from nv_one_logger.training_telemetry.api.spans import StandardTrainingJobSpanName as Name

from one_logger_v1_shim import ConfigAdapter
from one_logger_v1_shim._v2.translation import Translation
from tests.support import CONFIG
from tests.v2.events import T0, event, only_row, span, translation

# -- spans ----------------------------------------------------------------------------------------------------

SPANS = {
    StandardSpanName.APPLICATION: ("app_start_time", "app_finish_time"),
    Name.MODEL_INIT: ("app_model_init_start_time", "app_model_init_finish_time"),
    Name.DATA_LOADER_INIT: ("app_build_dataiters_start_time", "app_build_dataiters_finish_time"),
    Name.OPTIMIZER_INIT: ("app_build_optimizer_start_time", "app_build_optimizer_finish_time"),
    Name.CHECKPOINT_LOAD: ("load_checkpoint_start_time", "load_checkpoint_finish_time"),
    Name.TRAINING_LOOP: ("app_train_loop_start_time", "app_train_loop_finish_time"),
}
SILENT = [Name.VALIDATION_LOOP, Name.VALIDATION_SINGLE_ITERATION, Name.TRAINING_SINGLE_ITERATION, Name.TESTING_LOOP]


@pytest.mark.parametrize("name", SPANS, ids=str)
def test_instants_of_a_span_are_ms(name: Any) -> None:
    started, finished = SPANS[name]
    one, rows = span(name, T0 + 1.25), translation()
    assert rows.start(one) == [{started: T0 * 1000 + 1250}]
    assert rows.stop(one) == [], "it is still open"
    one.stop(stop_time=TracingTimestamp(T0 + 3.5, 1003.5))
    row = rows.stop(one)[0]
    assert row.pop(finished) == T0 * 1000 + 3500
    assert set(row) == ({"load_checkpoint_time"} if name == Name.CHECKPOINT_LOAD else set())


@pytest.mark.parametrize("name", SILENT, ids=str)
def test_span_without_a_metric(name: Any) -> None:
    one, rows = span(name), translation()
    one.stop(stop_time=TracingTimestamp(T0 + 1, 1001.0))
    assert rows.start(one) == rows.stop(one) == []


def test_load_checkpoint_time_is_seconds_and_adds_up() -> None:
    rows = translation()
    for seconds, total in ((2.0, 2.0), (3.5, 5.5)):
        one = span(Name.CHECKPOINT_LOAD)
        # the wall clock was set back meanwhile: the duration is the counter's
        one.stop(stop_time=TracingTimestamp(T0 - 60, 1000.0 + seconds))
        assert rows.stop(one)[0]["load_checkpoint_time"] == total


def test_training_loop() -> None:
    attributes = v2.TrainingLoopAttributes.create(
        train_iterations_start=5,
        train_samples_start=40,
        train_tokens_target=6400,
        completed_floating_point_operations_overall=3 * 10**15,
        train_iterations_target=100,
        train_samples_target=800,
    )
    assert translation().start(span(Name.TRAINING_LOOP, T0, attributes)) == [
        {
            "train_iterations_start": 5,
            "train_iterations_end": 5,
            "train_samples_start": 40,
            "train_samples_end": 40,
            "train_tokens_target": 6400,
            "train_tflop_start": 3000.0,
            "app_train_loop_start_time": T0 * 1000,
        }
    ]


@pytest.mark.parametrize(
    ("name", "strategy"),
    [
        (Name.CHECKPOINT_SAVE_SYNC, CheckPointStrategy.SYNC),
        (Name.CHECKPOINT_SAVE_ASYNC, CheckPointStrategy.ASYNC),
    ],
)
def test_save(name: Any, strategy: CheckPointStrategy) -> None:
    attributes = v2.CheckpointSaveSpanAttributes.create(
        checkpoint_strategy=strategy, current_iteration=12, save_checkpoint_attempt_count=3
    )
    assert translation().start(span(name, T0, attributes)) == [
        {"train_iterations_save_checkpoint_end": 12, "save_checkpoint_count": 3}
    ]


# -- what the job is ------------------------------------------------------------------------------------------


def test_initialization() -> None:
    attributes = v2.OneLoggerInitializationAttributes.create(
        world_size=16,
        one_logger_training_telemetry_version="2.3.1",
        enable_for_current_rank=True,
        session_tag="session",
        is_baseline_run=True,
        summary_data_schema_version="2.0.0",
        node_name="node",
        rank=0,
    )
    given = translation(metadata={"model": "gpt:2"}).event(event(EventName.ONE_LOGGER_INITIALIZATION, attributes))
    assert only_row(given) == {
        "one_logger_utils_version": "1.0.2",
        "model": "gpt:2",
        "app_tag_run_version": "1.0.0",
        "app_run_type": "training",
        "app_metrics_feature_tags": "full",
        "summary_data_schema_version": "2.0.0",
        "is_baseline_run": True,
        "world_size": 16,
        "app_tag_run_name": "session",
    }


TRAINING: dict[str, Any] = {
    "perf_tag": ["a", "b"],
    "global_batch_size": 8,
    "log_every_n_train_iterations": 10,
    "micro_batch_size": 2,
    "seq_length": 16,
    "flops_per_sample": 100,
    "train_iterations_target": 60,
    "train_samples_target": 480,
    "checkpoint_strategy": CheckPointStrategy.ASYNC,
    "is_train_iterations_enabled": True,
    "is_validation_iterations_enabled": False,
    "is_test_iterations_enabled": False,
    "is_save_checkpoint_enabled": True,
    "is_log_throughput_enabled": False,
}
TRAINING_ROW = {
    "is_train_iterations_enabled": True,
    "is_validation_iterations_enabled": False,
    "is_test_iterations_enabled": False,
    "is_save_checkpoint_enabled": True,
    "is_log_throughput_enabled": False,
    "micro_batch_size": 2,
    "global_batch_size": 8,
    "train_iterations_target": 60,
    "train_samples_target": 480,
    "model_seq_length": 16,
    "save_checkpoint_strategy": "async",
    "train_tokens_target": 7680,
}


def training_config(**more: Any) -> tuple[list[dict[str, Any]], Any]:
    attributes = v2.TrainingTelemetryAttributes.create(**{**TRAINING, **more})
    return translation().event(event(EventName.UPDATE_TRAINING_TELEMETRY_CONFIG, attributes))


def test_training_configuration() -> None:
    assert training_config() == ([TRAINING_ROW], ["a", "b"])


@pytest.mark.parametrize(
    "flag",
    [
        "is_train_iterations_enabled",
        "is_validation_iterations_enabled",
        "is_test_iterations_enabled",
        "is_log_throughput_enabled",
    ],
)
def test_each_flag_has_its_own_source(flag: str) -> None:
    (row,), _ = training_config(**{flag: not TRAINING[flag]})
    assert row == {**TRAINING_ROW, flag: not TRAINING[flag]}


@pytest.mark.parametrize("strategy", [CheckPointStrategy.ASYNC, None])
def test_checkpoints_that_are_off_have_no_strategy(strategy: Any) -> None:
    (row,), _ = training_config(is_save_checkpoint_enabled=False, checkpoint_strategy=strategy)
    expected = {**TRAINING_ROW, "is_save_checkpoint_enabled": False}
    del expected["save_checkpoint_strategy"]
    assert row == expected


def test_metadata_of_the_training_are_metrics_too() -> None:
    config = ConfigAdapter.convert_to_v2_config(CONFIG)
    telemetry: Any = config.telemetry_config
    telemetry.custom_metadata = {"dataset": "c4", "global_batch_size": "not this one"}
    attributes = v2.TrainingTelemetryAttributes.create(**TRAINING)
    (row,), _ = Translation(config).event(event(EventName.UPDATE_TRAINING_TELEMETRY_CONFIG, attributes))
    assert row == {"dataset": "c4", **TRAINING_ROW}


@pytest.mark.parametrize(
    ("absent", "metrics"),
    [
        ("seq_length", {"model_seq_length", "train_tokens_target"}),
        ("train_samples_target", {"train_samples_target", "train_tokens_target"}),
        ("train_iterations_target", {"train_iterations_target"}),
        ("micro_batch_size", {"micro_batch_size"}),
    ],
)
def test_what_the_application_does_not_tell_is_absent(absent: str, metrics: set[str]) -> None:
    (row,), _ = training_config(**{absent: None})
    assert row == {name: value for name, value in TRAINING_ROW.items() if name not in metrics}


# -- progress -------------------------------------------------------------------------------------------------

PROGRESS: dict[str, Any] = {
    "train_iterations_start": 5,
    "current_iteration": 9,
    "num_iterations": 5,
    "train_samples_start": 40,
    "num_train_samples": 41,
    "interval": 5,
    "avg_iteration_time_sec": 0.25,
    "min_iteration_time_sec": 0.125,
    "max_iteration_time_sec": 0.5,
    "total_iteration_time_sec": 1.25,
    "first_logged_train_iterations_finish_timestamp_sec": T0 + 1,
    "last_logged_train_iterations_finish_timestamp_sec": T0 + 2,
    "total_flops": 0,  # so does v2 say that throughput is off
}
PROGRESS_ROW = {
    "train_iterations": 5,
    "train_iterations_end": 10,  # v2 numbers iterations from 0, v1 counted finished ones
    "train_samples": 41,
    "train_iterations_time_total": 1.25,
    "train_iterations_time_msecs_avg": 250.0,
    "train_iterations_time_msecs_min": 125.0,
    "first_logged_train_iterations_finish_time": T0 * 1000 + 1000,
    "last_logged_train_iterations_finish_time": T0 * 1000 + 2000,
    "train_samples_end": 81,
}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, {}),
        ({"train_tokens": 656}, {"train_tokens": 656}),
        (
            {
                "completed_floating_point_operations_overall": 7 * 10**15,
                "total_flops": 3 * 10**15,
                "train_throughput_per_gpu": 1.5,
                "train_throughput_per_gpu_max": 2.5,
            },
            {
                "train_tflop_end": 7000.0,
                "train_throughput_per_gpu": 1.5,
                "train_throughput_per_gpu_max": 2.5,
                "train_tflop": 3000.0,
            },
        ),
        (
            {"train_throughput_per_gpu": 0.0, "total_flops": None},
            {"train_throughput_per_gpu": 0.0, "train_tflop": 0.0},
        ),
    ],
    ids=["plain", "tokens", "throughput", "throughput of nothing"],
)
def test_progress(more: dict[str, Any], expected: dict[str, Any]) -> None:
    attributes = v2.TrainingMetricsUpdateAttributes.create(**{**PROGRESS, **more})
    row = only_row(translation().event(event(EventName.TRAINING_METRICS_UPDATE, attributes)))
    assert row == {**PROGRESS_ROW, **expected}


def test_validation() -> None:
    attributes = v2.ValidationMetricsUpdateAttributes.create(
        current_iteration=3,
        interval=4,
        avg_iteration_time_sec=0.5,
        min_iteration_time_sec=0.25,
        max_iteration_time_sec=1.0,
        total_iteration_time_sec=2.0,
    )
    assert only_row(translation().event(event(EventName.VALIDATION_METRICS_UPDATE, attributes))) == {
        "validation_iterations_time_total": 2.0,
        "validation_iterations_time_msecs_avg": 500.0,
        "validation_iterations_time_msecs_min": 250.0,
    }


def test_validation_of_which_nothing_is_known() -> None:
    attributes = v2.ValidationMetricsUpdateAttributes.create(current_iteration=3, interval=4)
    assert translation().event(event(EventName.VALIDATION_METRICS_UPDATE, attributes)) == ([], None)


def test_event_without_a_metric() -> None:
    assert translation().event(event("my_event", Attributes({"perf_tag": "x"}))) == ([], None)
