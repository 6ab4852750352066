"""A journal's spans and metrics, sent by the worker's own thread to a collector on loopback, over HTTP and gRPC."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from one_logger_v1_shim._journal.calls import FINISH, Call, call_line
from one_logger_v1_shim._journal.records import SENT, UNSENT, Mark, RunRecord, Sent
from one_logger_v1_shim._otlp.trace import nanoseconds
from one_logger_v1_shim._worker import otlp as module
from one_logger_v1_shim._worker.otlp import Otlp, make
from tests.delivery.jobs import until
from tests.otlp.receiver import BUSY, HANGS, OK, REFUSES, Collector, GrpcCollector, attributes, collector, number
from tests.otlp.test_parts import JOB, T0, at

ROWS = [{"train_samples": 8 * i, "loss": 1 / i, "app_last_log_time": 1000 * (T0 + 3) + i} for i in range(1, 6)]


def lines() -> list[bytes]:
    found = []
    for name, seconds, *arguments in JOB:
        found.append(call_line(Call(name, at(seconds), tuple(arguments))))
        if name == "batch_end":
            for i, row in enumerate(ROWS):
                data = json.dumps(row).encode()
                found += call_line(Call("row", at(3 + i / 10), (data,))).split(b"\n")
    return [b"#from 0", *found, FINISH + b" 0"]


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a job that has ended."""
    monkeypatch.setenv("ONE_LOGGER_V1_OTLP", "1")
    monkeypatch.setenv("RANK", "1")
    folder = tmp_path / "wandb" / "one-logger-x-abcdefgh"
    folder.mkdir(parents=True, mode=0o700)
    RunRecord(id="abcdefgh", created=T0, chosen={"project": "p"}, format=3).write(folder)
    Mark(state="online", url="https://wandb.test/p/runs/abcdefgh").write(folder)
    write(folder, lines())
    return folder


def write(folder: Path, some: list[bytes], number: int = 1) -> None:
    (folder / f"rows-{number:06d}.jsonl").write_bytes(b"\n".join(some) + b"\n")


def point(monkeypatch: pytest.MonkeyPatch, one: Collector, protocol: str = "http/protobuf") -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", one.address)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")


def sent(folder: Path, limit: float = 60) -> Otlp:
    """One worker's part, to the end."""
    thread = make(folder, RunRecord.read(folder), Mark.read(folder))
    assert thread is not None
    thread.job_has_gone()
    thread.start()
    thread.join(limit)
    return thread


@pytest.mark.parametrize(("kind", "protocol"), [(Collector, "http/protobuf"), (GrpcCollector, "grpc")])
def test_all_of_a_run_arrives(
    kind: type[Collector], protocol: str, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=mine")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test,nv.dl.rank=7")
    with collector(kind=kind) as one:
        point(monkeypatch, one, protocol)
        thread = sent(journal)
        assert (thread.state, thread.said, thread.rows) == (SENT, [], len(ROWS))
        got = one.received
    assert [span.name for span in got.spans] == [
        *("model_initialization", "checkpoint_save_sync", "validation_loop", "training_loop", "application"),
    ]
    ids = {span.span_id: span.name for span in got.spans}
    assert [ids.get(span.parent_span_id) for span in got.spans] == [
        *("application", "training_loop", "training_loop", "application", None),
    ]
    assert len({span.trace_id for span in got.spans}) == 1
    (application,) = got.named("application")
    assert (application.start_time_unix_nano, application.end_time_unix_nano) == (T0 * 1e9, (T0 + 11) * 1e9)
    (training,) = got.named("training_loop")
    assert [attributes(event)["one_logger.train_samples"] for event in training.events] == [8, 16, 24, 32, 40]
    assert [number(one) for one in got.points["one_logger.loss"]] == [1 / i for i in range(1, 6)]
    samples = got.points["one_logger.train_samples"]
    assert [(number(one), one.time_unix_nano) for one in samples] == [
        (8 * i, nanoseconds(T0 + 3 + (i - 1) / 10)) for i in range(1, 6)
    ]
    assert {one.start_time_unix_nano for one in samples} == {T0 * 1e9}
    kinds = {metric.name: (metric.WhichOneof("data"), metric.unit) for metric in got.each_metric}
    assert kinds["one_logger.train_samples"] == ("sum", "{sample}")
    assert kinds["one_logger.loss"] == ("gauge", "")
    (counter,) = [metric.sum for metric in got.each_metric if metric.name == "one_logger.train_samples"]
    assert (counter.is_monotonic, counter.aggregation_temporality) == (True, 2)
    for found in got.resources:
        assert found["service.name"] == "p"
        assert found["wandb.run.url"] == "https://wandb.test/p/runs/abcdefgh"
        assert (found["nv.dl.rank"], found["deployment.environment"]) == ("7", "test")  # the user's own words win
    assert all(headers.get("x-tenant") == "mine" for headers in got.headers)


