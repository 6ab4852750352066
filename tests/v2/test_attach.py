"""Configuring v2's provider: with which exporters, which of them is ours, and one that cannot be initialised."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from nv_one_logger.api.one_logger_provider import OneLoggerProvider

from one_logger_v1_shim._journal.destination import WandBConfig
from one_logger_v1_shim._v2 import attach as module
from one_logger_v1_shim._v2 import private
from one_logger_v1_shim._v2.attach import configure, configure_with, configured_exporters, ours
from one_logger_v1_shim.testing import capture
from one_logger_v1_shim.v1_compatible_wandb_exporter import (
    V1CompatibleExporter,
    V1CompatibleWandbExporterAdapter,
    V1CompatibleWandbExporterAsync,
)
from tests.v2.room import Heard, no_provider, v2_config
from tests.v2.test_exporter import KeptRows, exporter_of

__all__ = ["no_provider"]

pytestmark = pytest.mark.usefixtures("no_provider")

HEARD = {"class_name": "tests.v2.room.Heard"}
FAILS = {**HEARD, "config": {"fails": "initialize"}}


def exporting(monkeypatch: pytest.MonkeyPatch, *exporters: dict[str, Any]) -> None:
    path = Path("exporters.json").resolve()
    path.write_text(json.dumps({"exporters": list(exporters)}))
    monkeypatch.setenv("ONE_LOGGER_EXPORTER_CONFIG_PATH", str(path))


def exporters() -> list[Any]:
    recorder: Any = OneLoggerProvider.instance().recorder
    return list(recorder._exporters)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.name.startswith("one_logger_v1_shim")]


def test_whose_exporter() -> None:
    """The class says it: nothing of the job's own is imported to ask."""
    mine = V1CompatibleWandbExporterAsync(v2_config(), WandBConfig())
    holder = V1CompatibleExporter(v2_config())
    assert ours(mine) is mine
    assert ours(holder) is holder.exporter
    assert ours(Heard()) is None

    class Talks(Heard):
        sends_v1_rows: Any = "not True"

    assert ours(Talks()) is None


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
        monkeypatch.setattr(V1CompatibleWandbExporterAdapter, "initialize", lambda self: None)
        configure(v2_config(), lambda: pytest.fail("there is one of ours"))
        (made,) = exporters()
    else:
        (made,) = configured_exporters(v2_config())
    mine = ours(made)
    assert mine is not None
    assert mine.wandb_config.project == "theirs"


def test_exporter_that_cannot_be_initialised_takes_nothing_along(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    exporting(monkeypatch, HEARD, FAILS)
    mine = exporter_of(KeptRows())
    configure(v2_config(), lambda: mine)
    assert exporters() == [mine]
    (text,) = warnings(caplog)
    assert text.startswith("v2's other exporters are left out, one could not be initialised: RuntimeError(")
    assert caplog.records[-1].levelno >= logging.WARNING


def test_exporter_that_cannot_be_initialised_where_v2_cannot_forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private, "forget_provider", lambda: False)
    with pytest.raises(RuntimeError, match="an exporter that cannot be initialised"):
        configure_with(v2_config(), [Heard(fails="initialize")])


def test_configure_makes_ours_only_where_it_is_missing() -> None:
    run = KeptRows()
    mine = exporter_of(run)
    configure(v2_config(), lambda: mine)
    assert exporters() == [mine]
    assert run.opened == ["job"]


def test_configure_with_something_that_is_not_ours() -> None:
    heard = Heard()
    configure(v2_config(), lambda: heard)
    assert exporters() == [heard]


def test_a_test_has_none_of_the_configured_exporters(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is to write no file and open no connection."""
    exporting(monkeypatch, HEARD)
    with capture():
        assert configured_exporters(v2_config()) == []
