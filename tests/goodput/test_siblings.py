"""Relatives of the kinds in ``test_kinds``: each answer was added up by hand from what happens in its story."""

from __future__ import annotations

import pytest

from one_logger_v1_shim._goodput import definitions as d
from one_logger_v1_shim._goodput.rows import AttemptRows
from one_logger_v1_shim._goodput.trainings import FAILED, FINISHED, KILLED, Attempt
from one_logger_v1_shim._v1 import metrics as m
from tests.goodput.story import T0, Story, training
from tests.goodput.test_kinds import begun, clock, parts
from tests.support import Clock

__all__ = ["clock"]


def kept_and_lost(*stories: Story) -> tuple[float, float, float]:
    found = parts(training(*(one.attempt() for one in stories)))
    return tuple(found.get(key, 0.0) for key in (d.PRODUCTIVE, d.LOST_WORK, d.NOT_SAVED))  # type: ignore[return-value]


# -- 1. what a later attempt stands on ----------------------------------------------------------------------------


def test_back_twice(clock: Clock) -> None:
    one = begun(clock).iterate(4, 1).save(1).iterate(4, 1).save(1).iterate(2, 1)  # kept 4
    clock.advance(30)
    two = begun(clock, 4).iterate(3, 1)  # all lost
    clock.advance(30)
    three = begun(clock, 4).iterate(2, 1).save(1).iterate(1, 1)  # kept 2
    clock.advance(30)
    four = begun(clock, 6).iterate(4, 1).save(1).end()
    assert kept_and_lost(one, two, three, four) == (4 + 2 + 4, 6 + 3 + 1, 0)


def test_back_to_the_begin_and_saved_and_nobody_used_it(clock: Clock) -> None:
    one = begun(clock).iterate(8, 1).save(1)
    clock.advance(30)
    two = begun(clock).iterate(3, 1)
    clock.advance(30)
    three = begun(clock).iterate(5, 1).save(1)
    clock.advance(30)
    four = begun(clock, 8).iterate(2, 1).save(1).end()
    assert kept_and_lost(one, two, three, four) == (8 + 2, 3 + 5, 0)


@pytest.mark.parametrize("start", [0, 8])
def test_false_starts_one_after_the_other(clock: Clock, start: int) -> None:
    stories = [begun(clock).iterate(8, 1).save(1).iterate(2, 1)]
    for _ in range(3):
        clock.advance(30)
        stories.append(begun(clock, start).wait(4))
    clock.advance(30)
    stories.append(begun(clock, 8).iterate(4, 1).save(1).end())
    assert kept_and_lost(*stories) == (12, 2, 0)


def test_a_false_start_at_the_end(clock: Clock) -> None:
    one = begun(clock).iterate(8, 1).save(1).iterate(2, 1)
    clock.advance(30)
    told = training(one.attempt(), begun(clock).wait(3).attempt())
    assert (parts(told)[d.PRODUCTIVE], parts(told)[d.LOST_WORK]) == (8, 2)
    assert told.figures["progress"] == 8


def test_a_start_that_dies_before_its_loop(clock: Clock) -> None:
    one = begun(clock).iterate(8, 1).save(1).iterate(2, 1)
    clock.advance(30)
    two = Story(clock).call("on_app_start").phase("model_init", 10)
    clock.advance(30)
    assert kept_and_lost(one, two, begun(clock, 8).iterate(1, 1).save(1).end()) == (9, 2, 0)


def test_the_same_iteration_is_saved_twice(clock: Clock) -> None:
    one = begun(clock).iterate(5, 1).save(1).iterate(5, 2).save(1)
    clock.advance(30)
    two = begun(clock, 5).iterate(5, 3).save(1)
    clock.advance(30)
    three = begun(clock, 10).iterate(1, 1).save(1).end()
    assert kept_and_lost(one, two, three) == (5 + 15 + 1, 10, 0)


