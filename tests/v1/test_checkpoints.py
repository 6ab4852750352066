"""v1's checkpoint rows: start, end and success of a save, in every order that jobs have."""

from __future__ import annotations

import decimal
from typing import Any

import pytest

from tests.v1.job import T0_MS, WITHOUT_CHECKPOINTS, Scalar, V1Job, sequence

FIRST = {"first_saved_train_iterations_start_time", "first_successful_save_checkpoint_sync_finish_time"}
LAST = "last_successful_save_checkpoint_sync_finish_time"
PRODUCTIVE = {
    "train_iterations_productive_end",
    "train_samples_productive_end",
    "train_iterations_time_total_productive",
    "validation_iterations_time_total_productive",
}
PRODUCTIVE_TIME = "save_checkpoint_sync_time_total_productive"
WINDOW = {
    "save_checkpoint_sync_time_total",
    "save_checkpoint_sync_time_min",
    "save_checkpoint_sync_time_max",
    "save_checkpoint_sync_count",
}


def trained(monkeypatch: pytest.MonkeyPatch, **config: Any) -> V1Job:
    """A job that has trained 3 iterations of 2 s from iteration 10 on, and validated for 5 s. No row is due."""
    job = V1Job(monkeypatch, log_every_n_train_iterations=1000, **config)
    job.emits("on_train_start", later=1, train_iterations_start=10)
    assert job.iterations(3, 2.0) == []
    job.validation(5.0)
    return job


def save(job: V1Job, step: Any, *order: str) -> list[set[str]]:
    """Call the three in this order, one second apart; the names of the last row of each."""
    names = []
    for call in order:
        rows = job.rows(f"on_save_checkpoint_{call}", global_step=step)
        names.append(set(rows[-1]) if rows else set())
        job.clock.advance(1)
    return names


def test_start_flushes_the_progress_then_counts_the_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    job = trained(monkeypatch)
    tag, progress, attempt = job.emits("on_save_checkpoint_start", global_step=13)
    assert tag == ("log_app_tag", "tag")
    assert (progress[1]["train_iterations"], progress[1]["train_iterations_end"]) == (3, 13)
    assert attempt == ("log_metrics", {"train_iterations_save_checkpoint_end": 13, "save_checkpoint_count": 1})
    assert job.rows("on_save_checkpoint_start", global_step=14)[1]["save_checkpoint_count"] == 2


def test_start_end_success(monkeypatch: pytest.MonkeyPatch) -> None:
    job = trained(monkeypatch)
    job.emits("on_save_checkpoint_start", global_step=13)
    assert job.emits("on_save_checkpoint_end", global_step=13, later=2) == [
        (
            "log_metrics",
            {
                "save_checkpoint_sync_time_total": 2.0,
                "save_checkpoint_sync_time_min": 2.0,
                "save_checkpoint_sync_time_max": 2.0,
                "save_checkpoint_sync_count": 1,
            },
        )
    ]
    assert job.emits("on_save_checkpoint_success", global_step=13, later=3) == [
        (
            "log_metrics",
            {
                "first_saved_train_iterations_start_time": T0_MS + 1000,  # when the training loop began
                "first_successful_save_checkpoint_sync_finish_time": T0_MS + 14_000,
                "last_successful_save_checkpoint_sync_finish_time": T0_MS + 14_000,
                "train_iterations_productive_end": 13,
                "train_samples_productive_end": 104,
                "train_iterations_time_total_productive": 6.0,
                "validation_iterations_time_total_productive": 5.0,
                "save_checkpoint_sync_time_total_productive": 2.0,
            },
        )
    ]


def test_start_success_end(monkeypatch: pytest.MonkeyPatch) -> None:
    job = trained(monkeypatch)
    assert save(job, 13, "start", "success", "end")[1:] == [PRODUCTIVE, {PRODUCTIVE_TIME, LAST, *FIRST, *WINDOW}]
    row = None
    for call in ("start", "success", "end"):
        row = job.rows(f"on_save_checkpoint_{call}", global_step=14, later=1)[-1]
    assert row == {
        PRODUCTIVE_TIME: 4.0,
        LAST: job.clock.now * 1000,
        "save_checkpoint_sync_time_total": 4.0,
        "save_checkpoint_sync_time_min": 2.0,
        "save_checkpoint_sync_time_max": 2.0,
        "save_checkpoint_sync_count": 2,
    }


