"""Joining the process's v2 provider.

v2 is configured once per process and belongs to whoever comes first. A v1 face therefore *attaches*: to the provider
that it configures itself, to that of an earlier v1 face, or to one that the application configured.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import Any, Callable, Optional

from nv_one_logger.api.config import OneLoggerConfig
from nv_one_logger.api.one_logger_provider import OneLoggerProvider
from nv_one_logger.core.internal.singleton import SingletonMeta
from nv_one_logger.exporter.export_config_manager import ExporterConfigManager
from nv_one_logger.exporter.exporter import Exporter
from nv_one_logger.recorder.default_recorder import _ExporterState
from nv_one_logger.training_telemetry.api.training_recorder import TrainingRecorder
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider

from .._log import logger, warn_once
from .connection import Connection
from .exporter import V1Exporter

_lock = threading.RLock()
_current: Optional[Connection] = None
_hooked = False


def current() -> Optional[Connection]:
    """The process's connection, if a v1 face has made one and it is not finished."""
    return _current if _current is not None and not _current.finished else None


def attach(
    config: OneLoggerConfig,
    make_exporter: Callable[[], V1Exporter],
    now: float,
    app_start_ms: Any = None,
    described: str = "",
) -> Connection:
    """The process's connection, made on first use.

    Args:
        config: v2's configuration, used if nobody has configured the provider yet.
        make_exporter: makes our exporter, if the provider has none of ours yet.
        now: ``time.time()``.
        app_start_ms: when the application started (ms since the epoch), if the v1 configuration says so.
        described: project and run name, for the warning that a second face joins another's run.
    """
    global _current
    with _lock:
        _hook()
        connection = current()
        if connection is None:
            connection = _current = _connect(config, make_exporter, described)
        elif described and described != connection.described:
            warn_once(
                f"second:{described}",
                f"this process has a OneLogger run already ({connection.described}); {described} joins it",
            )
        connection.join()
        connection.open(now, app_start_ms)
        connection.training(config.telemetry_config)  # type: ignore[arg-type]
        return connection


def _connect(config: OneLoggerConfig, make_exporter: Callable[[], V1Exporter], described: str) -> Connection:
    owned = not OneLoggerProvider.instance().one_logger_ready
    if owned:
        configure(config, make_exporter)
    recorder = OneLoggerProvider.instance().recorder
    if not isinstance(recorder, TrainingRecorder):
        raise RuntimeError(f"the v2 provider has a {type(recorder).__name__}; expected a TrainingRecorder")
    exporter = next(filter(None, map(_ours, recorder._exporters)), None)
    if exporter is None or exporter.finished:
        exporter = make_exporter()
        exporter.initialize()
        if not recorder._closed:
            # v2 has no call for this; both attributes are what its constructor fills
            recorder._exporters.append(exporter)
            recorder._exporter_state[exporter] = _ExporterState()
            exporter.attached = True
    exporter.hold()
    return Connection(recorder, exporter, owned, described)


def configure(config: OneLoggerConfig, make_exporter: Callable[[], V1Exporter]) -> None:
    """Configure the provider with the exporters of v2's own export configuration, and ours beside them."""
    exporters: list[Exporter] = []
    try:
        manager: Any = ExporterConfigManager()  # type: ignore[no-untyped-call]
        exporters = manager.create_exporters_from_config(manager.generate_export_config(), config)
    except Exception as error:
        warn_once("v2:export_config", f"v2's exporter configuration could not be read: {error!r}")
    if not any(map(_ours, exporters)):
        exporters.append(make_exporter())
    try:
        _configure_with(config, exporters)
    except Exception as error:
        # An exporter that can't be initialised leaves a half-built provider behind, under both error strategies.
        ours = [one for one in exporters if _ours(one) is not None]
        warn_once("v2:configure", f"v2's other exporters are left out, one could not be initialised: {error!r}")
        SingletonMeta._instances.pop(TrainingTelemetryProvider, None)
        SingletonMeta._instances.pop(OneLoggerProvider, None)
        _configure_with(config, ours)


def _configure_with(config: OneLoggerConfig, exporters: list[Exporter]) -> None:
    provider = TrainingTelemetryProvider.instance().with_base_config(config)
    for exporter in exporters:
        provider = provider.with_exporter(exporter)
    provider.configure_provider()


def _ours(exporter: Exporter) -> Optional[V1Exporter]:
    inner = getattr(exporter, "exporter", exporter)  # V1CompatibleExporter holds the exporter proper
    return inner if isinstance(inner, V1Exporter) else None


def _hook() -> None:
    global _hooked
    if not _hooked:
        _hooked = True
        atexit.register(_at_exit)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_in_child)


def _at_exit() -> None:
    if _current is not None:
        try:
            # last_type is set by the interpreter when an exception ends the program
            _current.finish(1 if getattr(sys, "last_type", None) else 0)
        except Exception as error:
            logger.warning("the run could not be finished at exit: %r", error)


def _in_child() -> None:
    if _current is not None:
        _current.abandon()
