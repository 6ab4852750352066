"""The event that carries a row: to v2 one like any other, although most of it is made late."""

from __future__ import annotations

import copy
import pickle
import time
from pathlib import Path
from typing import Any, Callable

import pytest
from nv_one_logger.core.attributes import Attributes
from nv_one_logger.core.event import Event
from nv_one_logger.core.span import Span
from nv_one_logger.core.time import TracingTimestamp
from nv_one_logger.recorder.default_recorder import _ExporterState
from nv_one_logger.training_telemetry.api import training_telemetry_provider as provider_module
from nv_one_logger.training_telemetry.api.training_recorder import TrainingRecorder
from one_logger_v1_shim._v2.row_event import ROW_ATTRIBUTE, ROW_EVENT, RowEvent
from overrides import override

from one_logger_v1_shim import OneLogger
from one_logger_v1_shim._v2.attach import current
from tests.v2_recording import RecordingExporter

SECONDS = (1_790_000_000.5, 12.25)
ROW = b'{"loss":0.5,"text":"\\u00e4"}'


@pytest.fixture
def plain() -> Event:
    return Event(ROW_EVENT, TracingTimestamp(*SECONDS), Attributes({ROW_ATTRIBUTE: ROW.decode("ascii")}))


def test_it_is_an_event_with_all_that_v2_puts_into_one(plain: Event) -> None:
    event = RowEvent(ROW, SECONDS)
    assert isinstance(event, Event)
    assert (event.name, event.name_str) == (ROW_EVENT, ROW_EVENT)
    assert event.timestamp == plain.timestamp
    assert event.attributes == plain.attributes
    assert event.attributes is event.attributes  # made once
    assert event.to_json() == plain.to_json()
    assert event == plain
    assert plain == event
    assert Event.from_json(event.to_json()) == event


@pytest.mark.parametrize("read_before", [False, True])
def test_it_goes_to_other_processes_and_can_be_copied(plain: Event, read_before: bool) -> None:
    event = RowEvent(ROW, SECONDS)
    if read_before:
        assert event.attributes
    for other in (pickle.loads(pickle.dumps(event)), copy.deepcopy(event)):
        assert type(other) is RowEvent
        assert other == plain


def _told(one: OneLogger, fresh: Path) -> tuple[list[Any], list[Event]]:
    """Of one more row: what another exporter of the process hears, and the events that stay on the span."""
    connection = current()
    assert connection is not None
    span, recorder = connection._application, connection._recorder
    assert span is not None
    heard: list[Any] = []
    exporter = RecordingExporter(fresh / "unused")
    exporter.initialize()
    exporter._write = lambda *what: heard.append(what)  # type: ignore[method-assign]
    recorder._exporters.append(exporter)
    recorder._exporter_state[exporter] = _ExporterState()
    before = len(span.events)
    one.log_metrics({"a": 1, "app_last_log_time": 0})
    del recorder._exporter_state[recorder._exporters.pop()]
    return heard, span.events[before:]


def test_the_way_around_the_recorders_questions_ends_where_the_recorder_does(
    fresh: Path, rows: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = OneLogger({"project": "p", "async": False})
    one.log_metrics({"first": 0})
    connection = current()
    assert connection is not None
    assert connection._exported
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: 1_790_000_000.0)  # app_last_log_time is in the row
        heard, events = _told(one, fresh)
        connection._exported = False  # from here on v2's own `recorder.event`
        heard_from_v2, events_of_v2 = _told(one, fresh)
    assert heard == heard_from_v2
    assert [what[:3] for what in heard] == [("event", ROW_EVENT, "application")]
    assert [event.attributes["row"] for event in events] == [event.attributes["row"] for event in events_of_v2]
    assert len(events) == 1
    assert [row.get("a") for row in rows()] == [None, 1, 1]


def test_a_recorder_of_the_applications_own_is_called(
    fresh: Path, rows: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    own = TrainingRecorder.event

    class Audited(TrainingRecorder):
        @override
        def event(self, span: Span, event: Event) -> Event:
            seen.append(event.name_str)
            return own(self, span, event)

    monkeypatch.setattr(provider_module, "TrainingRecorder", Audited)
    one = OneLogger({"project": "p", "async": False})
    for value in range(3):
        one.log_metrics({"value": value})
    assert seen.count(ROW_EVENT) == 3
    assert [row["value"] for row in rows()] == [0, 1, 2]
