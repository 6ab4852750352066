"""Rows come first: no trouble in v2 loses one; who hears a row as an event of v2; forked children."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable, Optional

import pytest
from nv_one_logger.api.config import LoggerConfig, OneLoggerConfig
from nv_one_logger.api.one_logger_provider import OneLoggerProvider
from nv_one_logger.core.event import Event
from nv_one_logger.core.internal.singleton import SingletonMeta
from nv_one_logger.core.span import Span
from nv_one_logger.core.time import TracingTimestamp
from nv_one_logger.recorder.default_recorder import DefaultRecorder, ExportCustomizationMode
from nv_one_logger.training_telemetry.api import callbacks as v2
from nv_one_logger.training_telemetry.api.training_recorder import TrainingRecorder
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider
from overrides import override

from one_logger_v1_shim import OneLogger
from one_logger_v1_shim._job.telemetry import current
from one_logger_v1_shim._v2.forward import ROW_ATTRIBUTE, ROW_EVENT
from one_logger_v1_shim.utils import OneLoggerUtils
from tests.support import CONFIG, stored_rows, stored_runs
from tests.v2_recording import RecordingExporter

CORE = {"project": "p", "async": False}


def v2_config() -> OneLoggerConfig:
    quiet = LoggerConfig(log_file_path_for_info=os.devnull, log_file_path_for_err=os.devnull)
    return OneLoggerConfig(application_name="app", session_tag_or_fn="s", world_size_or_fn=1, logger_config=quiet)


def whole_job(utils: OneLoggerUtils) -> None:
    utils.on_app_start()
    utils.on_train_start(train_iterations_start=0)
    for _ in range(4):
        utils.on_train_batch_start()
        utils.on_train_batch_end()
    utils.on_save_checkpoint_start(global_step=4)
    utils.on_save_checkpoint_end(global_step=4)
    utils.on_save_checkpoint_success(global_step=4)
    utils.on_train_end()
    utils.on_app_end()
    utils.finish()


def names(folder: Path) -> list[set[str]]:
    return [set(row) for row in stored_rows(folder)]


def said(caplog: pytest.LogCaptureFixture, part: str) -> int:
    return sum(part in record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING)


# -- v2 in trouble --------------------------------------------------------------------------------------------


@pytest.fixture
def undisturbed(fresh: Path) -> list[set[str]]:
    """Names of the rows of :func:`whole_job` where v2 works."""
    whole_job(OneLoggerUtils(CONFIG))
    found = names(fresh)
    for path in fresh.rglob("*.wandb"):
        path.unlink()
    return found


@pytest.mark.parametrize("delivery", ["inline", "worker"])
def test_recorder_that_raises_at_every_call(
    delivery: str,
    undisturbed: list[set[str]],
    fresh: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("v2 is broken")

    SingletonMeta._instances.clear()  # v2's provider is new
    calls = [name for name in vars(TrainingRecorder) if name.startswith("on_")] + ["event", "start", "stop", "error"]
    for name in calls:
        monkeypatch.setattr(TrainingRecorder, name, broken)
    monkeypatch.setenv("ONE_LOGGER_V1_DELIVERY", delivery)
    whole_job(OneLoggerUtils(CONFIG))
    assert len(undisturbed) > 8
    assert names(fresh) == undisturbed
    assert said(caplog, "v2 could not record on_app_start") == 1


@pytest.mark.parametrize("error", [RuntimeError("a fault of the listener"), ValueError("another")])
def test_listener_that_raises_loses_no_row(
    error: Exception, fresh: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    core = OneLogger(CORE)
    telemetry = current()
    assert telemetry is not None

    def broken(*_: Any) -> bytes:
        raise error

    monkeypatch.setattr(telemetry.listener, "before_row", broken)
    monkeypatch.setattr(telemetry.listener, "row", broken)
    for number in range(3):
        core.log_metrics({"a": number})
    core.finish()
    assert stored_rows(fresh) == [{"a": 0}, {"a": 1}, {"a": 2}]
    assert said(caplog, "v2 could not record row") == 1, "once, not at each row"


def test_row_is_in_the_sink_before_v2_hears_of_it(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    core = OneLogger(CORE)
    telemetry = current()
    assert telemetry is not None
    order: list[str] = []
    monkeypatch.setattr(telemetry.listener, "row", lambda at, row: order.append("v2"))
    put = telemetry._rows.put

    def noted(row: bytes, before: bytes = b"") -> None:
        order.append("sink")
        put(row, before)

    monkeypatch.setattr(telemetry._rows, "put", noted)
    core.log_metrics({"a": 1})
    core.finish()
    assert order == ["sink", "v2"]


def test_recorder_of_another_kind_hears_nothing_and_takes_no_row(fresh: Path, caplog: pytest.LogCaptureFixture) -> None:
    exporter = RecordingExporter(fresh / "stream.jsonl")
    OneLoggerProvider.instance().configure(v2_config(), DefaultRecorder(exporters=[exporter]))
    whole_job(OneLoggerUtils(CONFIG))
    assert {"app_finish_time"} in names(fresh)
    assert not (fresh / "stream.jsonl").exists()
    assert said(caplog, "v2 hears nothing") == 1


# -- a row as an event of v2 ----------------------------------------------------------------------------------


def row_events(path: Path) -> list[tuple[str, Mapping[str, Any]]]:
    """Span and row of each row event that a :class:`RecordingExporter` wrote down."""
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        (record[2], json.loads(record[3][ROW_ATTRIBUTE]))
        for record in records
        if record[0] == "event" and record[1] == ROW_EVENT
    ]


def test_other_exporters_of_the_applications_recorder_get_row_events(fresh: Path) -> None:
    path = fresh / "stream.jsonl"
    provider = TrainingTelemetryProvider.instance().with_base_config(v2_config())
    provider.with_exporter(RecordingExporter(path)).configure_provider()
    v2.on_app_start()
    core = OneLogger(CORE)
    core.log_metrics({"a": 1, "none": None, "mixed": [1, "b", {"c": 0.5}]})
    core.log_metrics({"a": 2})
    core.finish()
    v2.on_app_end()
    given = [{"a": 1, "none": None, "mixed": [1, "b", {"c": 0.5}]}, {"a": 2}]
    events = row_events(path)
    assert [span for span, _ in events] == ["application"] * 2
    assert all(expected.items() <= row.items() for expected, (_, row) in zip(given, events))
    assert stored_rows(fresh) == given


def test_no_row_event_where_nobody_else_listens(fresh: Path) -> None:
    core = OneLogger(CORE)
    core.log_metrics({"a": 1})
    (application,) = OneLoggerProvider.instance().recorder._spans.values()  # type: ignore[attr-defined]
    assert ROW_EVENT not in [event.name_str for event in application.events]
    core.finish()
    assert stored_rows(fresh) == [{"a": 1}]


class _Customised(TrainingRecorder):
    """A recorder of the application's that does something of its own with events."""

    @override
    def event(self, span: Span, event: Event) -> Event:
        _Customised.seen.append((span.name_str, event.name_str, event.attributes.to_json().get(ROW_ATTRIBUTE)))
        return super().event(span, event)

    seen: list[tuple[str, str, Optional[Any]]] = []


