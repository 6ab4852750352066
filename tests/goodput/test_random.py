"""Random histories: the parts are those of an independent account of what happened; damaged ones still add up."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import example, given, settings
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
            "startup": st.tuples(SECONDS, SECONDS, SECONDS, SECONDS),
            "load": SECONDS,
            "events": EVENTS,
            "before": SECONDS,
            "back": st.integers(0, 3),
        }
    ),
    min_size=1,
    max_size=5,
)


class Account:
    """What happened, moment by moment, kept beside the rows."""

    def __init__(self) -> None:
        self.parts: Counter[str] = Counter()
        #: (iteration, seconds) of each attempt
        self.iterations: list[list[tuple[int, float]]] = []
        self.starts: list[int] = []

    def settle(self, saved: int) -> None:
        """``saved``: the iteration of the last attempt's newest checkpoint."""
        for number, done in enumerate(self.iterations):
            later = self.starts[number + 1 :]
            limit = min(later) if later else saved
            for iteration, seconds in done:
                kind = d.PRODUCTIVE if iteration <= limit else d.LOST_WORK if later else d.NOT_SAVED
                self.parts[kind] += seconds


def tell(clock: Clock, plan: list[dict[str, Any]]) -> tuple[list[Attempt], Account]:
    """Attempts, each continuing from one of the newest checkpoints, killed after their last event."""
    account = Account()
    saves = [0]
    told = []
    for number, attempt in enumerate(plan):
        if number:
            clock.advance(attempt["before"])
            account.parts[d.BETWEEN] += attempt["before"]
        story = Story(clock, target=10_000)
        start = saves[-1 - min(attempt["back"], len(saves) - 1)] if number else 0
        saves = [one for one in saves if one <= start]
        model, loader, optimizer, rest = attempt["startup"]
        story.call("on_app_start").phase("model_init", model).phase("dataloader_init", loader)
        story.phase("optimizer_init", optimizer).phase("load_checkpoint", attempt["load"]).wait(rest).train_start(start)
        for kind, seconds in (
            (d.MODEL_INIT, model), (d.DATA_LOADER, loader), (d.OPTIMIZER, optimizer),
            (d.LOAD_CHECKPOINT, attempt["load"]), (d.STARTUP_REST, rest),
        ):  # fmt: skip
            account.parts[kind] += seconds
        account.starts.append(start)
        account.iterations.append([])
        saved = start if number else 0
        newest = 0
        for kind, seconds, more in attempt["events"]:
            if kind == "iterate":
                story.iterate(1, seconds, idle=more)
                account.iterations[-1].append((story.finished, seconds))
                account.parts[d.IDLE] += more
            elif kind == "validate":
                story.validate(more, seconds)
                account.parts[d.VALIDATION] += more * seconds
            else:
                story.save(seconds, success=more)
                account.parts[d.SAVE_CHECKPOINT] += seconds
                if more:
                    newest = story.finished
                    saves.append(story.finished)
        saved = newest
        told.append(story.attempt())
    account.settle(saved)
    return told, account


def adds_up(told: Training) -> None:
    assert sum(told.parts.values()) == told.wall
    assert all(us >= 0 for us in told.parts.values())
    for one in told.attempts:
        assert sum(one.division.parts.values()) == one.wall
        assert all(us >= 0 for us in one.division.parts.values())
    assert told.goodput is None or 0 <= told.goodput <= 1


@settings(max_examples=500, deadline=None)
@example([{"startup": (0, 0, 0, 0.125), "load": 0, "events": [("save", 0.0, False)], "before": 0, "back": 0}])
@given(ATTEMPTS)
def test_parts_are_what_happened(plan: list[dict[str, Any]]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        attempts, account = tell(Clock(monkeypatch, T0), plan)
    told = training(*attempts)
    adds_up(told)
    expected = {key: seconds * 1000 for key, seconds in account.parts.items() if seconds}
    # v1's floats of ms are no finer than a quarter of a microsecond
    assert {key: us / 1000 for key, us in told.parts.items() if us > 2} == pytest.approx(expected, abs=0.01)


@settings(max_examples=500, deadline=None)
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
