"""Spans against v2's: v1's calls have v2's names, times and nesting, and v2's own spans arrive as they are."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nv_one_logger.core import span as v2_span
from nv_one_logger.core import time as v2_time

from one_logger_v1_shim import otlp_exporter
from one_logger_v1_shim._job import telemetry
from one_logger_v1_shim._journal.records import PLAYED, SENT, Mark, RunRecord
from one_logger_v1_shim._worker.otlp import make
from one_logger_v1_shim._worker.player import Player
from tests.delivery.jobs import until
from tests.otlp.receiver import HANGS, OK, REFUSES, Collector, attributes, collector, number
from tests.support import Clock, golden
from tests.v2 import twin as v2_twin
from tests.v2.test_twin import SOUND

EXPORTER = "one_logger_v1_shim.otlp_exporter.OTLPExporter"
SHORT = {"training_single_iteration", "validation_single_iteration"}
Shape = list[tuple[str, Any, int, int]]


@pytest.fixture
def receiver(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    for one, word in ((v2_time, "time"), (v2_span, "uuid")):  # a replay replaces them for good
        monkeypatch.setattr(one, word, getattr(one, word))
    with collector() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.address)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
        yield receiver


def exporters(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, **config: Any) -> None:
    monkeypatch.setenv("ONE_LOGGER_EXPORTER_CONFIG_PATH", str(folder / "exporters.json"))
    (folder / "exporters.json").write_text(json.dumps({"exporters": [{"class_name": name, "config": config}]}))


def played(who: Any, name: str, monkeypatch: pytest.MonkeyPatch, clock: bool = True) -> None:
    job = golden(name)
    with monkeypatch.context() as patch:
        patch.setattr(telemetry, "where_v2_hears", lambda: telemetry.WORKER)
        now = Clock(patch, job["t0"]) if clock else None

        def at(seconds: float) -> None:
            if now is not None:
                now.now = job["t0"] + seconds

        who(job, at)


def shape_of(receiver: Collector) -> Shape:
    """In ms, as v2's recording has them."""
    spans = {span.span_id: span for span in receiver.received.spans}
    return sorted(
        (
            span.name,
            spans[span.parent_span_id].name if span.parent_span_id else None,
            round(span.start_time_unix_nano / 1e6),
            round(span.end_time_unix_nano / 1e6),
        )
        for span in spans.values()
    )


def shape_of_v2(path: Path) -> Shape:
    found: Shape = []
    opened: dict[str, Any] = {}
    for kind, *rest in map(json.loads, path.read_text().splitlines()):
        name = rest.pop(0) if rest else None
        if kind == "start":
            parent, start = rest[:2]
            while parent in SHORT:
                parent = opened[parent][0]
            opened[name] = (parent, int(start))
        elif kind == "stop" and name not in SHORT:
            found.append((name, *opened.pop(name), int(rest[0])))
    return sorted(found)


