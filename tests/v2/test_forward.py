"""v1's calls and rows into v2's recorder: whose application it is, who hears a row, and what no longer is told."""

from __future__ import annotations

import gc
import json
import logging
from typing import Any

import pytest
from nv_one_logger.api.one_logger_provider import OneLoggerProvider
from nv_one_logger.core.event import Event
from nv_one_logger.core.span import Span, StandardSpanName
from nv_one_logger.exporter.exporter import BaseExporter
from nv_one_logger.recorder.default_recorder import ExportCustomizationMode
from nv_one_logger.training_telemetry.api.spans import StandardTrainingJobSpanName as Name
from nv_one_logger.training_telemetry.api.training_recorder import TrainingRecorder
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider
from overrides import override

from one_logger_v1_shim._v2.forward import ROW_ATTRIBUTE, ROW_EVENT, Forward
from one_logger_v1_shim._v2.spans import MOST_EVENTS
from tests.support import Clock
from tests.v2.room import T0, TRAINING, Heard, configured, in_thread, no_provider, reading, stamp

__all__ = ["no_provider"]

pytestmark = pytest.mark.usefixtures("no_provider")

APPLICATION = [("start", "application", None, 1.0)]


class Ours:
    """Stands for our exporter: is it muted while v2 is told?"""

    def __init__(self) -> None:
        self.muted: list[bool] = []

    def mute(self, muted: bool) -> None:
        self.muted.append(muted)


class Job:
    """Tells a ``Forward`` of calls: ``job.phase_start(reading(1), "test")``."""

    def __init__(self, forward: Forward) -> None:
        self._forward = forward
        self.reads: dict[str, Any] = {}  # the values of callables

    def __getattr__(self, name: str) -> Any:
        return lambda at, *arguments: self._forward.hear(name, at, arguments, self.reads.get)


def forward(recorder: Any, exporter: Any = None, owned: bool = True) -> Job:
    return Job(Forward(recorder, exporter, owned))


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.getMessage().startswith("v2 ")]


def test_names_of_the_row_event() -> None:
    """Other exporters read them."""
    assert (ROW_EVENT, ROW_ATTRIBUTE) == ("one_logger_v1.log_metrics", "row")


def test_row_is_an_event_of_the_application() -> None:
    heard = Heard()
    one = forward(configured(heard))
    one.row(reading(1), b'{"a": 1, "b": null}')
    one.row(reading(2), b'{"a": 2}')
    told = heard.events(ROW_EVENT)
    assert [json.loads(event[ROW_ATTRIBUTE]) for event in told] == [{"a": 1, "b": None}, {"a": 2}]
    calls = heard.take()
    assert calls[:1] == APPLICATION
    assert calls[-2:] == [("event", ROW_EVENT, "application", 1.0), ("event", ROW_EVENT, "application", 2.0)]


def test_row_opens_no_application_of_somebody_else() -> None:
    heard = Heard()
    recorder = configured(heard)
    one = forward(recorder, owned=False)
    one.row(reading(1), b"{}")
    one.open(reading(1))
    assert heard.take() == []
    recorder.on_app_start(stamp(2))
    heard.take()
    one.row(reading(3), b"{}")
    assert heard.take() == [("event", ROW_EVENT, "application", 3.0)]


def test_v1s_own_call_opens_the_application_where_nobody_did() -> None:
    heard = Heard()
    one = forward(configured(heard), owned=False)
    one.app_start(reading(1))
    assert heard.spans() == APPLICATION
    one.app_start(reading(2))
    assert heard.spans() == [], "once"
    one.app_end(reading(3))
    assert heard.spans() == [("stop", "application", 3.0)]


def test_any_call_opens_the_application() -> None:
    heard = Heard()
    one = forward(configured(heard))
    one.phase_start(reading(1), "model_init")
    assert heard.spans() == [*APPLICATION, ("start", "model_initialization", "application", 1.0)]


def test_application_that_was_given_by_hand() -> None:
    heard = Heard()
    one = forward(configured(heard))
    one.app_start(reading(5), (reading(1)[0]) * 1000)
    one.app_end(reading(6), (reading(4)[0]) * 1000)
    assert heard.spans() == [*APPLICATION, ("stop", "application", 4.0)]


