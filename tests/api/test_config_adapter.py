"""v1 configuration -> v2 configuration: the table row by row, and what real consumers pass."""

from __future__ import annotations

import copy
import logging
from typing import Any

import pytest
from nv_one_logger.api.config import OneLoggerErrorHandlingStrategy
from nv_one_logger.training_telemetry.api.checkpoint import CheckPointStrategy

from one_logger_v1_shim import ConfigAdapter, _log
from one_logger_v1_shim._conversion import BASE, EXPORTER, METADATA, REQUIRED, TABLE, V1_ONLY, core_values
from one_logger_v1_shim._v1.schema import (
    CHECKPOINT_CALLBACK_ARGS,
    MINIMAL_SCHEMA_CALLBACK_ARGS,
    THROUGHPUT_CALLBACK_ARGS,
)
from tests.support import CONFIG

convert = ConfigAdapter.convert_to_v2_config

# key -> a value that is not the default, and what v2 then has
SAMPLES: dict[str, tuple[Any, Any]] = {
    "enable_for_current_rank": (True, True),
    "one_logger_project": ("p", "p"),
    "app_tag_run_name": ("session", "session"),
    "world_size": ("8", 8),
    "is_baseline_run": (True, True),
    "summary_data_schema_version": ("2.0.0", "2.0.0"),
    "quiet": (True, OneLoggerErrorHandlingStrategy.DISABLE_QUIETLY_AND_REPORT_METRIC_ERROR),
    "app_tag_run_version": ("3.0.0", "3.0.0"),
    "app_run_type": ("validation", "validation"),
    "app_metrics_feature_tags": ("lite", "lite"),
    "app_tag": (["a", "b"], ["a", "b"]),
    "global_batch_size": ("64", 64),
    "micro_batch_size": (2.0, 2),
    "seq_length": (2048, 2048),
    "flops_per_sample": (10**15, 10**15),
    "train_iterations_target": (100, 100),
    "train_samples_target": (6400, 6400),
    "log_every_n_train_iterations": (7, 7),
    "is_train_iterations_enabled": (False, False),
    "is_validation_iterations_enabled": (0, False),
    "is_test_iterations_enabled": (False, False),
    "is_save_checkpoint_enabled": (False, False),
    "is_log_throughput_enabled": (True, True),
    "save_checkpoint_strategy": ("async", CheckPointStrategy.ASYNC),
}


def _place(config: Any, where: str, field: str) -> Any:
    if where == METADATA:
        return config.custom_metadata[field]
    return getattr(config if where == BASE else config.telemetry_config, field)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.key)
def test_table_row(row: Any) -> None:
    if row.where in (EXPORTER, V1_ONLY):
        unchanged = convert({**CONFIG, row.key: False if row.key == "one_logger_async" else 4})
        assert unchanged == convert(CONFIG), "v2's configuration has no place for it"
        return
    if row.key == "metadata":
        assert (convert({**CONFIG, "metadata": {"a": 1}}).custom_metadata or {})["a"] == 1
        return
    value, expected = SAMPLES[row.key]
    more = {"flops_per_sample": 1} if row.key == "is_log_throughput_enabled" else {}
    got = _place(convert({**CONFIG, **more, row.key: value}), row.where, row.field)
    assert got == expected
    assert type(got) is type(expected)


def test_table_has_every_v1_key_once() -> None:
    keys = [row.key for row in TABLE]
    assert len(keys) == len(set(keys))
    v1: set[str] = set()
    for schema in (MINIMAL_SCHEMA_CALLBACK_ARGS, THROUGHPUT_CALLBACK_ARGS, CHECKPOINT_CALLBACK_ARGS):
        v1 |= schema["initialize"]["required"] | schema["initialize"]["optional"]
    assert set(keys) == v1
    required = {row.key for row in TABLE if row.default is REQUIRED}
    assert required == MINIMAL_SCHEMA_CALLBACK_ARGS["initialize"]["required"] - {"enable_for_current_rank"}


def test_defaults() -> None:
    config = convert(CONFIG)
    assert (config.is_baseline_run, config.summary_data_schema_version) == (False, "1.0.0")
    assert config.error_handling_strategy is OneLoggerErrorHandlingStrategy.PROPAGATE_EXCEPTIONS
    assert config.custom_metadata == {
        "app_tag_run_version": "1.0.0",
        "app_run_type": "training",
        "app_metrics_feature_tags": "full",
    }
    training: Any = config.telemetry_config
    assert (training.is_test_iterations_enabled, training.is_save_checkpoint_enabled) == (True, True)
    assert (training.is_log_throughput_enabled, training.save_checkpoint_strategy) == (False, CheckPointStrategy.SYNC)


def test_callers_dictionaries_are_not_changed() -> None:
    given = {**CONFIG, "metadata": {"model": "gpt:2", "nested": {"a": [1]}}, "app_tag": ["a"]}
    before = copy.deepcopy(given)
    config = convert(given)
    assert given == before
    config.custom_metadata["model"] = "changed"  # type: ignore[index]
    assert given == before


