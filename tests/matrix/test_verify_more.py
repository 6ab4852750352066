"""``verify``: two training loops in a job, instants that were read in the call, and other small parts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from compat_matrix.compare import tag_row
from compat_matrix.verify import exports
from compat_matrix.verify.beliefs import EPOCH_MS, METRICS
from compat_matrix.verify.check_life import check
from compat_matrix.verify.compared import compare
from compat_matrix.verify.findings import accused, only_in
from compat_matrix.verify.history import history
from tests.goodput.story import T0, Story
from tests.matrix.histories import Rows, recorded, rows_of
from tests.support import Clock, golden_names

GOOD = Path(__file__).resolve().parent / "exports" / "good.jsonl"
AT_THE_CALL = [
    f"{what}_{edge}_time"
    for what in ("app_model_init", "app_build_dataiters", "app_build_optimizer", "load_checkpoint", "app_train_loop")
    for edge in ("start", "finish")
]


def two_loops(clock: Clock, second: int) -> list[dict[str, Any]]:
    """A job with two training loops; the second begins at another iteration."""
    story = Story(clock, is_log_throughput_enabled=True, flops_per_sample=10**9).call("on_app_start")
    for name in ("model_init", "dataloader_init", "optimizer_init", "load_checkpoint"):
        story.phase(name, 2.0).wait(0.5)
    story.train_start(0).iterate(7, 1.0, idle=0.25).validate(2, 0.5).save(1.5).iterate(3, 1.0).call("on_train_end")
    story.wait(2.0).train_start(second).iterate(4, 0.5).validate(1, 0.25).save(0.5).iterate(2, 0.75)
    rows = [{**row, **tag_row(row["app_tag"])} if "app_tag" in row else row for row in story.end(1.0, 0.5).rows]
    first = {"app_first_log_time": int(T0 * 1000), "one_logger_version": "1", "job_start_time": 0, "limit_run": 0}
    return [{**rows[0], **first}, *rows[1:]]


@pytest.mark.parametrize("second", [0, 3, 10])
def test_a_second_loop_counts_from_0(second: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = two_loops(Clock(monkeypatch, T0), second)
    assert [one.text for one in accused(check(history("h", rows)))] == []
    assert compare(history("old", rows), history("new", rows)) == []


@pytest.mark.parametrize("name", AT_THE_CALL)
def test_an_instant_that_is_not_that_of_its_call(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = two_loops(Clock(monkeypatch, T0), 3)
    at = next(number for number, row in enumerate(rows) if name in row and number > 1)
    others = [{**row, name: row[name] - 2500} if number == at else row for number, row in enumerate(rows)]
    found = compare(history("old", rows), history("new", others))
    assert [(one.metric, one.kind) for one in found] == [(name, "time")]
    little = [{**row, name: row[name] - 1500} if number == at else row for number, row in enumerate(rows)]
    assert compare(history("old", rows), history("new", little)) == []


def test_long_values_are_cut_in_messages() -> None:
    assert exports._shown("x" * 58) == json.dumps("x" * 58)
    assert exports._shown("x" * 59) == '"' + "x" * 56 + "..."


def test_what_both_histories_have_is_not_the_new_ones_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = two_loops(Clock(monkeypatch, T0), 3)
    at = next(number for number, row in enumerate(rows) if row.get("train_iterations_end"))
    rows_of_text = {**rows[at], "train_iterations_end": str(rows[at]["train_iterations_end"])}
    odd = [*rows[:at], rows_of_text, *rows[at + 1 :]]
    of_both = check(history("h", odd))
    assert accused(of_both)
    assert only_in(of_both, of_both) == []
    assert only_in(of_both, check(history("h", rows))) == accused(of_both)
    metadata = check(history("h", [{**row, "mine": 1} if "one_logger_utils_version" in row else row for row in rows]))
    assert only_in(metadata, check(history("h", rows))) == []


def test_the_highest_throughput_is_held_against_the_rows_of_the_first_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """The average goes on over both loops, the highest does not: nothing can be said of it in the second."""
    rows, name = two_loops(Clock(monkeypatch, T0), 3), "train_throughput_per_gpu_max"
    places = [number for number, row in enumerate(rows) if name in row]
    found = []
    for at in (places[0], places[-1]):
        wrong = [*rows[:at], {**rows[at], name: rows[at][name] * 2}, *rows[at + 1 :]]
        findings = [one for one in check(history("h", wrong)) if "no average so far" in one.expected]
        found.append([one.metric for one in findings])
    assert found == [[name], []]


# -- what must not be accused ------------------------------------------------------------------------------------------


def later(rows: Rows, milliseconds: int) -> Rows:
    """The same rows at another time."""
    return [
        {
            name: value + milliseconds if name in METRICS and METRICS[name].unit == EPOCH_MS and value > 1e12 else value
            for name, value in row.items()
        }
        for row in rows
    ]


@pytest.mark.parametrize("name", sorted(set(golden_names(every_wire=True)) - set(golden_names())))
def test_other_versions_are_not_accused(name: str) -> None:
    """1.0.3's last row of a training has the progress, too; 1.0.0's saves have none before them."""
    assert [one.text for one in accused(check(recorded(name)))] == []


def test_a_run_that_another_process_goes_on_with() -> None:
    """``WANDB_RESUME``: v1's rows begin anew in the same run."""
    rows = rows_of("quickstart")
    found = check(history("h", [*rows, *later(rows, 3_600_000)]))
    assert accused(found) == []
    assert [one.metric for one in found] == ["app_first_log_time"]
    again = accused(check(history("h", [*rows, *rows])))  # no other time: the rows are there twice
    assert "app_first_log_time" in [one.metric for one in again]


def test_a_job_that_was_killed_anywhere() -> None:
    rows = rows_of("checkpoint_failed_attempt")
    for end in range(1, len(rows)):
        assert [one.text for one in accused(check(history("h", rows[:end])))] == [], end


def test_rows_of_the_jobs_own_may_lie_anywhere() -> None:
    rows = rows_of("checkpoint_failed_attempt")
    own = [more for row in rows[3:] for more in (row, {"loss": 0.5, "trainer/global_step": 1})]
    assert [one.text for one in accused(check(history("h", [*rows[:3], *own])))] == []


def test_metadata_may_be_called_as_slurms_metrics() -> None:
    rows = rows_of("quickstart")
    rows[0]["cluster"] = rows[1]["cluster"] = "mine"
    assert accused(check(history("h", rows))) == []


def test_a_validation_that_never_was_has_no_productive_time() -> None:
    rows, name = rows_of("checkpoint_async_in_order"), "validation_iterations_time_total_productive"
    wrong = [{**row, name: row[name] + 1} if name in row else row for row in rows]
    assert {one.metric for one in check(history("h", wrong))} == {name}
    assert {one.metric for one in compare(history("old", rows), history("new", wrong))} == {name}
