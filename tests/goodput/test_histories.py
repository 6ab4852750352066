"""Five histories, worked out by hand: every part to the millisecond, and the parts add up to the wall time."""

from __future__ import annotations

from typing import Any

import pytest

from one_logger_v1_shim._goodput import definitions as d
from one_logger_v1_shim._goodput.training import Training, add_up
from one_logger_v1_shim._goodput.trainings import group
from tests.goodput.story import T0, Story, ms, training
from tests.support import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch, T0)


def check(told: Training, wall: float, parts: dict[str, float], **figures: Any) -> None:
    assert sum(told.parts.values()) == told.wall
    for one in told.attempts:
        assert sum(one.division.parts.values()) == one.wall
    assert round(told.wall / 1000, 2) == wall
    assert ms(told.parts) == parts
    assert sum(parts.values()) == pytest.approx(wall, abs=1e-6)
    assert {key: told.figures[key] for key in figures} == pytest.approx(
        figures, rel=1e-6
    )  # v1's floats of ms are no finer than 0.2 us


def undisturbed(clock: Clock) -> Story:
    """96.25 s: 0.5 + 10 + 4 + 2 + 0.75 up to the loop, 79 s of loop, and what comes after it."""
    story = Story(clock, target=40, seq_length=128)
    story.call("on_app_start").wait(0.5)
    story.phase("model_init", 10).phase("dataloader_init", 4).phase("optimizer_init", 2).wait(0.75)
    story.train_start()
    story.iterate(20, 1.5, idle=0.1)  # 32 s, 30 of them iterations
    story.validate(4, 0.5)  # 2 s
    story.iterate(20, 1.75, idle=0.25)  # 40 s, 35 of them iterations
    story.save(3.0)
    return story.end(before=2.0, after=0.125)


def test_undisturbed(clock: Clock) -> None:
    told = training(undisturbed(clock).attempt())
    check(
        told,
        96_375.0,
        {
            d.PRODUCTIVE: 65_000.0,  # 20 x 1.5 s + 20 x 1.75 s, all before the save
            d.MODEL_INIT: 10_000.0,
            d.DATA_LOADER: 4_000.0,
            d.OPTIMIZER: 2_000.0,
            d.STARTUP_REST: 1_250.0,  # 0.5 s + 0.75 s
            d.VALIDATION: 2_000.0,
            d.SAVE_CHECKPOINT: 3_000.0,
            d.IDLE: 9_000.0,  # 20 x 0.1 s + 20 x 0.25 s, and 2 s after the target was reached
            d.SHUTDOWN: 125.0,
        },
        goodput=65 / 96.375,
        attempts=1,
        interruptions=0,
        iteration_time_average=65_000 / 40,
        iteration_time_best=1_500.0,
        tokens=40 * 8 * 128,
        progress=40,
        target=40,
        time_left=0,
    )
    assert told.figures["mean_time_between_interruptions"] is None
    assert told.notes == []


def three_attempts(clock: Clock) -> list[Story]:
    """Saves at 10, 20 (of the second attempt) and 40; killed at 15 and 27: 5 and 7 iterations are lost."""
    first = Story(clock, target=40)
    first.call("on_app_start").phase("model_init", 5).train_start()
    first.iterate(10, 2).save(1).iterate(5, 2.5)
    clock.advance(60)
    second = Story(clock, target=40)
    second.call("on_app_start").phase("model_init", 5).phase("load_checkpoint", 4).train_start(10)
    second.iterate(10, 2).save(1).iterate(7, 2)
    second.wait(0.75).log(loss=1.0)  # its last words
    clock.advance(30)
    third = Story(clock, target=40)
    third.call("on_app_start").phase("model_init", 5).phase("load_checkpoint", 4).train_start(20)
    third.iterate(20, 2).save(1).end()
    return [first, second, third]


def test_three_attempts_with_lost_work(clock: Clock) -> None:
    stories = three_attempts(clock)
    told = training(*(one.attempt() for one in stories))
    first, second, third = (ms(one.division.parts) for one in told.attempts)
    assert first == {d.PRODUCTIVE: 20_000.0, d.LOST_WORK: 12_500.0, d.MODEL_INIT: 5_000.0, d.SAVE_CHECKPOINT: 1_000.0}
    assert second == {
        d.PRODUCTIVE: 20_000.0,
        d.LOST_WORK: 14_000.0,
        d.MODEL_INIT: 5_000.0,
        d.LOAD_CHECKPOINT: 4_000.0,
        d.SAVE_CHECKPOINT: 1_000.0,
        d.IDLE: 750.0,  # shorter than any iteration: none can have been finished
    }
    assert third == {
        d.PRODUCTIVE: 40_000.0,
        d.MODEL_INIT: 5_000.0,
        d.LOAD_CHECKPOINT: 4_000.0,
        d.SAVE_CHECKPOINT: 1_000.0,
    }
    wall = 38.5 + 60 + 44.75 + 30 + 50
    check(
        told,
        wall * 1000,
        {
            d.PRODUCTIVE: 80_000.0,
            d.LOST_WORK: 26_500.0,
            d.MODEL_INIT: 15_000.0,
            d.LOAD_CHECKPOINT: 8_000.0,
            d.SAVE_CHECKPOINT: 3_000.0,
            d.IDLE: 750.0,
            d.BETWEEN: 90_000.0,
        },
        goodput=80 / wall,
        attempts=3,
        interruptions=2,
        iterations_lost=12,
        mean_time_between_interruptions=(38.5 + 44.75 + 50) * 1000 / 2,
        progress=40,
        time_left=0,
    )


