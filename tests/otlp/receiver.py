"""A collector on loopback, over HTTP and gRPC: what comes is decoded with OpenTelemetry's own protobuf messages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Optional

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

OK, REFUSES, BUSY, HANGS = 200, 401, 503, 0


@dataclass
class Received:
    """All that came: requests in their order, and what is in them."""

    traces: list[ExportTraceServiceRequest] = field(default_factory=list)
    metrics: list[ExportMetricsServiceRequest] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    asked: int = 0

    @property
    def spans(self) -> list[Any]:
        return [
            span
            for one in self.traces
            for group in one.resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        ]

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]

    @property
    def points(self) -> dict[str, list[Any]]:
        """Data points by the metric's name."""
        found: dict[str, list[Any]] = {}
        for metric in self.each_metric:
            found.setdefault(metric.name, []).extend(getattr(metric, metric.WhichOneof("data")).data_points)
        return found

    @property
    def each_metric(self) -> list[Any]:
        return [
            metric
            for one in self.metrics
            for group in one.resource_metrics
            for scope in group.scope_metrics
            for metric in scope.metrics
        ]

    @property
    def resources(self) -> list[dict[str, Any]]:
        groups = [group for one in self.traces for group in one.resource_spans]
        return [
            attributes(group.resource) for group in [*groups, *(g for m in self.metrics for g in m.resource_metrics)]
        ]


def attributes(of: Any) -> dict[str, Any]:
    return {one.key: _value(one.value) for one in of.attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    found = getattr(value, kind)
    return [_value(one) for one in found.values] if kind == "array_value" else found


def number(point: Any) -> Any:
    return getattr(point, point.WhichOneof("value"))


class Collector:
    """Answers with :attr:`status`, or, if that is :data:`HANGS`, not at all until :meth:`stop`."""

    def __init__(self, status: int = OK, port: int = 0) -> None:
        self.status = status
        self.received = Received()
        self.port = port
        self._stopped = threading.Event()
        self._server: Any = None

    def start(self) -> Collector:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = collector.take(self.path.rpartition("/")[2], body, dict(self.headers))
                if answer is None:
                    return
                self.send_response(collector.status)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *_: Any) -> None:  # who asked has gone
                pass

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def take(self, signal: str, body: bytes, headers: dict[str, str]) -> Optional[bytes]:
        """The answer's body; None: there is none."""
        self.received.asked += 1
        if self.status == HANGS:
            self._stopped.wait(120)
            return None
        if self.status != OK:
            return b""
        self.received.headers.append(headers)
        if signal == "traces":
            self.received.traces.append(ExportTraceServiceRequest.FromString(body))
            return bytes(ExportTraceServiceResponse().SerializeToString())
        self.received.metrics.append(ExportMetricsServiceRequest.FromString(body))
        return bytes(ExportMetricsServiceResponse().SerializeToString())

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()


class GrpcCollector(Collector):
    """The same over gRPC."""

    def start(self) -> GrpcCollector:
        import grpc
        from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics
        from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as traces

        collector = self

        class Service(traces.TraceServiceServicer, metrics.MetricsServiceServicer):  # type: ignore[misc]
            def Export(self, request: Any, context: Any) -> Any:
                trace = isinstance(request, ExportTraceServiceRequest)
                headers = dict(context.invocation_metadata())
                answer = collector.take("traces" if trace else "metrics", request.SerializeToString(), headers)
                if collector.status != OK:
                    context.abort(grpc.StatusCode.UNAUTHENTICATED, "not you")
                return (ExportTraceServiceResponse if trace else ExportMetricsServiceResponse).FromString(answer)

        self._server = grpc.server(futures.ThreadPoolExecutor(2))
        traces.add_TraceServiceServicer_to_server(Service(), self._server)
        metrics.add_MetricsServiceServicer_to_server(Service(), self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        self._server.start()
        return self

    def stop(self) -> None:
        self._stopped.set()
        self._server.stop(0)


@contextmanager
def collector(status: int = OK, kind: type[Collector] = Collector) -> Iterator[Collector]:
    """One that listens, for the length of the block."""
    one = kind(status).start()
    try:
        yield one
    finally:
        one.stop()
