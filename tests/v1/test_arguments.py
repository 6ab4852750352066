"""Which arguments each callback of v1 took, and what it said when it got others."""

from __future__ import annotations

from typing import Any

import pytest

from one_logger_v1_shim._v1.schema import check
from one_logger_v1_shim.utils.core import (
    CHECKPOINT_CALLBACK_ARGS,
    MINIMAL_SCHEMA_CALLBACK_ARGS,
    THROUGHPUT_CALLBACK_ARGS,
)
from tests.support import CONFIG, CoreSpy, utils_on
from tests.v1.job import WITHOUT_CHECKPOINTS, V1Job

# The constructor is the one entry that is no method.
CONSTRUCTOR = next(iter(THROUGHPUT_CALLBACK_ARGS))

# callback -> required, optional
CALLBACKS: dict[str, tuple[set[str], set[str]]] = {
    "on_app_start": (set(), {"app_start_time"}),
    "on_app_end": (set(), {"app_finish_time"}),
    "on_model_init_start": (set(), {"app_model_init_start_time"}),
    "on_model_init_end": (set(), {"app_model_init_finish_time"}),
    "on_dataloader_init_start": (set(), {"app_build_dataiters_start_time"}),
    "on_dataloader_init_end": (set(), {"app_build_dataiters_finish_time"}),
    "on_optimizer_init_start": (set(), {"app_build_optimizer_start_time"}),
    "on_optimizer_init_end": (set(), {"app_build_optimizer_finish_time"}),
    "on_load_checkpoint_start": (set(), {"load_checkpoint_start_time"}),
    "on_load_checkpoint_end": (set(), {"load_checkpoint_finish_time"}),
    "on_train_start": ({"train_iterations_start"}, {"train_samples_start"}),
    "on_train_end": (set(), set()),
    "on_train_batch_start": (set(), set()),
    "on_train_batch_end": (set(), set()),
    "on_validation_start": (set(), set()),
    "on_validation_end": (set(), set()),
    "on_validation_batch_start": (set(), set()),
    "on_validation_batch_end": (set(), set()),
    "on_test_start": (set(), set()),
    "on_test_end": (set(), set()),
    "on_save_checkpoint_start": ({"global_step"}, set()),
    "on_save_checkpoint_end": ({"global_step"}, set()),
    "on_save_checkpoint_success": ({"global_step"}, set()),
}

# What any public consumer of v1 left out is optional (README, "What is accepted").
CONSTRUCTOR_REQUIRED = {
    "enable_for_current_rank",
    "one_logger_project",
    "app_tag",
    "app_tag_run_name",
    "world_size",
    "global_batch_size",
    "is_train_iterations_enabled",
    "is_validation_iterations_enabled",
}
CONSTRUCTOR_OPTIONAL = {
    "one_logger_run_name",
    "one_logger_async",
    "log_every_n_train_iterations",
    "barrier",
    "quiet",
    "app_tag_run_version",
    "batch_size",
    "micro_batch_size",
    "train_iterations_target",
    "train_samples_target",
    "is_baseline_run",
    "is_test_iterations_enabled",
    "is_save_checkpoint_enabled",
    "is_log_throughput_enabled",
    "summary_data_schema_version",
    "app_run_type",
    "app_metrics_feature_tags",
    "app_start_time",
    "seq_length",
    "metadata",
}

# an end needs its start: otherwise there is nothing that it could refuse
BEFORE = {
    "on_train_batch_end": "on_train_batch_start",
    "on_validation_batch_end": "on_validation_batch_start",
    "on_validation_end": "on_validation_start",
}


def good(callback: str) -> dict[str, Any]:
    return dict.fromkeys(CALLBACKS[callback][0], 1)


def missing(callback: str, names: str) -> str:
    return f"Missing required arguments for callback 'OneLoggerUtils.{callback}': {names}"


def additional(callback: str, names: str) -> str:
    return f"Additional arguments provided for callback 'OneLoggerUtils.{callback}': {names}"


@pytest.mark.parametrize("callback", CALLBACKS)
def test_table_of_a_callback(callback: str) -> None:
    required, optional = CALLBACKS[callback]
    assert MINIMAL_SCHEMA_CALLBACK_ARGS[callback] == {"required": required, "optional": optional}


def test_tables_of_the_constructor() -> None:
    assert MINIMAL_SCHEMA_CALLBACK_ARGS.keys() == {CONSTRUCTOR, *CALLBACKS}
    assert MINIMAL_SCHEMA_CALLBACK_ARGS[CONSTRUCTOR] == {
        "required": CONSTRUCTOR_REQUIRED,
        "optional": CONSTRUCTOR_OPTIONAL,
    }
    assert {CONSTRUCTOR: {"required": set(), "optional": {"flops_per_sample"}}} == THROUGHPUT_CALLBACK_ARGS
    assert {CONSTRUCTOR: {"required": set(), "optional": {"save_checkpoint_strategy"}}} == CHECKPOINT_CALLBACK_ARGS


