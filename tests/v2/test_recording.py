"""A v2 provider of a test's own: what its spans are, and that v2 is afterwards as it was."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from nv_one_logger.api.one_logger_provider import OneLoggerProvider
from nv_one_logger.core.attributes import Attributes
from nv_one_logger.core.event import Event
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider

from one_logger_v1_shim._testing.spans import Span
from one_logger_v1_shim._v2 import private, recording
from tests.v2.room import T0, Heard, configured, no_provider, stamp, v2_config

__all__ = ["no_provider"]

pytestmark = pytest.mark.usefixtures("no_provider")


@pytest.fixture
def spans() -> Iterator[list[Span]]:
    """Those of v2 in this test."""
    found: list[Span] = []
    state = recording.set_aside(found)
    yield found
    recording.put_back(state)


def ms(seconds: float) -> float:
    return pytest.approx((T0 + seconds) * 1000, rel=0, abs=0.01)  # type: ignore[return-value]


def test_spans_with_times_parents_and_attributes(spans: list[Span]) -> None:
    recorder = configured()
    recorder.on_app_start(stamp(1))
    recorder.on_model_init_start(stamp(2))
    recorder.on_model_init_end(stamp(3.5))
    recorder.on_training_loop_start(0, 8, start_time=stamp(4))
    first, init, loop = spans
    assert [(one.name, one.start_ms, one.end_ms) for one in (first, init, loop)] == [
        ("application", ms(1), None),
        ("model_initialization", ms(2), ms(3.5)),
        ("training_loop", ms(4), None),
    ]
    assert (first.parent, init.parent, loop.parent) == (None, first, first)
    assert loop.attributes["train_iterations_start"] == 0
    recorder.on_training_loop_end(stamp(5))
    assert (loop.end_ms, "completed_iterations" in {str(key) for key in loop.attributes}) == (ms(5), False)
    recorder.on_app_end(stamp(6))
    assert first.end_ms == ms(6)


def test_events_stand_on_their_span(spans: list[Span]) -> None:
    recorder = configured()
    recorder.on_app_start(stamp(1))
    (span,) = recorder.get_active_spans_by_name("application")
    names = ["a", "b"]
    recorder.event(span, Event("saved", stamp(2), Attributes({"step": 7, "names": names})))
    names.append("not yet")
    recorder.error(span, "went wrong", ValueError("no"))
    saved = next(one for one in spans[0].events if one.name == "saved")
    assert (saved.name, saved.time_ms, saved.attributes) == ("saved", ms(2), {"step": 7, "names": ["a", "b"]})
    wrong = spans[0].events[-1]
    assert (wrong.name, wrong.attributes["error_message"]) == ("error", "went wrong")
    assert "timestamp_msec" not in wrong.attributes


def test_the_parent_is_the_nearest_span_that_was_recorded(spans: list[Span]) -> None:
    recorder = configured()
    recorder.on_app_start(stamp(1))
    recorder.on_training_loop_start(0, 8, start_time=stamp(2))
    exporter = recording.SpanRecorder([])
    exporter.initialize()
    application = recorder.get_active_spans_by_name("application")[0]
    loop = recorder.get_active_spans_by_name("training_loop")[0]
    exporter.export_start(loop)  # it has not been told of the application
    assert [one.parent for one in exporter._spans] == [None]
    again = recording.SpanRecorder([])
    again.initialize()
    again.export_start(application)
    recorder.on_validation_start(stamp(3))
    validation = recorder.get_active_spans_by_name("validation_loop")[0]
    again.export_start(validation)  # nor this one of the loop between
    assert again._spans[1].parent is again._spans[0]


def test_what_v2_was_is_put_back(tmp_path: Path) -> None:
    heard = Heard()
    recorder = configured(heard)
    before = OneLoggerProvider.instance()
    recorder.on_app_start(stamp(1))
    heard.take()

    found: list[Span] = []
    state = recording.set_aside(found)
    assert OneLoggerProvider.instance() is not before
    assert not TrainingTelemetryProvider.instance().one_logger_ready
    configured().on_app_start(stamp(2))
    assert [one.name for one in found] == ["application"]
    assert heard.take() == []
    recording.put_back(state)

    assert OneLoggerProvider.instance() is before
    assert OneLoggerProvider.instance().recorder is recorder
    recorder.on_app_end(stamp(3))
    assert heard.spans() == [("stop", "application", 3.0)]
    assert found[0].end_ms is None


def test_v2s_loggers_are_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """v2 gives its loggers files once in a process: a block has its own, and they are closed after it."""
    theirs, other = logging.getLogger("nv_one_logger.api.theirs"), logging.getLogger("nv_one_loggerish")
    file, stream = logging.FileHandler(tmp_path / "theirs.log"), logging.StreamHandler()
    outer = logging.FileHandler(tmp_path / "other.log")
    for logger, handlers in ((theirs, [file, stream]), (other, [outer])):
        monkeypatch.setattr(logger, "handlers", handlers)
        monkeypatch.setattr(logger, "level", logging.ERROR)
    state = recording.set_aside([])
    assert (theirs.handlers, theirs.level) == ([stream], logging.NOTSET)
    assert (other.handlers, other.level) == ([outer], logging.ERROR)

    inside = logging.FileHandler(tmp_path / "inside.log")
    new = logging.getLogger(f"nv_one_logger.new_in_the_block_{uuid.uuid4()}")
    for logger in (theirs, new):
        logger.addHandler(inside)
        logger.setLevel(logging.DEBUG)
    inside.emit(logging.LogRecord("x", logging.INFO, "f", 1, "in the block", (), None))
    recording.put_back(state)

    assert (set(theirs.handlers), theirs.level) == ({file, stream}, logging.ERROR)
    assert (new.handlers, new.level) == ([], logging.NOTSET)
    assert inside.stream is None, "closed"
    assert file.stream is not None
    for handler in (file, outer):
        handler.close()


def test_a_v2_whose_provider_cannot_be_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private, "_singletons", lambda: None)
    with pytest.raises(
        RuntimeError, match=r"^this version of v2 \(nv_one_logger\) has no provider that can be set aside$"
    ):
        recording.set_aside([])


def test_singletons_are_exchanged_both_ways() -> None:
    provider = OneLoggerProvider.instance()
    before = private.exchange_singletons({})
    assert before is not None
    assert provider in before.values()
    new = OneLoggerProvider.instance()
    assert new is not provider
    assert new in (private.exchange_singletons(before) or {}).values()
    assert OneLoggerProvider.instance() is provider


def test_a_configuration_of_the_block_has_the_recorder(spans: list[Span]) -> None:
    """Whoever configures v2 in the block, and with whichever exporters."""
    heard = Heard()
    TrainingTelemetryProvider.instance().with_base_config(v2_config()).with_exporter(heard).configure_provider()
    OneLoggerProvider.instance().recorder.on_app_start(stamp(1))
    assert [one.name for one in spans] == ["application"]
    assert heard.spans() == [("start", "application", None, 1.0)]