def test_application_of_the_application_is_not_ended() -> None:
    heard = Heard()
    recorder = configured(heard)
    span = recorder.on_app_start(stamp(1))
    one = forward(recorder)
    one.app_start(reading(2))
    one.phase_start(reading(3), "test")
    heard.take()
    one.app_end(reading(4))
    assert heard.spans() == [("stop", "testing_loop", 4.0)], "only what we opened"
    assert span.active
    one.phase_start(reading(5), "test")
    assert heard.spans() == [("start", "testing_loop", "application", 5.0)]
    one.close(reading(6))
    assert heard.spans() == [("stop", "testing_loop", 6.0)]
    assert (span.active, heard.closings) == (True, 0)
    one.phase_start(reading(7), "test")
    one.row(reading(7), b"{}")
    assert heard.spans() == []


def test_row_after_the_application_has_stopped_its_own() -> None:
    heard = Heard()
    recorder = configured(heard)
    span = recorder.on_app_start(stamp(1))
    one = forward(recorder)
    one.row(reading(2), b"{}")
    recorder.stop(span, stop_time=stamp(3))
    heard.take()
    one.row(reading(4), b"{}")
    assert heard.take() == []


def test_end_closes_v2_once_and_nothing_is_told_afterwards() -> None:
    heard = Heard()
    one = forward(configured(heard))
    one.app_start(reading(1))
    one.phase_start(reading(2), "validation")
    heard.take()
    one.app_end(reading(3))
    assert heard.spans() == [("stop", "validation_loop", 3.0), ("stop", "application", 3.0)]
    assert heard.closings == 1
    one.app_end(reading(4))
    one.app_start(reading(4))
    one.open(reading(4))
    one.phase_start(reading(4), "test")
    one.row(reading(4), b"{}")
    one.close(reading(4))
    assert (heard.take(), heard.closings) == ([], 1)


def test_recorder_that_is_closed_already() -> None:
    heard = Heard()
    recorder = configured(heard)
    recorder.on_app_start(stamp(1))
    recorder.on_app_end(stamp(2))
    heard.take()
    one = forward(recorder)
    one.app_start(reading(3))
    one.row(reading(3), b"{}")
    assert heard.take() == []


