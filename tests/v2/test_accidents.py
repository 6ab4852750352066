"""v1's accidents as v2 hears them: every span ends, none is torn from its place, and v2 goes on recording."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, Callable

import pytest

from one_logger_v1_shim.utils import OneLoggerUtils
from tests.support import CONFIG, Clock
from tests.v1.job import T0, T0_MS
from tests.v2.test_stream import ROW_EVENT

Record = list[Any]
Call = tuple[str, dict[str, Any]]
TRAIN: Call = ("on_train_start", {"train_iterations_start": 0})
APP: Call = ("on_app_start", {})
END: Call = ("on_app_end", {})


def call(name: str, **arguments: Any) -> Call:
    return name, arguments


@pytest.fixture
def heard(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Record]]:
    """Make the calls one second apart, the first at second 1; what another exporter of v2 heard, without the rows."""
    monkeypatch.setenv("WANDB_MODE", "disabled")
    output = fresh / "heard.jsonl"
    exporter = {"class_name": "tests.v2.recording_all.RecordingAll", "config": {"file_path": str(output)}}
    (fresh / "exporters.json").write_text(json.dumps({"exporters": [exporter]}))
    monkeypatch.setenv("ONE_LOGGER_EXPORTER_CONFIG_PATH", str(fresh / "exporters.json"))

    def play(*calls: Call, **config: Any) -> list[Record]:
        clock = Clock(monkeypatch, T0)
        utils = OneLoggerUtils({**CONFIG, "save_checkpoint_strategy": "sync", **config})
        for name, arguments in calls:
            clock.advance(1)
            getattr(utils, name)(**arguments)
        records = [json.loads(line) for line in output.read_text().splitlines()]
        return [record for record in records if record[0] != "close" and record[1] != ROW_EVENT]

    return play


def spans(records: list[Record]) -> list[tuple[Any, ...]]:
    """``(start, name, parent, s)`` and ``(stop, name, s)``, seconds after the job's construction."""
    found: list[tuple[Any, ...]] = []
    for record in records:
        if record[0] == "start":
            found.append(("start", record[1], record[2], (record[3] - T0_MS) / 1000))
        elif record[0] == "stop":
            found.append(("stop", record[1], (record[2] - T0_MS) / 1000))
    return found


def test_phase_that_begins_again_ends_first(heard: Callable[..., list[Record]]) -> None:
    records = heard(APP, call("on_model_init_start"), call("on_model_init_start"), call("on_model_init_end"), END)
    assert spans(records)[1:] == [
        ("start", "model_initialization", "application", 2.0),
        ("stop", "model_initialization", 3.0),
        ("start", "model_initialization", "application", 3.0),
        ("stop", "model_initialization", 4.0),
        ("stop", "application", 5.0),
    ]


def test_finish_given_by_hand_that_lies_before_its_start(heard: Callable[..., list[Record]]) -> None:
    end = call("on_model_init_end", app_model_init_finish_time=T0_MS - 60_000)
    records = heard(APP, call("on_model_init_start"), end, END)
    assert ("stop", "model_initialization", 2.0) in spans(records)


def test_training_loop_has_its_targets(heard: Callable[..., list[Record]]) -> None:
    start = call("on_train_start", train_iterations_start=5, train_samples_start=41)
    config = {"train_iterations_target": 100, "train_samples_target": 800, "seq_length": 16}
    (attributes,) = (record[4] for record in heard(APP, start, **config) if record[:2] == ["start", "training_loop"])
    expected = {
        "train_iterations_start": 5,
        "train_samples_start": 41,
        "train_iterations_target": 100,
        "train_samples_target": 800,
        "train_tokens_target": 12_800,
    }
    assert {name: attributes[name] for name in expected} == expected


# -- saves ----------------------------------------------------------------------------------------------------


def saved(step: int, *order: str) -> list[Call]:
    return [call(f"on_save_checkpoint_{name}", global_step=step) for name in order]


def test_success_after_the_end_is_inside_the_save_and_does_not_lengthen_it(
    heard: Callable[..., list[Record]],
) -> None:
    records = heard(APP, TRAIN, *saved(1, "start", "end", "success"), END)
    names = [record[1] for record in records if record[1] in ("checkpoint_save_sync", "save_checkpoint_success")]
    assert names == ["checkpoint_save_sync", "save_checkpoint_success", "checkpoint_save_sync"]
    assert ("start", "checkpoint_save_sync", "training_loop", 3.0) in spans(records)
    assert ("stop", "checkpoint_save_sync", 4.0) in spans(records)


@pytest.mark.parametrize(
    "following",
    [
        call("on_train_batch_start"),
        call("on_validation_start"),
        call("on_train_end"),
        call("on_app_end"),
        call("on_save_checkpoint_start", global_step=2),
    ],
    ids=lambda one: one[0],
)
def test_save_without_success_ends_when_it_ended(following: Call, heard: Callable[..., list[Record]]) -> None:
    records = heard(APP, TRAIN, *saved(1, "start", "end"), following)
    assert ("stop", "checkpoint_save_sync", 4.0) in spans(records)
    assert not [record for record in records if record[1] == "save_checkpoint_success"]


def test_late_success_of_a_sync_save_is_on_the_application(heard: Callable[..., list[Record]]) -> None:
    order = [*saved(1, "start", "end"), call("on_train_batch_start"), call("on_train_batch_end")]
    records = heard(APP, TRAIN, *order, *saved(1, "success"), END)
    (success,) = [record for record in records if record[1] == "save_checkpoint_success"]
    assert success[2] == "application"
    assert success[3]["current_iteration"] == 1
    assert success[3]["latest_successful_save_checkpoint_timestamp_sec"] == T0 + 7


# -- iterations -----------------------------------------------------------------------------------------------


def test_iterations_without_on_train_start(
    heard: Callable[..., list[Record]], caplog: pytest.LogCaptureFixture
) -> None:
    batches = [call("on_train_batch_start"), call("on_train_batch_end")] * 4
    records = heard(APP, *batches, END)
    assert [span[:2] for span in spans(records)][-1] == ("stop", "application")
    texts = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    (text,) = [text for text in texts if "v2" in text]
    assert text.startswith("v2 could not record batch_end (")
    assert "training_loop" in text, "it names what is missing"
    assert text.endswith("; v1 rows are not affected")
    assert {span[1] for span in spans(records)} == {"application"}, "no iteration is left open"


def test_progress_counts_seconds_of_the_iterations(heard: Callable[..., list[Record]]) -> None:
    batches = [call("on_train_batch_start"), call("on_train_batch_end")] * 4
    records = heard(APP, TRAIN, *batches, call("on_train_end"), END)
    progress = [record[3] for record in records if record[1] == "training_metrics_update"]
    assert [(one["num_iterations"], one["total_iteration_time_sec"]) for one in progress] == [(2, 2.0), (4, 4.0)]
    assert [one["last_logged_train_iterations_finish_timestamp_sec"] for one in progress] == [T0 + 6, T0 + 10]
