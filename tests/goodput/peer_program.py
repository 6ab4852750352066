"""Runs where ``ml-goodput-measurement`` is installed: a training's events as JSON on stdin, its verdict on stdout.

It reads and writes Google's cloud log; here the log is a list in memory.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
from datetime import datetime, timezone
from typing import Any

from ml_goodput_measurement.src import goodput

logging.disable(logging.CRITICAL)


class Log:
    """The cloud log's two methods."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def write_cloud_logging_entry(self, entry: dict[str, Any]) -> None:
        self.entries.append(entry)

    def read_cloud_logging_entries(self, *_: Any, **__: Any) -> Any:
        now = datetime.now(timezone.utc)
        return self.entries, (now, "last")


def when(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


def tell(events: list[list[Any]], recorder: Any, log: Log) -> None:
    """Each event of v1 in the words of the library. Steps are numbered from 0, as it expects."""
    begun: dict[str, float] = {}
    step = 0
    for name, at, arguments in events:
        begun[name] = at
        if name == "on_app_start":
            recorder.record_job_start_time(when(at))
        elif name == "on_app_end":
            recorder.record_job_end_time(when(at))
        elif name == "on_model_init_start":
            recorder.record_training_preparation_start_time(when(at))
        elif name == "on_model_init_end":
            recorder.record_training_preparation_end_time(when(at))
        elif name == "on_dataloader_init_start":
            recorder.record_data_loading_start_time(when(at))
        elif name == "on_dataloader_init_end":
            recorder.record_data_loading_end_time(when(at))
        elif name == "on_train_start":
            step = arguments["train_iterations_start"]
        elif name == "on_train_batch_start":
            recorder.record_step_start_time(step, when(at))
            step += 1
        elif name == "on_validation_start":
            recorder.record_custom_badput_event_start_time(when(at), "validation")
        elif name == "on_validation_end":
            recorder.record_custom_badput_event_end_time(when(at), "validation")
        elif name == "on_save_checkpoint_end":
            log.write_cloud_logging_entry(save(step, begun["on_save_checkpoint_start"], at))
        elif name == "on_load_checkpoint_end":
            log.write_cloud_logging_entry(restore(step, begun["on_load_checkpoint_start"], at))


def save(step: int, start: float, end: float) -> dict[str, Any]:
    """As Orbax logs a save."""
    parts = ("wait_for_prev", "checkpointer_blocking", "get_old_steps")
    nothing = {
        key: value for part in parts for key, value in ((f"{part}_start_time", start), (f"{part}_duration_secs", 0.0))
    }
    return {
        "event_type": "save", "step": step, "directory": "gs://nowhere",
        "checkpoint_manager_blocking_start_time": start, "checkpoint_manager_blocking_duration_secs": end - start,
        **nothing,
    }  # fmt: skip


def restore(step: int, start: float, end: float) -> dict[str, Any]:
    """As Orbax logs a restore. Its number is unique: the library averages restores of one step."""
    return {
        "event_type": "restore", "step": start, "directory": "gs://nowhere",
        "checkpoint_manager_start_time": start, "checkpoint_manager_duration_secs": end - start,
        "checkpointer_start_time": start, "checkpointer_duration_secs": end - start,
    }  # fmt: skip


def main() -> None:
    log = Log()
    with tempfile.TemporaryDirectory() as cache:
        recorder = goodput.GoodputRecorder("job", "log", True, log)
        tell(json.load(sys.stdin), recorder, log)
        calculator = goodput.GoodputCalculator("job", "log", log, cache_dir=cache)
        share, _, _ = calculator.get_job_goodput(include_badput_breakdown=True)
        details = calculator.get_job_goodput_details()
    lost = {kind.name: time for kind, time in details["badput_time"].items() if time}
    json.dump(
        {
            "goodput": share / 100,
            "productive": sum(details["goodput_time"].values()),
            "wall": details["total_elapsed_time"],
            "badput": lost,
            "disruptions": details["disruption_count"],
            "step": details["max_productive_step"],
        },
        sys.stdout,
    )


main()
