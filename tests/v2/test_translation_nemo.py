"""NeMo Speech's own spans and events (``nemo_speech.*``) -> v1's phases, progress and checkpoints."""

from __future__ import annotations

from typing import Any

import pytest
from nv_one_logger.core.attributes import Attributes
from nv_one_logger.core.event import Event
from nv_one_logger.core.span import Span
from nv_one_logger.core.time import TracingTimestamp

from one_logger_v1_shim._v2.translation import NEMO_PHASES, Translation
from tests.v2.events import T0, only_row, span, translation

MS = T0 * 1000


def at(seconds: float) -> TracingTimestamp:
    return TracingTimestamp(T0 + seconds, 1000.0 + seconds)


def started(rows: Translation, name: str, seconds: float, **attributes: Any) -> tuple[Span, list[dict[str, Any]]]:
    one = span(f"nemo_speech.{name}", T0 + seconds, Attributes(attributes))
    return one, rows.start(one)


def stopped(rows: Translation, one: Span, seconds: float) -> list[dict[str, Any]]:
    one.stop(stop_time=at(seconds))
    return rows.stop(one)


def told(rows: Translation, name: str, seconds: float, **attributes: Any) -> dict[str, Any]:
    return only_row(rows.event(Event.create(f"nemo_speech.{name}", Attributes(attributes), at(seconds))))


@pytest.mark.parametrize(
    ("name", "start", "finish"),
    [
        ("model_initialization", "app_model_init_start_time", "app_model_init_finish_time"),
        ("data_loader_initialization", "app_build_dataiters_start_time", "app_build_dataiters_finish_time"),
        ("optimizer_initialization", "app_build_optimizer_start_time", "app_build_optimizer_finish_time"),
        ("checkpoint_load", "load_checkpoint_start_time", "load_checkpoint_finish_time"),
        ("training", "app_train_loop_start_time", "app_train_loop_finish_time"),
    ],
)
def test_phases(name: str, start: str, finish: str) -> None:
    assert f"nemo_speech.{name}" in NEMO_PHASES
    rows = translation()
    one, first = started(rows, name, 1)
    assert first == [{start: MS + 1000}]
    (last,) = stopped(rows, one, 3)
    assert last.pop(finish) == MS + 3000
    assert last == ({"load_checkpoint_time": 2.0} if name == "checkpoint_load" else {})


def test_loading_adds_up_with_v2s_own_span() -> None:
    rows = translation()
    for _ in range(2):
        one, _ = started(rows, "checkpoint_load", 0)
        (row,) = stopped(rows, one, 1.5)
    assert row["load_checkpoint_time"] == 3.0


def test_validation_is_the_whole_loop_and_adds_up() -> None:
    rows = translation()
    for total in (2.0, 4.0):
        one, first = started(rows, "validation", 10)
        assert first == []
        assert stopped(rows, one, 12) == [{"validation_iterations_time_total": total}]


def test_progress_counts_optimizer_steps() -> None:
    rows = translation()
    window = {"scope": "rank", "rank": 0, "policy": "asr", "window_batches": 8, "input_audio_seconds": 90.0}
    assert told(
        rows, "throughput", 5, **window, global_step=104, window_optimizer_steps=4, window_seconds=2.0, examples=64
    ) == {
        "train_iterations": 4,
        "train_iterations_end": 104,
        "train_iterations_time_total": 2.0,
        "train_iterations_time_msecs_avg": 500.0,
        "train_iterations_time_msecs_min": 500.0,
        "first_logged_train_iterations_finish_time": MS + 5000,
        "last_logged_train_iterations_finish_time": MS + 5000,
    }
    row = told(rows, "throughput", 9, **window, global_step=114, window_optimizer_steps=10, window_seconds=1.5)
    assert (row["train_iterations"], row["train_iterations_end"], row["train_iterations_time_total"]) == (14, 114, 3.5)
    assert (row["train_iterations_time_msecs_avg"], row["train_iterations_time_msecs_min"]) == (250.0, 150.0)
    assert row["first_logged_train_iterations_finish_time"] == MS + 5000
    assert row["last_logged_train_iterations_finish_time"] == MS + 9000
    assert "train_samples" not in row, "one rank's examples are not v1's number"