def test_a_later_attempt_that_goes_back_behind_all(clock: Clock) -> None:
    """From an older checkpoint of the first one: what the second one did is lost, though it was saved."""
    one = begun(clock).iterate(4, 1).save(1).iterate(4, 1).save(1)
    clock.advance(30)
    two = begun(clock, 8).iterate(4, 1).save(1)
    clock.advance(30)
    three = begun(clock, 4).iterate(2, 1).save(1).end()
    assert kept_and_lost(one, two, three) == (4 + 2, 4 + 4, 0)


# -- 2. totals that drop ------------------------------------------------------------------------------------------


def test_two_batches_without_an_end_in_a_row(clock: Clock) -> None:
    story = begun(clock).iterate(5, 1).call("on_train_batch_start").wait(1).call("on_train_batch_start").wait(2)
    story.iterate(5, 1).save(1)
    assert parts(training(story.end().attempt())) == {
        d.MODEL_INIT: 10, d.STARTUP_REST: 1, d.PRODUCTIVE: 10, d.IDLE: 3, d.SAVE_CHECKPOINT: 1
    }  # fmt: skip


def test_a_save_after_a_drop_holds_both_series(clock: Clock) -> None:
    one = begun(clock).iterate(10, 1).call("on_train_batch_start").wait(1).iterate(10, 1).save(2).iterate(5, 1)
    clock.advance(30)
    two = begun(clock, 20).iterate(1, 1).save(1).end()
    found = parts(training(one.attempt(), two.attempt()))
    assert (found[d.PRODUCTIVE], found[d.LOST_WORK], found[d.IDLE]) == (21, 5, 1)
    assert d.UNKNOWN not in found


@pytest.mark.parametrize("seconds", [0.5, 1, 4])
def test_the_first_batch_has_no_end(clock: Clock, seconds: float) -> None:
    story = begun(clock).call("on_train_batch_start").wait(seconds).iterate(10, 1).save(1).end()
    found = parts(training(story.attempt()))
    assert (found[d.PRODUCTIVE], found[d.IDLE]) == (10, seconds)
    assert d.UNKNOWN not in found


def test_what_was_forgotten_before_the_first_row_of_progress(clock: Clock) -> None:
    story = begun(clock, every=10).wait(2).iterate(4, 1).call("on_train_batch_start").wait(1).iterate(26, 1).save(2)
    found = parts(training(story.end().attempt()))
    assert (found[d.PRODUCTIVE], found[d.UNKNOWN]) == (26, 2 + 4 + 1)
    assert d.IDLE not in found


def test_what_was_forgotten_lies_behind_the_row_that_says_so(clock: Clock) -> None:
    """The row of a save repeats the number of iterations: until then, waiting was waiting."""
    story = begun(clock, every=10).iterate(6, 1).wait(5).save(2).iterate(2, 1).call("on_train_batch_start").wait(1)
    found = parts(training(story.iterate(2, 1).save(2).end().attempt()))
    assert (found[d.PRODUCTIVE], found[d.IDLE], found[d.UNKNOWN]) == (8, 5, 3)


def test_three_drops_of_each_kind(clock: Clock) -> None:
    story = begun(clock)
    for _ in range(3):
        story.iterate(4, 1).call("on_train_batch_start").wait(1)
        story.iterate(4, 1).validate(2, 1).call("on_validation_start").call("on_validation_batch_start").wait(1)
        story.validate(1, 1).save(3).call("on_save_checkpoint_start", global_step=story.finished).wait(1).save(2)
    assert parts(training(story.end().attempt())) == {
        d.MODEL_INIT: 10, d.STARTUP_REST: 1, d.PRODUCTIVE: 24, d.VALIDATION: 9, d.SAVE_CHECKPOINT: 15, d.IDLE: 9
    }  # fmt: skip


