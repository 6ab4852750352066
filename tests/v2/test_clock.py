"""v2's timestamps from v1's clock readings: they never run backwards, whatever the wall clock does."""

from __future__ import annotations

from typing import Any, Optional

import pytest

from one_logger_v1_shim._v2.clock import Clock


def stamped(*readings: tuple[float, float], given_ms: Any = None) -> tuple[float, float]:
    """Wall clock and performance counter (s) of the timestamp of the last of ``readings``."""
    clock = Clock()
    for at in readings[:-1]:
        clock.stamp(at)
    found = clock.stamp(readings[-1], given_ms)
    return found.seconds_since_epoch, found.perf_counter_seconds


def test_a_reading_as_it_is() -> None:
    assert stamped((1_700_000_000.5, 3.25)) == (1_700_000_000.5, 3.25)


def test_a_machine_whose_clock_begins_in_1970() -> None:
    assert stamped((0.25, 5.0)) == (0.25, 5.0)
    assert stamped((-5.0, 3.0)) == (3.0, 3.0)


@pytest.mark.parametrize(
    ("last", "wall"),
    [
        ((40.0, 12.0), 102.0),  # 2 s have passed, the wall clock went back by a minute
        ((40.0, 10.5), 100.5),
        ((40.0, 9.0), 100.0),  # the performance counter too: no time has passed
        ((100.0, 12.0), 100.0),  # the wall clock stands still: that is what it says
        ((101.0, 12.0), 101.0),
    ],
)
def test_the_wall_clock_steps(last: tuple[float, float], wall: float) -> None:
    assert stamped((100.0, 10.0), last) == (wall, last[1])


def test_until_the_clock_has_caught_up() -> None:
    assert stamped((100.0, 10.0), (40.0, 12.0), (41.0, 13.0)) == (103.0, 13.0)
    assert stamped((100.0, 10.0), (40.0, 12.0), (104.0, 13.0)) == (104.0, 13.0)


@pytest.mark.parametrize(
    ("given_ms", "found"),
    [
        (190_000, (190.0, 40.0)),  # 10 s before the reading, on both clocks
        (205_000.0, (205.0, 55.0)),
        (150_000, (150.0, 50.0)),  # the counter would be 0, which v2 takes for "none"
        (None, (200.0, 50.0)),
        ("soon", (200.0, 50.0)),
        (float("nan"), (200.0, 50.0)),
    ],
)
def test_an_instant_that_the_caller_gives(given_ms: Optional[float], found: tuple[float, float]) -> None:
    assert stamped((200.0, 50.0), given_ms=given_ms) == found


def test_an_instant_that_is_given_moves_no_clock() -> None:
    clock = Clock()
    clock.stamp((200.0, 50.0), 900_000)
    assert clock.stamp((201.0, 51.0)).seconds_since_epoch == 201.0