def test_killed_before_the_first_checkpoint(clock: Clock) -> None:
    first = Story(clock, every=5)
    first.call("on_app_start").phase("model_init", 8).train_start()
    first.iterate(12, 1, idle=0.25).log(loss=2.0)  # rows at 5 and 10; nothing says that 12 were finished
    clock.advance(20)
    second = Story(clock, every=5)
    second.call("on_app_start").phase("model_init", 8).train_start()
    second.iterate(10, 1, idle=0.25).save(2)
    told = training(first.attempt(), second.attempt())
    check(
        told,
        23_000.0 + 20_000.0 + 22_500.0,
        {
            d.PRODUCTIVE: 10_000.0,
            d.LOST_WORK: 10_000.0,
            d.MODEL_INIT: 16_000.0,
            d.SAVE_CHECKPOINT: 2_000.0,
            d.IDLE: 5_000.0,  # 2 x 10 x 0.25 s
            d.UNKNOWN: 2_500.0,  # 2 x (1 s + 0.25 s) after the last row with progress
            d.BETWEEN: 20_000.0,
        },
        iterations_lost=10,
        interruptions=2,
        progress=10,
        # 90 iterations at 10 in 65.5 s
        time_left=90 * 65_500.0 / 10,
    )


def async_saves(clock: Clock) -> list[Story]:
    """Saves at 10 and 20 are written in the background; nobody reports that of 20, and the next attempt has it."""
    first = Story(clock, strategy="async", target=30)
    first.call("on_app_start").wait(1).train_start()
    first.iterate(10, 1).save(0.25, success=False).iterate(4, 1).succeed(10)
    first.iterate(6, 1).save(0.25, success=False).iterate(3, 1)
    clock.advance(10)
    second = Story(clock, strategy="async", target=30)
    second.call("on_app_start").phase("load_checkpoint", 2).train_start(20)
    second.iterate(8, 1).save(0.25, success=False).iterate(2, 1).succeed(28).end(after=0.5)
    return [first, second]


def test_async_saves(clock: Clock) -> None:
    told = training(*(one.attempt() for one in async_saves(clock)))
    check(
        told,
        24_500.0 + 10_000.0 + 12_750.0,
        {
            d.PRODUCTIVE: 28_000.0,  # 20 of the first attempt, 8 of the second
            d.LOST_WORK: 3_000.0,
            d.NOT_SAVED: 2_000.0,  # 29 and 30 are in no checkpoint
            d.STARTUP_REST: 1_000.0,
            d.LOAD_CHECKPOINT: 2_000.0,
            d.SAVE_CHECKPOINT: 750.0,
            d.SHUTDOWN: 500.0,
            d.BETWEEN: 10_000.0,
        },
        iterations_lost=3,
        progress=30,
    )


def test_overlapping_attempts_of_two_trainings(clock: Clock) -> None:
    """Two trainings in one folder at the same time; the attempts of one, too, overlap: a job that would not die."""
    first = Story(clock, app_tag="a")
    first.call("on_app_start").wait(2).train_start().iterate(5, 1).save(1)  # until 8 s
    clock.now = T0 + 4
    other = Story(clock, app_tag="b")
    other.call("on_app_start").wait(1).train_start().iterate(10, 1).save(2).end()  # 4 s to 17 s
    clock.now = T0 + 8
    first.iterate(4, 1)  # until 12 s
    clock.now = T0 + 10
    again = Story(clock, app_tag="a")
    again.call("on_app_start").wait(2).train_start(5).iterate(5, 1).save(1)  # 10 s to 18 s
    attempts = [one.attempt() for one in (again, other, first)]
    a, b = (add_up(some) for some in group(attempts))
    check(
        a,
        18_000.0,
        {
            # The first attempt counts for 10 s: 2 + 1 + its first 7 iterations, 5 of them kept.
            d.PRODUCTIVE: 10_000.0,
            d.LOST_WORK: 2_000.0,
            d.STARTUP_REST: 4_000.0,
            d.SAVE_CHECKPOINT: 2_000.0,
        },
        attempts=2,
    )
    assert any("attempt 1 logged for 2.000 s after attempt 2 had begun" in note for note in a.notes)
    check(b, 13_000.0, {d.PRODUCTIVE: 10_000.0, d.STARTUP_REST: 1_000.0, d.SAVE_CHECKPOINT: 2_000.0}, attempts=1)
    assert b.notes == []