def test_a_new_series_that_is_longer_and_has_one_window_more(clock: Clock) -> None:
    """Only its shortest window tells: it cannot be the one that was added."""
    story = begun(clock).validate(1, 3).iterate(4, 1).call("on_validation_start").call("on_validation_batch_start")
    story.wait(1).call("on_validation_start")
    for seconds in (4.5, 2.5):
        story.call("on_validation_batch_start").wait(seconds).call("on_validation_batch_end")
    found = parts(training(story.call("on_validation_end").iterate(4, 1).save(1).end().attempt()))
    assert (found[d.PRODUCTIVE], found[d.VALIDATION], found[d.IDLE]) == (8, 3 + 7, 1)
    assert d.UNKNOWN not in found


# -- 3. nothing is unknown that the rows tell ---------------------------------------------------------------------


def test_a_validation_is_the_last_row(clock: Clock) -> None:
    story = Story(clock).call("on_app_start").phase("load_checkpoint", 4).wait(1).validate(3, 2)
    assert parts(training(story.attempt())) == {d.LOAD_CHECKPOINT: 4, d.STARTUP_REST: 1, d.VALIDATION: 6}


def test_a_validation_in_the_loop_is_the_last_row(clock: Clock) -> None:
    story = begun(clock).iterate(3, 1).save(1).validate(3, 2)
    assert parts(training(story.attempt())) == {
        d.MODEL_INIT: 10, d.STARTUP_REST: 1, d.PRODUCTIVE: 3, d.SAVE_CHECKPOINT: 1, d.VALIDATION: 6
    }  # fmt: skip


def test_a_validation_alone_between_two_attempts(clock: Clock) -> None:
    one = begun(clock).iterate(5, 1).save(1).end()
    clock.advance(10)
    alone = Story(clock).call("on_app_start").wait(1).phase("load_checkpoint", 3).validate(4, 1).call("on_app_end")
    clock.advance(10)
    two = begun(clock, 5).iterate(5, 1).save(1).end()
    assert parts(training(one.attempt(), alone.attempt(), two.attempt())) == {
        d.PRODUCTIVE: 10, d.MODEL_INIT: 20, d.STARTUP_REST: 3, d.SAVE_CHECKPOINT: 2, d.LOAD_CHECKPOINT: 3,
        d.VALIDATION: 4, d.BETWEEN: 20
    }  # fmt: skip


def test_a_validation_after_the_loop(clock: Clock) -> None:
    story = begun(clock).iterate(5, 1).save(1).call("on_train_end").wait(1).validate(2, 3).wait(2).call("on_app_end")
    assert parts(training(story.attempt())) == {
        d.MODEL_INIT: 10, d.STARTUP_REST: 1, d.PRODUCTIVE: 5, d.SAVE_CHECKPOINT: 1, d.VALIDATION: 6, d.SHUTDOWN: 3
    }  # fmt: skip


def test_six_hundred_saves_and_validations(clock: Clock) -> None:
    story = begun(clock)
    for _ in range(600):
        story.iterate(1, 0.25).validate(1, 0.125).save(0.125)
    assert parts(training(story.attempt())) == {
        d.MODEL_INIT: 10, d.STARTUP_REST: 1, d.PRODUCTIVE: 150, d.VALIDATION: 75, d.SAVE_CHECKPOINT: 75
    }  # fmt: skip


# -- 4. overlaps --------------------------------------------------------------------------------------------------


def test_two_attempts_inside_of_one(clock: Clock) -> None:
    outer = begun(clock).iterate(20, 1)  # from T0 + 11 on
    inner = []
    for at in (14, 22):
        clock.now = T0 + at
        inner.append(Story(clock).call("on_app_start").wait(2).call("on_app_end"))
    clock.now = T0 + 31
    outer.save(1)
    assert parts(training(outer.attempt(), *(one.attempt() for one in inner))) == {
        d.PRODUCTIVE: 16, d.MODEL_INIT: 10, d.STARTUP_REST: 1 + 4, d.SAVE_CHECKPOINT: 1
    }  # fmt: skip


