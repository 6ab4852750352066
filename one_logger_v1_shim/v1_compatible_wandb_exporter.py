"""The v1-compatible exporters, under the names that v2's adapter documented."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Optional, Union

from nv_one_logger.api.config import OneLoggerConfig
from nv_one_logger.core.event import ErrorEvent, Event, TelemetryDataError
from nv_one_logger.core.span import Span
from nv_one_logger.exporter.exporter import Exporter
from overrides import override

from ._journal.destination import FIELDS, WandBConfig
from ._v1.config import bad_value
from ._v2.exporter import (
    V1CompatibleWandbExporterAdapter,
    V1CompatibleWandbExporterAsync,
    V1CompatibleWandbExporterSync,
)

__all__ = [
    "V1CompatibleExporter",
    "V1CompatibleWandbExporterAdapter",
    "V1CompatibleWandbExporterAsync",
    "V1CompatibleWandbExporterSync",
    "WandBConfig",
]


class V1CompatibleExporter(Exporter):
    """Makes the exporter, sync or async, with v1's settings; can itself be given to v2 as an exporter.

    v2's export configuration builds this class by its dotted name as ``(one_logger_config=, config=dict)``.

    Args:
        one_logger_config: v2's configuration.
        async_mode: sync (``False``) or async (``True``, the default) delivery.
        config: chosen values of :class:`WandBConfig`'s fields, and ``async_mode``.

    Raises:
        ValueError: ``config`` has an unknown key or a bad value.
    """

    def __init__(
        self,
        one_logger_config: OneLoggerConfig,
        async_mode: Optional[bool] = None,
        config: Optional[Mapping[str, Any]] = None,
    ) -> None:
        chosen = dict(config or {})
        for key, value in chosen.items():
            if key not in (*FIELDS, "async_mode"):
                raise ValueError(
                    f"V1CompatibleExporter: unknown key {key!r} in config; expected some of {[*FIELDS, 'async_mode']}"
                )
            expected: Any = list if key == "tags" else bool if key == "async_mode" else str
            if value is not None and not isinstance(value, expected):
                raise bad_value(key, value, f"a {expected.__name__}")
        mode = chosen.pop("async_mode", None)
        if async_mode is None:
            async_mode = True if mode is None else mode
        chosen = {key: value for key, value in chosen.items() if value is not None}
        application = one_logger_config.application_name
        documented = {"project": application, "run_name": f"{application}-run-{uuid.uuid4()}"}
        self._one_logger_config = one_logger_config
        self._exporter_config = WandBConfig(**{**documented, **chosen})
        kind = V1CompatibleWandbExporterAsync if async_mode else V1CompatibleWandbExporterSync
        self._exporter: Union[V1CompatibleWandbExporterAsync, V1CompatibleWandbExporterSync] = kind(
            one_logger_config, self._exporter_config, chosen=chosen
        )

    @property
    def exporter(self) -> Union[V1CompatibleWandbExporterAsync, V1CompatibleWandbExporterSync]:
        """The exporter itself."""
        return self._exporter

    @property
    def one_logger_config(self) -> OneLoggerConfig:
        """v2's configuration, as given."""
        return self._one_logger_config

    @property
    def exporter_config(self) -> WandBConfig:
        """Where the rows go, before the environment had its say."""
        return self._exporter_config

    @property
    def is_async(self) -> bool:
        """Whether delivery is asynchronous."""
        return self._exporter.asynchronous

    @override
    def initialize(self) -> None:
        self._exporter.initialize()

    @override
    def export_start(self, span: Span) -> None:
        self._exporter.export_start(span)

    @override
    def export_stop(self, span: Span) -> None:
        self._exporter.export_stop(span)

    @override
    def export_event(self, event: Event, span: Span) -> None:
        self._exporter.export_event(event, span)

    @override
    def export_error(self, event: ErrorEvent, span: Span) -> None:
        self._exporter.export_error(event, span)

    @override
    def export_telemetry_data_error(self, error: TelemetryDataError) -> None:
        self._exporter.export_telemetry_data_error(error)

    @override
    def close(self) -> None:
        self._exporter.close()
