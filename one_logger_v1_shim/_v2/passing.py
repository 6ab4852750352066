"""An exporter of v2's in front of another one. Runs where v2 does."""

from __future__ import annotations

from nv_one_logger.core.event import ErrorEvent, Event, TelemetryDataError
from nv_one_logger.core.span import Span
from nv_one_logger.exporter.exporter import Exporter
from overrides import override


class Passing(Exporter):
    """Passes all that it hears on to ``inner``; nothing but :meth:`initialize` while it is ``muted``."""

    def __init__(self, inner: Exporter, muted: bool = False) -> None:
        self._inner = inner
        self._muted = muted

    @override
    def initialize(self) -> None:
        self._inner.initialize()

    @override
    def export_start(self, span: Span) -> None:
        if not self._muted:
            self._inner.export_start(span)

    @override
    def export_stop(self, span: Span) -> None:
        if not self._muted:
            self._inner.export_stop(span)

    @override
    def export_event(self, event: Event, span: Span) -> None:
        if not self._muted:
            self._inner.export_event(event, span)

    @override
    def export_error(self, event: ErrorEvent, span: Span) -> None:
        if not self._muted:
            self._inner.export_error(event, span)

    @override
    def export_telemetry_data_error(self, error: TelemetryDataError) -> None:
        if not self._muted:
            self._inner.export_telemetry_data_error(error)

    @override
    def close(self) -> None:
        if not self._muted:
            self._inner.close()
