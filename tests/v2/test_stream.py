"""v2's exporters see what a v2-native program would have shown them: in the worker's process, and in the job's."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from one_logger_v1_shim._v2.forward import ROW_EVENT
from tests.support import golden, golden_names, run_command

pytestmark = pytest.mark.slow

JOBS = [
    name
    for name in golden_names()
    if golden(name).get("target", "OneLoggerUtils") == "OneLoggerUtils"
    and golden(name)["config"]["enable_for_current_rank"]
    and not golden(name)["expect"][0].get("raises")
]


def stream(who: str, name: str, folder: Path) -> list[list[Any]]:
    output = folder / f"{who}.jsonl"
    result = run_command([sys.executable, "-m", "tests.v2.twin", who, name, str(output)], folder)
    assert "Error" not in result.stderr, result.stderr
    return [json.loads(line) for line in output.read_text().splitlines()]


def shape(records: list[list[Any]]) -> list[list[Any]]:
    """Names and nesting, without the rows (a v2-native program has none) and the clock."""
    kept = [record for record in records if not (record[0] == "event" and record[1] == ROW_EVENT)]
    return [record[:3] if record[0] != "stop" else record[:2] for record in kept]


# One process each; in one process all of them: test_twin.py.
@pytest.mark.parametrize("name", ["quickstart", "checkpoint_async_out_of_order", "random_9"])
def test_stream_equals_that_of_a_v2_native_twin(name: str, tmp_path: Path) -> None:
    assert name in JOBS
    ours = stream("shim", name, tmp_path)
    twin = stream("twin", name, tmp_path)
    assert shape(ours) == shape(twin)


@pytest.mark.parametrize("name", ["quickstart", "callables", "random_9"])
def test_both_places_tell_the_same(name: str, tmp_path: Path) -> None:
    """Rows and times too."""
    assert stream("here", name, tmp_path) == stream("shim", name, tmp_path)


def test_quickstart_by_hand(tmp_path: Path) -> None:
    records = stream("shim", "quickstart", tmp_path)
    assert shape(records) == [
        ["start", "application", None],
        ["event", "one_logger_initialization", "application"],
        ["event", "update_training_telemetry_config", "application"],
        ["start", "model_initialization", "application"],
        ["stop", "model_initialization"],
        ["start", "data_loader_initialization", "application"],
        ["stop", "data_loader_initialization"],
        ["start", "optimizer_initialization", "application"],
        ["stop", "optimizer_initialization"],
        ["start", "checkpoint_load", "application"],
        ["stop", "checkpoint_load"],
        ["start", "training_loop", "application"],
        ["event", "training_metrics_update", "training_loop"],
        ["event", "training_metrics_update", "training_loop"],
        ["start", "validation_loop", "training_loop"],
        ["event", "validation_metrics_update", "validation_loop"],
        ["stop", "validation_loop"],
        ["start", "checkpoint_save_sync", "training_loop"],
        ["event", "save_checkpoint_success", "checkpoint_save_sync"],
        ["event", "sync_checkpoint_metrics_update", "checkpoint_save_sync"],
        ["stop", "checkpoint_save_sync"],
        ["event", "training_metrics_update", "training_loop"],
        ["event", "training_metrics_update", "training_loop"],
        ["start", "checkpoint_save_sync", "training_loop"],
        ["event", "save_checkpoint_success", "checkpoint_save_sync"],
        ["event", "sync_checkpoint_metrics_update", "checkpoint_save_sync"],
        ["stop", "checkpoint_save_sync"],
        ["stop", "training_loop"],
        ["stop", "application"],
        ["close"],
    ]
    stops = [record for record in records if record[0] == "stop" and record[1] == "checkpoint_save_sync"]
    # the window ends when v1 said so, although v2 hears of it after the success
    assert [stop[2] for stop in stops] == [1700000013875, 1700000019125]


def test_every_row_is_an_event_on_an_open_span(tmp_path: Path) -> None:
    records = stream("shim", "quickstart", tmp_path)
    rows = [json.loads(record[3]["row"]) for record in records if record[0] == "event" and record[1] == ROW_EVENT]
    sent = [
        emit[1] for expect in golden("quickstart")["expect"] for emit in expect["emits"] if emit[0] == "log_metrics"
    ]
    untagged = [row for row in rows if "app_tag" not in row]
    # all but the last, which follows the end of v2's application
    assert len(untagged) == len(sent)
    assert all(sent_row.items() <= row.items() for row, sent_row in zip(untagged, sent))
