"""v2's private names, and what is done where v2 has renamed them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from nv_one_logger.api.one_logger_provider import OneLoggerProvider
from nv_one_logger.core.span import StandardSpanName
from nv_one_logger.recorder.default_recorder import ExportCustomizationMode
from nv_one_logger.training_telemetry.api.config import TrainingTelemetryConfig
from nv_one_logger.training_telemetry.api.spans import StandardTrainingJobSpanName as Name
from nv_one_logger.training_telemetry.api.training_recorder import TrainingRecorder
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider

from one_logger_v1_shim._v2 import private
from tests.v2_room import TRAINING, Heard, configured, in_thread, no_provider, stamp

__all__ = ["no_provider"]

pytestmark = pytest.mark.usefixtures("no_provider")

BARE = SimpleNamespace()  # a recorder with none of the names


def test_closed() -> None:
    recorder = configured()
    assert private.is_closed(recorder) is False
    recorder.close()
    assert private.is_closed(recorder) is True
    assert private.is_closed(BARE) is False
    assert private.is_closed(SimpleNamespace(_closed=None)) is False


def test_exporters() -> None:
    heard = Heard()
    assert private.exporters(configured(heard)) == [heard]
    assert private.exporters(BARE) is None
    assert private.exporters(SimpleNamespace(_exporters=(heard,))) is None


def test_training_config() -> None:
    recorder = configured()
    expected = TrainingTelemetryProvider.instance().config.telemetry_config
    assert private.training_config(recorder).global_batch_size == 8
    assert private.training_config(BARE) == expected


def test_thread_continues_the_nesting_of_the_process() -> None:
    heard = Heard()
    recorder = configured(heard)
    recorder.start(Name.TRAINING_LOOP, start_time=stamp(0))
    inner = recorder.start(Name.VALIDATION_LOOP, start_time=stamp(1))

    def work() -> None:
        private.adopt_thread(recorder)
        recorder.start(Name.TESTING_LOOP, start_time=stamp(2))

    in_thread(work)
    assert heard.take()[-1] == ("start", "testing_loop", "validation_loop", 2.0)
    private.adopt_thread(recorder)  # this thread's own span is open: it stays where it is
    recorder.start(Name.MODEL_INIT, start_time=stamp(3))
    assert heard.take()[-1] == ("start", "model_initialization", "validation_loop", 3.0)
    assert inner.active


def test_thread_whose_span_was_ended_elsewhere() -> None:
    heard = Heard()
    recorder = configured(heard)
    recorder.start(Name.TRAINING_LOOP, start_time=stamp(0))
    inner = recorder.start(Name.VALIDATION_LOOP, start_time=stamp(1))
    in_thread(lambda: recorder.stop(inner))
    private.adopt_thread(recorder)
    recorder.start(Name.TESTING_LOOP, start_time=stamp(3))
    assert heard.take()[-1] == ("start", "testing_loop", "training_loop", 3.0)


def test_thread_of_a_process_without_spans() -> None:
    heard = Heard()
    recorder = configured(heard)
    span = recorder.start(Name.MODEL_INIT, start_time=stamp(0))
    in_thread(lambda: recorder.stop(span))
    private.adopt_thread(recorder)
    recorder.start(Name.TESTING_LOOP, start_time=stamp(1))
    assert heard.take()[-1] == ("start", "testing_loop", None, 1.0)


@pytest.mark.parametrize("missing", ["_latest_active_span", "_spans"])
def test_thread_where_v2_has_renamed(missing: str) -> None:
    recorder = configured()
    kept = {name: vars(recorder)[name] for name in ("_latest_active_span", "_spans") if name != missing}
    recorder.start(Name.MODEL_INIT, start_time=stamp(0))
    before = recorder._latest_active_span.get()
    private.adopt_thread(SimpleNamespace(**kept))
    assert recorder._latest_active_span.get() is before
    private.adopt_thread(SimpleNamespace(_latest_active_span="no ContextVar", _spans={}))


def test_active_span_inside_of_a_block() -> None:
    recorder = configured()
    span = recorder.start(Name.MODEL_INIT, start_time=stamp(0))
    with private.active_span(recorder, span) as possible:
        assert possible is True
        assert recorder._get_active_span(Name.CHECKPOINT_SAVE_SYNC) is span
    assert "_get_active_span" not in vars(recorder)
    with pytest.raises(KeyError), private.active_span(recorder, span):
        raise KeyError("inside")
    assert "_get_active_span" not in vars(recorder)
    with private.active_span(BARE, span) as possible:
        assert possible is False
    assert vars(BARE) == {}


def test_training_configuration_without_an_application() -> None:
    configured(training=None)
    config = TrainingTelemetryConfig(**TRAINING)
    private.set_training_config(config)
    assert TrainingTelemetryProvider.instance().config.telemetry_config == config


def test_training_configuration_where_v2_has_renamed(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = TrainingTelemetryProvider.instance()
    recorder = configured(training=None)
    config = TrainingTelemetryConfig(**TRAINING)
    recorder.on_app_start(stamp(0))
    monkeypatch.delattr(TrainingTelemetryProvider, "_mutable_config", raising=False)
    told: list[Any] = []
    monkeypatch.setattr(provider, "set_training_telemetry_config", told.append, raising=False)
    private.set_training_config(config)
    assert told == [config]

    def refuse(config: Any) -> None:
        raise RuntimeError("not now")

    monkeypatch.setattr(provider, "set_training_telemetry_config", refuse, raising=False)
    private.set_training_config(config)


def test_provider_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    configured()
    before = TrainingTelemetryProvider.instance(), OneLoggerProvider.instance()
    assert private.forget_provider() is True
    assert TrainingTelemetryProvider.instance() is not before[0]
    assert OneLoggerProvider.instance() is not before[1]
    assert private.forget_provider() is True
    assert private.forget_provider() is True, "nothing to forget is no trouble"


def test_provider_that_can_not_be_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    import nv_one_logger.core.internal.singleton as module

    class Renamed:
        pass

    with monkeypatch.context() as patch:
        patch.setattr(module, "SingletonMeta", Renamed)
        assert private.forget_provider() is False
    with monkeypatch.context() as patch:
        patch.delattr(module, "SingletonMeta")
        assert private.forget_provider() is False


def test_counts_are_those_that_the_shim_knows() -> None:
    recorder = configured()
    assert private.Counts.known(recorder) is True
    names = ("_training_state", "_maybe_send_training_metrics_update", "_config")
    whole = {name: getattr(recorder, name) for name in names}
    assert private.Counts.known(SimpleNamespace(**whole)) is True
    for name in names:
        assert private.Counts.known(SimpleNamespace(**{k: v for k, v in whole.items() if k != name})) is False, name
    assert private.Counts.known(SimpleNamespace(**{**whole, "_training_state": object()})) is False


@pytest.mark.parametrize(
    "field",
    [
        "multi_iteration_timers",
        "completed_training_iterations_overall",
        "train_samples_processed_current_job",
        "train_tokens_current_job",
        "first_logged_train_iterations_finish_time",
        "last_logged_train_iterations_finish_time",
        "completed_floating_point_operations_overall",
        "total_flops_current_job",
        "tflops_per_gpu",
    ],
)
def test_count_that_v2_has_renamed(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = configured()
    fields = private.fields
    monkeypatch.setattr(private, "fields", lambda state: [one for one in fields(state) if one.name != field])
    assert private.Counts.known(recorder) is False


def test_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = configured()
    counts = private.Counts(recorder)
    assert counts.state is recorder._training_state
    assert counts.world_size == 2
    sent: list[bool] = []
    monkeypatch.setattr(recorder, "_maybe_send_training_metrics_update", lambda: sent.append(True))
    counts.send_progress()
    assert sent == [True]


def test_export_filter() -> None:
    mode = ExportCustomizationMode.WHITELIST_SPANS
    recorder = configured(Heard(), customization=(mode, [Name.TRAINING_LOOP]))
    assert private.export_filter(recorder) == (mode, [Name.TRAINING_LOOP])
    assert private.export_filter(SimpleNamespace(_export_customization_mode=mode, _span_name_filter=None)) == (mode, [])
    assert private.export_filter(SimpleNamespace(_export_customization_mode=mode)) is None
    assert private.export_filter(SimpleNamespace(_span_name_filter=[])) is None


def test_modules_whose_globals_v2_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    from nv_one_logger.core import span, time

    assert private.module_clock() is time
    assert private.module_ids() is span
    monkeypatch.delattr(time, "time")
    monkeypatch.delattr(span, "uuid")
    assert private.module_clock() is None
    assert private.module_ids() is None


def test_recorder_is_v2s_own() -> None:
    """The stand-ins above are for a v2 that has renamed; this v2 has all the names."""
    recorder = configured()
    assert type(recorder) is TrainingRecorder
    span = recorder.on_app_start(stamp(0))
    assert span.name == StandardSpanName.APPLICATION
    for name in private.NAMES:
        if name.startswith("_") and name not in ("_mutable_config", "_instances"):
            assert hasattr(recorder, name), name
