"""A v2 provider of a test's own, and what it is told. For :mod:`one_logger_v1_shim.testing`; in the test's process."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple, Optional

from nv_one_logger.core.attributes import Attributes
from nv_one_logger.core.event import ErrorEvent, Event
from nv_one_logger.core.span import Span as V2Span
from nv_one_logger.core.time import TracingTimestamp
from nv_one_logger.exporter.exporter import BaseExporter
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider
from overrides import override

from .._testing.spans import Span, SpanEvent
from . import private

_PACKAGE = "nv_one_logger"


class SpanRecorder(BaseExporter):
    """Adds each span that v2 exports to ``spans``, when it starts, and fills it in."""

    def __init__(self, spans: list[Span]) -> None:
        super().__init__()
        self._spans = spans
        self._by_id: dict[Any, Span] = {}

    @override
    def export_start(self, span: V2Span) -> None:
        super().export_start(span)
        start = _milliseconds(span.start_event.timestamp)
        recorded = Span(span.name_str, start, attributes=_plain(span.attributes), parent=self._parent(span))
        self._by_id[span.id] = recorded
        self._spans.append(recorded)

    def _parent(self, span: V2Span) -> Optional[Span]:
        parent = span.parent_span
        while parent is not None and parent.id not in self._by_id:
            parent = parent.parent_span
        return self._by_id[parent.id] if parent is not None else None

    @override
    def export_stop(self, span: V2Span) -> None:
        super().export_stop(span)
        recorded = self._by_id[span.id]
        recorded.attributes.update(_plain(span.attributes))
        if span.stop_event is not None:
            recorded.end_ms = _milliseconds(span.stop_event.timestamp)

    @override
    def export_event(self, event: Event, span: V2Span) -> None:
        super().export_event(event, span)
        attributes = _plain(event.attributes)
        attributes.pop("timestamp_msec", None)
        self._by_id[span.id].events.append(SpanEvent(event.name_str, _milliseconds(event.timestamp), attributes))

    @override
    def export_error(self, event: ErrorEvent, span: V2Span) -> None:
        super().export_error(event, span)
        self.export_event(event, span)


def _milliseconds(timestamp: TracingTimestamp) -> float:
    return timestamp.seconds_since_epoch * 1000


def _plain(attributes: Attributes) -> dict[str, Any]:
    found: dict[str, Any] = attributes.to_json()
    return {str(key): list(value) if isinstance(value, list) else value for key, value in found.items()}


class V2State(NamedTuple):
    """What v2 knew about the process: its singletons, and level and handlers of its Python loggers."""

    singletons: dict[Any, Any]
    loggers: dict[str, tuple[int, list[logging.Handler]]]


def set_aside(spans: list[Span]) -> V2State:
    """Make v2 look as if nobody had used it; whoever configures it now has a :class:`SpanRecorder` on ``spans``.

    Raises:
        RuntimeError: this v2 has no provider that can be set aside.
    """
    singletons = private.exchange_singletons({})
    if singletons is None:
        raise RuntimeError("this version of v2 (nv_one_logger) has no provider that can be set aside")
    state = V2State(singletons, _take_loggers())
    TrainingTelemetryProvider.instance().with_exporter(SpanRecorder(spans))
    return state


def put_back(state: V2State) -> None:
    """Make v2 as it was."""
    private.exchange_singletons(state.singletons)
    for name, (_, handlers) in _take_loggers().items():
        if name not in state.loggers:
            state.loggers[name] = (logging.NOTSET, [])
        for handler in handlers:
            handler.close()
    for name, (level, handlers) in state.loggers.items():
        logger = logging.getLogger(name)
        logger.setLevel(level)
        for handler in handlers:
            logger.addHandler(handler)


def _take_loggers() -> dict[str, tuple[int, list[logging.Handler]]]:
    """Level and file handlers of v2's loggers, which get them once, from the first provider; they have neither now."""
    found: dict[str, tuple[int, list[logging.Handler]]] = {}
    for name, logger in list(logging.Logger.manager.loggerDict.items()):
        if name.partition(".")[0] == _PACKAGE and isinstance(logger, logging.Logger):
            files: list[logging.Handler] = [
                one for one in logger.handlers if isinstance(one, (logging.FileHandler, logging.NullHandler))
            ]
            found[name] = (logger.level, files)
            logger.setLevel(logging.NOTSET)
            for one in files:
                logger.removeHandler(one)
    return found
