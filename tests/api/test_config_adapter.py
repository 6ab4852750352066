"""v1 configuration -> v2 configuration: the table row by row, and what real consumers pass."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from one_logger_v1_shim import ConfigAdapter
from one_logger_v1_shim._conversion import REQUIRED, TABLE, core_values
from one_logger_v1_shim._v1.schema import (
    CHECKPOINT_CALLBACK_ARGS,
    MINIMAL_SCHEMA_CALLBACK_ARGS,
    THROUGHPUT_CALLBACK_ARGS,
)
from tests.support import CONFIG

convert = ConfigAdapter.convert_to_v2_config


def test_table_has_every_v1_key_once() -> None:
    keys = [row.key for row in TABLE]
    assert len(keys) == len(set(keys))
    v1: set[str] = set()
    for schema in (MINIMAL_SCHEMA_CALLBACK_ARGS, THROUGHPUT_CALLBACK_ARGS, CHECKPOINT_CALLBACK_ARGS):
        v1 |= schema["initialize"]["required"] | schema["initialize"]["optional"]
    assert set(keys) == v1
    required = {row.key for row in TABLE if row.default is REQUIRED}
    assert required == MINIMAL_SCHEMA_CALLBACK_ARGS["initialize"]["required"] - {"enable_for_current_rank"}


def test_callers_dictionaries_are_not_changed() -> None:
    given = {**CONFIG, "metadata": {"model": "gpt:2", "nested": {"a": [1]}}, "app_tag": ["a"]}
    before = copy.deepcopy(given)
    config = convert(given)
    assert given == before
    config.custom_metadata["model"] = "changed"  # type: ignore[index]
    assert given == before


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
