"""How v1 read its configuration: values, numeric texts, and callables that are called at each reading."""

from __future__ import annotations

from typing import Any

import pytest

from one_logger_v1_shim import _log
from one_logger_v1_shim._v1.config import DEFAULTS, NUMERIC, V1Config, as_number, bad_value, is_enabled
from tests.v1.job import Scalar, sequence


@pytest.fixture(autouse=True)
def _unsaid() -> None:
    _log.forget()


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (8, 8),
        (8.5, 8.5),
        (True, True),
        ("8", 8),
        ("-1", -1),
        ("8.5", 8.5),
        ("many", None),
        ("", None),
        (None, None),
        ([8], None),
        (Scalar(3), 3),
        (Scalar(2.5), 2.5),
        (Scalar("3"), None),
        (Scalar(ValueError("a tensor of two numbers")), None),
        (type("NoScalar", (), {"item": 3})(), None),
    ],
)
def test_as_number(value: Any, number: Any) -> None:
    got = as_number(value)
    assert got == number
    assert type(got) is type(number)


@pytest.mark.parametrize(
    ("config", "enabled"),
    [
        (None, False),
        ({}, False),
        ({"world_size": 1}, False),
        ({"enable_for_current_rank": False}, False),
        ({"enable_for_current_rank": 0}, False),
        ({"enable_for_current_rank": True}, True),
        ({"enable_for_current_rank": lambda: False}, True),  # v1 did not call it
    ],
)
def test_is_enabled(config: Any, enabled: bool) -> None:
    assert is_enabled(config) is enabled


V1_DEFAULTS = {
    "enable_for_current_rank": False,
    "one_logger_project": "e2e-tracking",
    "one_logger_async": True,
    "log_every_n_train_iterations": 50,
    "quiet": False,
    "app_tag_run_version": "1.0.0",
    "is_baseline_run": False,
    "is_test_iterations_enabled": True,
    "is_save_checkpoint_enabled": True,
    "is_log_throughput_enabled": False,
    "save_checkpoint_strategy": "sync",
    "summary_data_schema_version": "1.0.0",
    "app_run_type": "training",
    "app_metrics_feature_tags": "full",
}


def test_defaults() -> None:
    assert DEFAULTS == V1_DEFAULTS
    for key, value in V1_DEFAULTS.items():
        assert V1Config({}).read(key) == value
    assert V1Config({}).read("world_size") is None


NUMBERS = (
    "world_size",
    "global_batch_size",
    "batch_size",
    "micro_batch_size",
    "seq_length",
    "flops_per_sample",
    "train_iterations_target",
    "train_samples_target",
    "log_every_n_train_iterations",
)


@pytest.mark.parametrize("key", NUMBERS)
def test_key_that_takes_part_in_arithmetic(key: str) -> None:
    for value in (1, 1.5, "1", None, lambda: "many", Scalar(1)):
        V1Config({key: value})
    with pytest.raises(ValueError, match=key) as refused:
        V1Config({key: "many"})
    assert str(refused.value) == (
        f"OneLogger v1 config: {key}='many' (str); "
        "expected a number, the text of a number, None or a callable that returns one"
    )


def test_other_keys_take_anything() -> None:
    assert set(NUMERIC) == set(NUMBERS)
    V1Config(dict.fromkeys(V1_DEFAULTS.keys() - set(NUMBERS), "many"))


def test_metadata_is_a_dict() -> None:
    for metadata in ({}, {"a": 1}, None):
        V1Config({"metadata": metadata})
    with pytest.raises(ValueError, match="metadata") as refused:
        V1Config({"metadata": [1]})
    assert str(refused.value) == (
        "OneLogger v1 config: metadata=[1] (list); expected a dict of metric names and values, "
        "or a callable that returns one"
    )


def test_bad_value_names_key_value_kind_and_expectation() -> None:
    error = bad_value("k", "v", "a number")
    assert type(error) is ValueError
    assert str(error) == "OneLogger v1 config: k='v' (str); expected a number"


def test_has_tells_what_was_given() -> None:
    config = V1Config({"seq_length": None})
    assert config.has("seq_length")
    assert not config.has("quiet"), "a default is not given"


def test_callable_is_called_at_each_reading_and_the_last_value_is_kept() -> None:
    config = V1Config({"world_size": sequence(1, 2, 3)})
    assert config.last == {}
    assert [config.read("world_size"), config.read("world_size")] == [1, 2]
    assert config.last == {"world_size": 2}
    assert config.number("world_size", 0) == 3


def test_the_callers_dict_may_change_afterwards() -> None:
    given = {"world_size": 1}
    config = V1Config(given)
    given["world_size"] = 2
    assert config.read("world_size") == 1


def test_callable_that_fails_for_once(caplog: pytest.LogCaptureFixture) -> None:
    values: dict[str, Any] = {"world_size": [5, 4], "batch_size": [7]}
    config = V1Config({key: rest.pop for key, rest in values.items()})
    with pytest.raises(IndexError):
        V1Config({"world_size": [].pop}).read("world_size")
    assert [config.read("world_size") for _ in range(4)] == [4, 5, 5, 5]
    assert [config.read("batch_size") for _ in range(3)] == [7, 7, 7]
    assert [record.getMessage() for record in caplog.records] == [
        f"{key}: its callable raised IndexError('pop from empty list'); the last value is used"
        for key in ("world_size", "batch_size")
    ]


@pytest.mark.parametrize(
    ("value", "number"), [(8, 8), (8.5, 8.5), ("8", 8), (True, True), (None, 3), (lambda: None, 3), (lambda: "9", 9)]
)
def test_number(value: Any, number: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert V1Config({"batch_size": value}).number("batch_size", 3) == number
    assert caplog.records == [], "None is a way to leave a key out"


def test_number_that_is_none_is_said_once_for_each_key(caplog: pytest.LogCaptureFixture) -> None:
    config = V1Config({"batch_size": lambda: "many", "world_size": lambda: [1]})
    assert [config.number("batch_size", 3), config.number("batch_size", 3), config.number("world_size", 4)] == [3, 3, 4]
    assert [record.getMessage() for record in caplog.records] == [
        "batch_size='many' is not a number; 3 is used in its place",
        "world_size=[1] is not a number; 4 is used in its place",
    ]


def test_v2_gets_what_v1_read_last() -> None:
    """v2 reads often, and the user's callable must not notice."""
    config = V1Config({"world_size": sequence(1, 2, 3)})
    latest = config.latest
    assert [latest("world_size"), latest("world_size")] == [1, 1], "nothing had been read: the first time it is"
    assert config.read("world_size") == 2
    assert [latest("world_size"), latest("world_size")] == [2, 2]
    assert V1Config({}).latest("one_logger_project") == "e2e-tracking"


def test_is_callable() -> None:
    config = V1Config({"world_size": lambda: 1, "batch_size": 1})
    assert config.is_callable("world_size")
    assert not config.is_callable("batch_size")
    assert not config.is_callable("seq_length")
