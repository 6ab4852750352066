"""An exporter of v2's that sends spans and v1's metrics to an OpenTelemetry collector, for programs on v2.

v2's export configuration names it: ``exporters: - class_name: one_logger_v1_shim.otlp_exporter.OTLPExporter``. Where
the collector is say OpenTelemetry's own variables. Runs in the job's process, or in the worker's if v2 lives there.
"""

from __future__ import annotations

import atexit
import json
import os
import queue
import socket
import threading
import time
import uuid
from typing import Any, Optional, Union

from nv_one_logger.core.event import ErrorEvent, Event, TelemetryDataError
from nv_one_logger.core.span import Span as V2Span
from nv_one_logger.core.span import StandardSpanName
from nv_one_logger.exporter.exporter import BaseExporter
from nv_one_logger.training_telemetry.api.spans import StandardTrainingJobSpanName as Name
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider
from overrides import override

from ._journal.records import RunRecord
from ._log import warn_once
from ._otlp import resource
from ._otlp import trace as otlp
from ._otlp.meter import Meter, Point
from ._v2.forward import ROW_ATTRIBUTE, ROW_EVENT
from ._v2.translation import Translation

__all__ = ["OTLPExporter"]

#: spans that a job has millions of: they are not sent, and their children belong to the span around them
SHORT = frozenset(
    (
        Name.TRAINING_SINGLE_ITERATION,
        Name.VALIDATION_SINGLE_ITERATION,
        Name.TESTING_SINGLE_ITERATION,
        Name.DATA_LOADING,
        Name.MODEL_FORWARD,
        Name.ZERO_GRAD,
        Name.MODEL_BACKWARD,
        Name.OPTIMIZER_UPDATE,
    )
)
_NOT_SAID = ("timestamp_msec",)  # v2's own bookkeeping
_EVERY = 5.0  # seconds between requests
_MOST = 2000  # spans and points of a request
_QUEUE = 20000  # that wait for one: 20 MB at most
_MOST_EVENTS = 128  # of a span: OpenTelemetry's own default


