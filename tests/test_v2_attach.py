"""Joining v2's provider: whose it is, which exporter is ours, and an exporter that can not be initialised."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from nv_one_logger.api.one_logger_provider import OneLoggerProvider
from nv_one_logger.recorder.default_recorder import DefaultRecorder
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider
from one_logger_v1_shim._v2.exporter import V1CompatibleWandbExporterAsync, V1Exporter

from one_logger_v1_shim._journal.destination import WandBConfig
from one_logger_v1_shim._v1.config import V1Config
from one_logger_v1_shim._v2 import attach as module
from one_logger_v1_shim._v2 import private
from one_logger_v1_shim._v2.attach import attach, configure, configure_with, configured_exporters, ours, ours_of
from one_logger_v1_shim.config_adapter import convert
from tests.support import CONFIG
from tests.test_v2_exporter import KeptRows
from tests.v2_room import Heard, configured, no_provider, reading, v2_config

__all__ = ["no_provider"]

pytestmark = pytest.mark.usefixtures("no_provider")

HEARD = {"class_name": "tests.v2_room.Heard"}
FAILS = {**HEARD, "config": {"fails": "initialize"}}


@pytest.fixture(autouse=True)
def _nothing_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("one_logger_v1_shim._job.rows._offered", [])


def exporting(monkeypatch: pytest.MonkeyPatch, *exporters: dict[str, Any]) -> None:
    path = Path("exporters.json").resolve()
    path.write_text(json.dumps({"exporters": list(exporters)}))
    monkeypatch.setenv("ONE_LOGGER_EXPORTER_CONFIG_PATH", str(path))


def values(**config: Any) -> Any:
    return convert(V1Config({**CONFIG, **config}))


def exporters() -> list[Any]:
    recorder: Any = OneLoggerProvider.instance().recorder
    return list(recorder._exporters)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.name.startswith("one_logger_v1_shim")]


def test_provider_that_nobody_has_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    exporting(monkeypatch, HEARD)
    run = KeptRows()
    rows, listener = attach(run, values(global_batch_size=lambda: 0), {"global_batch_size": 24}.__getitem__)
    assert rows is run
    other, mine = exporters()
    assert (type(other), mine) == (Heard, run.exporter)
    assert (mine.rows, mine.translates, ours_of(run)) == (run, False, mine)
    assert set(run.opened) == {"job"}
    listener.open(reading(1))
    (told,) = other.events("update_training_telemetry_config")
    assert told["global_batch_size"] == 24
    listener.close(reading(2))
    assert other.spans() == [("start", "application", None, 1.0), ("stop", "application", 2.0)]
    assert run.exit_codes == [], "v2 has closed its exporters; the run goes on"


def test_provider_of_the_application() -> None:
    heard = Heard()
    configured(heard)
    run = KeptRows()
    rows, listener = attach(run, values(), lambda key: None)
    assert rows is run
    assert (run.exporter, run.opened, exporters()) == (None, ["job"], [heard])
    listener.open(reading(1))
    assert heard.take() == [], "the application opens its own"
    config = TrainingTelemetryProvider.instance().config
    assert config.application_name == "app"


def test_run_of_an_exporter_that_the_application_has() -> None:
    """A v1 face joins the exporter's run, and holds it open when v2 ends."""
    run = KeptRows()
    exporter = V1Exporter(v2_config(), WandBConfig(), rows=run)
    configured(exporter)
    rows, listener = attach(run, values(), lambda key: None)
    assert rows is run
    listener.app_start(reading(1))
    listener.app_end(reading(2))
    assert run.exit_codes == []
    assert run.take() == [], "v1's own calls are not translated: their rows are sent by v1's arithmetic"


def test_exporter_of_the_export_configuration_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """v2's configuration may name our exporter: then there is no second one, and its run is the run."""
    made: list[V1Exporter] = []

    class Named:
        """``V1CompatibleExporter`` holds the exporter proper."""

        def __init__(self) -> None:
            self.exporter = V1Exporter(v2_config(), WandBConfig(), rows=KeptRows())
            made.append(self.exporter)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.exporter, name)

    monkeypatch.setattr(module, "configured_exporters", lambda config: [Named()])
    other = KeptRows()
    rows, _ = attach(other, values(), lambda key: None)
    (mine,) = made
    assert (rows is mine.rows, other.opened, len(exporters())) == (True, [], 1)
    rows.exporter.close()
    assert mine.finished is False, "held"


def test_recorder_of_another_kind() -> None:
    OneLoggerProvider.instance().configure(v2_config(), DefaultRecorder(exporters=[]))
    with pytest.raises(RuntimeError, match=r"^the v2 provider has a DefaultRecorder; expected a TrainingRecorder$"):
        attach(KeptRows(), values(), lambda key: None)


def test_whose_exporter() -> None:
    run = KeptRows()
    mine = V1CompatibleWandbExporterAsync(v2_config(), WandBConfig())

    class Holder:
        exporter = mine

    holder: Any = Holder()
    assert ours(mine) is mine
    assert ours(holder) is mine
    assert ours(Heard()) is None
    assert ours_of(run) is None
    run.exporter = "something else"
    assert ours_of(run) is None
    bare: Any = object()
    assert ours_of(bare) is None


def test_exporters_of_v2s_configuration(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    assert configured_exporters(v2_config()) == []
    exporting(monkeypatch, HEARD, HEARD)
    assert [type(one) for one in configured_exporters(v2_config())] == [Heard, Heard]
    assert warnings(caplog) == []

    def broken(*_: Any) -> Any:
        raise RuntimeError("broken")

    monkeypatch.setattr(module.ExporterConfigManager, "create_exporters_from_config", broken)
    assert configured_exporters(v2_config()) == []
    assert warnings(caplog) == ["v2's exporter configuration could not be read: RuntimeError('broken')"]


@pytest.mark.parametrize("by", ["configured_exporters", "configure"])
def test_our_exporter_in_v2s_configuration(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """v2 makes it by its upstream name, and only where it can give it v2's configuration."""
    upstream = "nv_one_logger.training_telemetry.v1_adapter.v1_compatible_wandb_exporter.V1CompatibleExporter"
    exporting(monkeypatch, {"class_name": upstream, "config": {"project": "theirs"}})
    if by == "configure":
        monkeypatch.setattr(V1Exporter, "initialize", lambda self: None)
        mine = configure(v2_config(), lambda: pytest.fail("there is one of ours"))
    else:
        (made,) = configured_exporters(v2_config())
        mine = ours(made)
    assert mine is not None
    assert (mine.wandb_config.project, mine.translates) == ("theirs", True)


def test_exporter_that_can_not_be_initialised_takes_nothing_along(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    exporting(monkeypatch, HEARD, FAILS)
    run = KeptRows()
    attach(run, values(), lambda key: None)
    assert exporters() == [run.exporter]
    (text,) = warnings(caplog)
    assert text.startswith("v2's other exporters are left out, one could not be initialised: RuntimeError(")
    assert caplog.records[-1].levelno >= logging.WARNING


def test_exporter_that_can_not_be_initialised_where_v2_can_not_forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private, "forget_provider", lambda: False)
    with pytest.raises(RuntimeError, match="an exporter that can not be initialised"):
        configure_with(v2_config(), [Heard(fails="initialize")])


def test_configure_makes_ours_only_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = V1Exporter(v2_config(), WandBConfig(), rows=KeptRows())
    assert configure(v2_config(), lambda: mine) is mine
    assert exporters() == [mine]


def test_configure_with_something_that_is_not_ours() -> None:
    heard = Heard()
    assert configure(v2_config(), lambda: heard) is None
    assert exporters() == [heard]
