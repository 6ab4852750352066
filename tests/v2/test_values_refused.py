"""Values that v2 cannot be told: one line each. A rank that is not enabled is not looked at."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
from nv_one_logger.api.config import OneLoggerErrorHandlingStrategy as Strategy

from one_logger_v1_shim import ConfigAdapter
from tests.support import CONFIG


def convert(**config: Any) -> Any:
    return ConfigAdapter.convert_to_v2_config({**CONFIG, **config})


def error(key: str, shown: str, expected: str) -> str:
    return f"OneLogger v1 config: {key}={shown}; expected {expected}"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("app_tag", None, error("app_tag", "None (NoneType)", "a string")),
        ("app_tag", {"a": 1}, error("app_tag", "{'a': 1} (dict)", "a string")),
        ("app_tag", {"a"}, error("app_tag", "{'a'} (set)", "a string")),
        ("app_tag", "", error("app_tag", "'' (str)", "a string that is not empty")),
        ("app_tag", ["a", " "], error("app_tag", "' ' (str)", "a string that is not empty")),
        ("app_tag", [None], error("app_tag", "None (NoneType)", "a string")),
        ("one_logger_project", " ", error("one_logger_project", "' ' (str)", "a string that is not empty")),
        ("one_logger_project", ["p"], error("one_logger_project", "['p'] (list)", "a string")),
        ("app_tag_run_name", ("p",), error("app_tag_run_name", "('p',) (tuple)", "a string")),
        ("is_baseline_run", "perhaps", error("is_baseline_run", "'perhaps' (str)", "true or false")),
        ("quiet", "perhaps", error("quiet", "'perhaps' (str)", "true or false")),
    ],
)
def test_bad_value(key: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=key) as refused:
        convert(**{key: value})
    assert str(refused.value) == message


@pytest.mark.parametrize("key", ["world_size", "micro_batch_size", "log_every_n_train_iterations"])
def test_callable_that_gives_no_number_is_named_when_v2_asks(key: str) -> None:
    message = error(key, "'many' (str)", "a number or the text of a number")

    def ask() -> tuple[Any, Any]:
        config = convert(**{key: lambda: "many"})  # v2 asks for some of them at once
        return config.world_size, config.telemetry_config.micro_batch_size

    with pytest.raises(ValueError, match=re.escape(message)):
        ask()


def test_missing_keys_are_named_in_v1s_order() -> None:
    given = {"enable_for_current_rank": True, "world_size": 1}
    with pytest.raises(ValueError, match="missing") as refused:
        ConfigAdapter.convert_to_v2_config(given)
    assert str(refused.value) == (
        "OneLogger v1 config: missing required keys ['one_logger_project', 'app_tag_run_name', 'app_tag', "
        "'global_batch_size', 'is_train_iterations_enabled', 'is_validation_iterations_enabled']"
    )


@pytest.mark.parametrize(("config", "shown"), [(None, "None (NoneType)"), ([1], "[1] (list)")])
def test_no_dict(config: Any, shown: str) -> None:
    with pytest.raises(ValueError, match="expected a dict") as refused:
        ConfigAdapter.convert_to_v2_config(config)
    assert str(refused.value) == f"OneLogger v1 config: {shown}; expected a dict"


def test_session_of_the_slurm_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_NAME", "slurm")
    assert convert(app_tag_run_name=None).session_tag == "slurm"
    assert convert(app_tag_run_name="mine").session_tag == "mine"


@pytest.mark.parametrize(
    ("given", "name", "session"),
    [
        ({}, "e2e-tracking", "disabled"),
        ({"one_logger_project": "p", "app_tag_run_name": "s", "world_size": object()}, "p", "s"),
        ({"one_logger_project": None, "app_tag_run_name": ""}, "e2e-tracking", "disabled"),
        ({"one_logger_project": 3, "app_tag_run_name": 4}, "3", "4"),
    ],
)
def test_rank_that_is_not_enabled(
    given: dict[str, Any], name: str, session: str, caplog: pytest.LogCaptureFixture
) -> None:
    config = ConfigAdapter.convert_to_v2_config({**given, "enable_for_current_rank": False})
    assert (config.enable_for_current_rank, config.application_name, config.session_tag) == (False, name, session)
    assert config.world_size == 1
    assert config.error_handling_strategy is Strategy.DISABLE_QUIETLY_AND_REPORT_METRIC_ERROR
    assert config.telemetry_config is None
    assert caplog.records == []


@pytest.mark.parametrize(("enabled", "level"), [(True, "ERROR"), (False, "CRITICAL")])
def test_v2_writes_no_log_files(enabled: bool, level: str) -> None:
    logger = convert(enable_for_current_rank=enabled).logger_config
    assert str(logger.log_file_path_for_info) == str(logger.log_file_path_for_err) == os.devnull
    assert getattr(logger.log_level, "name", logger.log_level) == level