class OTLPExporter(BaseExporter):
    """Spans as v2 has them, and what v1's rows would have said as metrics.

    A callback costs what it takes to put something into a queue. A collector that hangs, refuses or is away is one line
    in the log, and costs the spans and metrics that the queue has no room for.

    Args:
        close_timeout_s: how long the end of the application may wait for the collector, s.
    """

    def __init__(self, close_timeout_s: float = 5.0) -> None:
        super().__init__()
        self._limit = float(close_timeout_s)
        self._queue: queue.Queue[Union[otlp.Span, Point, None]] = queue.Queue(_QUEUE)
        self._spans: dict[uuid.UUID, otlp.Span] = {}
        self._run_id = uuid.uuid4().hex
        self._meter: Optional[Meter] = None
        self._translation: Optional[Translation] = None
        self._has_rows = False  # v1's own rows come by: nothing is to be translated
        self._process = os.getpid()
        self._thread: Optional[threading.Thread] = None

    @override
    def initialize(self) -> None:
        super().initialize()
        self._thread = threading.Thread(target=self._work, name="otlp", daemon=True)
        self._thread.start()
        atexit.register(self._end)

    @override
    def export_start(self, span: V2Span) -> None:
        super().export_start(span)
        if not self._is_ours() or span.name in SHORT:
            return
        if span.name == StandardSpanName.APPLICATION:
            self._run_id = span.id.hex  # the same where a journal is played once more
        parent = self._kept(span.parent_span)
        start = _time(span.start_event)
        self._spans[span.id] = otlp.Span(
            span.name_str, _id(span), None if parent is None else parent.id, start, attributes=_attributes(span)
        )
        self._rows(self._translate().start(span), start)

    @override
    def export_stop(self, span: V2Span) -> None:
        super().export_stop(span)
        made = self._spans.pop(span.id, None)
        if made is None or not self._is_ours() or span.stop_event is None:
            return
        made.end = max(made.start, _time(span.stop_event))
        made.attributes = _attributes(span)
        self._rows(self._translate().stop(span), made.end)
        self._put(made)

    @override
    def export_event(self, event: Event, span: V2Span) -> None:
        super().export_event(event, span)
        if not self._is_ours():
            return
        at = _time(event)
        if event.name == ROW_EVENT:
            self._has_rows = True
            row = json.loads(str(event.attributes.to_json()[ROW_ATTRIBUTE]))
            self._event(span, otlp.ROW_EVENT, at, otlp.attributes(row))
            self._points(row, at)
            return
        self._event(span, event.name_str, at, _attributes(event))
        rows, _ = self._translate().event(event)
        self._rows(rows, at)

    @override
    def export_error(self, event: ErrorEvent, span: V2Span) -> None:
        super().export_error(event, span)
        made = self._kept(span)
        if made is not None and self._is_ours():
            self._event(span, event.name_str, _time(event), _attributes(event))
            made.error = str(event.attributes.to_json().get("error_message") or event.name_str)

    @override
    def export_telemetry_data_error(self, error: TelemetryDataError) -> None:
        super().export_telemetry_data_error(error)

    @override
    def close(self) -> None:
        super().close()
        self._end()

    # -- from v2's words to OpenTelemetry's --------------------------------------------------------------------

    def _is_ours(self) -> bool:
        """Not in a forked child: its parent has the thread and the open spans."""
        return os.getpid() == self._process

    def _kept(self, span: Optional[V2Span]) -> Optional[otlp.Span]:
        """``span``, or the one around it that is sent."""
        while span is not None and span.id not in self._spans:
            span = span.parent_span
        return None if span is None else self._spans[span.id]

    def _event(self, span: V2Span, name: str, at: int, said: otlp.Attributes) -> None:
        made = self._kept(span)
        if made is not None:
            made.add(otlp.Event(name, at, said), _MOST_EVENTS)

    def _translate(self) -> Translation:
        if self._translation is None:
            self._translation = Translation(TrainingTelemetryProvider.instance().config)
        return self._translation

    def _rows(self, rows: list[dict[str, Any]], at: int) -> None:
        for row in [] if self._has_rows else rows:
            self._points(row, at)

    def _points(self, row: dict[str, Any], at: int) -> None:
        if self._meter is None:
            delta = os.environ.get("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "").strip().lower()
            self._meter = Meter(at, delta in ("delta", "lowmemory"))
        for point in self._meter.points(row, at):
            self._put(point)

    # -- the queue and its thread ------------------------------------------------------------------------------

    def _put(self, one: Union[otlp.Span, Point, None]) -> None:
        try:
            self._queue.put_nowait(one)
        except queue.Full:
            warn_once("otlp:full", f"OTLP: {_QUEUE} spans and metrics wait for a collector; what comes now is dropped")

    def _end(self) -> None:
        """Send what waits, bounded. Idempotent."""
        thread, self._thread = self._thread, None
        if thread is not None and self._is_ours():
            for span in reversed(list(self._spans.values())):  # nobody has ended them
                span.end = max(span.start, time.time_ns())
                self._put(span)
            self._spans.clear()
            self._put(None)
            thread.join(self._limit)
            if thread.is_alive():
                warn_once("otlp:late", f"OTLP: a collector has not taken all spans and metrics in {self._limit:g} s")

    def _work(self) -> None:
        sender: Any = None
        ended = False
        while not ended:
            batch: list[Union[otlp.Span, Point]] = []
            limit = time.monotonic() + _EVERY
            while len(batch) < _MOST and time.monotonic() < limit:
                try:
                    one = self._queue.get(timeout=max(0.0, limit - time.monotonic()))
                except queue.Empty:
                    break
                if one is None:
                    ended = True
                    break
                batch.append(one)
            try:
                sender = sender or self._sender()
            except BaseException as error:  # a broken installation may raise anything
                warn_once("otlp:off", f"OTLP could not be set up ({type(error).__name__}: {error}); nothing is sent")
                return
            self._send(sender, batch)
        sender.close()

    def _sender(self) -> Any:
        from ._otlp.sender import Sender

        application = getattr(TrainingTelemetryProvider.instance().config, "application_name", None)
        record = RunRecord(id=self._run_id, pid=self._process, machine=socket.gethostname())
        record.chosen = {"project": application}
        return Sender(resource.attributes(record, "", None, os.environ), os.environ)

    def _send(self, sender: Any, batch: list[Union[otlp.Span, Point]]) -> None:
        spans = [one for one in batch if isinstance(one, otlp.Span)]
        points = [one for one in batch if isinstance(one, Point)]
        if batch:
            sender.deliver(
                otlp.identifier(16, "trace", self._run_id), spans, points,
                lambda error: warn_once("otlp:not sent", f"OTLP: {error}; it is tried again while the program runs"),
            )  # fmt: skip


def _time(event: Event) -> int:
    return otlp.nanoseconds(event.timestamp.seconds_since_epoch)


def _id(span: V2Span) -> int:
    """v2's ids have 128 bits, OpenTelemetry's 64."""
    return otlp.identifier(8, span.id.hex)


def _attributes(of: Union[V2Span, Event]) -> otlp.Attributes:
    said: dict[str, Any] = of.attributes.to_json()
    return otlp.attributes({name: value for name, value in said.items() if name not in _NOT_SAID})