def test_recorder_with_an_event_method_of_its_own_hears_rows(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Customised, "seen", [])
    config = v2_config()
    recorder = _Customised(config, [], ExportCustomizationMode.EXPORT_ALL_SPANS, None)
    OneLoggerProvider.instance().configure(config, recorder)
    recorder.on_app_start(TracingTimestamp.now())
    core = OneLogger(CORE)
    core.log_metrics({"a": 1})
    core.finish()
    heard = [(span, json.loads(row)["a"]) for span, name, row in _Customised.seen if name == ROW_EVENT]
    assert heard == [("application", 1)]
    assert stored_rows(fresh) == [{"a": 1}]


# -- forked children ------------------------------------------------------------------------------------------


def in_child(work: Callable[[], None]) -> None:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("delivery", ["inline", "worker"])
def test_forked_childs_own_logger_has_a_run_of_its_own(
    delivery: str, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONE_LOGGER_V1_DELIVERY", delivery)
    stream = fresh / "stream.jsonl"
    exporter = {"class_name": "tests.v2_recording.RecordingExporter", "config": {"file_path": str(stream)}}
    (fresh / "one_logger_exporters_config.json").write_text(json.dumps({"exporters": [exporter]}))
    parents = OneLogger({**CORE, "name": "parent"})
    parents.log_metrics({"a": 1})

    def child() -> None:
        own = OneLogger({**CORE, "name": "child"})
        parents.log_metrics({"a": 100})
        parents.log_app_tag("from the child")
        own.log_metrics({"a": 2})
        parents.finish()
        own.log_metrics({"a": 3})
        own.finish()
        if delivery == "inline":
            import wandb

            wandb.teardown()  # os._exit leaves no other chance

    in_child(child)
    parents.log_metrics({"a": 4})
    parents.finish()
    runs = {run.name: run for run in stored_runs(fresh)}
    assert {name: [row["a"] for row in run.rows if "a" in row] for name, run in runs.items()} == {
        "parent": [1, 4],
        "child": [2, 3],
    }
    assert not [row for row in runs["parent"].rows if "app_tag" in row]
    assert all(run.exit_code == 0 for run in runs.values())
    assert [row["a"] for _, row in row_events(stream) if "a" in row] == [1, 4], "the parent's exporter of v2"
    assert stream.read_text().count('["close"]') == 1
