"""One history for each kind of thing that a simulator does not make, or that was once answered wrongly."""

from __future__ import annotations

from typing import Any

import pytest

from one_logger_v1_shim._goodput import definitions as d
from one_logger_v1_shim._goodput.rows import AttemptRows
from one_logger_v1_shim._goodput.training import Training
from one_logger_v1_shim._goodput.trainings import FINISHED, KILLED, Attempt
from one_logger_v1_shim._v1 import metrics as m
from tests.goodput.story import T0, Story, ms, training
from tests.support import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch, T0)


def parts(told: Training) -> dict[str, float]:
    assert sum(told.parts.values()) == told.wall
    return {key: value / 1000 for key, value in ms(told.parts).items()}


def begun(clock: Clock, start: int = 0, **config: Any) -> Story:
    return Story(clock, **config).call("on_app_start").phase("model_init", 10).wait(1).train_start(start)


def test_a_false_start_takes_nothing(clock: Clock) -> None:
    first = begun(clock).iterate(80, 1).save(2).iterate(10, 1)
    clock.advance(300)
    second = begun(clock)
    clock.advance(300)
    third = begun(clock, 80).iterate(20, 1).save(2).end()
    told = training(*(one.attempt() for one in (first, second, third)))
    assert (parts(told)[d.PRODUCTIVE], parts(told)[d.LOST_WORK]) == (100, 10)
    assert told.figures["iterations_lost"] == 10


@pytest.mark.parametrize("last", [True, False])
def test_who_went_back_and_saved_nothing_loses_its_own_work(clock: Clock, last: bool) -> None:
    stories = [begun(clock).iterate(8, 1).save(2).iterate(2, 1)]
    clock.advance(30)
    stories.append(begun(clock).iterate(3, 1))
    if not last:
        clock.advance(30)
        stories.append(begun(clock, 8).iterate(2, 1).save(2).end())
    told = training(*(one.attempt() for one in stories))
    kept, lost, still_open = (8, 2, 3) if last else (10, 5, 0)
    found = parts(told)
    assert (found[d.PRODUCTIVE], found[d.LOST_WORK], found.get(d.NOT_SAVED, 0)) == (kept, lost, still_open)
    if last:
        assert told.figures["progress"] == 8


def test_who_went_back_and_saved_decides(clock: Clock) -> None:
    first = begun(clock).iterate(8, 1).save(2).iterate(2, 1)
    clock.advance(30)
    second = begun(clock).iterate(5, 1).save(2)
    found = parts(training(first.attempt(), second.attempt()))
    assert (found[d.PRODUCTIVE], found[d.LOST_WORK]) == (5, 10)


@pytest.mark.parametrize("what", ["batch", "validation", "save"])
def test_what_was_never_ended_begins_a_new_series(clock: Clock, what: str) -> None:
    """As long as the series before it, too: then no total drops."""
    story = begun(clock)
    for number in range(6):
        story.iterate(5, 1).validate(2, 1).save(2)
        if number in (0, 3):
            if what == "batch":
                story.call("on_train_batch_start").wait(1)
            elif what == "validation":
                story.call("on_validation_start").call("on_validation_batch_start").wait(1)
            else:
                story.call("on_save_checkpoint_start", global_step=1).wait(1)
    told = training(story.end().attempt())
    assert parts(told) == {
        d.PRODUCTIVE: 30, d.VALIDATION: 12, d.SAVE_CHECKPOINT: 12, d.IDLE: 2, d.MODEL_INIT: 10, d.STARTUP_REST: 1
    }  # fmt: skip
    assert told.notes == []


def test_what_a_new_series_forgot_is_unknown_and_nothing_after_it(clock: Clock) -> None:
    story = begun(clock, every=10).iterate(14, 1).call("on_train_batch_start").wait(1).iterate(26, 1).save(2)
    found = parts(training(story.end().attempt()))
    assert found[d.PRODUCTIVE] == 36
    assert found[d.UNKNOWN] == 5  # the four after the row of 10, and the one without an end
    assert d.IDLE not in found