@pytest.mark.parametrize("callback", CALLBACKS)
def test_callback_refuses_what_it_does_not_know(callback: str, monkeypatch: pytest.MonkeyPatch) -> None:
    job = V1Job(monkeypatch)
    if callback in BEFORE:
        job.emits(BEFORE[callback])
    with pytest.raises(ValueError, match="Additional") as refused:
        job.emits(callback, **good(callback), foo=1, bar=2)
    assert str(refused.value) == additional(callback, "{'bar', 'foo'}")
    assert [emit for emit in job.spy.take() if emit[0] == "log_metrics"] == []


@pytest.mark.parametrize("callback", [name for name, (required, _) in CALLBACKS.items() if required])
def test_callback_names_what_is_missing(callback: str, monkeypatch: pytest.MonkeyPatch) -> None:
    job = V1Job(monkeypatch)
    if callback == "on_save_checkpoint_end":
        job.emits("on_save_checkpoint_start", global_step=1)
    (name,) = CALLBACKS[callback][0]
    with pytest.raises(ValueError, match="Missing") as refused:
        job.emits(callback)
    assert str(refused.value) == missing(callback, f"{{'{name}'}}")
    assert job.spy.take() == []


@pytest.mark.parametrize("callback", [name for name, (_, optional) in CALLBACKS.items() if optional])
def test_callback_takes_its_optional_argument(callback: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (name,) = CALLBACKS[callback][1]
    assert len(V1Job(monkeypatch).rows(callback, **good(callback), **{name: 5})) == 1


@pytest.mark.parametrize(
    ("callback", "timer"),
    [
        ("on_app_start", "app_run"),
        ("on_model_init_start", "model_init"),
        ("on_dataloader_init_start", "dataloader_init"),
        ("on_optimizer_init_start", "optimizer_init"),
        ("on_load_checkpoint_start", "load_checkpoint"),
        ("on_train_start", "app_train_loop"),
        ("on_train_batch_start", "train_iterations"),
        ("on_validation_start", "validation_loop"),
        ("on_validation_batch_start", "validation_iterations"),
        ("on_save_checkpoint_start", "save_checkpoint"),
    ],
)
def test_timer_runs_before_the_arguments_are_checked(
    callback: str, timer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = V1Job(monkeypatch)
    for name, active in ((callback, True), (callback.replace("_start", "_end"), False)):
        with pytest.raises(ValueError, match="Additional"):
            job.emits(name, **good(name), foo=1)
        assert job.utils.timer.is_active(timer) is active
        assert job.utils.timer.active_timers == ([timer] if active else [])


def test_missing_comes_before_unknown() -> None:
    with pytest.raises(ValueError, match="Missing"):
        check("on_train_start", {"foo": 1})


@pytest.mark.parametrize("key", sorted(CONSTRUCTOR_REQUIRED - {"enable_for_current_rank"}))
def test_missing_key_of_the_configuration(key: str) -> None:
    spy = CoreSpy()
    with pytest.raises(ValueError, match="Missing") as refused:
        utils_on(spy, {name: value for name, value in CONFIG.items() if name != key})
    assert str(refused.value) == missing(CONSTRUCTOR, f"{{'{key}'}}")
    assert spy.take() == []


def test_unknown_keys_of_the_configuration() -> None:
    spy = CoreSpy()
    with pytest.raises(ValueError, match="Additional") as refused:
        utils_on(spy, {**CONFIG, "foo": 1, 3: 4, "bar": 2})  # type: ignore[dict-item]
    assert str(refused.value) == additional(CONSTRUCTOR, "{3, 'bar', 'foo'}")
    assert spy.take() == []


@pytest.mark.parametrize("key", ["flops_per_sample", "save_checkpoint_strategy"])
def test_none_for_a_key_of_a_feature_that_is_off(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """BioNeMo's configuration has every key there is; those of a feature that is off are None."""
    off = {**WITHOUT_CHECKPOINTS, "is_log_throughput_enabled": False}
    (_, row) = V1Job(monkeypatch, **off, **{key: None}).construction
    assert key not in row[1]


def test_extension_of_another_callback_does_not_count() -> None:
    check("on_app_end", {}, THROUGHPUT_CALLBACK_ARGS)
    with pytest.raises(ValueError, match="Additional"):
        check("on_app_end", {"flops_per_sample": 1}, THROUGHPUT_CALLBACK_ARGS)
    more = {"on_app_end": {"required": {"needed"}, "optional": {"allowed"}}}
    check("on_app_end", {"needed": 1, "allowed": 2, "app_finish_time": 3}, more)
    with pytest.raises(ValueError, match=r"^Missing .*: \{'needed'\}$"):
        check("on_app_end", {"allowed": 2}, more)
    assert MINIMAL_SCHEMA_CALLBACK_ARGS["on_app_end"] == {"required": set(), "optional": {"app_finish_time"}}
