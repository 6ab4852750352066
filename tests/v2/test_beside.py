"""An application that configures v2 itself, as NeMo's callback does, and ``configure_v2_adapter``: in either order."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import pytest
from nv_one_logger.api.config import OneLoggerConfig, OneLoggerErrorHandlingStrategy
from nv_one_logger.api.one_logger_provider import OneLoggerProvider
from nv_one_logger.core.attributes import Attributes
from nv_one_logger.core.event import Event
from nv_one_logger.core.exceptions import OneLoggerError
from nv_one_logger.recorder.default_recorder import DefaultRecorder
from nv_one_logger.training_telemetry.api import callbacks as v2
from nv_one_logger.training_telemetry.api.config import TrainingTelemetryConfig
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider
from strenum import StrEnum

from one_logger_v1_shim import V1CompatibleExporter, _log, configure_v2_adapter
from one_logger_v1_shim._v2 import attach as attaching
from one_logger_v1_shim._v2 import private
from one_logger_v1_shim._v2.beside import attach
from one_logger_v1_shim.testing import capture
from one_logger_v1_shim.utils import OneLoggerUtils
from tests.api.test_exporter import TRAINING
from tests.support import CONFIG, journalled_rows, journalled_runs
from tests.v2.room import Heard, configured, no_provider, train_to_the_end, v2_config
from tests.v2.test_attach import HEARD, exporting, warnings
from tests.v2.test_exporter import KeptRows, exporter_of

__all__ = ["no_provider"]

V1 = {**CONFIG, "one_logger_project": "chosen", "metadata": {"model": "gpt"}}
ORDERS = pytest.mark.parametrize("order", ["before", "after", "after on_app_start"])
OURS = "nv_one_logger.training_telemetry.v1_adapter.v1_compatible_wandb_exporter.V1CompatibleExporter"
# NeMo's are plain texts, which v2 itself refuses before Python 3.12
NEMO: Any = str
if sys.version_info < (3, 12):
    NEMO = StrEnum("NEMO", {one: f"nemo_speech.{one}" for one in ("model_initialization", "training")})


class Callback:
    """Configures v2 as NeMo's callbacks do: once, in a chain, and with the provider object that it got first."""

    def __init__(self, start: bool = True, **config: Any) -> None:
        base = v2_config(None, **config)
        self.provider = TrainingTelemetryProvider.instance()
        self.provider.with_base_config(base).with_export_config().configure_provider()
        if start:
            v2.on_app_start()

    def train(self) -> None:
        if self.provider.config.telemetry_config is None:
            self.provider.set_training_telemetry_config(TrainingTelemetryConfig(**TRAINING))
        train_to_the_end()


def names_of(rows: list[dict[str, Any]]) -> set[str]:
    return {name for row in rows for name in row}


@ORDERS
def test_both(order: str, fresh: Path, caplog: pytest.LogCaptureFixture) -> None:
    if order == "before":
        configure_v2_adapter(V1)
    callback = Callback(start=order == "after on_app_start")
    if order != "before":
        configure_v2_adapter(V1)
    if order != "after on_app_start":
        v2.on_app_start()
    assert OneLoggerProvider.instance().config.application_name == "app", "v2 has the application's configuration"
    callback.train()
    rows = journalled_rows(fresh)
    assert {
        "app_start_time",
        "app_train_loop_start_time",
        "train_iterations_time_total",
        "app_finish_time",
    } <= names_of(rows)
    assert [row["train_iterations_end"] for row in rows if "train_iterations" in row] == [2, 4]
    assert sum("app_start_time" in row for row in rows) == 1
    assert [row["model"] for row in rows if "model" in row] == ["gpt"]
    assert [row["app_tag_run_name"] for row in rows if "app_tag_run_name" in row] == [V1["app_tag_run_name"]]
    (run,) = journalled_runs(fresh)
    assert run.spec.arguments(run.settled)["project"] == "chosen"
    assert warnings(caplog) == []
    (journal,) = fresh.rglob("rows-*.jsonl")
    assert journal.read_bytes().splitlines()[-1] == b"#finish 0"


@pytest.mark.parametrize("order", ["before", "after"])
def test_nemo_speech(order: str, fresh: Path) -> None:
    """v2 gets no training configuration there: what is known of the training comes from the v1 dictionary."""
    if order == "before":
        configure_v2_adapter(V1)
    Callback(error_handling_strategy=OneLoggerErrorHandlingStrategy.DISABLE_QUIETLY_AND_REPORT_METRIC_ERROR)
    if order == "after":
        configure_v2_adapter(V1)
    recorder = OneLoggerProvider.instance().recorder
    for name in ("model_initialization", "training"):
        span = recorder.start(NEMO(f"nemo_speech.{name}"), span_attributes=None)
        recorder.event(span, Event.create("nemo_speech.throughput", Attributes({"global_step": 3})))
        recorder.stop(span)
    v2.on_app_end()
    merged = {key: value for row in journalled_rows(fresh) for key, value in row.items()}
    assert {"app_model_init_finish_time", "app_train_loop_finish_time", "app_finish_time"} <= set(merged)
    assert merged["train_iterations_end"] == 3
    assert merged["global_batch_size"] == V1["global_batch_size"]


