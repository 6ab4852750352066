"""Our exporter between v2 and the rows: what it translates, when it is silent, and who closes the run."""

from __future__ import annotations

import json
import logging
import threading
from typing import Any, Optional

import pytest
from nv_one_logger.core.attributes import Attributes
from nv_one_logger.core.event import ErrorEvent, Event, TelemetryDataError
from nv_one_logger.core.span import StandardSpanName
from nv_one_logger.training_telemetry.api.events import StandardTrainingJobEventName as EventName
from nv_one_logger.training_telemetry.api.spans import StandardTrainingJobSpanName as Name

from one_logger_v1_shim import v1_compatible_wandb_exporter as module
from one_logger_v1_shim._job import rows as job_rows
from one_logger_v1_shim._job.rows import Rows
from one_logger_v1_shim._journal.destination import WandBConfig, specification
from one_logger_v1_shim.v1_compatible_wandb_exporter import (
    V1CompatibleWandbExporterAdapter as Exporter,
)
from one_logger_v1_shim.v1_compatible_wandb_exporter import (
    V1CompatibleWandbExporterAsync,
    V1CompatibleWandbExporterSync,
)
from tests.support import Clock
from tests.v2.events import span
from tests.v2.room import T0, no_provider, v2_config

__all__ = ["no_provider"]

pytestmark = pytest.mark.usefixtures("no_provider")


class KeptRows(Rows):
    """A run whose rows stay in memory."""

    def __init__(self, asynchronous: bool = True, **chosen: Any) -> None:
        super().__init__(specification(WandBConfig(**chosen), chosen), asynchronous)
        self.opened: list[str] = []
        self.kept: list[dict[str, Any]] = []
        self.appended: list[int] = []
        self.exit_codes: list[int] = []

    def open(self, v2: str = "", v2_values: Optional[dict[str, Any]] = None) -> Any:
        self.opened.append(v2)

    def put(self, data: bytes) -> None:
        rows = [json.loads(line) for line in data.split(b"\n")]
        self.appended.append(len(rows))
        self.kept += rows

    def finish(self, exit_code: int = 0) -> None:
        self.finished = True
        self.exit_codes.append(exit_code)

    def take(self) -> list[dict[str, Any]]:
        """Without what v1's core added."""
        kept, self.kept = self.kept, []
        core = {"app_last_log_time", "app_first_log_time", "one_logger_version", "job_start_time", "limit_run"}
        return [{key: value for key, value in row.items() if key not in core} for row in kept]


@pytest.fixture
def rows() -> KeptRows:
    return KeptRows()


def exporter_of(rows: Rows, kind: type[Exporter] = Exporter, **base: Any) -> Exporter:
    """An exporter whose rows go to ``rows``."""
    one = kind(v2_config(**base), WandBConfig())
    one.rows = rows
    rows.exporter = one
    return one


def exporter(rows: Rows) -> Exporter:
    one = exporter_of(rows)
    one.initialize()
    return one


def stopped(name: Any, start: float, stop: float) -> Any:
    from nv_one_logger.core.time import TracingTimestamp

    one = span(name, T0 + start)
    one.stop(stop_time=TracingTimestamp(T0 + stop, 1000.0 + stop))
    return one


def test_spans_and_events_become_rows(rows: KeptRows, monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch, T0 + 100)
    one = exporter(rows)
    assert rows.opened == ["job"]
    application = span(StandardSpanName.APPLICATION, T0 + 1)
    one.export_start(application)
    assert rows.kept[0]["app_last_log_time"] == (T0 + 100) * 1000
    assert rows.take() == [{"app_start_time": (T0 + 1) * 1000}]
    init = stopped(Name.MODEL_INIT, 2, 3)
    one.export_start(init)
    one.export_stop(init)
    assert rows.take() == [
        {"app_model_init_start_time": (T0 + 2) * 1000},
        {"app_model_init_finish_time": (T0 + 3) * 1000},
    ]
    attributes = Attributes({"total_iteration_time_sec": 2.0, "avg_iteration_time_sec": 0.5})
    one.export_event(Event.create(EventName.VALIDATION_METRICS_UPDATE, attributes), application)
    assert rows.take() == [
        {"validation_iterations_time_total": 2.0, "validation_iterations_time_msecs_avg": 500.0},
    ]


