"""What v2 is told about a v1 job: each key's field, each kind of value that consumers pass, each refusal."""

from __future__ import annotations

from typing import Any

import pytest
from nv_one_logger.api.config import OneLoggerErrorHandlingStrategy as Strategy
from nv_one_logger.training_telemetry.api.checkpoint import CheckPointStrategy

from one_logger_v1_shim import ConfigAdapter, _log
from one_logger_v1_shim._conversion import EXPORTER, TABLE, V1_ONLY
from tests.support import CONFIG, warned
from tests.v1.job import sequence


@pytest.fixture(autouse=True)
def _unsaid() -> None:
    _log.forget()


def convert(**config: Any) -> Any:
    return ConfigAdapter.convert_to_v2_config({**CONFIG, **config})


def told(config: Any) -> dict[str, Any]:
    """All that v2 has been told, by the name of its field."""
    training = config.telemetry_config
    return {
        "enable_for_current_rank": config.enable_for_current_rank,
        "application_name": config.application_name,
        "session_tag": config.session_tag,
        "world_size": config.world_size,
        "is_baseline_run": config.is_baseline_run,
        "summary_data_schema_version": config.summary_data_schema_version,
        "error_handling_strategy": config.error_handling_strategy,
        "custom_metadata": config.custom_metadata,
        **{
            name: getattr(training, name)
            for name in (
                "perf_tag",
                "global_batch_size",
                "micro_batch_size",
                "seq_length",
                "flops_per_sample",
                "train_iterations_target",
                "train_samples_target",
                "log_every_n_train_iterations",
                "is_train_iterations_enabled",
                "is_validation_iterations_enabled",
                "is_test_iterations_enabled",
                "is_save_checkpoint_enabled",
                "is_log_throughput_enabled",
                "save_checkpoint_strategy",
            )
        },
    }


METADATA = {"app_tag_run_version": "1.0.0", "app_run_type": "training", "app_metrics_feature_tags": "full"}
SMALLEST = {
    "enable_for_current_rank": True,
    "application_name": "tests",
    "session_tag": "job",
    "world_size": 2,
    "is_baseline_run": False,
    "summary_data_schema_version": "1.0.0",
    "error_handling_strategy": Strategy.PROPAGATE_EXCEPTIONS,
    "custom_metadata": METADATA,
    "perf_tag": "tag",
    "global_batch_size": 8,
    "micro_batch_size": None,
    "seq_length": None,
    "flops_per_sample": None,
    "train_iterations_target": None,
    "train_samples_target": None,
    "log_every_n_train_iterations": 2,
    "is_train_iterations_enabled": True,
    "is_validation_iterations_enabled": True,
    "is_test_iterations_enabled": True,
    "is_save_checkpoint_enabled": True,
    "is_log_throughput_enabled": False,
    "save_checkpoint_strategy": CheckPointStrategy.SYNC,
}


def test_smallest_configuration() -> None:
    assert told(convert()) == SMALLEST