def test_an_attempt_inside_of_a_validation(clock: Clock) -> None:
    outer = begun(clock).iterate(5, 1).validate(1, 10)  # from T0 + 16 on
    clock.now = T0 + 18
    inner = Story(clock).call("on_app_start").wait(4).call("on_app_end")
    clock.now = T0 + 26
    outer.iterate(5, 1).save(1)
    assert parts(training(outer.attempt(), inner.attempt())) == {
        d.PRODUCTIVE: 10, d.MODEL_INIT: 10, d.STARTUP_REST: 1 + 4, d.VALIDATION: 6, d.SAVE_CHECKPOINT: 1
    }  # fmt: skip


def test_an_attempt_that_begins_before_the_one_before_is_gone(clock: Clock) -> None:
    """The iterations that lie in the time of the second one are cut: 4 of 2 s, not a part of each."""
    one = begun(clock).iterate(5, 1).save(1).iterate(3, 1).iterate(4, 2)
    clock.now = T0 + 20  # the last four are all later
    two = begun(clock, 5).iterate(5, 1).save(1).end()
    found = parts(training(one.attempt(), two.attempt()))
    assert (found[d.PRODUCTIVE], found[d.LOST_WORK]) == (10, 3)


def test_a_save_inside_of_a_validation(clock: Clock) -> None:
    story = begun(clock).iterate(5, 1).call("on_validation_start").call("on_validation_batch_start").wait(2).save(3)
    story.wait(1).call("on_validation_batch_end").call("on_validation_end").iterate(5, 1).save(1).end()
    told = training(story.attempt())
    found = parts(told)
    assert found == {d.MODEL_INIT: 10, d.STARTUP_REST: 1, d.PRODUCTIVE: 10, d.VALIDATION: 3, d.SAVE_CHECKPOINT: 4}
    assert told.notes == []


def test_a_save_between_the_batches_of_a_validation(clock: Clock) -> None:
    """The rows do not tell where the batches were: no time of them is cut where all of it fits."""
    story = begun(clock).iterate(5, 1).call("on_validation_start")
    for seconds in (2, 1):
        story.call("on_validation_batch_start").wait(seconds).call("on_validation_batch_end").save(3)
    told = training(story.call("on_validation_end").iterate(5, 1).save(1).end().attempt())
    assert parts(told) == {d.MODEL_INIT: 10, d.STARTUP_REST: 1, d.PRODUCTIVE: 10, d.VALIDATION: 3, d.SAVE_CHECKPOINT: 7}


def test_a_load_inside_of_a_validation(clock: Clock) -> None:
    story = begun(clock).iterate(5, 1).call("on_validation_start").call("on_validation_batch_start").wait(2)
    story.phase("load_checkpoint", 3).call("on_validation_batch_end").call("on_validation_end").iterate(5, 1).save(1)
    assert parts(training(story.end().attempt())) == {
        d.MODEL_INIT: 10, d.STARTUP_REST: 1, d.PRODUCTIVE: 10, d.VALIDATION: 2, d.LOAD_CHECKPOINT: 3,
        d.SAVE_CHECKPOINT: 1
    }  # fmt: skip


@pytest.mark.parametrize("idle", [0, 2])
def test_a_validation_inside_of_an_iteration(clock: Clock, idle: int) -> None:
    story = begun(clock).iterate(5, 1, idle=idle).call("on_train_batch_start").wait(1).validate(2, 1.5).wait(1)
    story.call("on_train_batch_end").iterate(5, 1, idle=idle).save(1).end()
    found = parts(training(story.attempt()))
    assert (found[d.PRODUCTIVE], found[d.VALIDATION], found.get(d.IDLE, 0)) == (5 + 2 + 5, 3, 10 * idle)


