"""OTLP: what it costs a job, and its worker. The same job with a row every iteration, without OTLP and with it."""

from __future__ import annotations

import statistics
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from .process import Lane
from .table import Row, us


class TakingCollector:
    """A collector on loopback that takes everything and decodes nothing.

    Attributes:
        requests, size: how many came, and their bytes.
    """

    def __init__(self) -> None:
        self.requests = self.size = 0
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                collector.size += len(self.rfile.read(int(self.headers["Content-Length"])))
                collector.requests += 1
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.environment = {
            "ONE_LOGGER_V1_OTLP": "1",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self._server.server_port}",
        }

    def __enter__(self) -> TakingCollector:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def otlp(base: Path, size: Any) -> list[Row]:
    """The pair of batch callbacks with a row due, and what the worker takes for it."""
    with ExitStack() as stack:
        collector = stack.enter_context(TakingCollector())
        row_due = {"every": 1}
        plain = stack.enter_context(Lane("shim", base, row_due))
        sent = stack.enter_context(Lane("shim", base, row_due, **collector.environment))
        for lane in (plain, sent):
            lane.do("advance", n=size.warm)
            lane.do("settle")
        times: dict[Lane, list[float]] = {plain: [], sent: []}
        for _ in range(size.turns):
            for lane, found in times.items():
                found.append(lane.do("turn", n=size.pairs))
                lane.do("settle")
        before = {lane: lane.do("processes")["worker"] for lane in times}
        done = {lane: lane.do("advance", n=size.rows) for lane in times}
        for lane in times:
            lane.do("settle")
        after = {lane: lane.do("processes")["worker"] for lane in times}
    ratio = statistics.median(one / other for one, other in zip(times[sent], times[plain]))
    cost = {lane: (after[lane]["cpu_s"] - before[lane]["cpu_s"]) / size.rows * 1e6 for lane in times}
    more = cost[sent] - cost[plain]
    mib = after[sent]["mib"] - after[plain]["mib"]
    median = {lane: statistics.median(found) for lane, found in times.items()}
    bytes_a_row = collector.size / max(1, done[sent])
    return [
        Row(
            "the pair with a row due every iteration, OTLP on", "nothing: within 1.1 x of OTLP off",
            us(median[sent]), f"{ratio:.2f} x OTLP off", f"OTLP off {us(median[plain])}", ratio <= 1.1,
            figures={"us": median[sent], "ratio": ratio, "off_us": median[plain]},
        ),
        Row(
            "its worker, OTLP on: CPU time a row, memory", "",
            f"{us(cost[sent])}, {after[sent]['mib']:.0f} MiB", f"+{us(max(0.0, more))}, +{mib:.0f} MiB",
            f"OTLP off {us(cost[plain])}, {after[plain]['mib']:.0f} MiB; {collector.requests} requests, "
            f"{bytes_a_row:.0f} bytes a row",
            figures={"cpu_us": cost[sent], "off_cpu_us": cost[plain], "mib": mib, "bytes_a_row": bytes_a_row},
        ),
    ]  # fmt: skip