def test_validation_before_the_loop(clock: Clock) -> None:
    story = Story(clock).call("on_app_start").wait(20).phase("model_init", 10).wait(5).validate(2, 1).wait(3)
    assert parts(training(story.train_start().attempt())) == {d.MODEL_INIT: 10, d.VALIDATION: 2, d.STARTUP_REST: 28}


def test_validation_alone(clock: Clock) -> None:
    story = Story(clock).call("on_app_start").wait(4).validate(3, 2).wait(1).call("on_app_end")
    assert parts(training(story.attempt())) == {d.VALIDATION: 6, d.STARTUP_REST: 5}


def test_a_loop_whose_target_was_reached_before(clock: Clock) -> None:
    story = begun(clock, 100, target=100).wait(3).call("on_train_end").wait(1).call("on_app_end")
    assert parts(training(story.attempt())) == {d.MODEL_INIT: 10, d.STARTUP_REST: 1, d.IDLE: 3, d.SHUTDOWN: 1}


def test_two_thousand_loads(clock: Clock) -> None:
    story = begun(clock)
    for _ in range(2000):
        story.phase("load_checkpoint", 0.125).iterate(1, 0.125)
    found = parts(training(story.save(1).attempt()))
    assert (found[d.LOAD_CHECKPOINT], found[d.PRODUCTIVE]) == (250, 250)
    assert d.UNKNOWN not in found
    assert d.IDLE not in found


def test_no_point_is_thinned_out(clock: Clock) -> None:
    first = begun(clock, is_save_checkpoint_enabled=False).iterate(12_000, 0.125)
    clock.advance(5)
    second = begun(clock, 7_777, is_save_checkpoint_enabled=False).iterate(1, 1)
    found = parts(training(first.attempt(), second.attempt()))
    assert (found[d.PRODUCTIVE], found[d.LOST_WORK]) == (7_777 / 8, (12_000 - 7_777) / 8)
    assert d.UNKNOWN not in found


def test_an_attempt_inside_of_another(clock: Clock) -> None:
    """Only the iterations that lie in the other's time are cut."""
    outer = begun(clock).iterate(10, 1)
    clock.now = T0 + 14  # after 3 iterations
    inner = Story(clock).call("on_app_start").wait(2).call("on_app_end")
    clock.now = T0 + 21
    outer.save(1)
    found = parts(training(outer.attempt(), inner.attempt()))
    assert found == {
        d.PRODUCTIVE: 8, d.MODEL_INIT: 10, d.STARTUP_REST: 3, d.SAVE_CHECKPOINT: 1
    }  # fmt: skip


def test_a_save_inside_of_an_iteration_is_cut_from_that_one(clock: Clock) -> None:
    story = begun(clock).iterate(5, 1)
    story.call("on_train_batch_start").wait(1).save(2).wait(1).call("on_train_batch_end").iterate(5, 1)
    story.finished = 11
    told = training(story.save(1).attempt())
    assert parts(told) == {d.MODEL_INIT: 10, d.STARTUP_REST: 1, d.PRODUCTIVE: 12, d.SAVE_CHECKPOINT: 3}


@pytest.mark.parametrize("back", [-300, -7200])
def test_a_clock_that_is_set_back_while_starting_up(clock: Clock, back: float) -> None:
    story = Story(clock).call("on_app_start").phase("model_init", 10)
    clock.advance(back)
    story.phase("dataloader_init", 4).train_start().iterate(10, 1, idle=0.125).save(2).end(after=1)
    told = training(story.attempt())
    assert parts(told) == {
        d.MODEL_INIT: 10, d.DATA_LOADER: 4, d.PRODUCTIVE: 10, d.IDLE: 1.25, d.SAVE_CHECKPOINT: 2, d.SHUTDOWN: 1
    }  # fmt: skip
    assert any(f"row times go back 1 times, by {-back:.3f} s" in note for note in told.notes)


def test_a_clock_that_is_set_back_inside_of_an_iteration(clock: Clock) -> None:
    story = begun(clock).iterate(10, 1).call("on_train_batch_start").wait(-3600).call("on_train_batch_end")
    story.finished += 1
    told = training(story.iterate(10, 1).save(2).end().attempt())
    assert parts(told) == {d.MODEL_INIT: 10, d.STARTUP_REST: 1, d.PRODUCTIVE: 20, d.SAVE_CHECKPOINT: 2}


