"""Configuring v2's provider. Runs where v2 does: in the job's process, or in the worker's.

v2 is configured once per process. Where the application configures it, before us or after, it is the application's.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from nv_one_logger.api.config import OneLoggerConfig
from nv_one_logger.api.one_logger_provider import OneLoggerProvider
from nv_one_logger.core.exceptions import OneLoggerError
from nv_one_logger.core.span import StandardSpanName
from nv_one_logger.exporter.export_config_manager import ExporterConfigManager
from nv_one_logger.exporter.exporter import Exporter
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider

from .. import _state
from .._log import warn_once
from . import private, silence
from .beside import attach, tell_training, until_configured, when_configured


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

    ``make_exporter`` makes ours, if the export configuration names none. The application may configure v2 later on: it
    then has its own configuration, and our exporter.
    """
    exporters = configured_exporters(config)
    if not any(map(ours, exporters)):
        exporters.append(make_exporter())

    def joined() -> None:
        for exporter in exporters:
            mine = ours(exporter)
            if mine is None:
                continue
            newest = _state.process.offered[-1:]
            if newest and newest[0] is not mine.rows:  # their export configuration names one of ours
                mine.finish()
            else:
                join(config, exporter)

    provider = begin(config)
    if provider is None:
        when_configured(joined)
        return
    configure_with(config, exporters, provider)
    recorder: Any = OneLoggerProvider.instance().recorder

    def leave() -> bool:
        if private.is_closed(recorder) or recorder.get_active_spans_by_name(StandardSpanName.APPLICATION):
            warn_once("adapter:begun", "v2 is configured a second time, after configure_v2_adapter and on_app_start: "
                      "call on_app_start once, after both")  # fmt: skip
            return False
        for exporter in exporters:
            if ours(exporter) is None:  # the application has its own, or none
                exporter.close()
        return True

    until_configured(leave, joined)


def join(config: OneLoggerConfig, exporter: Exporter) -> None:
    """Let our ``exporter`` hear the provider that the application has configured.

    ``config``: what the v1 configuration says; of the training, it stands in where v2 has been told nothing.
    """
    provider = OneLoggerProvider.instance()
    if not provider.one_logger_enabled or private.is_closed(provider.recorder):
        warn_once("adapter:off", "configure_v2_adapter: no v1 rows, because v2 is switched off in this "
                  "process or has been closed")  # fmt: skip
        return
    mine = ours(exporter)
    if mine is not None:
        mine.prefer_config()
    attach(provider.recorder, exporter)
    if provider.config.telemetry_config is None:
        tell_training(exporter, config)


def begin(config: OneLoggerConfig) -> Optional[TrainingTelemetryProvider]:
    """The provider with the base ``config``. None: the application has begun to configure it, and is not through."""
    try:
        provider: TrainingTelemetryProvider = TrainingTelemetryProvider.instance().with_base_config(config)
    except OneLoggerError:
        return None
    return provider


def configure_with(
    config: OneLoggerConfig, exporters: list[Exporter], provider: Optional[TrainingTelemetryProvider] = None
) -> None:
    """Configure the provider; where one of the exporters cannot be initialised, with ours alone. May raise.

    ``provider``: it has its base configuration.
    """
    try:
        _configure_with(provider or TrainingTelemetryProvider.instance().with_base_config(config), exporters)
    except Exception as error:
        # An exporter that cannot be initialised leaves a half-built provider behind, under both error strategies.
        if not private.forget_provider():
            raise
        warn_once("v2:configure", f"v2's other exporters are left out, one could not be initialised: {error!r}")
        provider = TrainingTelemetryProvider.instance().with_base_config(config)
        _configure_with(provider, [one for one in exporters if ours(one) is not None])


def _configure_with(provider: TrainingTelemetryProvider, exporters: list[Exporter]) -> None:
    for exporter in exporters:
        provider = provider.with_exporter(exporter)
    provider.configure_provider()


def ours(exporter: Exporter) -> Optional[Any]:
    """``exporter``, or what it holds, if it is a v1-compatible one: its class says so."""
    inner = getattr(exporter, "exporter", exporter)  # V1CompatibleExporter holds the exporter proper
    return inner if getattr(type(inner), "sends_v1_rows", False) is True else None
