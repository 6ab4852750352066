"""OpenTelemetry's words for v1's calls and rows: names, units, points, spans, settings, the resource. No network."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from one_logger_v1_shim._journal.calls import Call
from one_logger_v1_shim._journal.records import RunRecord
from one_logger_v1_shim._otlp import resource, settings
from one_logger_v1_shim._otlp.meter import Meter, Point
from one_logger_v1_shim._otlp.names import COUNTER, COUNTERS, GAUGE, UCUM, instrument
from one_logger_v1_shim._otlp.trace import ROW_EVENT, SUCCESS_EVENT, Span, Trace
from one_logger_v1_shim._v1 import metrics as m

T0 = 1_700_000_000.0
NS = 1_000_000_000

# A term of UCUM with what is used here: a unit, its power, an annotation, a quotient.
_TERM = r"(10\*\d+|[a-z]+|1)?(\{[a-z]+\})?"


def at(seconds: float) -> tuple[float, float]:
    return T0 + seconds, 1000.0 + seconds


# -- names and units ---------------------------------------------------------------------------------------------


def test_every_number_of_v1_has_a_name_a_kind_and_a_unit() -> None:
    for metric, unit in m.UNITS.items():
        known = instrument(metric)
        assert (known is None) == (unit not in UCUM), metric
        if known is not None:
            assert known.name == f"one_logger.{metric}"
            assert known.kind == (COUNTER if metric in COUNTERS else GAUGE)
            assert known.unit
            assert re.fullmatch(rf"{_TERM}(/{_TERM})?", known.unit), known
    assert set(m.UNITS) >= COUNTERS


@pytest.mark.parametrize(
    ("metric", "unit"),
    [
        (m.TRAIN_ITERATIONS, "{iteration}"),
        (m.TRAIN_ITERATIONS_SAVE_CHECKPOINT_END, "{iteration}"),
        (m.TRAIN_SAMPLES_TARGET, "{sample}"),
        (m.TRAIN_TOKENS, "{token}"),
        (m.SAVE_CHECKPOINT_COUNT, "{checkpoint}"),
        (m.WORLD_SIZE, "1"),
        (m.LOAD_CHECKPOINT_TIME, "s"),
        (m.APP_START_TIME, "ms"),
        (m.TRAIN_ITERATIONS_TIME_MSECS_AVG, "ms"),
        (m.TRAIN_THROUGHPUT_PER_GPU, "10*12{flop}/s"),
    ],
)
def test_units(metric: str, unit: str) -> None:
    known = instrument(metric)
    assert known is not None
    assert known.unit == unit


@pytest.mark.parametrize("key", ["loss", "lm loss validation PPL", "a/b-c.d_e", "grad norm (ℓ₂)", "x" * 300, ""])
def test_names_of_a_programs_own_numbers(key: str) -> None:
    known = instrument(key)
    assert known is not None
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_.\-/]{0,254}", known.name)
    assert (known.kind, known.unit) == (GAUGE, "")


# -- points ------------------------------------------------------------------------------------------------------


def counted(points: list[Point]) -> list[tuple[Any, int, int]]:
    return [(point.value, point.start // NS, point.time // NS) for point in points]


def test_a_counter_counts_from_the_beginning_of_the_run() -> None:
    meter = Meter(10 * NS)
    found = [meter.points({m.TRAIN_SAMPLES: value}, time * NS) for time, value in ((12, 8), (14, 8), (20, 64))]
    assert [counted(one) for one in found] == [[(8, 10, 12)], [(8, 10, 14)], [(64, 10, 20)]]


def test_deltas_add_up_to_the_same() -> None:
    meter = Meter(10 * NS, delta=True)
    found = [meter.points({m.TRAIN_SAMPLES: value}, time * NS) for time, value in ((12, 8), (14, 8), (20, 64))]
    assert [counted(one) for one in found] == [[(8, 10, 12)], [(0, 12, 14)], [(56, 14, 20)]]


@pytest.mark.parametrize(("delta", "last"), [(False, (3, 14, 15)), (True, (3, 14, 15))])
def test_a_count_that_begins_again_begins_where_the_old_one_ended(delta: bool, last: tuple[int, int, int]) -> None:
    meter = Meter(10 * NS, delta)
    meter.points({m.TRAIN_ITERATIONS: 9}, 14 * NS)
    assert counted(meter.points({m.TRAIN_ITERATIONS: 3}, 15 * NS)) == [last]
    assert counted(meter.points({m.TRAIN_ITERATIONS: 4}, 16 * NS)) == [(1, 15, 16) if delta else (4, 14, 16)]


def test_a_clock_that_steps_back_gives_no_point_before_its_start() -> None:
    meter = Meter(10 * NS)
    for time in (8, 30, 20):
        for point in meter.points({m.TRAIN_ITERATIONS: time}, time * NS):
            assert point.start <= point.time


def test_a_gauge_is_what_the_row_says() -> None:
    row = {m.WORLD_SIZE: 8, "loss": 0.25, m.APP_START_TIME: 1_700_000_000_123.0}
    points = Meter(0).points(row, 5 * NS)
    assert [(one.instrument.name, one.value, one.start, one.time) for one in points] == [
        ("one_logger.world_size", 8, 0, 5 * NS),
        ("one_logger.loss", 0.25, 0, 5 * NS),
        ("one_logger.app_start_time", 1_700_000_000_123.0, 0, 5 * NS),
    ]


@pytest.mark.parametrize("value", [True, None, "4", [1, 2], {"a": 1}, 10**400])
def test_what_is_no_number_is_no_point(value: Any) -> None:
    assert Meter(0).points({"mine": value, m.IS_BASELINE_RUN: True, m.USER: "me"}, NS) == []


def test_numbers_that_a_point_cannot_carry_as_they_are() -> None:
    found = {
        one.instrument.name: one.value
        for one in Meter(0).points({m.TRAIN_SAMPLES: math.inf, "a": math.nan, m.WORLD_SIZE: 2**70}, NS)
    }
    assert set(found) == {"one_logger.a", "one_logger.world_size"}
    assert isinstance(found["one_logger.world_size"], float)


# -- spans -------------------------------------------------------------------------------------------------------


def told(*calls: tuple[Any, ...], most_events: int = 128, run_id: str = "abcdefgh") -> list[Span]:
    """The spans of these calls: (name, seconds, arguments ...)."""
    trace = Trace(run_id, most_events)
    for name, seconds, *arguments in calls:
        if name == "row":
            trace.row(at(seconds), arguments[0])
        elif name == "end":
            trace.end(at(seconds), *arguments)
        else:
            trace.hear(Call(name, None if seconds is None else at(seconds), tuple(arguments)))
    return trace.ended


def shape(spans: list[Span]) -> list[tuple[str, Any, float, float]]:
    names = {span.id: span.name for span in spans}
    return [
        (one.name, names.get(one.parent or 0), round(one.start / NS - T0, 6), round(one.end / NS - T0, 6))
        for one in spans
    ]


SAVE = [("save_start", 4, 10), ("save_end", 6, 10), ("save_success", 7, 10)]
JOB: list[tuple[Any, ...]] = [
    ("open", 0, None),
    ("app_start", 1, None),
    ("phase_start", 1, "model_init", None),
    ("phase_end", 2, "model_init", None),
    ("train_start", 3, 0, 0),
    ("batch_start", 3),
    ("batch_end", 4),
    *SAVE,
    ("phase_start", 8, "validation", None),
    ("phase_start", 8, "validation_batch", None),
    ("phase_end", 9, "validation_batch", None),
    ("phase_end", 9, "validation", None),
    ("train_end", 10),
    ("app_end", 11, None),
    ("close", 12),
]


def test_a_job() -> None:
    assert shape(told(*JOB)) == [
        ("model_initialization", "application", 1, 2),
        ("checkpoint_save_sync", "training_loop", 4, 6),
        ("validation_loop", "training_loop", 8, 9),
        ("training_loop", "application", 3, 10),
        ("application", None, 0, 11),
    ]


def test_the_same_calls_have_the_same_ids_and_another_run_has_others() -> None:
    first, again, other = told(*JOB), told(*JOB), told(*JOB, run_id="ijklmnop")
    assert [one.id for one in first] == [one.id for one in again]
    assert not {one.id for one in first} & {one.id for one in other}
    assert Trace("a", 1).id != Trace("b", 1).id
    assert all(0 < one.id < 2**64 for one in first)
    assert 0 < Trace("a", 1).id < 2**128


def test_spans_of_a_clock_that_stands_still_have_ids_of_their_own() -> None:
    spans = told(("open", 0), *[(name, 1, "model_init", None) for name in ("phase_start", "phase_end")] * 3, ("end", 1))
    assert len({one.id for one in spans}) == len(spans) == 4


def test_a_success_is_an_event_of_its_save() -> None:
    (save,) = [one for one in told(*JOB) if one.name == "checkpoint_save_sync"]
    assert [(one.name, one.attributes) for one in save.events] == [
        (SUCCESS_EVENT, {"one_logger.train_iterations_save_checkpoint_end": 10})
    ]
    assert save.start <= save.events[0].time <= save.end


def test_a_success_of_an_async_save_is_an_event_of_the_application() -> None:
    spans = told(("training", 0, {"fields": {"save_checkpoint_strategy": "async"}}), *SAVE, ("end", 9))
    assert [one.name for one in spans] == ["checkpoint_save_async", "application"]
    assert [[event.name for event in one.events] for one in spans] == [[], [SUCCESS_EVENT]]


def test_rows_are_events_of_the_innermost_span() -> None:
    spans = told(("row", 0, {"a": 1}), ("train_start", 1, 5, 40), ("row", 2, {"b": "x"}), ("train_end", 3), ("end", 4))
    assert [(one.name, [(event.name, event.attributes) for event in one.events]) for one in spans] == [
        ("training_loop", [(ROW_EVENT, {"one_logger.b": "x"})]),
        ("application", [(ROW_EVENT, {"one_logger.a": 1})]),
    ]
    assert spans[0].attributes == {"one_logger.train_iterations_start": 5, "one_logger.train_samples_start": 40}


def test_attributes_that_otlp_cannot_carry_as_they_are() -> None:
    row = {"none": None, "mixed": [1, "a"], "nested": {"a": 1}, "long": "x" * 9999, "huge": 2**70, "tags": ["a", "b"]}
    (span,) = told(("row", 0, row), ("end", 1))
    assert span.events[0].attributes == {
        "one_logger.mixed": '[1, "a"]',
        "one_logger.nested": '{"a": 1}',
        "one_logger.long": "x" * 4096,
        "one_logger.huge": str(2**70),
        "one_logger.tags": ["a", "b"],
    }


def test_a_long_job_keeps_the_newest_events_and_counts_the_others() -> None:
    (span,) = told(*[("row", number, {"i": number}) for number in range(9)], ("end", 9), most_events=3)
    assert [one.attributes["one_logger.i"] for one in span.events] == [6, 7, 8]
    assert span.dropped == 6


def test_a_job_that_was_killed_ends_what_is_open_with_an_error() -> None:
    spans = told(("open", 0), ("train_start", 1, 0, 0), ("save_start", 2, 1), ("end", 3, "the job has gone"))
    assert shape(spans) == [
        ("checkpoint_save_sync", "training_loop", 2, 3),
        ("training_loop", "application", 1, 3),
        ("application", None, 0, 3),
    ]
    assert [one.error for one in spans] == ["", "", "the job has gone"]


def test_what_comes_after_the_end_belongs_to_no_span() -> None:
    spans = told(*JOB, ("row", 13, {"late": 1}), ("phase_start", 14, "test", None), ("end", 15, "exit code 1"))
    assert len(spans) == 5
    assert spans[-1].error == ""


@pytest.mark.parametrize("call", [("phase_end", 1, "test", None), ("save_end", 1, 4), ("train_end", 1), ("no_such", 1)])
def test_calls_out_of_order(call: tuple[Any, ...]) -> None:
    assert {one.name for one in told(call, ("row", 2, {}), ("end", 3))} == {"application"}


# -- settings and the resource -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "on"),
    [("1", True), (" True ", True), ("yes", True), ("on", True), ("0", False), ("", False), ("OFF", False)],
)
def test_on_and_off(value: str, on: bool) -> None:
    assert settings.wanted({"ONE_LOGGER_V1_OTLP": value}) is on
    assert settings.wanted({"ONE_LOGGER_V1_OTLP": value, "OTEL_SDK_DISABLED": "true"}) is False


def test_off_where_nothing_is_said() -> None:
    assert settings.wanted({}) is False


@pytest.mark.parametrize("value", ["maybe", "2", "http://collector:4318", "grpc"])
def test_a_value_that_is_no_boolean_is_named(value: str) -> None:
    with pytest.raises(ValueError, match=r"ONE_LOGGER_V1_OTLP=.* neither on .* nor off"):
        settings.wanted({"ONE_LOGGER_V1_OTLP": value})


_O = "OTEL_EXPORTER_OTLP_"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, ["http/protobuf http://localhost:4318/v1/traces", "http/protobuf http://localhost:4318/v1/metrics"]),
        ({_O + "PROTOCOL": "grpc"}, ["grpc http://localhost:4317"] * 2),
        (
            {_O + "ENDPOINT": "https://c:1/x/", _O + "METRICS_ENDPOINT": "https://m/all"},
            ["http/protobuf https://c:1/x/v1/traces", "http/protobuf https://m/all"],
        ),
        (
            {_O + "TRACES_PROTOCOL": "grpc", _O + "ENDPOINT": "http://c:1"},
            ["grpc http://c:1", "http/protobuf http://c:1/v1/metrics"],
        ),
        ({"OTEL_METRICS_EXPORTER": "none"}, ["http/protobuf http://localhost:4318/v1/traces"]),
        ({"OTEL_TRACES_EXPORTER": "None", "OTEL_METRICS_EXPORTER": "none"}, []),
    ],
)
def test_where_it_goes(environ: dict[str, str], expected: list[str]) -> None:
    assert [f"{one.protocol} {one.endpoint}" for one in settings.signals(environ)] == expected


def test_a_password_in_an_address_is_not_shown() -> None:
    (first, *_) = settings.signals({_O + "ENDPOINT": "http://me:secret@c:1"})
    assert "secret" not in first.endpoint


@pytest.mark.parametrize("name", ["PROTOCOL", "TRACES_PROTOCOL"])
def test_a_protocol_that_nobody_speaks_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"{_O}{name}='http/json'; expected http/protobuf or grpc"):
        settings.signals({_O + name: "http/json"})


def test_whose_it_is() -> None:
    record = RunRecord(id="abcdefgh", pid=7, machine="node1", version="1.2", chosen={"project": "p", "run_name": "r"})
    environ = {"RANK": "3", "SLURM_PROCID": "9", "WORLD_SIZE": "8", "LOCAL_RANK": "x", "SLURM_JOB_ID": "4711"}
    assert resource.attributes(record, "abcdefgh", "https://w/p/runs/abcdefgh", environ) == {
        "service.name": "p",
        "service.instance.id": "abcdefgh",
        "host.name": "node1",
        "process.pid": 7,
        "one_logger.version": "1.2",
        "wandb.run.id": "abcdefgh",
        "wandb.run.name": "r",
        "wandb.run.url": "https://w/p/runs/abcdefgh",
        "nv.dl.rank": 3,
        "nv.dl.world_size": 8,
        "slurm.job.id": "4711",
    }


@pytest.mark.parametrize("base", [None, [], "x", {"world_size_or_fn": [1]}])
def test_a_journal_that_somebody_else_has_written(base: Any) -> None:
    assert "nv.dl.world_size" not in resource.attributes(RunRecord(v2_values={"base": base}), "i", None, {})