def test_deltas_where_opentelemetry_is_told_to_prefer_them(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta")
    with collector() as one:
        point(monkeypatch, one)
        sent(journal)
        (counter,) = [metric.sum for metric in one.received.each_metric if metric.name == "one_logger.train_samples"]
    assert counter.aggregation_temporality == 1
    assert [number(one) for one in counter.data_points] == [8] * 5


@pytest.mark.parametrize("signal", ["traces", "metrics"])
def test_one_of_the_two_alone(signal: str, journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = {"traces": "metrics", "metrics": "traces"}[signal]
    monkeypatch.setenv(f"OTEL_{other.upper()}_EXPORTER", "none")
    with collector() as one:
        point(monkeypatch, one)
        assert sent(journal).state == SENT
        assert getattr(one.received, signal)
        assert not getattr(one.received, other)


# -- once more ---------------------------------------------------------------------------------------------------


def everything(one: Collector) -> tuple[set[Any], set[Any]]:
    spans = {
        (span.name, span.trace_id, span.span_id, span.parent_span_id, span.start_time_unix_nano)
        for span in one.received.spans
    }
    points = {
        (name, number(point), point.start_time_unix_nano, point.time_unix_nano)
        for name, points in one.received.points.items()
        for point in points
    }
    return spans, points


def test_a_worker_that_goes_on_sends_the_rest_with_the_same_ids(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever line the first one came to, in whichever file."""
    all_lines = lines()
    with collector() as one:
        point(monkeypatch, one)
        sent(journal)
        whole = everything(one)
    for last in range(2, len(all_lines), 5):
        (journal / "sent").unlink()
        for path in journal.glob("rows-*"):
            path.unlink()
        write(journal, all_lines[:last])
        with collector() as one:
            point(monkeypatch, one)
            first = Otlp(journal, RunRecord.read(journal))
            first_half(first, one, monkeypatch)
            rows = sum(line[:1] == b"{" for line in all_lines[:last])
            assert Sent.read(journal).line == last
            write(journal, [b"#from %d" % rows, *all_lines[last:]], number=2)
            assert sent(journal).state == SENT
            assert everything(one) == whole, last
            spans = [span.span_id for span in one.received.spans]
            assert len(spans) == len(set(spans)), last
            assert sum(map(len, one.received.points.values())) == len(whole[1]), last


def first_half(thread: Otlp, one: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads and sends what is there, and is killed."""
    with monkeypatch.context() as patch:

        def killed(seconds: Any = None) -> None:
            raise KeyboardInterrupt

        patch.setattr(module, "_MOST", 0)  # each time that it has read something
        patch.setattr(thread._gone, "wait", killed)
        thread.run()


def test_what_was_sent_is_sent_again_where_nobody_knows(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with collector() as one:
        point(monkeypatch, one)
        sent(journal)
        whole = everything(one)
        (journal / "sent").unlink()
        sent(journal)
        assert everything(one) == whole  # a backend that knows ids and times sees nothing new
        assert len(one.received.spans) == 2 * len(whole[0])


def test_the_resource_is_that_of_the_job_wherever_it_is_recovered(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Sent(resource={"service.name": "p", "nv.dl.rank": 3}).write(journal)
    monkeypatch.setenv("RANK", "0")
    with collector() as one:
        point(monkeypatch, one)
        sent(journal)
        assert {found["nv.dl.rank"] for found in one.received.resources} == {3}


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"segment": "x", "line": -1, "resource": {"a": [1]}}', b"\xff"])
def test_a_damaged_file_of_what_was_sent(damage: bytes, journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (journal / "sent").write_bytes(damage)
    with collector() as one:
        point(monkeypatch, one)
        assert sent(journal).state == SENT
        assert len(one.received.spans) == 5


@pytest.mark.parametrize(
    "damage", [b">[", b">X AAAA", b">\xff", b'>["phase_start"]', b'>["row",[1,2]]', b'>["row",[1,2],5]', b"{", b"{]"]
)
def test_a_damaged_line_is_left_out(damage: bytes, journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head, *rest = lines()
    write(journal, [head, damage, *rest])
    with collector() as one:
        point(monkeypatch, one)
        assert sent(journal).state == SENT
        assert {span.name for span in one.received.spans} >= {"application", "training_loop"}


def test_rows_without_calls(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of v2's exporters, and of a version that wrote no calls: a row says itself when it was logged."""
    write(journal, [json.dumps(row).encode() for row in ROWS])
    with collector() as one:
        point(monkeypatch, one)
        assert sent(journal).state == SENT
        (span,) = one.received.spans
        assert (span.name, len(span.events)) == ("application", 5)
        assert span.status.message == "the job has gone"
        assert one.received.points["one_logger.loss"][0].time_unix_nano == pytest.approx((T0 + 3.001) * 1e9, abs=1e6)


# -- trouble -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Collector, GrpcCollector])
@pytest.mark.parametrize("status", [REFUSES, BUSY, HANGS])
def test_a_collector_that_comes_back(
    status: int,
    kind: type[Collector],
    journal: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with collector(status, kind) as one:
        point(monkeypatch, one, "grpc" if kind is GrpcCollector else "http/protobuf")
        thread = make(journal, RunRecord.read(journal), Mark())
        assert thread is not None
        thread.job_has_gone()
        thread.start()
        until(lambda: thread.said, "a line")
        assert thread.state == UNSENT
        (line,) = thread.said
        assert line.startswith("OTLP: ")
        assert str(one.port) in line
        assert "Traceback" not in line
        one.status = OK
        one._stopped.set()
        thread.join(60)
        assert (thread.state, len(thread.said)) == (SENT, 1)
        assert len({span.span_id for span in one.received.spans}) == 5
    assert "Traceback" not in capfd.readouterr().err


def test_nobody_listens(journal: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    with collector() as one:
        pass
    point(monkeypatch, one)
    thread = make(journal, RunRecord.read(journal), Mark())
    assert thread is not None
    with caplog.at_level(logging.DEBUG):
        thread.start()
        thread.job_has_gone()
        until(lambda: thread.said, "a line")
        assert thread.said[0].startswith(f"OTLP: {one.address}/v1/traces: ")
        assert not caplog.records  # nobody else's log is filled
        again = Collector(port=one.port).start()
        thread.join(60)
        again.stop()
    assert thread.state == SENT


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("ONE_LOGGER_V1_OTLP", "maybe", "OTLP is off: ONE_LOGGER_V1_OTLP='maybe' says neither on (1) nor off (0)"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "OTLP is off: OTEL_EXPORTER_OTLP_PROTOCOL='http/json'"),
    ],
)
def test_a_setting_that_is_wrong_is_one_line(
    name: str, value: str, line: str, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    thread = sent(journal)
    assert thread.said == [thread.state]
    assert thread.state.startswith(line)


@pytest.mark.parametrize("hidden", ["opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.grpc.trace_exporter"])
def test_what_is_not_installed_is_named(hidden: str, journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    monkeypatch.setitem(sys.modules, hidden, None)
    thread = sent(journal)
    assert len(thread.said) == 1
    assert "OTLP needs opentelemetry-exporter-otlp-proto-grpc in " in thread.state
    assert "isolate --otel" in thread.state


@pytest.mark.parametrize(
    "environ", [{}, {"ONE_LOGGER_V1_OTLP": "0"}, {"ONE_LOGGER_V1_OTLP": "1", "OTEL_SDK_DISABLED": "true"}]
)
def test_off(environ: dict[str, str], journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONE_LOGGER_V1_OTLP")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert make(journal, RunRecord.read(journal), Mark()) is None


@pytest.mark.parametrize("state", [SENT, "OTLP needs something"])
def test_done(state: str, journal: Path) -> None:
    assert make(journal, RunRecord.read(journal), Mark(otlp=state)) is None
