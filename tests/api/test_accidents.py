"""What v1 crashed on: each is logged once, and the rows that still make sense are sent (docs/accepted.md, "Errors")."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from one_logger_v1_shim import _log
from tests.support import CONFIG, Clock, CoreSpy, utils_on


@pytest.fixture(autouse=True)
def _unsaid() -> None:
    _log.forget()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


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
    assert len(warnings(caplog)) == 1
    assert "no validation batch" in warnings(caplog)[0]


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
    assert len(warnings(caplog)) == 2


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
    assert f"{callback} was called without its start" in warnings(caplog)[0]


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
    assert len(warnings(caplog)) == 1


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
    assert len(warnings(caplog)) == 1


def _save(utils: Any, clock: Clock, step: int, *order: str) -> None:
    for name in order:
        getattr(utils, f"on_save_checkpoint_{name}")(global_step=step)
        clock.advance(1)


@pytest.mark.parametrize("order", [("start", "end", "success"), ("start", "success", "end")])
def test_same_step_saved_twice(order: tuple[str, ...], clock: Clock) -> None:
    utils, spy = job()
    utils.on_train_start(train_iterations_start=0)
    _save(utils, clock, 4, *order)
    spy.take()
    _save(utils, clock, 4, *order)
    merged = {key: value for row in spy.rows() for key, value in row.items()}
    window = 1.0 if order[1] == "end" else 2.0
    assert merged["save_checkpoint_count"] == 2
    assert merged["save_checkpoint_sync_count"] == 2
    assert merged["save_checkpoint_sync_time_total"] == 2 * window
    assert "last_successful_save_checkpoint_sync_finish_time" in merged
    assert merged["save_checkpoint_sync_time_total_productive"] == 2 * window
    # Not newer than the first save of that step: no productive metrics a second time.
    assert "train_iterations_productive_end" not in merged


@pytest.mark.parametrize("strategy", ["sync", "async"])
def test_lightning_saves_each_step_twice(strategy: str, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """v1 knew at the second end that its step had succeeded; at the second success it raised ``KeyError``."""
    utils, spy = job(save_checkpoint_strategy=strategy)
    utils.on_train_start(train_iterations_start=0)
    for step in (4, 8):
        _save(utils, clock, step, "start", "end", "success")
        spy.take()
        _save(utils, clock, step, "start", "end")
        utils.on_save_checkpoint_success(global_step=step)
        count, end, *success = spy.rows()[-3:] if strategy == "async" else spy.rows()[-2:]
        assert count["save_checkpoint_count"] == step // 2
        assert end["save_checkpoint_sync_time_total_productive"] == end["save_checkpoint_sync_time_total"]
        assert end["last_successful_save_checkpoint_sync_finish_time"] > 0
        assert success == ([{"save_checkpoint_async_count": step // 2}] if strategy == "async" else [])
    assert warnings(caplog) == []


def test_success_without_start(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    utils, spy = job()
    _save(utils, clock, 4, "success", "success")
    assert spy.rows() == []
    assert len(warnings(caplog)) == 1
    utils, spy = job(save_checkpoint_strategy="async")
    _save(utils, clock, 4, "success", "success")
    assert spy.rows() == [{"save_checkpoint_async_count": 1}, {"save_checkpoint_async_count": 2}]


def test_save_end_without_start(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    utils, spy = job()
    _save(utils, clock, 4, "end", "end")
    assert spy.rows() == []
    assert len(warnings(caplog)) == 1


def test_steps_that_do_not_compare(clock: Clock) -> None:
    utils, spy = job()
    _save(utils, clock, 4, "start", "end", "success")
    _save(utils, clock, "last", "start", "end", "success")  # type: ignore[arg-type]
    assert "train_iterations_productive_end" in spy.rows()[-1]


def test_steps_that_are_no_keys(clock: Clock) -> None:
    import decimal

    utils, spy = job(save_checkpoint_strategy="async")
    for step in ([], {}, decimal.Decimal(3), "4"):
        for name in ("start", "end", "success"):
            getattr(utils, f"on_save_checkpoint_{name}")(global_step=step)
        assert spy.rows()[-1]["last_successful_save_checkpoint_sync_finish_time"] == clock.now * 1000


def test_log_every_0_logs_at_checkpoints_only(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    utils, spy = job(log_every_n_train_iterations=0)
    utils.on_train_start(train_iterations_start=0)
    spy.take()
    for _ in range(5):
        utils.on_train_batch_start()
        utils.on_train_batch_end()
    assert spy.rows() == []
    assert "log_every_n_train_iterations=0" in warnings(caplog)[0]
    utils.on_save_checkpoint_start(global_step=5)
    assert spy.rows()[0]["train_iterations"] == 5


def test_restarted_timer_loses_its_history_as_in_v1(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    utils, spy = job()
    utils.on_train_start(train_iterations_start=0)
    spy.take()
    utils.on_train_batch_start()
    clock.advance(5)
    utils.on_train_batch_end()
    utils.on_train_batch_start()
    clock.advance(5)
    utils.on_train_batch_start()
    clock.advance(1)
    utils.on_train_batch_end()
    (row,) = spy.rows()
    assert row["train_iterations_time_total"] == 1.0
    assert "was not correctly stopped" in warnings(caplog)[0]


def test_finish_without_app_end_is_said(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    utils, spy = job()
    utils.on_app_start()
    utils.finish()
    assert list(spy.take()[-1]) == ["finish"]
    assert "on_app_end was not" in warnings(caplog)[0]


# -- errors that v1 raised and we raise -----------------------------------------------------------------------


def test_kept_errors_in_v1s_words(clock: Clock) -> None:
    utils, _ = job()
    with pytest.raises(
        ValueError, match=r"^Missing required arguments for callback 'OneLoggerUtils\.on_train_start': "
    ):
        utils.on_train_start()
    with pytest.raises(ValueError, match=r"^Additional arguments provided for callback 'OneLoggerUtils\.on_app_end': "):
        utils.on_app_end(foo=1)
    with pytest.raises(RuntimeError, match=r"^No barrier function to call in the _NamedTimer$"):
        utils.on_train_batch_start(set_barrier=True)
    with pytest.raises(AttributeError, match=r"^Attribute 'on_nothing' is not found in the current version"):
        utils.on_nothing()
    utils, _ = job(is_save_checkpoint_enabled=False)
    with pytest.raises(AssertionError, match=r"^Checkpoint saving is not enabled\. Please ensure"):
        utils.on_save_checkpoint_start(global_step=1)


def test_configuration_errors(clock: Clock) -> None:
    missing = {key: value for key, value in CONFIG.items() if key != "app_tag"}
    with pytest.raises(ValueError, match=r"Missing required arguments .*'OneLoggerUtils\.initialize': \{'app_tag'\}"):
        utils_on(CoreSpy(), missing)
    with pytest.raises(ValueError, match=r"Additional arguments .*: \{'foo'\}"):
        utils_on(CoreSpy(), {**CONFIG, "foo": 1})
    with pytest.raises(ValueError, match=r"Metadata overlap found with keys: \{'world_size'\}"):
        utils_on(CoreSpy(), {**CONFIG, "metadata": {"world_size": 3}})
    with pytest.raises(ValueError, match=r"world_size='many' \(str\); expected a number"):
        utils_on(CoreSpy(), {**CONFIG, "world_size": "many"})
    with pytest.raises(ValueError, match=r"barrier=3 \(int\); expected a callable"):
        utils_on(CoreSpy(), {**CONFIG, "barrier": 3})
    with pytest.raises(ValueError, match=r"metadata=\['x'\] \(list\); expected a dict"):
        utils_on(CoreSpy(), {**CONFIG, "metadata": ["x"]})
    with pytest.raises(ValueError, match=r"on_train_start: train_iterations_start=None \(NoneType\)"):
        utils_on(CoreSpy(), CONFIG).on_train_start(train_iterations_start=None)


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


def test_barrier_comes_before_the_clock(clock: Clock) -> None:
    utils, spy = job(barrier=lambda: clock.advance(3))
    utils.on_app_start(set_barrier=True)
    assert spy.rows() == [{"app_start_time": 1_700_000_003_000.0}]
    utils.on_save_checkpoint_start(global_step=1)
    before = clock.now
    utils.on_save_checkpoint_success(set_barrier=True, global_step=1)
    assert clock.now == before, "success ignores set_barrier, as v1 did"


def test_throughput_without_flops_raises_at_train_start_as_in_v1(clock: Clock) -> None:
    utils, _ = job(is_log_throughput_enabled=True)
    with pytest.raises(ValueError, match="Missing required key 'flops_per_sample' from store"):
        utils.on_train_start(train_iterations_start=0)


# -- quiet ----------------------------------------------------------------------------------------------------


def test_quiet_raises_nothing_and_stops_at_the_first_failure(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    utils, spy = job(quiet=True)
    utils.on_app_start()
    assert len(spy.rows()) == 1
    utils.on_train_start()  # a required argument is missing
    utils.on_app_end()
    utils.on_save_checkpoint_start()
    assert utils.on_nothing is None
    assert spy.take() == []
    assert len(warnings(caplog)) == 1
    assert "telemetry stops" in warnings(caplog)[0]


def test_callable_that_fails_later_uses_its_last_value(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    sizes = [8]

    def size() -> int:
        return sizes.pop()

    utils, spy = job(global_batch_size=size)
    utils.on_train_start(train_iterations_start=0)
    spy.take()
    for _ in range(2):
        utils.on_train_batch_start()
        utils.on_train_batch_end()
    assert spy.rows()[0]["train_samples"] == 16
    assert len(warnings(caplog)) == 1
    with pytest.raises(IndexError):
        utils_on(CoreSpy(), {**CONFIG, "world_size": lambda: [].pop()})


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


def test_disabled_rank_ignores_everything() -> None:
    for config in ({}, {"foreign": 1}, {"enable_for_current_rank": False, "world_size": object()}):
        utils = utils_on(CoreSpy(), config)
        utils.on_train_start(nonsense=1)
        utils.on_train_batch_start(set_barrier=True)
        utils.finish()
        assert utils.one_logger is None
        with pytest.raises(AttributeError):
            _ = utils.on_nothing


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


def test_rankpulse_of_the_environment(
    clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    utils, _ = job()
    utils.on_train_start(train_iterations_start=0)
    assert warnings(caplog) == []
    monkeypatch.setenv("RANKPULSE_ENABLE", "Yes")
    utils.on_train_start(train_iterations_start=0)
    assert [message for message in warnings(caplog) if "rankpulse" in message]
