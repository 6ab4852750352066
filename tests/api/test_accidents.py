"""What v1 crashed on: each is logged once, and the rows that still make sense are sent (docs/accepted.md, "Errors")."""

from __future__ import annotations

from typing import Any

import pytest

from one_logger_v1_shim import _log
from tests.support import CONFIG, Clock, CoreSpy, utils_on, warned


@pytest.fixture(autouse=True)
def _unsaid() -> None:
    _log.forget()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def job(**more: Any) -> tuple[Any, CoreSpy]:
    spy = CoreSpy()
    utils = utils_on(spy, {**CONFIG, **more})
    spy.take()
    return utils, spy


def test_validation_end_without_batches(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    utils, spy = job()
    for _ in range(3):
        utils.on_validation_start()
        utils.on_validation_end()
    assert spy.rows() == []
    assert len(warned(caplog)) == 1
    assert "no validation batch" in warned(caplog)[0]


def test_second_app_end_and_train_end_send_nothing(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    utils, spy = job()
    utils.on_app_start()
    utils.on_train_start(train_iterations_start=0)
    spy.take()
    for _ in range(3):
        utils.on_train_end()
    for _ in range(3):
        utils.on_app_end()
    assert [list(row) for row in spy.rows()] == [["app_train_loop_finish_time"], ["app_finish_time"]]
    assert len(warned(caplog)) == 2


@pytest.mark.parametrize(
    ("callback", "metric"),
    [
        ("on_app_end", "app_finish_time"),
        ("on_model_init_end", "app_model_init_finish_time"),
        ("on_dataloader_init_end", "app_build_dataiters_finish_time"),
        ("on_optimizer_init_end", "app_build_optimizer_finish_time"),
        ("on_train_end", "app_train_loop_finish_time"),
    ],
)
def test_end_without_start_sends_its_instant_once(
    callback: str, metric: str, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    utils, spy = job()
    getattr(utils, callback)()
    clock.advance(1)
    getattr(utils, callback)()
    assert spy.rows() == [{metric: 1_700_000_000_000.0}]
    assert f"{callback} was called without its start" in warned(caplog)[0]


def test_iteration_end_without_start_still_counts(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    utils, spy = job()
    utils.on_train_start(train_iterations_start=0)
    spy.take()
    utils.on_train_batch_end()
    utils.on_train_batch_start()
    clock.advance(2)
    utils.on_train_batch_end()
    (row,) = spy.rows()
    assert (row["train_iterations"], row["train_samples"]) == (2, 16)
    assert (row["train_iterations_time_total"], row["train_iterations_time_msecs_avg"]) == (2.0, 2000.0)
    assert len(warned(caplog)) == 1


def test_refused_iteration_end_counts_nothing_and_stops_the_timer_as_in_v1(clock: Clock) -> None:
    utils, spy = job()
    utils.on_train_start(train_iterations_start=0)
    utils.on_train_batch_start()
    clock.advance(1)
    with pytest.raises(ValueError, match="Additional arguments provided for callback"):
        utils.on_train_batch_end(loss=1)
    spy.take()
    for _ in range(2):
        utils.on_train_batch_start()
        clock.advance(1)
        utils.on_train_batch_end()
    (row,) = spy.rows()
    assert (row["train_iterations"], row["train_samples"], row["train_iterations_time_total"]) == (2, 16, 3.0)


def test_validation_batch_end_without_start(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    utils, spy = job()
    utils.on_validation_batch_end()
    utils.on_validation_batch_end()
    assert spy.rows() == []
    assert len(warned(caplog)) == 1


def _save(utils: Any, clock: Clock, step: int, *order: str) -> None:
    for name in order:
        getattr(utils, f"on_save_checkpoint_{name}")(global_step=step)
        clock.advance(1)


def test_success_without_start(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    utils, spy = job()
    _save(utils, clock, 4, "success", "success")
    assert spy.rows() == []
    assert len(warned(caplog)) == 1
    utils, spy = job(save_checkpoint_strategy="async")
    _save(utils, clock, 4, "success", "success")
    assert spy.rows() == [{"save_checkpoint_async_count": 1}, {"save_checkpoint_async_count": 2}]


def test_save_end_without_start(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    utils, spy = job()
    _save(utils, clock, 4, "end", "end")
    assert spy.rows() == []
    assert len(warned(caplog)) == 1


# -- errors that v1 raised and we raise -----------------------------------------------------------------------


def test_keys_of_a_feature_that_is_off(clock: Clock) -> None:
    """BioNeMo passes every key there is. v1 refused those of a feature that is off; here they are ignored."""
    for off in (
        {"flops_per_sample": 3},
        {"flops_per_sample": None},
        {"is_save_checkpoint_enabled": False, "save_checkpoint_strategy": "sync"},
    ):
        spy = CoreSpy()
        utils_on(spy, {**CONFIG, **off})
        (row,) = spy.rows()
        assert "flops_per_sample" not in row
        assert ("save_checkpoint_strategy" in row) is ("is_save_checkpoint_enabled" not in off)


# -- quiet ----------------------------------------------------------------------------------------------------


def test_accepted_superset(clock: Clock) -> None:
    spy = CoreSpy()
    utils_on(
        spy,
        {**CONFIG, "world_size": "16", "micro_batch_size": None, "seq_length": None, "train_samples_target": None},
    )
    (row,) = spy.rows()
    assert row["world_size"] == "16"
    assert row["micro_batch_size"] is None
    assert row["train_samples_target"] is None
    assert "model_seq_length" not in row
    assert "train_iterations_target" not in row
    assert row["app_tag_run_version"] == "1.0.0"


def test_metadata_may_be_a_callable_as_in_v1(clock: Clock) -> None:
    spy = CoreSpy()
    utils_on(spy, {**CONFIG, "metadata": lambda: {"model": "gpt"}})
    assert spy.rows()[0]["model"] == "gpt"
    with pytest.raises(ValueError, match=r"Metadata overlap found with keys: \{'world_size'\}"):
        utils_on(CoreSpy(), {**CONFIG, "metadata": lambda: {"world_size": 1}})
    with pytest.raises(ValueError, match=r"metadata=\[1\] \(list\); expected a dict of metric names and values"):
        utils_on(CoreSpy(), {**CONFIG, "metadata": lambda: [1]})


def test_numeric_strings_take_part_in_arithmetic(clock: Clock) -> None:
    utils, spy = job(global_batch_size="8", batch_size="4", world_size="2", seq_length="16")
    utils.on_train_start(train_iterations_start=1)
    for _ in range(3):
        utils.on_train_batch_start()
        clock.advance(1)
        utils.on_train_batch_end()
    start, *progress = spy.rows()
    assert start["train_samples_start"] == 4
    assert progress[-1]["train_samples_end"] == 4 + 3 * 8
    assert progress[-1]["train_tokens"] == 16 * 24


def test_copies_and_pickles() -> None:
    import copy
    import pickle

    from one_logger_v1_shim.utils import OneLoggerUtils

    spy = CoreSpy()
    utils = utils_on(spy, CONFIG)
    assert copy.deepcopy(utils) is utils
    assert copy.copy(utils) is utils
    elsewhere = pickle.loads(pickle.dumps(utils))
    assert type(elsewhere) is OneLoggerUtils
    elsewhere.on_app_start()  # in another process it is silent
    assert elsewhere.one_logger is None