def test_a_load_at_the_end_of_an_iteration_and_a_save_at_once(clock: Clock) -> None:
    story = begun(clock).iterate(5, 1, idle=1).call("on_train_batch_start").wait(2).phase("load_checkpoint", 3)
    story.call("on_train_batch_end").call("on_save_checkpoint_start", global_step=6).wait(1)
    story.call("on_save_checkpoint_end", global_step=6).call("on_save_checkpoint_success", global_step=6).end()
    found = parts(training(story.attempt()))
    assert (found[d.PRODUCTIVE], found[d.LOAD_CHECKPOINT], found[d.IDLE]) == (5 + 2, 3, 5)


def test_a_save_inside_of_a_validation_before_the_loop(clock: Clock) -> None:
    story = Story(clock).call("on_app_start").call("on_validation_start").call("on_validation_batch_start").wait(2)
    story.save(3).call("on_validation_batch_end").call("on_validation_end").train_start().iterate(5, 1).save(1).end()
    assert parts(training(story.attempt())) == {d.PRODUCTIVE: 5, d.VALIDATION: 2, d.SAVE_CHECKPOINT: 4}


@pytest.mark.parametrize("what", ["save", "load"])
@pytest.mark.parametrize("before", [0, 5])
def test_what_lies_inside_is_cut_where_there_is_room_elsewhere(clock: Clock, what: str, before: int) -> None:
    """Of an iteration, the first one too, and of a validation's batch; waiting between others makes no difference."""

    def inside(story: Story) -> Story:
        return story.save(3) if what == "save" else story.phase("load_checkpoint", 3)

    story = begun(clock).iterate(before, 1, idle=2)
    inside(story.call("on_train_batch_start").wait(1)).wait(1).call("on_train_batch_end")
    story.finished += 1
    story.call("on_validation_start").call("on_validation_batch_start").wait(2)
    inside(story).wait(1).call("on_validation_batch_end").call("on_validation_end").iterate(5, 1, idle=2).save(1)
    found = parts(training(story.end().attempt()))
    assert (found[d.PRODUCTIVE], found[d.VALIDATION], found[d.IDLE]) == (before + 2 + 5, 3, 2 * before + 10)
    assert found[d.SAVE_CHECKPOINT] + found.get(d.LOAD_CHECKPOINT, 0) == 7


# -- 5. clocks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("back", [-15, -300, -86_400])
@pytest.mark.parametrize("where", ["before the phases", "inside of a phase", "before the loop", "in the loop"])
def test_where_a_clock_is_set_back(clock: Clock, back: float, where: str) -> None:
    def step(here: str, story: Story) -> Story:
        return story.wait(back) if here == where else story

    story = Story(clock).call("on_app_start").wait(1)
    step("before the phases", story).call("on_model_init_start").wait(4)
    step("inside of a phase", story).wait(6).call("on_model_init_end")
    story.phase("dataloader_init", 3)
    step("before the loop", story).train_start().iterate(10, 1)
    step("in the loop", story).iterate(10, 1).save(2).end(after=1)
    told = training(story.attempt())
    found = parts(told)
    assert (found[d.PRODUCTIVE], found[d.SAVE_CHECKPOINT], found[d.SHUTDOWN]) == (20, 2, 1)
    assert any("row times go back 1 times" in note for note in told.notes)
    assert found[d.DATA_LOADER] == 3
    assert sum(found.values()) == pytest.approx(37, abs=10)  # what passes between two rows is not told