# v1 key, value, v2 field, what v2 has; all other fields stay as they are
KEYS: list[tuple[str, Any, str, Any]] = [
    ("one_logger_project", "p", "application_name", "p"),
    ("one_logger_project", None, "application_name", "e2e-tracking"),
    ("one_logger_project", 7, "application_name", "7"),
    ("app_tag_run_name", "session", "session_tag", "session"),
    ("app_tag_run_name", None, "session_tag", "unnamed"),
    ("world_size", 16, "world_size", 16),
    ("world_size", "16", "world_size", 16),
    ("world_size", "2.0", "world_size", 2),
    ("world_size", 1, "world_size", 1),
    ("world_size", None, "world_size", 1),
    ("is_baseline_run", True, "is_baseline_run", True),
    ("summary_data_schema_version", "2.0.0", "summary_data_schema_version", "2.0.0"),
    ("summary_data_schema_version", 2, "summary_data_schema_version", "2"),
    ("quiet", True, "error_handling_strategy", Strategy.DISABLE_QUIETLY_AND_REPORT_METRIC_ERROR),
    ("app_tag_run_version", "2", "custom_metadata", {**METADATA, "app_tag_run_version": "2"}),
    ("app_run_type", "validation", "custom_metadata", {**METADATA, "app_run_type": "validation"}),
    ("app_metrics_feature_tags", "lite", "custom_metadata", {**METADATA, "app_metrics_feature_tags": "lite"}),
    ("metadata", {"a": 1}, "custom_metadata", {**METADATA, "a": 1}),
    ("metadata", {5: 1}, "custom_metadata", {**METADATA, "5": 1}),
    ("metadata", None, "custom_metadata", METADATA),
    ("metadata", {"app_run_type": "mine"}, "custom_metadata", {**METADATA, "app_run_type": "mine"}),
    ("app_tag", "t", "perf_tag", "t"),
    ("app_tag", ["a", "b"], "perf_tag", ["a", "b"]),
    ("app_tag", ("a", 3), "perf_tag", ["a", "3"]),
    ("app_tag", 3, "perf_tag", "3"),
    ("global_batch_size", 64, "global_batch_size", 64),
    ("global_batch_size", "64", "global_batch_size", 64),
    ("micro_batch_size", 4, "micro_batch_size", 4),
    ("micro_batch_size", 4.0, "micro_batch_size", 4),
    ("micro_batch_size", -1, "micro_batch_size", None),
    ("seq_length", 2048, "seq_length", 2048),
    ("flops_per_sample", 10**15, "flops_per_sample", 10**15),
    ("train_iterations_target", 100, "train_iterations_target", 100),
    ("train_iterations_target", 0, "train_iterations_target", 0),
    ("train_iterations_target", None, "train_iterations_target", None),
    ("train_samples_target", "800", "train_samples_target", 800),
    ("train_samples_target", -1, "train_samples_target", None),
    ("log_every_n_train_iterations", 7, "log_every_n_train_iterations", 7),
    ("log_every_n_train_iterations", 1, "log_every_n_train_iterations", 1),
    ("log_every_n_train_iterations", "7", "log_every_n_train_iterations", 7),
    ("log_every_n_train_iterations", 0, "log_every_n_train_iterations", 2**31 - 1),
    ("log_every_n_train_iterations", -1, "log_every_n_train_iterations", 2**31 - 1),
    ("log_every_n_train_iterations", None, "log_every_n_train_iterations", 50),
    ("log_every_n_train_iterations", lambda: 5, "log_every_n_train_iterations", 5),
    ("is_train_iterations_enabled", False, "is_train_iterations_enabled", False),
    ("is_validation_iterations_enabled", False, "is_validation_iterations_enabled", False),
    ("is_test_iterations_enabled", False, "is_test_iterations_enabled", False),
    ("is_save_checkpoint_enabled", False, "is_save_checkpoint_enabled", False),
    ("save_checkpoint_strategy", "async", "save_checkpoint_strategy", CheckPointStrategy.ASYNC),
    ("save_checkpoint_strategy", "sync", "save_checkpoint_strategy", CheckPointStrategy.SYNC),
    ("save_checkpoint_strategy", "other", "save_checkpoint_strategy", CheckPointStrategy.SYNC),
    ("save_checkpoint_strategy", lambda: "async", "save_checkpoint_strategy", CheckPointStrategy.ASYNC),
]


@pytest.mark.parametrize(
    ("key", "value", "field", "expected"), KEYS, ids=[f"{key}-{number}" for number, (key, *_) in enumerate(KEYS)]
)
def test_key(key: str, value: Any, field: str, expected: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert told(convert(**{key: value})) == {**SMALLEST, field: expected}
    assert warned(caplog) == []


def test_keys_that_v2_has_no_place_for() -> None:
    for key, value in (("one_logger_run_name", "r"), ("one_logger_async", True), ("batch_size", 3)):
        assert told(convert(**{key: value})) == SMALLEST
    assert told(convert(app_start_time=5, barrier=lambda: None)) == SMALLEST


@pytest.mark.parametrize(
    "key",
    [
        "is_baseline_run",
        "is_train_iterations_enabled",
        "is_validation_iterations_enabled",
        "is_test_iterations_enabled",
        "is_save_checkpoint_enabled",
    ],
)
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((text, True) for text in ("true", "1", "yes", "y", " TRUE ")),
        *((text, False) for text in ("false", "0", "no", "n", "", " False ")),
        (1, True),
        (0, False),
        ([1], True),  # Megatron's answer to "is there any?"
        ([], False),
        (lambda: "no", False),
    ],
)
def test_flag(key: str, value: Any, expected: bool) -> None:
    assert told(convert(**{key: value}))[key] is expected