def test_progress_of_the_first_versions_of_its_callback() -> None:
    row = told(translation(), "throughput", 5, global_step=10, window_batches=10, window_seconds=5.0)
    assert (row["train_iterations"], row["train_iterations_time_msecs_avg"]) == (10, 500.0)


@pytest.mark.parametrize(
    "window",
    [{"window_optimizer_steps": 0, "window_seconds": 0.5}, {}, {"window_batches": 3}, {"window_seconds": "soon"}],
)
def test_progress_of_no_whole_iteration(window: dict[str, Any]) -> None:
    assert told(translation(), "throughput", 5, global_step=0, **window) == {"train_iterations_end": 0}


def test_part_of_an_iteration_counts_its_time() -> None:
    rows = translation()
    told(rows, "throughput", 1, global_step=0, window_optimizer_steps=0, window_seconds=0.5)
    row = told(rows, "throughput", 2, global_step=1, window_optimizer_steps=1, window_seconds=1.0)
    assert (row["train_iterations_time_total"], row["train_iterations_time_msecs_min"]) == (1.5, 1000.0)


def test_save() -> None:
    rows = translation()
    started(rows, "training", 1)
    told(rows, "throughput", 5, global_step=10, window_optimizer_steps=10, window_seconds=4.0)
    one, first = started(rows, "checkpoint_save", 6, global_step=10, asynchronous=False)
    assert first == [{"train_iterations_save_checkpoint_end": 10, "save_checkpoint_count": 1}]
    assert told(rows, "checkpoint_save_success", 6.5, global_step=10) == {
        "train_iterations_productive_end": 10,
        "train_iterations_time_total_productive": 4.0,
        "validation_iterations_time_total_productive": 0.0,
    }
    assert stopped(rows, one, 7) == [
        {
            "save_checkpoint_sync_time_total_productive": 1.0,
            "first_saved_train_iterations_start_time": MS + 1000,
            "first_successful_save_checkpoint_sync_finish_time": MS + 7000,
            "last_successful_save_checkpoint_sync_finish_time": MS + 7000,
            "save_checkpoint_sync_time_total": 1.0,
            "save_checkpoint_sync_time_min": 1.0,
            "save_checkpoint_sync_time_max": 1.0,
            "save_checkpoint_sync_count": 1,
        }
    ]


def test_asynchronous_save_succeeds_later() -> None:
    rows = translation()
    one, _ = started(rows, "checkpoint_save", 6, global_step=10, asynchronous=True)
    (row,) = stopped(rows, one, 6.25)
    assert (row["save_checkpoint_sync_time_total"], row["save_checkpoint_sync_count"]) == (0.25, 1)
    row = told(rows, "checkpoint_save_success", 20, global_step=10)
    assert row["save_checkpoint_async_count"] == 1
    assert row["last_successful_save_checkpoint_sync_finish_time"] == MS + 6250
    assert row["train_iterations_productive_end"] == 10


def test_save_that_fails() -> None:
    rows = translation()
    one, _ = started(rows, "checkpoint_save", 6, global_step=10, asynchronous=False)
    failure = Event.create("nemo_speech.checkpoint_save_failure", Attributes({"global_step": 10}), at(6.5))
    assert rows.event(failure) == ([], None)
    (row,) = stopped(rows, one, 7)
    assert row["save_checkpoint_sync_count"] == 1
    assert not [name for name in row if "productive" in name or "successful" in name]


def test_save_without_a_step() -> None:
    rows = translation()
    one, first = started(rows, "checkpoint_save", 6)
    assert first == [{"save_checkpoint_count": 1}]
    assert stopped(rows, one, 7)[0]["save_checkpoint_sync_count"] == 1


@pytest.mark.parametrize("name", ["nemo_speech.something_new", "my_own", "training"])
def test_spans_that_nobody_knows(name: str) -> None:
    rows, one = translation(), span(name)
    one.stop(stop_time=at(1))
    assert rows.start(one) == rows.stop(one) == []
    assert rows.event(Event.create(name, Attributes({"x": 1}))) == ([], None)