def test_metadata_as_v2_can_keep_it() -> None:
    values = {"text": "a:b", "flag": True, "list": ["a", "b"], "mixed": [1, "a"], "none": None, "dict": {"a": 1}}
    metadata = convert({**CONFIG, "metadata": values}).custom_metadata
    assert metadata is not None
    assert {key: metadata[key] for key in values} == {
        "text": "a:b",
        "flag": True,
        "list": ["a", "b"],
        "mixed": '[1, "a"]',
        "none": "null",
        "dict": '{"a": 1}',
    }


def test_callables_stay_callables() -> None:
    sizes = [8, 8, 16]
    config = convert({**CONFIG, "global_batch_size": lambda: str(sizes.pop(0) if len(sizes) > 1 else sizes[0])})
    training: Any = config.telemetry_config
    assert callable(training.global_batch_size_or_fn)
    while len(sizes) > 1:
        assert training.global_batch_size == 8
    assert training.global_batch_size == 16


@pytest.mark.parametrize(
    ("key", "value", "got"),
    [
        ("world_size", "-1", 1),  # os.environ.get("WORLD_SIZE", -1)
        ("world_size", -1, 1),
        ("world_size", None, 1),
        ("app_tag_run_name", None, "unnamed"),
        ("one_logger_project", None, "e2e-tracking"),
        ("global_batch_size", 0, 1),
        ("micro_batch_size", None, None),
        ("micro_batch_size", 4.0, 4),
        ("train_samples_target", -1, None),
        ("log_every_n_train_iterations", 0, 2**31 - 1),
        ("save_checkpoint_strategy", "whatever", CheckPointStrategy.SYNC),
    ],
)
def test_values_of_real_consumers(key: str, value: Any, got: Any) -> None:
    row = next(row for row in TABLE if row.key == key)
    assert _place(convert({**CONFIG, key: value}), row.where, row.field) == got


def test_repair_is_said_once_with_the_key(caplog: pytest.LogCaptureFixture) -> None:
    _log.forget()
    convert({**CONFIG, "world_size": -1})
    convert({**CONFIG, "world_size": -1})
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(said) == 1
    assert "world_size=-1" in said[0]


def test_throughput_without_flops_does_not_stop_v2() -> None:
    training: Any = convert({**CONFIG, "is_log_throughput_enabled": True}).telemetry_config
    assert training.is_log_throughput_enabled is False


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({**CONFIG, "world_size": "many"}, r"world_size='many' \(str\); expected a number"),
        ({**CONFIG, "app_tag": {"a": 1}}, r"app_tag=\{'a': 1\} \(dict\); expected a string"),
        ({**CONFIG, "one_logger_project": " "}, r"one_logger_project=' ' \(str\); expected a string that is not empty"),
        ({**CONFIG, "is_baseline_run": "perhaps"}, r"is_baseline_run='perhaps' \(str\); expected true or false"),
        ({**CONFIG, "metadata": 3}, r"metadata=3 \(int\); expected a dict"),
        ({"enable_for_current_rank": True, "app_tag": "a"}, r"missing required keys \['one_logger_project', "),
        (None, r"None \(NoneType\); expected a dict"),
    ],
)
def test_bad_value_names_key_value_and_expectation(config: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        convert(config)


def test_disabled_rank_is_not_validated(caplog: pytest.LogCaptureFixture) -> None:
    config = convert({"enable_for_current_rank": False, "world_size": object()})
    assert config.enable_for_current_rank is False
    assert convert({}).enable_for_current_rank is False
    assert caplog.records == []


def test_no_log_files_of_v2() -> None:
    import os

    logger = convert(CONFIG).logger_config
    assert {str(logger.log_file_path_for_info), str(logger.log_file_path_for_err)} == {os.devnull}


@pytest.mark.parametrize(
    ("environment", "world_size"),
    [("4", 4), ("1", 1), ("2.0", 2), (None, 1), ("", 1), ("0", 1), ("-3", 1), ("many", 1)],
)
def test_a_core_alone_knows_the_world_from_the_launcher(
    environment: Any, world_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if environment is None:
        monkeypatch.delenv("WORLD_SIZE", raising=False)
    else:
        monkeypatch.setenv("WORLD_SIZE", environment)
    assert core_values("project", "run", True).to_json() == {
        "base": {
            "application_name": "project",
            "session_tag_or_fn": "run",
            "world_size_or_fn": world_size,
            "error_handling_strategy": True,
        },
        "training": None,
        "callables": [],
        "enabled": True,
    }


def test_a_core_without_a_run_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert core_values("project", None, False).base["session_tag_or_fn"] == "project"
    monkeypatch.setenv("SLURM_JOB_NAME", "pretrain")
    assert core_values("project", None, False).base["session_tag_or_fn"] == "pretrain"
    assert core_values("project", None, False).base["error_handling_strategy"] is False


def test_callables_do_not_end_the_conversion() -> None:
    """Each key that is a callable stays one, and those after it are converted."""
    config = {**CONFIG, "world_size": lambda: 4, "app_tag": lambda: "tag", "train_iterations_target": lambda: 7,
              "log_every_n_train_iterations": 9}  # fmt: skip
    converted = convert(config)
    training = converted.telemetry_config
    assert training is not None
    assert (converted.world_size, training.perf_tag, training.train_iterations_target) == (4, "tag", 7)
    assert training.log_every_n_train_iterations == 9
