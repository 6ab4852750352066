"""Configuring v2's provider. Runs where v2 does: in the job's process, or in the worker's.

v2 is configured once per process and belongs to whoever comes first.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from nv_one_logger.api.config import OneLoggerConfig
from nv_one_logger.exporter.export_config_manager import ExporterConfigManager
from nv_one_logger.exporter.exporter import Exporter
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider

from .. import _state
from .._log import warn_once
from . import private, silence


def configured_exporters(config: OneLoggerConfig) -> list[Exporter]:
    """The exporters of v2's own export configuration: file in the working directory, variable, entry points.

    None in a test, which is to write no file and open no connection.
    """
    if _state.process.taker is not None:
        return []
    silence.install()
    try:
        manager: Any = ExporterConfigManager()  # type: ignore[no-untyped-call]
        return list(manager.create_exporters_from_config(manager.generate_export_config(), config))
    except Exception as error:
        warn_once("v2:export_config", f"v2's exporter configuration could not be read: {error!r}")
        return []
    finally:
        silence.install()  # its exporters' modules have been loaded now


def configure(config: OneLoggerConfig, make_exporter: Callable[[], Exporter]) -> None:
    """Configure the provider with the exporters of v2's own export configuration, and ours beside them.

    ``make_exporter`` makes ours, if the export configuration names none.
    """
    exporters = configured_exporters(config)
    if not any(map(ours, exporters)):
        exporters.append(make_exporter())
    configure_with(config, exporters)


def configure_with(config: OneLoggerConfig, exporters: list[Exporter]) -> None:
    """Configure the provider; where one of the exporters cannot be initialised, with ours alone. May raise."""
    try:
        _configure_with(config, exporters)
    except Exception as error:
        # An exporter that cannot be initialised leaves a half-built provider behind, under both error strategies.
        if not private.forget_provider():
            raise
        warn_once("v2:configure", f"v2's other exporters are left out, one could not be initialised: {error!r}")
        _configure_with(config, [one for one in exporters if ours(one) is not None])


def _configure_with(config: OneLoggerConfig, exporters: list[Exporter]) -> None:
    provider = TrainingTelemetryProvider.instance().with_base_config(config)
    for exporter in exporters:
        provider = provider.with_exporter(exporter)
    provider.configure_provider()


def ours(exporter: Exporter) -> Optional[Any]:
    """``exporter``, or what it holds, if it is a v1-compatible one: its class says so."""
    inner = getattr(exporter, "exporter", exporter)  # V1CompatibleExporter holds the exporter proper
    return inner if getattr(type(inner), "sends_v1_rows", False) is True else None