def test_row_that_v2_cannot_record(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    heard = Heard()
    recorder = configured(heard)
    one = forward(recorder)
    one.open(reading(1))

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(recorder, "event", broken)
    for second in range(3):
        one.row(reading(2 + second), b"{}")
    assert warnings(caplog) == ["v2 could not record row (RuntimeError('broken')); v1 rows are not affected"]


def test_call_that_v2_cannot_record(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    ours = Ours()
    recorder = configured(Heard())
    one = forward(recorder, ours)
    one.app_start(reading(1))
    assert ours.muted == [True, False]

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(TrainingRecorder, "on_testing_start", broken)
    for second in (2, 3):
        one.phase_start(reading(second), "test")
    assert ours.muted == [True, False] * 3, "our exporter listens again"
    assert warnings(caplog) == ["v2 could not record phase_start (RuntimeError('broken')); v1 rows are not affected"]


def test_v2_that_has_disabled_itself() -> None:
    heard = Heard()
    one = forward(configured(heard))
    OneLoggerProvider.instance().force_disable_logging()
    one.app_start(reading(1))
    one.row(reading(1), b"{}")
    one.phase_start(reading(1), "test")
    assert heard.take() == []


FIELDS = {**TRAINING, "save_checkpoint_strategy": "async"}


def test_training_becomes_known_before_the_application() -> None:
    heard = Heard()
    one = forward(configured(heard, training=None))
    one.training(reading(0), {"fields": FIELDS, "callables": []})
    config: Any = TrainingTelemetryProvider.instance().config.telemetry_config
    assert (config.global_batch_size, str(config.save_checkpoint_strategy)) == (8, "async")
    one.app_start(reading(1))
    assert len(heard.events("update_training_telemetry_config")) == 1


def test_training_becomes_known_inside_the_application() -> None:
    heard = Heard()
    one = forward(configured(heard, training=None))
    one.app_start(reading(1))
    assert heard.events("update_training_telemetry_config") == []
    one.training(reading(2), {"fields": FIELDS})
    (told,) = heard.events("update_training_telemetry_config")
    assert told["global_batch_size"] == 8
    one.training(reading(3), {"fields": {**FIELDS, "global_batch_size_or_fn": 9}})
    assert len(heard.events("update_training_telemetry_config")) == 1, "the first one counts"
    config: Any = TrainingTelemetryProvider.instance().config.telemetry_config
    assert config.global_batch_size == 8


def test_training_reads_callables_as_v1_has_read_them() -> None:
    heard = Heard()
    recorder = configured(heard, training=None)
    one = forward(recorder)
    fields = {key: value for key, value in FIELDS.items() if key != "global_batch_size_or_fn"}
    one.reads["global_batch_size"] = 32
    one.training(reading(0), {"fields": fields, "callables": ["global_batch_size"]})
    config: Any = TrainingTelemetryProvider.instance().config.telemetry_config
    assert config.global_batch_size == 32


def test_training_that_v2_refuses(caplog: pytest.LogCaptureFixture) -> None:
    """One line says it; what v2 then raises, since it knows no training, would say it again."""
    heard = Heard()
    one = forward(configured(heard, training=None))
    one.app_start(reading(1))
    fields = {key: value for key, value in FIELDS.items() if key != "global_batch_size_or_fn"}
    one.reads["global_batch_size"] = "x"
    one.training(reading(2), {"fields": fields, "callables": ["global_batch_size"]})
    one.train_start(reading(3), 0, 0)
    one.batch_start(reading(4))
    one.batch_end(reading(5))
    (text,) = warnings(caplog)
    assert text.startswith("v2 is told nothing of the training (")
    assert "global_batch_size='x' (str); expected a number" in text
    one.phase_start(reading(6), "model_init")
    assert heard.spans()[-1] == ("start", "model_initialization", "application", 6.0)


def test_training_after_the_end() -> None:
    one = forward(configured(Heard(), training=None))
    one.app_start(reading(1))
    one.app_end(reading(2))
    one.training(reading(3), {"fields": FIELDS})
    assert TrainingTelemetryProvider.instance().config.telemetry_config is None


def test_every_call(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    Clock(monkeypatch, T0 + 5)  # v2 dates the start of a save by itself
    heard = Heard()
    one = forward(configured(heard))
    one.app_start(reading(1))
    one.train_start(reading(2), 3, 24)
    one.batch_start(reading(3))
    one.batch_end(reading(4))
    one.save_start(reading(5), 4)
    one.save_success(reading(6), 4)
    one.save_end(reading(7), 4)
    one.train_end(reading(8))
    one.phase_start(reading(9), "load_checkpoint", reading(8.5)[0] * 1000)
    one.phase_end(reading(10), "load_checkpoint", reading(9.5)[0] * 1000)
    (progress,) = heard.events("training_metrics_update")
    assert (progress["num_iterations"], progress["current_iteration"], progress["total_iteration_time_sec"]) == (
        1,
        3,
        1,
    )
    (success,) = heard.events("save_checkpoint_success")
    assert success["current_iteration"] == 4
    starts = [found for call, found in zip(_with_attributes(heard), heard.attributes) if call[1] == "training_loop"]
    assert (starts[0]["train_iterations_start"], starts[0]["train_samples_start"]) == (3, 24)
    assert heard.spans() == [
        *APPLICATION,
        ("start", "training_loop", "application", 2.0),
        ("start", "checkpoint_save_sync", "training_loop", 5.0),
        ("stop", "checkpoint_save_sync", 7.0),
        ("stop", "training_loop", 8.0),
        ("start", "checkpoint_load", "application", 8.5),
        ("stop", "checkpoint_load", 9.5),
    ]
    assert warnings(caplog) == []


def _with_attributes(heard: Heard) -> list[tuple[Any, ...]]:
    return [one for one in heard.told if one[0] in ("start", "event")]


def test_nothing_is_logged_for_a_sound_job(caplog: pytest.LogCaptureFixture) -> None:
    one = forward(configured(Heard()))
    one.app_start(reading(1))
    one.row(reading(2), b"{}")
    one.close(reading(3))
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert warnings(caplog) == []


def test_save_that_has_succeeded_ends_at_once() -> None:
    """A success may still follow an end; one that came before has nothing to wait for."""
    heard = Heard()
    one = forward(configured(heard))
    one.train_start(reading(1), 0, 0)
    one.save_start(reading(2), 1)
    one.save_success(reading(3), 1)
    heard.take()
    one.save_end(reading(4), 1)
    assert heard.spans() == [("stop", "checkpoint_save_sync", 4.0)]
    one.save_start(reading(5), 2)
    heard.take()
    one.save_end(reading(6), 2)
    assert heard.spans() == [], "the next save has not succeeded"
    one.save_success(reading(7), 2)
    assert heard.spans() == [("stop", "checkpoint_save_sync", 6.0)]


def saving() -> tuple[Heard, Job]:
    """Inside of a sync save of step 1, which began at 2 s; nothing of that is in ``told``."""
    heard = Heard()
    one = forward(configured(heard))
    one.train_start(reading(1), 0, 0)
    one.save_start(reading(2), 1)
    heard.take()
    return heard, one


def test_save_that_was_never_ended() -> None:
    """It ends where the next one begins."""
    heard, one = saving()
    one.save_start(reading(4), 2)
    told = heard.spans()
    assert told[0] == ("stop", "checkpoint_save_sync", 4.0)
    assert [call[:3] for call in told[1:]] == [("start", "checkpoint_save_sync", "training_loop")]


def test_success_of_another_save() -> None:
    """It goes on the application's span, as one that comes late; the save that is open has not succeeded."""
    heard, one = saving()
    one.save_success(reading(3), 9)
    assert heard.take() == [("event", "save_checkpoint_success", "application", 3.0)]
    one.save_end(reading(4), 1)
    assert heard.take() == []
    one.save_success(reading(5), 1)
    told = heard.take()
    assert told[0][:3] == ("event", "save_checkpoint_success", "checkpoint_save_sync")
    assert told[-1] == ("stop", "checkpoint_save_sync", 4.0)


def test_save_inside_an_iteration_ends_before_it() -> None:
    """The end of the iteration is the first call that shows that no success follows."""
    heard = Heard()
    one = forward(configured(heard))
    one.train_start(reading(1), 0, 0)
    one.batch_start(reading(2))
    one.save_start(reading(3), 1)
    one.save_end(reading(4), 1)
    heard.take()
    one.batch_end(reading(5))
    assert heard.spans() == [("stop", "checkpoint_save_sync", 4.0)]


def test_save_that_somebody_else_has_ended(caplog: pytest.LogCaptureFixture) -> None:
    heard = Heard()
    recorder = configured(heard)
    one = forward(recorder)
    one.train_start(reading(1), 0, 0)
    one.save_start(reading(2), 1)
    recorder.on_save_checkpoint_end(stamp(3))
    heard.take()
    one.save_end(reading(4), 1)
    one.train_end(reading(5))
    assert heard.spans() == [("stop", "training_loop", 5.0)]
    assert warnings(caplog) == []


def test_iteration_that_the_end_of_the_training_cuts_short(caplog: pytest.LogCaptureFixture) -> None:
    recorder = configured(Heard())
    one = forward(recorder)
    one.train_start(reading(1), 0, 0)
    one.batch_start(reading(2))
    one.phase_start(reading(3), "validation")
    one.phase_end(reading(4), "validation")
    timer = recorder._training_state.multi_iteration_timers[Name.TRAINING_SINGLE_ITERATION]
    assert timer.is_active, "a validation inside of it ends no iteration"
    one.train_end(reading(5))
    assert not timer.is_active
    one.batch_end(reading(6))
    assert recorder._training_state.completed_training_iterations_overall == 1
    assert warnings(caplog) == []


def test_iterations_that_an_exporter_wants_to_hear_of(caplog: pytest.LogCaptureFixture) -> None:
    heard = Heard()
    one = forward(configured(heard, customization=(ExportCustomizationMode.BLACKLIST_SPANS, [Name.MODEL_FORWARD])))
    one.train_start(reading(1), 0, 0)
    heard.take()
    one.batch_start(reading(2))
    one.batch_end(reading(3))
    assert heard.spans() == [
        ("start", "training_single_iteration", "training_loop", 2.0),
        ("stop", "training_single_iteration", 3.0),
    ]
    assert warnings(caplog) == []


def test_a_span_keeps_its_first_event_and_the_last_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A span of a month-long job would keep millions."""
    recorder = configured(Heard())
    one = forward(recorder)
    one.open(reading(1))
    (span,) = recorder.get_active_spans_by_name(StandardSpanName.APPLICATION)
    first = span.events[0]
    number = 0
    while len(span.events) < MOST_EVENTS:
        one.row(reading(2), b"%d" % number)
        number += 1
    one.row(reading(3), b"%d" % number)
    assert (len(span.events), span.events[0]) == (2, first)
    assert span.events[1].attributes.to_json()[ROW_ATTRIBUTE] == str(number)


@pytest.mark.parametrize(
    ("method", "call", "what"),
    [
        ("on_app_start", lambda one: one.app_start(reading(2)), "on_app_start"),
        ("on_app_end", lambda one: one.app_end(reading(2)), "on_app_end"),
        ("on_training_loop_start", lambda one: one.train_start(reading(2), 0, 0), "train_start"),
    ],
)
def test_the_line_names_what_v2_could_not_record(
    method: str, call: Any, what: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = configured(Heard())
    one = forward(recorder)
    if method != "on_app_start":
        one.open(reading(1))

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(TrainingRecorder, method, broken)
    call(one)
    assert warnings(caplog) == [f"v2 could not record {what} (RuntimeError('broken')); v1 rows are not affected"]
    call(one)
    assert len(warnings(caplog)) == 1


def test_a_setting_that_v2_refuses_is_named(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    one = forward(configured(Heard(), training=None))
    one.open(reading(1))

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(TrainingTelemetryProvider, "set_training_telemetry_config", broken)
    one.training(reading(2), {"fields": {**TRAINING, "save_checkpoint_strategy": "sync"}, "callables": []})
    said = "v2 could not record training config (RuntimeError('broken')); v1 rows are not affected"
    assert warnings(caplog) == [said]


def test_after_the_applications_end_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the recorder does not say that it is closed."""
    heard = Heard()
    recorder = configured(heard)
    one = forward(recorder)
    one.open(reading(1))
    one.app_end(reading(2))
    heard.take()
    monkeypatch.setattr(recorder, "_closed", False)
    one.row(reading(3), b"{}")
    one.phase_start(reading(3), "validation")
    one.app_start(reading(4))
    assert heard.take() == []


# -- what is not told ------------------------------------------------------------------------------------------


def test_phase_that_the_application_reports_itself(caplog: pytest.LogCaptureFixture) -> None:
    heard = Heard()
    recorder = configured(heard)
    one = forward(recorder)
    one.app_start(reading(1))
    recorder.on_model_init_start(stamp(2))
    heard.take()
    one.phase_start(reading(3), "model_init")
    one.phase_end(reading(4), "model_init")
    assert (heard.take(), warnings(caplog)) == ([], [])


def test_v2_that_is_switched_off() -> None:
    heard = Heard()
    one = forward(configured(heard))
    one.app_start(reading(1))
    heard.take()
    OneLoggerProvider.instance().force_disable_logging()
    one.phase_start(reading(2), "test")
    one.row(reading(3), b"{}")
    assert heard.take() == []


def test_recorder_that_the_application_closes(caplog: pytest.LogCaptureFixture) -> None:
    heard = Heard()
    recorder = configured(heard)
    recorder.on_app_start(stamp(1))
    one = forward(recorder, owned=False)
    one.row(reading(2), b"{}")
    recorder.on_app_end(stamp(3))
    heard.take()
    one.row(reading(4), b"{}")
    one.phase_start(reading(4), "test")
    one.batch_start(reading(4))
    assert (heard.take(), warnings(caplog)) == ([], [])


def test_application_is_not_opened_when_all_is_over() -> None:
    heard = Heard()
    one = forward(configured(heard), owned=False)
    one.close(reading(1))
    one.app_start(reading(2))
    assert heard.take() == []


# -- threads, and what is left open ----------------------------------------------------------------------------


def test_calls_of_other_threads_go_on_with_the_nesting() -> None:
    """v2 keeps the innermost span per thread."""
    heard = Heard()
    one = forward(configured(heard))
    one.app_start(reading(1))
    in_thread(lambda: one.train_start(reading(2), 0, 0))
    heard.take()
    in_thread(lambda: one.phase_start(reading(3), "validation"))
    assert heard.spans() == [("start", "validation_loop", "training_loop", 3.0)]
    in_thread(lambda: one.app_end(reading(4)))
    assert heard.spans() == [(("stop", name, 4.0)) for name in ("validation_loop", "training_loop", "application")]


@pytest.mark.parametrize("end", ["train_end", "app_end"])
def test_iteration_that_is_open_at_the_end(end: str) -> None:
    heard = Heard()
    one = forward(configured(heard, customization=(ExportCustomizationMode.BLACKLIST_SPANS, [Name.MODEL_FORWARD])))
    one.train_start(reading(1), 0, 0)
    one.batch_start(reading(2))
    heard.take()
    getattr(one, end)(reading(5))
    assert heard.spans()[:2] == [("stop", "training_single_iteration", 5.0), ("stop", "training_loop", 5.0)]


def test_finish_at_the_very_start() -> None:
    """A phase of no length keeps the instant of its end."""
    heard = Heard()
    one = forward(configured(heard))
    given = reading(2)[0] * 1000
    one.phase_start(reading(2), "model_init", given)
    one.phase_end(reading(3), "model_init", given)
    assert heard.spans()[-1] == ("stop", "model_initialization", 2.0)


# -- a long job ------------------------------------------------------------------------------------------------


class Forgets(BaseExporter):
    """Another exporter, which keeps nothing; ``worst``: the most events that a span had while it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.told = self.worst = 0

    @override
    def export_event(self, event: Event, span: Span) -> None:
        super().export_event(event, span)
        self.told += 1
        self.worst = max(self.worst, len(span.events))


def iterations(one: Job, first: int, last: int) -> None:
    """Each with a row, and with v2's own progress on the span of the training loop."""
    for number in range(first, last):
        one.batch_start(reading(10 + number))
        one.row(reading(10.5 + number), b"{}")
        one.batch_end(reading(10.5 + number))


def test_a_span_keeps_a_bounded_number_of_events() -> None:
    """v2 formats all of them each time that a child ends: a job would get slower with each row."""
    exporter = Forgets()
    recorder = configured(exporter, training={**TRAINING, "log_every_n_train_iterations": 1})
    one = forward(recorder)
    one.open(reading(1))
    one.train_start(reading(2), 0, 0)
    iterations(one, 0, 300)
    assert exporter.told >= 599, "a row and a progress for each but the first"
    assert exporter.worst <= MOST_EVENTS + 1
    kept = [len(span.events) for span in _open_spans(recorder)]
    assert len(kept) == 2
    assert max(kept) <= MOST_EVENTS


def _open_spans(recorder: Any) -> list[Span]:
    return [one for name in (StandardSpanName.APPLICATION, *Name) for one in recorder.get_active_spans_by_name(name)]


def test_nothing_grows_with_the_iterations() -> None:
    """Neither what v2 keeps nor what we keep."""
    one = forward(configured(Forgets(), training={**TRAINING, "log_every_n_train_iterations": 1}))
    one.open(reading(1))
    one.train_start(reading(2), 0, 0)
    iterations(one, 0, 400)  # as many events as a span keeps
    gc.collect()
    before = len(gc.get_objects())
    iterations(one, 400, 1000)
    gc.collect()
    assert len(gc.get_objects()) - before < 100


def test_iteration_that_was_never_ended_is_ended_and_counted_when_the_next_begins(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard = Heard()
    one = forward(configured(heard, customization=(ExportCustomizationMode.BLACKLIST_SPANS, [Name.MODEL_FORWARD])))
    one.train_start(reading(1), 0, 0)
    one.batch_start(reading(2))
    one.batch_start(reading(4))
    one.batch_end(reading(5))
    (progress,) = heard.events("training_metrics_update")
    assert (progress["num_iterations"], progress["total_iteration_time_sec"]) == (2, 3.0)
    assert heard.spans()[2:] == [
        ("start", "training_single_iteration", "training_loop", 2.0),
        ("stop", "training_single_iteration", 4.0),
        ("start", "training_single_iteration", "training_loop", 4.0),
        ("stop", "training_single_iteration", 5.0),
    ]
    assert warnings(caplog) == []


def test_end_of_an_iteration_without_its_start(caplog: pytest.LogCaptureFixture) -> None:
    heard = Heard()
    one = forward(configured(heard))
    one.train_start(reading(1), 0, 0)
    heard.take()
    one.batch_end(reading(2))
    assert (heard.take(), warnings(caplog)) == ([], [])


def test_iteration_that_v2_refuses_leaves_no_span(caplog: pytest.LogCaptureFixture) -> None:
    """Throughput while the clock stands still: v2 divides by the time, after it has stopped its timer."""
    training = {**TRAINING, "is_log_throughput_enabled_or_fn": True, "flops_per_sample_or_fn": 7}
    recorder = configured(Heard(), training=training)
    one = forward(recorder)
    one.train_start(reading(1), 0, 0)
    for _ in range(2):
        one.batch_start(reading(2))
        one.batch_end(reading(2))
        assert recorder.get_active_spans_by_name(Name.TRAINING_SINGLE_ITERATION) == []
    (text,) = warnings(caplog)
    assert text.startswith("v2 could not record batch_end (")
    one.batch_start(reading(3))
    one.batch_end(reading(4))
    assert len(warnings(caplog)) == 1, "and it goes on"
