"""Small parts of ``goodput`` by themselves: what no history of the other tests reaches."""

from __future__ import annotations

from typing import Any

import pytest

from one_logger_v1_shim._goodput.progress import Point, Progress
from one_logger_v1_shim._goodput.rows import AttemptRows
from one_logger_v1_shim._goodput.spans import clip, common, minus, union
from one_logger_v1_shim._goodput.totals import Reading, Series
from one_logger_v1_shim._goodput.trainings import Attempt, group
from one_logger_v1_shim._goodput.values import decoded, from_ms, from_seconds, number
from one_logger_v1_shim._v1 import metrics as m
from tests.goodput.story import T0


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize(("most", "left"), [(4, [6, 8, 9]), (5, [4, 7, 9])])
def test_points_are_thinned_out_and_the_newest_stays(most: int, left: list[int], quick: bool) -> None:
    progress = Progress(most=most)
    for step in range(1, 10):
        if quick:
            progress.append(float(step), step * 10, step * 100)
        else:
            progress.add(Point(step, step * 10, step * 100))
    assert list(progress.points()) == [Point(step, step * 10, step * 100) for step in left]
    assert progress.last == Point(9, 90, 900)


def test_a_point_that_is_not_further() -> None:
    progress = Progress()
    for point in (Point(2, 20, 200), Point(1, 30, 300), Point(2, 19, 400), Point(2, 25, 500)):
        progress.add(point)
    assert list(progress.points()) == [Point(2, 25, 200)]


@pytest.mark.parametrize(
    ("given", "expected"),
    [(b"[1]", [1]), (b"\xffx", "\ufffdx"), (b"{", "{"), ("x", "x"), (b"[" * 100_000, "[" * 100_000)],
    ids=["json", "no utf-8", "no json", "a text", "deep"],
)
def test_decoded(given: Any, expected: Any) -> None:
    assert decoded(given) == expected


def test_numbers() -> None:
    given = [1, 1.5, b"2", True, None, "3", b"x", float("inf"), 10**400, float("nan")]
    assert [number(one) for one in given] == [1.0, 1.5, 2.0, *[None] * 7]
    assert [from_ms(one) for one in (1.5, 9e13, 1.1e14, -1.1e14)] == [1500, 9 * 10**16, None, None]
    assert [from_seconds(one) for one in (1.5, 9e10, 1.1e11, -1.1e11)] == [1_500_000, 9 * 10**16, None, None]


def _attempt(at: float, tag: Any = None, **told: Any) -> Attempt:
    rows = AttemptRows()
    rows.take({m.APP_START_TIME: at * 1000, m.APP_LAST_LOG_TIME: at * 1000, **({m.APP_TAG: tag} if tag else {})})
    return Attempt(rows, told)


def test_which_attempts_are_one_training() -> None:
    one, other = _attempt(T0, ["a", "b"], project="p"), _attempt(T0 + 9, ["b"], project="p")
    stranger, elsewhere = _attempt(T0 + 5, ["c"], project="p"), _attempt(T0 + 6, ["b"], project="q")
    assert group([other, stranger, elsewhere, one]) == [[one, other], [stranger], [elsewhere]]
    assert group([other, stranger, elsewhere, one], ("project",)) == [[one, stranger, other], [elsewhere]]


def test_a_total_that_is_negative_takes_nothing_back() -> None:
    series = Series()
    assert [series.take(Reading(total)) for total in (0, -1_000_000, 5_000_000, -3_000_000, 1_000_000)] == [
        0, 0, 6_000_000, 6_000_000, 10_000_000
    ]  # fmt: skip


def test_spans_that_are_empty_are_none() -> None:
    assert minus([(0, 10)], [(5, 10)]) == [(0, 5)]
    assert minus([(0, 10), (20, 30)], [(0, 10), (22, 25)]) == [(20, 22), (25, 30)]
    assert minus([(0, 10)], [(10, 12)]) == minus([(0, 10)], []) == [(0, 10)]
    assert common([(0, 10)], [(10, 12)]) == []
    assert common([(0, 10)], [(2, 4), (8, 12)]) == [(2, 4), (8, 10)]
    assert clip([(0, 10), (20, 30)], 10, 20) == []
    assert clip([(0, 10), (20, 30)], 9, 21) == [(9, 10), (20, 21)]
    assert union([(5, 8), (0, 5), (20, 30), (21, 22)]) == [(0, 8), (20, 30)]