def test_a_row_that_is_late(clock: Clock) -> None:
    story = begun(clock).iterate(10, 1)
    story.rows.insert(-1, {"loss": 1.0, m.APP_LAST_LOG_TIME: round((T0 + 5) * 1000)})
    told = training(story.save(2).end().attempt())
    assert parts(told) == {d.MODEL_INIT: 10, d.STARTUP_REST: 1, d.PRODUCTIVE: 10, d.SAVE_CHECKPOINT: 2}


def test_a_host_whose_clock_is_behind_is_named(clock: Clock) -> None:
    first = begun(clock).iterate(20, 1).save(2)
    clock.now = T0 - 240  # it began 60 s later, on a clock that is five minutes behind
    second = begun(clock, 20).iterate(5, 1).save(2).end()
    notes = training(first.attempt(), second.attempt()).notes
    assert any("attempt 1 continues from iteration 20, which attempt 2 has reached" in note for note in notes)


def test_an_instant_given_by_hand_counts_once(clock: Clock) -> None:
    story = Story(clock).call("on_app_start", app_start_time=(T0 - 5) * 1000).wait(1)
    story.call("on_load_checkpoint_start", load_checkpoint_start_time=T0 * 1000).wait(2).call("on_load_checkpoint_end")
    story.train_start().iterate(10, 1).phase("load_checkpoint", 3).iterate(10, 1).save(1).end()
    assert parts(training(story.attempt())) == {
        d.LOAD_CHECKPOINT: 6, d.STARTUP_REST: 5, d.PRODUCTIVE: 20, d.SAVE_CHECKPOINT: 1
    }  # fmt: skip


def test_megatron_repeats_the_total_of_its_validations() -> None:
    """In each row of progress: as long as the total since the row before, and no series of its own."""
    rows = AttemptRows()
    at = T0 * 1000
    rows.take({m.APP_START_TIME: at, m.APP_TRAIN_LOOP_START_TIME: at, m.APP_LAST_LOG_TIME: at})
    for done in range(1, 6):
        total = {m.VALIDATION_ITERATIONS_TIME_TOTAL: 10.0, m.VALIDATION_ITERATIONS_TIME_MSECS_AVG: 5000.0}
        progress = {m.TRAIN_ITERATIONS: done, m.TRAIN_ITERATIONS_END: done, m.TRAIN_ITERATIONS_TIME_TOTAL: done * 50.0}
        rows.take({**progress, **total, m.APP_LAST_LOG_TIME: at + 10_000 + done * 50_000})
    told = training(Attempt(rows, {}, FINISHED))
    assert parts(told) == {d.VALIDATION: 10, d.NOT_SAVED: 250}


def test_what_no_checkpoint_tells_is_not_determinable(clock: Clock) -> None:
    story = begun(clock, is_save_checkpoint_enabled=False).iterate(9, 1).end()
    told = training(story.attempt())
    assert told.goodput is None
    assert told.figures["goodput_once_saved"] == pytest.approx(9 / 20)
    assert training(story.attempt(KILLED)).goodput == 0


def test_gpu_hours_and_the_time_between(clock: Clock) -> None:
    first = begun(clock, world_size=8).iterate(10, 360).save(50).iterate(1, 360)
    clock.advance(7200)
    second = Story(clock, world_size="16")
    second.log(**{m.JOB_START_TIME: round((clock.now - 1800) * 1000)})
    second.call("on_app_start").wait(50).train_start(10).iterate(10, 180).save(50).end()
    told = training(first.attempt(), second.attempt())
    one, other = told.attempts
    assert (one.gpus, other.gpus) == (8, 16)
    assert (other.gap, other.queue, other.launch) == (7200_000_000, 5400_000_000, 1800_000_000)
    assert told.figures["gpu_hours_kept"] == pytest.approx(8 + 8)
    assert told.figures["gpu_hours_paid"] == pytest.approx(8 * one.wall / 3.6e9 + 16 * (other.wall / 3.6e9 + 0.5))
    assert told.figures["checkpoint_interval"] == pytest.approx((3600 + 360 + 1800) * 1000 / 2)
