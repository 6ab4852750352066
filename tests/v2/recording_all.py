"""The recording exporter, with the attributes of the spans too."""

from __future__ import annotations

from typing import Any

from nv_one_logger.core.span import Span
from nv_one_logger.exporter.exporter import BaseExporter
from overrides import override

from tests.v2.recording import RecordingExporter


def _attributes(span: Span) -> dict[str, Any]:
    return {key: value for key, value in span.attributes.to_json().items() if key != "timestamp_msec"}


class RecordingAll(RecordingExporter):
    """``["start", span, parent, ms, attributes]``, ``["stop", span, ms, attributes]``; events as before."""

    @override
    def export_start(self, span: Span) -> None:
        BaseExporter.export_start(self, span)
        parent = span.parent_span
        start = span.start_event.timestamp.milliseconds_since_epoch
        self._write("start", span.name_str, parent.name_str if parent else None, start, _attributes(span))

    @override
    def export_stop(self, span: Span) -> None:
        BaseExporter.export_stop(self, span)
        assert span.stop_event is not None
        self._write("stop", span.name_str, span.stop_event.timestamp.milliseconds_since_epoch, _attributes(span))
