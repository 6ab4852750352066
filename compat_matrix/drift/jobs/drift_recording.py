"""A v2 exporter that writes down names and nesting of what it hears. v2's export configuration builds it."""

from __future__ import annotations

import json
from typing import Any

from nv_one_logger.core.event import ErrorEvent, Event, TelemetryDataError
from nv_one_logger.core.span import Span
from nv_one_logger.exporter.exporter import BaseExporter
from overrides import override


class Recording(BaseExporter):
    """One JSON list a line: what, its name, the name of the span around it."""

    def __init__(self, file_path: str) -> None:
        super().__init__()
        self._path = file_path

    def _write(self, *what: Any) -> None:
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(what) + "\n")

    @override
    def export_start(self, span: Span) -> None:
        super().export_start(span)
        self._write("start", span.name_str, span.parent_span.name_str if span.parent_span else None)

    @override
    def export_stop(self, span: Span) -> None:
        super().export_stop(span)
        self._write("stop", span.name_str, None)

    @override
    def export_event(self, event: Event, span: Span) -> None:
        super().export_event(event, span)
        self._write("event", event.name_str, span.name_str)

    @override
    def export_error(self, event: ErrorEvent, span: Span) -> None:
        super().export_error(event, span)
        self._write("error", event.error_message, span.name_str)

    @override
    def export_telemetry_data_error(self, error: TelemetryDataError) -> None:
        super().export_telemetry_data_error(error)
        self._write("telemetry data error", None, None)

    @override
    def close(self) -> None:
        super().close()
        self._write("close", None, None)
