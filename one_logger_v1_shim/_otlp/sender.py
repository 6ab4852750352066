"""Spans and points to a collector, with OpenTelemetry's own exporters. Only this module imports OpenTelemetry.

In the worker's process, or in the job's by an exporter of v2's; always in a thread of its own.
"""

from __future__ import annotations

import importlib
import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable, TypeVar

from opentelemetry import context
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.metrics import Counter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanLimits
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from .._version import VERSION
from .meter import Point
from .names import COUNTER, Instrument
from .settings import TRACES, Signal, signals
from .trace import Span

_SCOPE = InstrumentationScope("one_logger_v1_shim", VERSION)
# of one request: a collector takes 4 MiB over gRPC
_MOST_POINTS = 5000
_MOST_EVENTS = 500
_PATIENCE = 30.0  # seconds between tries, at most

_Kind = TypeVar("_Kind")


class NotSentError(Exception):
    """A collector has not taken everything; the text says where and why."""


class Sender:
    """Sends one run's spans and points. Made and used in one thread.

    Args:
        attributes: of the resource; those in the environment win.
        environ: where the settings stand. The exporters read ``os.environ`` themselves.

    Attributes:
        most_events: that a span may have.
        delta: are counters to be sent as what was added since the point before?

    Raises:
        ImportError: an exporter is not installed.
        ValueError: a setting is wrong.
    """

    def __init__(self, attributes: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        own = OTELResourceDetector().detect().attributes
        self._resource = Resource.create({**attributes, **own})
        self._heard = _Heard()
        self._exporters: list[tuple[Signal, Any]] = []
        self.most_events = SpanLimits().max_events or 1
        self.delta = False
        key = getattr(context, "_SUPPRESS_INSTRUMENTATION_KEY", None)
        if key is not None:  # our requests are no spans of whoever instruments this process
            context.attach(context.set_value(key, True))
        for signal in signals(environ):
            module = importlib.import_module(signal.module)
            exporter = getattr(module, "OTLPSpanExporter" if signal.name == TRACES else "OTLPMetricExporter")()
            self._exporters.append((signal, exporter))
            preferred = getattr(exporter, "_preferred_temporality", None) or {}
            self.delta = self.delta or preferred.get(Counter) == AggregationTemporality.DELTA
        self._heard.listen()

    def deliver(
        self, trace: int, spans: Sequence[Span], points: Sequence[Point], tell: Callable[[NotSentError], None]
    ) -> None:
        """:meth:`send`, again until the collector has taken it. ``tell``: is called for each try that has failed."""
        wait = 1.0
        while True:
            try:
                self.send(trace, spans, points)
                return
            except NotSentError as error:
                tell(error)
            time.sleep(wait)
            wait = min(2 * wait, _PATIENCE)

    def send(self, trace: int, spans: Sequence[Span], points: Sequence[Point]) -> None:
        """Send all of it; returns when the collector has taken it. ``trace``: the trace's id. Raises NotSentError."""
        for signal, exporter in self._exporters:
            if signal.name == TRACES:
                requests: Iterator[Any] = (
                    [self._span(trace, one) for one in some] for some in _parts(spans, _MOST_EVENTS, _size)
                )
            else:
                requests = (self._metrics(some) for some in _parts(points, _MOST_POINTS, lambda one: 1))
            for request in requests:
                self._heard.fresh = True
                if getattr(exporter.export(request), "name", "") != "SUCCESS":
                    raise NotSentError(f"{signal.endpoint}: {self._heard.said or 'not taken'}")

    def close(self) -> None:
        """Give connections back."""
        for _, exporter in self._exporters:
            exporter.shutdown()

    def _span(self, trace: int, span: Span) -> ReadableSpan:
        parent = None if span.parent is None else self._context(trace, span.parent)
        made = _Span(
            name=span.name,
            context=self._context(trace, span.id),
            parent=parent,
            resource=self._resource,
            attributes=BoundedAttributes(attributes=span.attributes),
            # a dict does for newer exporters only
            events=[Event(one.name, BoundedAttributes(attributes=one.attributes), one.time) for one in span.events],
            kind=SpanKind.INTERNAL,
            status=Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET),
            start_time=span.start,
            end_time=span.end,
            instrumentation_scope=_SCOPE,
        )
        made.dropped = span.dropped
        return made

    @staticmethod
    def _context(trace: int, span: int) -> SpanContext:
        return SpanContext(trace, span, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))

    def _metrics(self, points: Sequence[Point]) -> MetricsData:
        found: dict[Instrument, list[NumberDataPoint]] = {}
        for point in points:
            made = NumberDataPoint({}, point.start or None, point.time, point.value)  # type: ignore[arg-type]
            found.setdefault(point.instrument, []).append(made)
        metrics = [Metric(one.name, "", one.unit, self._data(one, some)) for one, some in found.items()]
        return MetricsData([ResourceMetrics(self._resource, [ScopeMetrics(_SCOPE, metrics, "")], "")])

    def _data(self, instrument: Instrument, points: list[NumberDataPoint]) -> Any:
        if instrument.kind != COUNTER:
            return Gauge(points)
        kinds = AggregationTemporality
        return Sum(points, kinds.DELTA if self.delta else kinds.CUMULATIVE, is_monotonic=True)


class _Span(ReadableSpan):
    """With a count of dropped events."""

    dropped = 0

    @property
    def dropped_events(self) -> int:
        return self.dropped


class _Heard(logging.Filter):
    """What OpenTelemetry's loggers say in this thread: kept for our one line, and nobody else's log."""

    def __init__(self) -> None:
        super().__init__()
        self.said = ""
        self.fresh = True  # what is said next is the reason; OpenTelemetry says the same thing only now and then
        self._thread = threading.get_ident()

    def listen(self) -> None:
        """From now on."""
        for name in list(logging.Logger.manager.loggerDict):
            if name.startswith(("opentelemetry", "urllib3", "requests")):
                logging.getLogger(name).addFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        if record.thread != self._thread:
            return True
        if self.fresh and record.name.startswith("opentelemetry") and record.levelno >= logging.WARNING:
            self.fresh = False
            error = record.exc_info[1] if record.exc_info else None
            text = " ".join(record.getMessage().partition(", retrying")[0].split()).rstrip(".")
            self.said = ": ".join([text[:300], *([repr(error)] if error else [])])
        return False


def _size(span: Span) -> int:
    return 1 + len(span.events)


def _parts(everything: Sequence[_Kind], most: int, size: Any) -> Iterator[list[_Kind]]:
    """``everything`` in parts that a collector takes."""
    part: list[_Kind] = []
    total = 0
    for one in everything:
        if part and total + size(one) > most:
            yield part
            part, total = [], 0
        part.append(one)
        total += size(one)
    if part:
        yield part