@pytest.mark.parametrize("key", ["world_size", "global_batch_size"])
@pytest.mark.parametrize("value", [0, -1, "-1", "0"])
def test_size_that_v2_refuses(key: str, value: Any, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        assert told(convert(**{key: value})) == {**SMALLEST, key: 1}
    assert warned(caplog) == [f"{key}={value!r}: v2 takes positive numbers only and is told 1 (rows keep {value!r})"]


def test_each_size_is_said(caplog: pytest.LogCaptureFixture) -> None:
    convert(world_size=-1, global_batch_size=0)
    assert len(warned(caplog)) == 2


@pytest.mark.parametrize("flops", [None, 0])
def test_throughput_without_flops_is_off(flops: Any) -> None:
    config = convert(is_log_throughput_enabled=True, flops_per_sample=flops)
    assert config.telemetry_config.is_log_throughput_enabled is False
    assert convert(is_log_throughput_enabled=lambda: True).telemetry_config.is_log_throughput_enabled is False


@pytest.mark.parametrize("flops", [10, lambda: 10])
def test_throughput(flops: Any) -> None:
    config = convert(is_log_throughput_enabled=True, flops_per_sample=flops).telemetry_config
    assert (config.is_log_throughput_enabled, config.flops_per_sample) == (True, 10)


# v2 calls these each time that it wants to know
CALLED: dict[str, tuple[str, tuple[Any, Any], tuple[Any, Any]]] = {
    "world_size": ("world_size", ("4", 8), (4, 8)),
    "app_tag_run_name": ("session_tag", ("a", 5), ("a", "5")),
    "is_baseline_run": ("is_baseline_run", (1, "no"), (True, False)),
    "app_tag": ("perf_tag", ("a", ["b"]), ("a", ["b"])),
    "global_batch_size": ("global_batch_size", ("8", 16), (8, 16)),
    "micro_batch_size": ("micro_batch_size", (1.0, 2), (1, 2)),
    "seq_length": ("seq_length", (1, 2), (1, 2)),
    "flops_per_sample": ("flops_per_sample", (1, 2), (1, 2)),
    "train_iterations_target": ("train_iterations_target", (1, 2), (1, 2)),
    "train_samples_target": ("train_samples_target", (1, 2), (1, 2)),
    "is_train_iterations_enabled": ("is_train_iterations_enabled", (1, 0), (True, False)),
    "is_validation_iterations_enabled": ("is_validation_iterations_enabled", (1, 0), (True, False)),
    "is_test_iterations_enabled": ("is_test_iterations_enabled", (1, 0), (True, False)),
    "is_save_checkpoint_enabled": ("is_save_checkpoint_enabled", (1, 0), (True, False)),
}


@pytest.mark.parametrize("key", CALLED)
def test_callable_is_v2s_to_call(key: str) -> None:
    field, values, expected = CALLED[key]
    calls: list[Any] = []
    given = {"value": values[0]}

    def value() -> Any:
        calls.append(given["value"])
        return given["value"]

    config = convert(**{key: value})
    for one, got in zip(values, expected):
        given["value"] = one
        answer = told(config)[field]
        assert answer == got
        assert type(answer) is type(got)
    assert calls, "it is called"


def test_callable_of_the_metadata_is_read_once() -> None:
    config = convert(app_run_type=sequence("training", "validation"))
    assert config.custom_metadata["app_run_type"] == config.custom_metadata["app_run_type"] == "training"


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("a:b", "a:b"),
        (True, True),
        (1.5, 1.5),
        (["a", "b"], ["a", "b"]),
        ([1, 2], [1, 2]),
        ([5], [5]),
        ([1, True], "[1, true]"),
        ([1, "a"], '[1, "a"]'),
        ([], "[]"),
        ([None], "[null]"),
        ((1, 2), "[1, 2]"),
        (None, "null"),
        ({"a": [1]}, '{"a": [1]}'),
        (frozenset({1}), "frozenset({1})"),
    ],
)
def test_metadata_as_v2_can_keep_it(value: Any, kept: Any) -> None:
    assert convert(metadata={"k": value}).custom_metadata["k"] == kept


def test_metadata_that_refers_to_itself() -> None:
    circle: list[Any] = []
    circle.append(circle)
    assert convert(metadata={"k": circle}).custom_metadata["k"] == "[[...]]"


def test_each_key_of_the_table_is_tried_here() -> None:
    elsewhere = {"enable_for_current_rank", "is_log_throughput_enabled"}  # disabled ranks; `test_throughput`
    nowhere = {row.key for row in TABLE if row.where in (EXPORTER, V1_ONLY)}
    assert {row.key for row in TABLE} == {key for key, *_ in KEYS} | elsewhere | nowhere
