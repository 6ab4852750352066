"""The comparison notices what a dashboard would notice, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable

import pytest

from compat_matrix.compare import Event, ExpectedRun, compare_runs, events_of, same
from compat_matrix.wandb_file import StoredRun
from tests.matrix.made import stored_run

EVENTS = (
    Event("tags", ["a"], 1700000000000),
    Event("row", {"x": 1, "flag": True, "app_start_time": 1700000000001.5}, 1700000000000),
    Event("row", {"x": None, "train_iterations_time_total": 1.5}, 1700000001000),
    Event("row", {"list": [1, "b"], "cluster": "metadata of the user"}, 1700000001000),
)
EXPECTED = ExpectedRun("p", "n", EVENTS)


def made() -> StoredRun:
    return stored_run("p", "n", EVENTS)


def test_the_same_run_has_no_differences() -> None:
    assert compare_runs([EXPECTED], [made()]) == []
    assert compare_runs([ExpectedRun("p", None, EVENTS)], [made()]) == []
    assert compare_runs([], []) == []


def set_row(at: int, key: str, value: Any) -> Callable[[StoredRun], None]:
    return lambda run: run.rows[at].__setitem__(key, value)


@pytest.mark.parametrize(
    ("spoil", "where", "metric"),
    [
        (set_row(1, "x", 2), "row 1", "x"),
        (set_row(1, "x", True), "row 1", "x"),
        (set_row(1, "flag", 1), "row 1", "flag"),
        (set_row(1, "x", "1"), "row 1", "x"),
        (set_row(1, "app_start_time", 1700000000001.6), "row 1", "app_start_time"),
        (set_row(1, "new", 1), "row 1", "new"),
        (set_row(2, "x", 0), "row 2", "x"),
        (set_row(2, "train_iterations_time_total", 1500), "row 2", "train_iterations_time_total"),
        (set_row(3, "list", [1, "c"]), "row 3", "list"),
        (set_row(3, "cluster", "dgx"), "row 3", "cluster"),
        (set_row(1, "app_last_log_time", 1700000000001), "row 1", "app_last_log_time"),
        (set_row(0, "app_tag", ["b"]), "row 0", "app_tag"),
        (set_row(0, "app_tag_id", ["0" * 32]), "row 0", "app_tag"),
        (set_row(2, "app_first_log_time", 1), "stored row 2", "app_first_log_time"),
        (lambda run: run.rows[2].pop("x"), "row 2", "x"),
        (lambda run: run.rows[0].pop("limit_run"), "stored row 0", "fields of the first row"),
        (lambda run: run.rows[3].pop("app_last_log_time"), "stored row 3", "app_last_log_time"),
        (lambda run: run.rows.pop(), "row 3", "row"),
        (lambda run: run.rows.insert(0, run.rows.pop()), "row 0", "tags"),
        (lambda run: run.rows.append(dict(run.rows[3])), "row 4", "row"),
        (lambda run: run.config.update(a=1), "run config", "keys"),
        (lambda run: run.summary.pop("list"), "summary", "list"),
        (lambda run: run.summary.update(list=[]), "summary", "list"),
        (lambda run: run.damage.append("torn"), "file", "intact"),
        (lambda run: setattr(run, "exit_code", None), "run", "finished"),
        (lambda run: setattr(run, "project", "q"), "run", "project"),
        (lambda run: setattr(run, "name", "m"), "run", "name"),
        (lambda run: setattr(run, "steps", [0, 1, 3, 4]), "run", "steps"),
    ],
)
def test_a_difference_is_named(spoil: Callable[[StoredRun], object], where: str, metric: str) -> None:
    run = made()
    spoil(run)
    found = [(difference.where, difference.metric) for difference in compare_runs([EXPECTED], [run])]
    assert (where, metric) in found


def test_rows_that_are_swapped_differ() -> None:
    run = made()
    run.rows[1], run.rows[2] = run.rows[2], run.rows[1]
    assert compare_runs([EXPECTED], [run])


def test_two_runs_may_lie_in_any_order() -> None:
    other = ExpectedRun("q", "m", EVENTS[:2])
    stored = [stored_run("q", "m", EVENTS[:2]), made()]
    assert compare_runs([EXPECTED, other], stored) == []
    assert compare_runs([EXPECTED], stored)[0].metric == "number of W&B runs"


@pytest.mark.parametrize(
    ("v1", "ours", "equal"),
    [
        (1700000000000.0, 1700000000000.0015, True),
        (1700000000000.0, 1700000000000.01, False),
        (1.5, 1.5000019, True),
        (1.5, 1.50001, False),
        (0.0, 1e-6, True),
        (1, 1.0, True),
        (True, 1, False),
        (float("nan"), float("nan"), True),
        (None, 0, False),
        ({"a": [1]}, {"a": [1.0]}, True),
        ("1", 1, False),
    ],
)
def test_tolerances_are_those_of_the_contract(v1: Any, ours: Any, equal: bool) -> None:
    assert same(v1, ours) is equal


def test_by_the_real_clock_times_are_free_within_the_life_of_the_job() -> None:
    life = (1700000000000.0, 1700000002000.0)
    run = made()
    set_row(1, "app_start_time", 1700000000900.0)(run)
    set_row(2, "train_iterations_time_total", 0.25)(run)
    run.summary.update(app_start_time=1700000000900.0, train_iterations_time_total=0.25)
    assert compare_runs([EXPECTED], [run], life) == []
    set_row(1, "app_start_time", 1700000009900.0)(run)
    assert compare_runs([EXPECTED], [run], life)[0].metric == "app_start_time"
    set_row(1, "app_start_time", "soon")(run)
    assert compare_runs([EXPECTED], [run], life)[0].metric == "app_start_time"


def test_tags_count_when_the_list_changes_and_once_in_each_run() -> None:
    tags: list[str] = []
    first = [["log_app_tag", "a"], ["log_app_tag", "a"], ["log_metrics", {}], ["log_app_tag", ["b", "a"]], ["finish"]]
    assert [event.value for event in events_of(first, [1] * 5, tags)] == [["a"], ["a", "b"]]
    assert [event.value for event in events_of(first[:1], [2], tags)] == [["a", "b"]]


def test_a_row_of_an_expectation_can_be_spelled() -> None:
    event = EVENTS[1]
    assert Event(*event.spelled()) == event
    assert replace(event, at_ms=None).spelled() == ["row", event.value]
