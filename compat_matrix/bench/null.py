"""The exporter that v2's own lanes export to: it does nothing. (v2 resolves its base class by the module's globals.)"""

from __future__ import annotations

from nv_one_logger.core.event import ErrorEvent, Event, TelemetryDataError
from nv_one_logger.core.span import Span
from nv_one_logger.exporter.exporter import BaseExporter
from overrides import override


class NullExporter(BaseExporter):
    """Takes everything and keeps nothing."""

    @override
    def export_start(self, span: Span) -> None: ...

    @override
    def export_stop(self, span: Span) -> None: ...

    @override
    def export_event(self, event: Event, span: Span) -> None: ...

    @override
    def export_error(self, event: ErrorEvent, span: Span) -> None: ...

    @override
    def export_telemetry_data_error(self, error: TelemetryDataError) -> None: ...