def test_productive_metrics_are_those_of_the_saves_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """An asynchronous save succeeds when the training has gone on."""
    job = trained(monkeypatch, save_checkpoint_strategy="async")
    save(job, 13, "start", "end")
    job.iterations(5)
    job.validation(9.0)
    row = job.row("on_save_checkpoint_success", global_step=13)
    assert row["train_iterations_productive_end"] == 13
    assert row["train_iterations_time_total_productive"] == 6.0
    assert row["validation_iterations_time_total_productive"] == 5.0
    assert list(row)[-1] == "save_checkpoint_async_count"


def test_productive_flops(monkeypatch: pytest.MonkeyPatch) -> None:
    job = trained(monkeypatch, is_log_throughput_enabled=True, flops_per_sample=10**12)
    save(job, 13, "start", "end")
    assert job.row("on_save_checkpoint_success", global_step=13)["train_tflop_productive_end"] == 104.0


def test_asynchronous_saves_that_succeed_out_of_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The older one tells when it ended; productive is the newest alone."""
    job = trained(monkeypatch, save_checkpoint_strategy="async")
    save(job, 13, "start", "end")
    ended = T0_MS + 13_000
    save(job, 14, "start", "end")
    newer = job.row("on_save_checkpoint_success", global_step=14)
    assert newer[LAST] == ended + 2000
    assert newer[PRODUCTIVE_TIME] == 2.0
    assert newer["save_checkpoint_async_count"] == 1
    assert job.row("on_save_checkpoint_success", global_step=13) == {LAST: ended, "save_checkpoint_async_count": 2}


@pytest.mark.parametrize(
    ("strategy", "counts"),
    [("async", [1, 2]), ("sync", [None, None]), ("other", [None, None]), (lambda: "async", [1, 2])],
)
def test_only_asynchronous_successes_are_counted(
    strategy: Any, counts: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = trained(monkeypatch, save_checkpoint_strategy=strategy)
    got = []
    for step in (13, 14):
        save(job, step, "start", "end")
        got.append(job.row("on_save_checkpoint_success", global_step=step).get("save_checkpoint_async_count"))
    assert got == counts


def test_strategy_is_read_at_each_success(monkeypatch: pytest.MonkeyPatch) -> None:
    job = V1Job(monkeypatch, save_checkpoint_strategy=sequence("sync", "sync", "async"))
    save(job, 1, "start", "end")
    assert "save_checkpoint_async_count" not in job.row("on_save_checkpoint_success", global_step=1)
    save(job, 2, "start", "end")
    assert job.row("on_save_checkpoint_success", global_step=2)["save_checkpoint_async_count"] == 1


def test_failed_attempt_leaves_the_last_success_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    job = trained(monkeypatch)
    save(job, 13, "start", "end")
    save(job, 14, "start", "end", "success")
    assert job.rows("on_save_checkpoint_success", global_step=13) == [{LAST: T0_MS + 13_000}]


def test_late_success_of_an_older_save_whose_end_is_pending_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    job = trained(monkeypatch)
    save(job, 13, "start")
    save(job, 14, "start", "success")
    assert job.emits("on_save_checkpoint_success", global_step=13) == []


def test_a_success_that_was_reported_already_adds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    job = trained(monkeypatch)
    save(job, 13, "start", "success")
    assert job.emits("on_save_checkpoint_success", global_step=13) == []


def test_minimum_and_maximum_of_the_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    job = V1Job(monkeypatch)
    rows = []
    for step, seconds in enumerate((2.0, 1.0, 4.0)):
        job.emits("on_save_checkpoint_start", global_step=step)
        rows.append(job.row("on_save_checkpoint_end", global_step=step, later=seconds))
    assert [list(row.values()) for row in rows] == [
        [2.0, 2.0, 2.0, 1],
        [3.0, 1.0, 2.0, 2],
        [7.0, 1.0, 4.0, 3],
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Scalar(13), 13),  # a tensor at the start, a number at the end
        (Scalar(13), Scalar(13)),
        ("13", 13),
        (13.0, 13),
        ([13], [13]),
        (decimal.Decimal(13), decimal.Decimal(13)),
        (None, None),
        ("", ""),
    ],
    ids=repr,
)
def test_the_same_step_in_two_forms(one: Any, other: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    job = trained(monkeypatch)
    for step in ([1], {"a": 1}, "x", Scalar(1)):
        job.emits("on_save_checkpoint_start", global_step=step)
    job.emits("on_save_checkpoint_start", global_step=one)
    job.emits("on_save_checkpoint_end", global_step=other, later=1)
    assert set(job.row("on_save_checkpoint_success", global_step=one)) > PRODUCTIVE


@pytest.mark.parametrize(("one", "other"), [([1], [2]), ({"a": 1}, {"a": 2}), (1, 2), (Scalar(1), Scalar(2))])
def test_saves_of_different_steps_are_apart(one: Any, other: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    job = V1Job(monkeypatch)
    save(job, one, "start", "end")
    save(job, other, "start", "end")
    assert job.row("on_save_checkpoint_success", global_step=one)[LAST] == T0_MS + 1000
    assert job.row("on_save_checkpoint_success", global_step=other)[LAST] == T0_MS + 3000


@pytest.mark.parametrize(
    ("older", "newer", "is_newer"),
    [
        (13, 14, True),
        (14, 13, False),
        ("x", 14, True),  # nothing says that it is older
        (14, "x", True),
        ("b", "a", False),
        ("9", "10", True),  # numbers, whatever their form
        (Scalar(9), "10", True),
    ],
    ids=repr,
)
def test_productive_is_the_newest_step(older: Any, newer: Any, is_newer: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    job = trained(monkeypatch)
    save(job, older, "start", "end", "success")
    save(job, newer, "start", "end")
    assert (set(job.row("on_save_checkpoint_success", global_step=newer)) > PRODUCTIVE) is is_newer


@pytest.mark.parametrize("order", [("end", "success"), ("success", "end")])
def test_a_step_that_is_saved_twice(order: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """v1 found the first success of the step at its second end, and refused the second success."""
    job = trained(monkeypatch, save_checkpoint_strategy="async")
    save(job, 13, "start", "end", "success")
    save(job, 13, "start")
    rows = {edge: job.row(f"on_save_checkpoint_{edge}", later=1.0, global_step=13) for edge in order}
    assert rows["success"] == {"save_checkpoint_async_count": 2}
    assert rows["end"]["save_checkpoint_sync_time_total_productive"] == rows["end"]["save_checkpoint_sync_time_total"]
    assert "last_successful_save_checkpoint_sync_finish_time" in rows["end"]
    assert "first_successful_save_checkpoint_sync_finish_time" not in rows["end"]


def test_saves_whose_success_is_never_reported_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """1024 are open at most; the one that began first is forgotten, and a step that began again is a young one."""
    job = V1Job(monkeypatch)
    for step in (*range(1024), 0):
        save(job, step, "start", "end")
    save(job, 1024, "start", "end")
    assert job.rows("on_save_checkpoint_success", global_step=1) == []
    for step in (0, 2, 1024):
        assert LAST in job.row("on_save_checkpoint_success", global_step=step)


@pytest.mark.parametrize("callback", ["start", "end", "success"])
def test_checkpoints_that_are_off(callback: str, monkeypatch: pytest.MonkeyPatch) -> None:
    job = V1Job(monkeypatch, **WITHOUT_CHECKPOINTS)
    with pytest.raises(AssertionError) as refused:
        job.emits(f"on_save_checkpoint_{callback}", global_step=1)
    assert str(refused.value) == (
        "Checkpoint saving is not enabled. Please ensure that `is_save_checkpoint_enabled = True` "
        "in the config to enable this feature."
    )
    assert job.utils.timer.active_timers == []