def test_tags_are_sent_when_their_list_changes_and_before_the_row(rows: KeptRows) -> None:
    one = exporter(rows)
    application = span(StandardSpanName.APPLICATION)
    one.export_start(application)
    rows.take()
    for tags in ("a", "a", ["a", "b"]):
        attributes = Attributes({"perf_tag": tags, "micro_batch_size": 2, "is_save_checkpoint_enabled": True})
        one.export_event(Event.create(EventName.UPDATE_TRAINING_TELEMETRY_CONFIG, attributes), application)
    sent = [row.get("app_tag", row.get("micro_batch_size")) for row in rows.take()]
    assert sent == [["a"], 2, 2, ["a", "b"], 2]
    assert rows.appended[1:] == [2, 1, 2], "the rows of one event are one step"


def test_what_v1_had_no_metric_for(rows: KeptRows, caplog: pytest.LogCaptureFixture) -> None:
    one = exporter(rows)
    application = span(StandardSpanName.APPLICATION)
    one.export_start(application)
    rows.take()
    one.export_error(ErrorEvent.create("oh"), application)
    one.export_event(Event.create("something.else", Attributes({})), application)
    other = span("another")
    one.export_start(other)
    assert rows.take() == []
    for _ in range(2):
        one.export_telemetry_data_error(
            TelemetryDataError.create(TelemetryDataError.ErrorType.NO_TELEMETRY_DATA, "lost")
        )
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        "v2 reports: lost"
    ]


def test_muted_thread_and_no_other(rows: KeptRows) -> None:
    one = exporter(rows)
    one.mute(True)
    init = stopped(Name.MODEL_INIT, 2, 3)
    one.export_start(init)
    one.export_stop(init)
    attributes = Attributes({"total_iteration_time_sec": 2.0})
    one.export_event(Event.create(EventName.VALIDATION_METRICS_UPDATE, attributes), init)
    assert rows.take() == []
    thread = threading.Thread(target=lambda: one.export_start(span(Name.OPTIMIZER_INIT)))
    thread.start()
    thread.join()
    assert [list(row) for row in rows.take()] == [["app_build_optimizer_start_time"]]
    one.mute(False)
    one.export_start(span(Name.DATA_LOADER_INIT))
    assert [list(row) for row in rows.take()] == [["app_build_dataiters_start_time"]]


def test_run_is_offered_to_v1_loggers_when_v2_begins(rows: KeptRows) -> None:
    assert job_rows.offered() is None
    one = exporter(rows)
    assert job_rows.offered() is rows
    assert one.finished is False
    one.close()
    assert (rows.exit_codes, one.finished, job_rows.offered()) == ([0], True, None)


def test_run_that_is_held_outlives_v2(rows: KeptRows) -> None:
    one = exporter(rows)
    one.hold()
    one.close()
    assert (rows.exit_codes, one.finished) == ([], False)
    one.finish(3)
    assert (rows.exit_codes, one.finished) == ([3], True)
    one.finish()
    assert rows.exit_codes == [3, 0]


def test_process_is_watched(rows: KeptRows, monkeypatch: pytest.MonkeyPatch) -> None:
    hooked: list[bool] = []
    monkeypatch.setattr(module.ending, "watch", lambda: hooked.append(True))
    exporter(rows)
    assert hooked == [True]


@pytest.mark.parametrize(
    ("cls", "asynchronous"),
    [(Exporter, True), (V1CompatibleWandbExporterSync, False), (V1CompatibleWandbExporterAsync, True)],
)
def test_run_of_an_exporter(cls: Any, asynchronous: bool) -> None:
    wandb = WandBConfig(project="p", entity="e")
    one = cls(v2_config(), wandb)
    assert (one.asynchronous, one.rows.asynchronous) == (asynchronous, asynchronous)
    assert one.sends_v1_rows is True
    assert (one.wandb_config, one.rows.exporter) == (wandb, one)
    assert one.rows.spec == specification(wandb)
    chosen = {"project": "other"}
    assert cls(v2_config(), wandb, chosen=chosen).rows.spec == specification(wandb, chosen)
    assert specification(wandb) != specification(wandb, chosen)


@pytest.mark.parametrize("cls", [V1CompatibleWandbExporterSync, V1CompatibleWandbExporterAsync])
def test_metadata_of_the_application(cls: Any, rows: KeptRows) -> None:
    one = exporter_of(rows, cls, custom_metadata={"model": 3})
    one.initialize()
    application = span(StandardSpanName.APPLICATION)
    one.export_start(application)
    rows.take()
    event = Event.create(EventName.ONE_LOGGER_INITIALIZATION, Attributes({"world_size": 4}))
    one.export_event(event, application)
    assert rows.take() == [{"one_logger_utils_version": "1.0.2", "model": 3, "world_size": 4}]
