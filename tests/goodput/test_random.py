"""Random histories that are damaged still add up. What is right in those that are not: test_simulator.py."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from one_logger_v1_shim._goodput import definitions as d
from one_logger_v1_shim._goodput.training import Training
from one_logger_v1_shim._goodput.trainings import Attempt
from one_logger_v1_shim._v1 import metrics as m
from tests.goodput.story import T0, Story, training
from tests.support import Clock

pytestmark = pytest.mark.ci

# Eighths of a second: sums of them are exact, and whole ms, which v1's row times are rounded to.
SECONDS = st.integers(0, 80).map(lambda eighths: eighths / 8)
SOME = st.integers(1, 80).map(lambda eighths: eighths / 8)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("iterate"), SOME, SECONDS),
        st.tuples(st.just("validate"), SOME, st.integers(1, 3)),
        st.tuples(st.just("save"), SECONDS, st.booleans()),
    ),
    max_size=12,
)
ATTEMPTS = st.lists(
    st.fixed_dictionaries(
        {
            "load": SECONDS,
            "events": EVENTS,
        }
    ),
    min_size=1,
    max_size=5,
)


def adds_up(told: Training) -> None:
    assert sum(told.parts.values()) == told.wall
    assert all(us >= 0 for us in told.parts.values())
    for one in told.attempts:
        assert sum(one.division.parts.values()) == one.wall
        assert all(us >= 0 for us in one.division.parts.values())
    assert told.goodput is None or 0 <= told.goodput <= 1


@settings(
    max_examples=300, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)  # shrinking takes minutes
@given(ATTEMPTS, st.integers(0, 2**32), st.booleans(), st.booleans(), st.booleans())
def test_damaged_histories_add_up(plan: list[dict[str, Any]], seed: int, mix: bool, step: bool, overlap: bool) -> None:
    """Rows are missing, out of order or nonsense, clocks step, attempts overlap: no exception, nothing made up."""
    dice = random.Random(seed)
    with pytest.MonkeyPatch.context() as monkeypatch:
        clock = Clock(monkeypatch, T0)
        stories = []
        for attempt in plan:
            story = Story(clock, every=dice.choice([1, 3]), target=dice.choice([5, 10]))
            story.call("on_app_start").phase("model_init", attempt["load"]).train_start(dice.randrange(5))
            for kind, seconds, more in attempt["events"]:
                if kind == "iterate":
                    story.iterate(1, seconds)
                elif kind == "validate":
                    story.validate(1, seconds)
                else:
                    story.save(seconds, bool(more))
                if step and dice.random() < 0.1:
                    clock.advance(dice.choice([-3600, 3600]))
            stories.append(story)
            clock.advance(-dice.random() * 20 if overlap else 5)
    for story in stories:
        for row in story.rows:
            for name in list(row):
                if dice.random() < 0.03:
                    row[name] = dice.choice([None, -1, 0, 1e300, "x", [], True, float("nan"), 10**400, b"1", b"{", {}])
            if dice.random() < 0.03:
                row.clear()
        if mix:
            dice.shuffle(story.rows)
        elif dice.random() < 0.3:
            del story.rows[dice.randrange(len(story.rows)) :]
    attempts = [story.attempt() for story in stories]
    timed = [one for one in attempts if one.rows.begin is not None]
    if timed:
        adds_up(training(*timed, keys=("project",)))


def test_a_tag_that_is_nonsense_groups_with_none() -> None:
    from one_logger_v1_shim._goodput.rows import AttemptRows
    from one_logger_v1_shim._goodput.trainings import group

    one, other = AttemptRows(), AttemptRows()
    one.take({m.APP_TAG: 5, m.APP_START_TIME: T0 * 1000, m.APP_LAST_LOG_TIME: T0 * 1000})
    other.take({m.APP_START_TIME: T0 * 1000, m.APP_LAST_LOG_TIME: T0 * 1000})
    assert len(group([Attempt(one, {}), Attempt(other, {})])) == 1


@pytest.mark.parametrize(
    "odd", [1e300, -1e300, 1e17, float("inf"), float("nan"), 10**400, 0, -1, b"1e300", "x", True, None]
)
@pytest.mark.parametrize("name", [m.APP_LAST_LOG_TIME, m.LAST_LOGGED_TRAIN_ITERATIONS_FINISH_TIME])
def test_a_time_that_is_none_moves_nothing(odd: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of rows of progress, which are taken quickly, with a save after it."""
    story = Story(Clock(monkeypatch, T0), every=1, target=10)
    story.call("on_app_start").phase("model_init", 2.0).train_start(0)
    story.iterate(5, 1.0).save(3.0, True).iterate(4, 1.0)
    whole = training(story.attempt(), keys=("project",))
    rows = [row for row in story.rows if m.TRAIN_ITERATIONS_END in row and name in row]
    rows[3][name] = odd
    damaged = training(story.attempt(), keys=("project",))
    adds_up(damaged)
    assert (damaged.wall, damaged.parts[d.SAVE_CHECKPOINT]) == (whole.wall, whole.parts[d.SAVE_CHECKPOINT])