@pytest.mark.usefixtures("no_provider")
class TestAttached:
    """The recorder of an application, to which an exporter is attached."""

    def test_what_is_open_is_told_in_its_order(self) -> None:
        recorder: Any = configured(training=TRAINING)
        v2.on_app_start()
        v2.on_model_init_start()
        v2.on_model_init_end()  # is over: nobody can tell
        v2.on_train_start(train_iterations_start=2, train_samples_start=16)
        heard = Heard()
        attach(recorder, heard)
        assert [one[:2] for one in heard.take()] == [
            ("start", "application"),
            ("event", "one_logger_initialization"),
            ("event", "update_training_telemetry_config"),
            ("start", "training_loop"),
        ]
        v2.on_train_end()
        v2.on_app_end()
        assert [one[:2] for one in heard.spans()] == [("stop", "training_loop"), ("stop", "application")]
        assert heard.closings == 1

    def test_what_raises_stays_here(self, caplog: pytest.LogCaptureFixture) -> None:
        recorder: Any = configured()
        mine = exporter_of(KeptRows())
        attach(recorder, mine)
        mine.close()  # from now on it refuses all
        v2.on_app_start()
        v2.on_app_end()
        (text,) = warnings(caplog)
        assert text.startswith("v1 rows of this v2 program are incomplete, one could not be made: ExportError(")

    def test_v2_that_switches_itself_off(self) -> None:
        recorder: Any = configured()
        heard = Heard()
        attach(recorder, heard)
        span = (
            recorder.start("mine") if sys.version_info >= (3, 12) else recorder.on_app_start(v2.TracingTimestamp.now())
        )
        OneLoggerProvider.instance().force_disable_logging()
        heard.take()
        assert recorder.event(span, Event.create("x")) is None
        recorder.stop(span)
        assert heard.take() == []

    def test_any_recorder_will_do(self) -> None:
        recorder: Any = DefaultRecorder(exporters=[])
        OneLoggerProvider.instance().configure(v2_config(), recorder)
        heard = Heard()
        attach(recorder, heard)
        span = recorder.start("mine")
        recorder.event(span, Event.create("x"))
        recorder.stop(span)
        assert [one[:2] for one in heard.told] == [("start", "mine"), ("event", "x"), ("stop", "mine")]

    def test_v2s_own_lines_stay(self, caplog: pytest.LogCaptureFixture) -> None:
        """Our wrappers stand between the application and v2: they must not hide what v2 says of its calls."""
        _log.forget()  # each line is said once in a process
        for name in [one for one in logging.Logger.manager.loggerDict if one.startswith("nv_one_logger")]:
            caplog.set_level(logging.DEBUG, logger=name)  # v2 raises it when an application's trouble disables it
        recorder: Any = configured()
        attach(recorder, Heard())
        attaching.silence.install()
        span = recorder.on_app_start(v2.TracingTimestamp.now())
        recorder.stop(span)
        with pytest.raises(OneLoggerError):
            recorder.stop(span)
        assert [one for one in caplog.records if one.name.startswith("nv_one_logger")]


@pytest.mark.parametrize("why", ["off", "ended"])
def test_nothing_to_hear(why: str, fresh: Path, caplog: pytest.LogCaptureFixture) -> None:
    Callback(enable_for_current_rank=why == "ended", start=why == "ended")
    if why == "ended":
        v2.on_app_end()
    caplog.clear()
    configure_v2_adapter(V1)
    assert [text.partition(",")[0] for text in warnings(caplog)] == ["configure_v2_adapter: no v1 rows"]
    assert journalled_runs(fresh) == []