@pytest.mark.parametrize("then", ["iteration", "validation"])
@pytest.mark.parametrize("after", ["iteration", "load", "save", "validation"])
def test_what_follows_a_clock_that_is_set_back_counts_in_full(clock: Clock, after: str, then: str) -> None:
    """Its timer tells how much time has passed, whatever was before it."""
    does = {
        "iteration": lambda story: story.iterate(1, 4),
        "load": lambda story: story.phase("load_checkpoint", 4),
        "save": lambda story: story.save(4),
        "validation": lambda story: story.validate(1, 4),
    }
    story = begun(clock).iterate(2, 1)
    does[after](story).wait(-300)
    does[then](story).iterate(1, 1).save(1)
    found = parts(training(story.end().attempt()))
    wanted = {d.MODEL_INIT: 10, d.STARTUP_REST: 1, d.PRODUCTIVE: 3, d.SAVE_CHECKPOINT: 1}
    for one in (after, then):
        part = {"iteration": d.PRODUCTIVE, "load": d.LOAD_CHECKPOINT, "save": d.SAVE_CHECKPOINT}.get(one, d.VALIDATION)
        wanted[part] = wanted.get(part, 0) + 4
    assert found == wanted


@pytest.mark.parametrize("before", [0, 5])
def test_a_clock_that_is_set_back_by_less_than_an_iteration(clock: Clock, before: int) -> None:
    """No row's time goes back; the iteration took longer than the time between the rows, or since the loop began."""
    story = begun(clock).iterate(before, 30).wait(-15).iterate(10 - before, 30).save(1).end()
    told = training(story.attempt())
    assert parts(told) == {d.MODEL_INIT: 10, d.STARTUP_REST: 1, d.PRODUCTIVE: 300, d.SAVE_CHECKPOINT: 1}
    assert any("row times go back 1 times, by 15.000 s" in note for note in told.notes)


def test_a_validation_after_a_clock_that_is_set_back_while_starting_up(clock: Clock) -> None:
    story = Story(clock).call("on_app_start").phase("model_init", 10).wait(-7200).validate(2, 3)
    assert parts(training(story.attempt())) == {d.MODEL_INIT: 10, d.VALIDATION: 6}


@pytest.mark.parametrize("ahead", [300, -300])
def test_another_host_has_another_time(clock: Clock, ahead: float) -> None:
    one = begun(clock).iterate(400, 1).save(2)
    clock.advance(60 + ahead)
    two = begun(clock, 400).iterate(5, 1).save(2).end()
    told = training(one.attempt(), two.attempt())
    assert parts(told)[d.PRODUCTIVE] >= 5 + 400 - (240 if ahead < 0 else 0)
    assert any("clock" in note for note in told.notes) == (ahead < 0)


def test_an_instant_given_by_hand_in_each_attempt(clock: Clock) -> None:
    stories = []
    for start in (0, 10):
        begin = clock.now
        story = Story(clock).call("on_app_start", app_start_time=(begin - 5) * 1000).wait(1)
        story.call("on_load_checkpoint_start", load_checkpoint_start_time=begin * 1000).wait(2)
        story.call("on_load_checkpoint_end")
        stories.append(story.train_start(start).iterate(10, 1).save(1).end())
        clock.advance(20)
    assert parts(training(*(one.attempt() for one in stories))) == {
        d.LOAD_CHECKPOINT: 6, d.STARTUP_REST: 10, d.PRODUCTIVE: 20, d.SAVE_CHECKPOINT: 2, d.BETWEEN: 15
    }  # fmt: skip


# -- 8. how a job ended -------------------------------------------------------------------------------------------


def test_interruptions_are_those_that_failed_or_were_killed(clock: Clock) -> None:
    attempts = []
    for start, ended in enumerate((FINISHED, FAILED, KILLED, FINISHED)):
        attempts.append(begun(clock, start * 10).iterate(10, 1).save(1).end().attempt(ended))
        clock.advance(8)
    told = training(*attempts)
    assert told.figures["interruptions"] == 2
    assert told.figures["mean_time_between_interruptions"] == pytest.approx((told.wall / 1000 - 24_000) / 2)


def test_rows_of_nothing_but_a_begin() -> None:
    rows = AttemptRows()
    rows.take({m.APP_START_TIME: T0 * 1000, m.APP_LAST_LOG_TIME: T0 * 1000 + 500})
    assert parts(training(Attempt(rows, {}, KILLED))) == {d.STARTUP_REST: 0.5}