@pytest.mark.parametrize("name", SOUND)
def test_names_times_and_nesting_are_v2s(
    name: str, receiver: Collector, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played(v2_twin.shim, name, monkeypatch)
    (folder,) = fresh.glob("wandb/one-logger-*")
    exporters(fresh, monkeypatch, "tests.v2.recording.RecordingExporter", file_path=str(fresh / "told"))
    player = Player(folder, RunRecord.read(folder))
    player.job_has_gone()
    player.run()
    assert player.state == PLAYED
    monkeypatch.setenv("ONE_LOGGER_V1_OTLP", "1")
    otlp = make(folder, RunRecord.read(folder), Mark())
    assert otlp is not None
    otlp.job_has_gone()
    otlp.run()
    assert otlp.state == SENT
    ours, theirs = shape_of(receiver), shape_of_v2(fresh / "told")
    assert [one[:2] for one in ours] == [one[:2] for one in theirs]
    for mine, other in zip(ours, theirs):
        assert mine[2:] == pytest.approx(other[2:], abs=1), mine[0]  # v2's whole ms are cut, and not rounded


def test_the_picture_in_docs_is_of_what_a_collector_gets(receiver: Collector, fresh: Path) -> None:
    from tests.otlp.picture import PICTURE, drawn, spans_of

    assert drawn(spans_of("quickstart", fresh)) == PICTURE.read_text()


# -- the exporter that v2's export configuration names -----------------------------------------------------------


def test_a_program_on_v2(
    receiver: Collector, fresh: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    exporters(fresh, monkeypatch, EXPORTER)
    played(v2_twin.twin, "quickstart", monkeypatch, clock=False)
    got = receiver.received
    assert sorted(span.name for span in got.spans) == [
        *("application", "checkpoint_load", "checkpoint_save_sync", "checkpoint_save_sync"),
        *("data_loader_initialization", "model_initialization", "optimizer_initialization", "training_loop"),
        "validation_loop",
    ]
    ids = {span.span_id: span.name for span in got.spans}
    assert len(ids) == 9
    assert {ids[span.parent_span_id] for span in got.named("checkpoint_save_sync")} == {"training_loop"}
    assert len({span.trace_id for span in got.spans}) == 1
    (training,) = got.named("training_loop")
    assert [event.name for event in training.events] == ["training_metrics_update"] * 4
    assert [number(one) for one in got.points["one_logger.train_samples"]] == [16, 32, 48, 64]
    assert got.resources[0]["service.name"] == "golden"
    said = capfd.readouterr()
    assert "Traceback" not in said.err + said.out


def test_rows_of_v1s_classes_in_a_program_on_v2(
    receiver: Collector, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """v1's own arithmetic is what is sent, and not its translation, too."""
    exporters(fresh, monkeypatch, EXPORTER)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    job = golden("quickstart")
    v2_twin.here(job, lambda seconds: None)
    got = receiver.received
    assert got.named("application")
    assert len(got.points["one_logger.train_samples"]) == sum(
        "train_samples" in emit[1] for expect in job["expect"] for emit in expect["emits"] if emit[0] == "log_metrics"
    )
    assert "one_logger.app_last_log_time" in got.points


def test_an_error_is_the_spans(receiver: Collector, fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exporters(fresh, monkeypatch, EXPORTER)

    def program(job: Any, at: Any) -> None:
        from nv_one_logger.api.one_logger_provider import OneLoggerProvider
        from nv_one_logger.core.span import StandardSpanName

        job["steps"], job["expect"] = [], job["expect"][:1]

        def failing() -> None:
            recorder = OneLoggerProvider.instance().recorder
            (application,) = recorder.get_active_spans_by_name(StandardSpanName.APPLICATION)
            recorder.error(application, "out of memory")

        from nv_one_logger.training_telemetry.api import callbacks

        end = callbacks.on_app_end
        monkeypatch.setattr(callbacks, "on_app_end", lambda: (failing(), end()))
        v2_twin.twin(job, at)

    played(program, "quickstart", monkeypatch, clock=False)
    (application,) = receiver.received.named("application")
    assert application.status.code == 2
    assert application.status.message == "out of memory"
    assert attributes(application.events[-1])["one_logger.error_message"] == "out of memory"


@pytest.mark.parametrize("status", [HANGS, REFUSES])
def test_a_collector_in_trouble_costs_a_bounded_end(
    status: int,
    receiver: Collector,
    fresh: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    receiver.status = status
    exporters(fresh, monkeypatch, EXPORTER, close_timeout_s=1)
    began = time.monotonic()
    played(v2_twin.twin, "quickstart", monkeypatch, clock=False)
    assert time.monotonic() - began < 20
    ours = [record.getMessage() for record in caplog.records if "OTLP" in record.getMessage()]
    assert any("a collector has not taken all spans and metrics in 1 s" in line for line in ours)
    assert len(ours) <= 2
    receiver.status = OK
    receiver._stopped.set()
    until(lambda: not any(one.name == "otlp" for one in threading.enumerate()), "the thread has ended")


def test_a_queue_that_is_full_drops_in_one_line(
    receiver: Collector, fresh: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(otlp_exporter, "_QUEUE", 3)
    exporters(fresh, monkeypatch, EXPORTER)
    monkeypatch.setattr(otlp_exporter.OTLPExporter, "_work", lambda self: None)
    played(v2_twin.twin, "quickstart", monkeypatch, clock=False)
    lines = [record.getMessage() for record in caplog.records if "wait for a collector" in record.getMessage()]
    assert len(lines) == 1


def test_no_exporter_is_installed(
    fresh: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.sdk.trace", None)
    monkeypatch.delitem(__import__("sys").modules, "one_logger_v1_shim._otlp.sender", raising=False)
    exporters(fresh, monkeypatch, EXPORTER)
    played(v2_twin.twin, "quickstart", monkeypatch, clock=False)
    assert [record.getMessage() for record in caplog.records if "OTLP could not be set up" in record.getMessage()]