@pytest.mark.usefixtures("no_provider")
class TestConfiguredLater:
    """Ours came first."""

    def test_disabled_rank_does_not_stand_in_the_way(self) -> None:
        configure_v2_adapter({"enable_for_current_rank": False})
        assert not OneLoggerProvider.instance().one_logger_enabled
        heard = Heard()
        provider = TrainingTelemetryProvider.instance()
        provider.with_base_config(v2_config())
        provider.with_exporter(heard)  # not in a chain
        provider.configure_provider()
        v2.on_app_start()
        assert heard.take()
        assert provider.recorder is OneLoggerProvider.instance().recorder
        with pytest.raises(OneLoggerError, match="can be called only before"):
            provider.with_base_config(v2_config())

    def test_disabled_rank_leaves_the_applications_v2_alone(self, caplog: pytest.LogCaptureFixture) -> None:
        recorder = configured(Heard())
        configure_v2_adapter({"enable_for_current_rank": False})
        assert OneLoggerProvider.instance().recorder is recorder
        assert caplog.records == []

    @pytest.mark.parametrize("can", [True, False])
    def test_after_on_app_start_v2_refuses_as_without_us(
        self, can: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        attaching.configure(v2_config(), lambda: exporter_of(KeptRows()))
        if can:
            v2.on_app_start()
        else:
            monkeypatch.setattr(private, "forget_provider", lambda: False)
        with pytest.raises(OneLoggerError, match="with_base_config can be called only before"):
            TrainingTelemetryProvider.instance().with_base_config(v2_config())
        assert [text.partition(":")[0] for text in warnings(caplog)] == [
            "v2 is configured a second time, after configure_v2_adapter and on_app_start"
        ] * can

    def test_exporters_of_the_export_configuration_are_made_once_more(self, monkeypatch: pytest.MonkeyPatch) -> None:
        exporting(monkeypatch, HEARD)
        mine = exporter_of(KeptRows())
        attaching.configure(v2_config(), lambda: mine)
        Callback()
        first, second = Heard.made
        assert (first.closings, second.closings) == (1, 0)
        assert second.take()
        assert mine.ready

    def test_ours_in_the_applications_export_configuration(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Rows once: in the run of the exporter that the application has."""
        first = KeptRows()
        attaching.configure(v2_config(), lambda: exporter_of(first))
        second = KeptRows()
        exporter = exporter_of(second)
        monkeypatch.setattr(V1CompatibleExporter, "exporter", property(lambda self: exporter))
        monkeypatch.setattr(V1CompatibleExporter, "initialize", lambda self: exporter.initialize())
        exporting(monkeypatch, {"class_name": OURS})
        Callback()
        assert first.exit_codes == [0]
        assert first.take() == []


@ORDERS
def test_v1_classes_beside_an_application_that_configures_v2(
    order: str, fresh: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """v1's calls are played to the provider that the application has."""
    callback = Callback(start=order == "after on_app_start") if order != "before" else None
    utils = OneLoggerUtils(CONFIG)
    if callback is None:
        callback = Callback(start=False)
    heard = Heard()
    attach(OneLoggerProvider.instance().recorder, heard)
    if order != "after on_app_start":
        v2.on_app_start()
    utils.on_model_init_start()
    utils.on_model_init_end()
    v2.on_app_end()
    utils.finish()
    assert ("start", "model_initialization") in [one[:2] for one in heard.spans()]
    assert warnings(caplog) == []


@pytest.mark.parametrize("who", ["OneLoggerUtils", "exporter"])
def test_rows_are_sent_once(who: str, fresh: Path, caplog: pytest.LogCaptureFixture) -> None:
    if who == "OneLoggerUtils":
        utils = OneLoggerUtils(CONFIG)
        utils.on_app_start()
    else:
        configure_v2_adapter(V1)
    configure_v2_adapter(V1)
    (text,) = warnings(caplog)
    assert text.endswith(" sends v1's rows in this process already, and is left alone")
    assert len(journalled_runs(fresh)) == 1
    if who == "OneLoggerUtils":
        utils.finish()
    assert caplog.records[-1].levelno == logging.WARNING


def test_configuration_of_the_application_is_not_kept(fresh: Path) -> None:
    configure_v2_adapter(V1)
    config = OneLoggerConfig(application_name="mine", session_tag_or_fn="s", world_size_or_fn=1)
    TrainingTelemetryProvider.instance().with_base_config(config).configure_provider()
    v2.on_app_start()
    v2.on_app_end()
    (run,) = journalled_runs(fresh)
    assert run.spec.arguments(run.settled)["project"] == "chosen"
    assert {"app_start_time", "app_finish_time", "global_batch_size"} <= names_of(journalled_rows(fresh))


@pytest.mark.parametrize("who", ["adapter", "disabled rank", "OneLoggerUtils"])
def test_application_that_is_not_through_with_it(who: str, fresh: Path, caplog: pytest.LogCaptureFixture) -> None:
    heard = Heard()
    provider = TrainingTelemetryProvider.instance().with_base_config(v2_config()).with_exporter(heard)
    if who == "adapter":
        configure_v2_adapter(V1)
    elif who == "disabled rank":
        configure_v2_adapter({"enable_for_current_rank": False})
    else:
        utils = OneLoggerUtils(CONFIG)
    provider.configure_provider()
    v2.on_app_start()
    if who == "OneLoggerUtils":
        utils.on_model_init_start()
    v2.on_app_end()
    assert ("start", "application") in (told := [one[:2] for one in heard.spans()])
    if who == "OneLoggerUtils":
        utils.finish()
        assert ("start", "model_initialization") in told
    elif who == "adapter":
        assert {"app_start_time", "app_finish_time"} <= names_of(journalled_rows(fresh))
    assert warnings(caplog) == []


@pytest.mark.usefixtures("no_provider")
@pytest.mark.parametrize("order", ["before", "after"])
def test_captured_by_a_test(order: str) -> None:
    with capture() as captured:
        if order == "before":
            configure_v2_adapter(V1)
        Callback()
        if order == "after":
            configure_v2_adapter(V1)
        v2.on_app_end()
    assert [span.name for span in captured.spans] == ["application"]
    assert {"app_start_time", "app_finish_time"} <= names_of(captured.rows)
