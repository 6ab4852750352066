"""Joining the process's v2 provider. Runs where v2 does: in the job's process, or in the worker's.

v2 is configured once per process and belongs to whoever comes first. The shim therefore *attaches*: to the provider
that it configures itself, or to one that the application configured.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from nv_one_logger.api.config import OneLoggerConfig
from nv_one_logger.api.one_logger_provider import OneLoggerProvider
from nv_one_logger.exporter.export_config_manager import ExporterConfigManager
from nv_one_logger.exporter.exporter import Exporter
from nv_one_logger.training_telemetry.api.training_recorder import TrainingRecorder
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider

from .._job import capture
from .._job.calls import Read
from .._job.forwarding import JOB
from .._job.rows import Rows
from .._log import warn_once
from ..config_adapter import V2Values
from . import private, silence
from .config import build
from .exporter import V1Exporter
from .forward import Forward


def attach(rows: Rows, values: V2Values, read: Read) -> tuple[Rows, Forward]:
    """v2 in the job's process: the run (an exporter's, if the provider has one of ours), and the listener.

    Args:
        rows: the run that is opened if v2 has none of ours.
        values: v2's configuration, used if nobody has configured the provider yet.
        read: the values of those v1 keys that are callables.

    Raises an exception if v2 can't be used; ``rows`` may be open then.
    """
    silence.install()
    owned = not OneLoggerProvider.instance().one_logger_ready
    exporter = ours_of(rows)
    if owned:
        config = build(values, read)
        exporter = configure(config, lambda: V1Exporter.of(rows, config))
    recorder = OneLoggerProvider.instance().recorder
    if not isinstance(recorder, TrainingRecorder):
        raise RuntimeError(f"the v2 provider has a {type(recorder).__name__}; expected a TrainingRecorder")
    if exporter is not None:
        rows = exporter.rows
        exporter.hold()
    rows.open(v2=JOB)
    return rows, Forward(recorder, exporter, owned)


def ours_of(rows: Rows) -> Optional[V1Exporter]:
    """The exporter that has opened ``rows``, if one has."""
    owner = getattr(rows, "exporter", None)
    return owner if isinstance(owner, V1Exporter) else None


def configured_exporters(config: OneLoggerConfig) -> list[Exporter]:
    """The exporters of v2's own export configuration: file in the working directory, variable, entry points.

    None in a test, which is to write no file and open no connection.
    """
    if capture.active is not None:
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


def configure(config: OneLoggerConfig, make_exporter: Callable[[], Exporter]) -> Optional[V1Exporter]:
    """Configure the provider with the exporters of v2's own export configuration, and ours beside them.

    Returns our exporter: that of the export configuration, or the one that ``make_exporter`` makes.
    """
    exporters = configured_exporters(config)
    if not any(map(ours, exporters)):
        exporters.append(make_exporter())
    configure_with(config, exporters)
    return next(filter(None, map(ours, exporters)), None)


def configure_with(config: OneLoggerConfig, exporters: list[Exporter]) -> None:
    """Configure the provider; where one of the exporters can't be initialised, with ours alone. May raise."""
    try:
        _configure_with(config, exporters)
    except Exception as error:
        # An exporter that can't be initialised leaves a half-built provider behind, under both error strategies.
        if not private.forget_provider():
            raise
        warn_once("v2:configure", f"v2's other exporters are left out, one could not be initialised: {error!r}")
        _configure_with(config, [one for one in exporters if ours(one) is not None])


def _configure_with(config: OneLoggerConfig, exporters: list[Exporter]) -> None:
    provider = TrainingTelemetryProvider.instance().with_base_config(config)
    for exporter in exporters:
        provider = provider.with_exporter(exporter)
    provider.configure_provider()


def ours(exporter: Exporter) -> Optional[V1Exporter]:
    """``exporter``, or what it holds, if it is a v1-compatible one."""
    inner = getattr(exporter, "exporter", exporter)  # V1CompatibleExporter holds the exporter proper
    return inner if isinstance(inner, V1Exporter) else None
