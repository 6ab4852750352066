"""A v2 exporter that writes down what it is told: names, nesting, order. v2's export configuration builds it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Optional

from nv_one_logger.core.event import ErrorEvent, Event, TelemetryDataError
from nv_one_logger.core.span import Span
from nv_one_logger.exporter.exporter import BaseExporter
from overrides import override


class RecordingExporter(BaseExporter):
    """One JSON list a line: ``["start", span, parent, ms]``, ``["event", name, span]``, ``["stop", span, ms]``."""

    def __init__(self, file_path: Path) -> None:
        super().__init__()
        self._path = Path(file_path)

    def _write(self, *what: Any) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps(what) + "\n")

    @override
    def export_start(self, span: Span) -> None:
        super().export_start(span)
        parent: Optional[Span] = span.parent_span
        start = span.start_event.timestamp.milliseconds_since_epoch
        self._write("start", span.name_str, parent.name_str if parent else None, start)

    @override
    def export_stop(self, span: Span) -> None:
        super().export_stop(span)
        assert span.stop_event is not None
        self._write("stop", span.name_str, span.stop_event.timestamp.milliseconds_since_epoch)

    @override
    def export_event(self, event: Event, span: Span) -> None:
        super().export_event(event, span)
        attributes = {
            key: value
            for key, value in event.attributes.to_json().items()
            if key not in ("timestamp_msec", "node_name", "custom_metadata")
        }
        self._write("event", event.name_str, span.name_str, attributes)

    @override
    def export_error(self, event: ErrorEvent, span: Span) -> None:
        super().export_error(event, span)
        self._write("error", event.error_message, span.name_str)

    @override
    def export_telemetry_data_error(self, error: TelemetryDataError) -> None:
        super().export_telemetry_data_error(error)
        self._write("telemetry_data_error", error.attributes.to_json())

    @override
    def close(self) -> None:
        super().close()
        self._write("close")
