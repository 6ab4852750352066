"""``one_logger_v1_shim.testing`` in this process: what a block takes, whose it is, and what it leaves behind."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import pytest
from nv_one_logger.api.one_logger_provider import OneLoggerProvider
from nv_one_logger.training_telemetry.api import callbacks as v2
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider

import one_logger_v1_shim as shim
from compat_matrix import compare, jobs
from compat_matrix.wandb_file import StoredRun
from one_logger_v1_shim import OneLogger, _state, configure_v2_adapter
from one_logger_v1_shim._job import ending, telemetry
from one_logger_v1_shim._job.open import STARTED_BY_TEST
from one_logger_v1_shim._v2 import private
from one_logger_v1_shim.testing import Capture, Span, capture
from one_logger_v1_shim.utils import OneLoggerUtils
from one_logger_v1_shim.utils.nemo import get_hooked_model
from tests.support import CONFIG, GOLDENS, Clock, decoded, golden, golden_names
from tests.v2.recording import RecordingExporter
from tests.v2.room import train_to_the_end
from tests.v2.test_stream import shape, stream

BOOKKEEPING = compare.BOOKKEEPING | set(compare.TAG_KEYS)


@pytest.fixture(autouse=True)
def _clean(fresh: Path) -> Path:
    """A process that has logged nothing, for what is outside of the blocks."""
    return fresh


def own(captured: Capture) -> list[dict[str, Any]]:
    """The rows without what the core adds, and without rows of tags only."""
    kept = [{key: value for key, value in row.items() if key not in BOOKKEEPING} for row in captured.rows]
    return [row for row in kept if row]


def shapes(spans: list[Span]) -> list[tuple[str, Any]]:
    return [(span.name, span.parent.name if span.parent else None) for span in spans]


def train(batches: int = 4, finish: bool = True, **config: Any) -> OneLoggerUtils:
    """A job of v1's."""
    utils = OneLoggerUtils({**CONFIG, **config})
    utils.on_app_start()
    utils.on_train_start(train_iterations_start=0)
    for _ in range(batches):
        utils.on_train_batch_start()
        utils.on_train_batch_end()
    utils.on_train_end()
    if finish:
        utils.on_app_end()
        utils.finish()
    return utils


def native_job(**config: Any) -> None:
    """A job on v2's callbacks."""
    configure_v2_adapter({**CONFIG, **config})
    v2.on_app_start()
    train_to_the_end()


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


# -- rows: v1's ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", golden_names())
def test_recorded_jobs_give_the_rows_that_v1_sent(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the same comparison that the matrix uses for what W&B stored."""
    recorded = golden(name)
    clock = Clock(monkeypatch, recorded["t0"])
    face: Any = OneLogger if recorded.get("target") == "OneLogger" else OneLoggerUtils
    with capture() as captured:
        made: list[Any] = []
        calls: list[Callable[[], Any]] = [lambda: made.append(face(decoded(recorded["config"])))]
        calls += [
            lambda step=step: getattr(made[0], step["call"])(*step.get("args", []), **decoded(step.get("kwargs")))
            for step in recorded["steps"]
        ]
        for at, call, expect in zip([0.0, *(step["at"] for step in recorded["steps"])], calls, recorded["expect"]):
            clock.now = recorded["t0"] + at
            if expect.get("raises"):
                with pytest.raises(Exception, match=r".") as raised:
                    call()
                assert type(raised.value).__name__ == expect["raises"].partition(":")[0]
            else:
                call()
    stored = [as_stored(run) for run in captured.runs]
    assert compare.compare_runs(jobs.golden(GOLDENS / f"{name}.json").runs, stored) == []
    assert captured.rows == [row for run in captured.runs for row in run.rows]


def as_stored(run: Any) -> StoredRun:
    summary = {key: value for row in run.rows for key, value in row.items() if value is not None}
    return StoredRun(
        Path(), project=run.project, name=run.name or "", rows=run.rows, steps=list(range(len(run.rows))),
        summary=summary, exit_code=0,
    )  # fmt: skip


def test_rows_are_what_json_has_made_of_them() -> None:
    numpy = pytest.importorskip("numpy")
    metrics = {"tuple": (1, "a"), "none": None, 3: True, "scalar": numpy.float32(0.5), "nested": {"x": [1]}}
    with capture() as captured:
        core = OneLogger({"project": "p"})
        core.log_metrics(metrics)
        metrics["nested"]["x"].append(2)
        core.log_metrics({"second": 1})
    assert own(captured) == [
        {"tuple": [1, "a"], "none": None, "3": True, "scalar": 0.5, "nested": {"x": [1]}},
        {"second": 1},
    ]
    assert {"app_first_log_time", "one_logger_version", "app_last_log_time"} <= captured.rows[0].keys()


def test_lists_are_copies() -> None:
    with capture() as captured:
        core = OneLogger()
        core.log_metrics({"a": 1})
        rows, spans, runs = captured.rows, captured.spans, captured.runs
        rows.clear()
        spans.clear()
        runs.clear()
        core.log_metrics({"b": 1})
    assert own(captured) == [{"a": 1}, {"b": 1}]
    assert len(captured.spans) == len(captured.runs) == 1
    assert repr(captured) == "<Capture of 2 rows in 1 runs>"


def test_runs_name_where_the_rows_would_have_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENTITY", "PROJECT", "NAME", "TAGS", "DIR", "BASE_URL", "API_KEY"):
        monkeypatch.setenv(f"WANDB_{name}", "http://from.the.shell")
    with capture() as captured:
        first = OneLogger({"project": "p", "name": "n", "entity": "e"})
        first.log_metrics({"a": 1})
        first.finish()
        OneLogger().log_metrics({"b": 1})
    assert [(run.entity, run.project, run.name, run.finished) for run in captured.runs] == [
        ("e", "p", "n", True),
        ("hwinf_dcm", "e2e-tracking", None, False),
    ]
    assert [row[key] for run, key in zip(captured.runs, "ab") for row in run.rows] == [1, 1]


@pytest.mark.parametrize("asynchronous", [True, False])
@pytest.mark.parametrize(
    "environment",
    [
        {"WANDB_MODE": "disabled"},
        {"ONE_LOGGER_V1_DELIVERY": "inline", "ONE_LOGGER_V1_FORWARD": "job"},
        {"ONE_LOGGER_V1_PYTHON": "/no/such/python", "WANDB_MODE": "disabled"},
        {"ONE_LOGGER_V1_WORKER": "1", "ONE_LOGGER_V1_JOURNAL": "0", "WANDB_MODE": "online"},
    ],
    ids=lambda environment: "-".join(environment),
)
def test_the_shell_of_the_developer_has_no_influence(
    environment: dict[str, str], asynchronous: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with capture() as plain:
        train(one_logger_async=asynchronous)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with capture() as captured:
        train(one_logger_async=asynchronous)
    assert [list(row) for row in captured.rows] == [list(row) for row in plain.rows]
    assert len(plain.rows) == 8
    assert shapes(captured.spans) == [("application", None), ("training_loop", "application")]
    assert warnings_of(caplog) == []


def test_v2s_export_configuration_has_no_influence(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = '{"exporters": [{"class_name": "tests.v2.recording.RecordingExporter", "config": {"file_path": "v2"}}]}'
    (fresh / "one_logger_exporters_config.json").write_text(config)
    for job in (train, native_job):
        with capture() as captured:
            job()
        assert len(captured.spans) == 2
    assert not (fresh / "v2").exists()


def test_disabled_ranks_log_nothing() -> None:
    with capture() as captured:
        train(enable_for_current_rank=False)
        OneLogger({"enable_one_logger": False}).log_metrics({"a": 1})
        native_job(enable_for_current_rank=False)
    assert (captured.rows, captured.spans, captured.runs) == ([], [], [])


# -- spans: v2's -----------------------------------------------------------------------------------------------


def test_spans_have_names_times_attributes_events_and_parents(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    with capture() as captured:
        utils = OneLoggerUtils(CONFIG)
        utils.on_app_start()
        clock.advance(1.5)
        utils.on_train_start(train_iterations_start=0)
        for _ in range(2):
            utils.on_train_batch_start()
            clock.advance(0.25)
            utils.on_train_batch_end()
        (application, loop) = captured.spans
        assert (loop.end_ms, application.end_ms) == (None, None)
        utils.on_train_end()
        (progress,) = [event for event in loop.events if event.name == "training_metrics_update"]
        assert (loop.end_ms, application.end_ms) == (loop.start_ms + 500, None)
    assert captured.spans == [application, loop], "the same objects"
    assert application.parent is None
    assert loop.parent is application
    assert application.end_ms == loop.end_ms == application.start_ms + 2000
    assert loop.start_ms == 1_700_000_001_500.0 == own(captured)[2]["app_train_loop_start_time"]
    assert loop.attributes["train_iterations_start"] == 0
    assert loop.attributes["duration_msec"] == 500
    assert progress.time_ms == loop.start_ms + 500
    assert progress.attributes["current_iteration"] == 1  # counted from 0
    assert "timestamp_msec" not in progress.attributes
    rows = [event for event in application.events if event.name == "one_logger_v1.log_metrics"]
    assert len(rows) == len(captured.rows)
    assert "parent" not in repr(loop)


@pytest.mark.parametrize("name", ["validation_rounds", "checkpoint_failed_attempt", "callables"])
def test_spans_are_what_an_exporter_of_v2_hears(name: str, tmp_path: Path) -> None:
    """The same job, in a process of its own with an exporter of v2's export configuration."""
    heard = shape(stream("shim", name, tmp_path))
    job = golden(name)
    with capture() as captured:
        utils = OneLoggerUtils(decoded(job["config"]))
        for step in job["steps"]:
            getattr(utils, step["call"])(**decoded(step.get("kwargs")))
    assert shapes(captured.spans) == [(record[1], record[2]) for record in heard if record[0] == "start"]
    events = [(event.name, span.name) for span in captured.spans for event in span.events]
    told = [(record[1], record[2]) for record in heard if record[0] == "event"]
    assert sorted(event for event in events if "log_metrics" not in event[0]) == sorted(told)
    assert len([record for record in heard if record[0] == "stop"]) == len(captured.spans)


def test_an_error_that_the_application_reports_is_an_event() -> None:
    with capture() as captured:
        native = {**CONFIG, "one_logger_project": "p"}
        configure_v2_adapter(native)
        v2.on_app_start()
        recorder = TrainingTelemetryProvider.instance().recorder
        recorder.error(recorder.get_active_spans_by_name("application")[0], "out of memory", ValueError("x"))
        v2.on_app_end()
    (event,) = [event for event in captured.spans[0].events if event.name == "error"]
    assert event.attributes["error_message"] == "out of memory"
    assert event.attributes["exception_type"] == "ValueError"


def test_the_parent_is_the_next_span_that_v2_exports() -> None:
    """A save inside of an iteration: v2 does not export iterations."""
    with capture() as captured:
        utils = train(finish=False)
        utils.on_train_start(train_iterations_start=4)
        utils.on_train_batch_start()
        utils.on_save_checkpoint_start(global_step=4)
        utils.on_save_checkpoint_end(global_step=4)
        utils.on_save_checkpoint_success(global_step=4)
    assert shapes(captured.spans)[-1] == ("checkpoint_save_sync", "training_loop")


def test_without_v2_there_are_rows_and_spans_say_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a v2 that keeps its provider elsewhere (a v2 that is missing: test_testing_alone)."""
    monkeypatch.setattr(private, "exchange_singletons", lambda new: None)
    before = OneLoggerProvider.instance()
    with capture() as captured:
        train()
        with pytest.raises(RuntimeError, match=r"no spans: v2 .* cannot be used here .* no provider that can be set"):
            print(captured.spans)
    assert len(captured.rows) == 8
    assert OneLoggerProvider.instance() is before
    assert not before.one_logger_ready, "the provider that could not be set aside was not touched"


# -- all APIs -------------------------------------------------------------------------------------------------


def test_both_apis_share_one_run_as_in_a_job() -> None:
    with capture() as captured:
        train(finish=False)
        OneLogger({"project": "tests"}).log_metrics({"mine": 1})
    assert own(captured)[-1] == {"mine": 1}
    assert len(captured.runs) == 1


def test_a_program_on_v2s_callbacks() -> None:
    for _ in range(2):  # a provider can be configured once; each block has its own
        with capture() as captured:
            native_job(metadata={"model": "gpt"})
        merged = {key: value for row in captured.rows for key, value in row.items()}
        assert (merged["train_iterations_end"], merged["train_samples_end"], merged["model"]) == (4, 32, "gpt")
        assert shapes(captured.spans) == [("application", None), ("training_loop", "application")]
        (run,) = captured.runs
        assert (run.project, run.finished) == ("tests", True)


def test_a_program_that_configures_v2_itself(fresh: Path) -> None:
    """Its own exporters stay, and a v1 logger of the same program joins its run."""
    with capture() as captured:
        config = shim.ConfigAdapter.convert_to_v2_config(CONFIG)
        provider = TrainingTelemetryProvider.instance().with_base_config(config)
        provider.with_exporter(shim.V1CompatibleExporter(config).exporter)
        provider.with_exporter(RecordingExporter(fresh / "theirs")).configure_provider()
        v2.on_app_start()
        OneLogger({"project": "other"}).log_metrics({"mine": 1})
        v2.on_app_end()
    assert {"mine": 1} in own(captured)
    assert "app_finish_time" in own(captured)[-1]
    assert len(captured.runs) == 1
    assert shapes(captured.spans) == [("application", None)]
    assert '"stop", "application"' in (fresh / "theirs").read_text()


def test_a_model_of_nemos_shape() -> None:
    class Model:
        def __init__(self, cfg: Any, trainer: Any = None) -> None:
            self.setup_training_data(cfg)

        def setup_training_data(self, config: Any) -> None: ...

    with capture() as captured:
        utils = train(finish=False)
        trainer = SimpleNamespace(time_event_callback=SimpleNamespace(logtimeevent=utils))
        get_hooked_model(model_class=Model, cfg={}, trainer=trainer)
    assert [next(iter(row)) for row in own(captured)[-4:]] == [
        "app_model_init_start_time",
        "app_build_dataiters_start_time",
        "app_build_dataiters_finish_time",
        "app_model_init_finish_time",
    ]


# -- the end of a block ----------------------------------------------------------------------------------------


def test_a_job_that_never_calls_finish_ends_with_the_block() -> None:
    with capture() as captured:
        train(finish=False)
        assert captured.spans[0].end_ms is None
    assert captured.spans[0].end_ms is not None
    assert [run.finished for run in captured.runs] == [False], "the block finished it, and not the program"
    assert "app_finish_time" not in own(captured)[-1], "v1 sent none"
    assert telemetry.current() is None


class Boom(Exception):
    """The test's own."""


@pytest.mark.parametrize("error", [Boom, AssertionError, KeyboardInterrupt, SystemExit, pytest.fail.Exception])
def test_an_exception_passes_and_the_rows_stay(error: type[BaseException]) -> None:
    def test(kept: list[Capture]) -> None:
        with capture() as captured:
            kept.append(captured)
            train(finish=False)
            raise error("mine")

    kept: list[Capture] = []
    with pytest.raises(error, match="mine"):
        test(kept)
    (captured,) = kept
    assert len(captured.rows) == 7
    assert captured.spans[0].end_ms is not None
    with capture() as second:
        train()
    assert len(second.rows) == 8


def test_what_a_program_leaves_for_the_end_of_the_process_happens_at_the_end_of_the_block() -> None:
    called: list[str] = []
    with capture() as captured:
        core = OneLogger()
        ending.at_exit(lambda: called.append("first"))
        ending.at_exit(lambda: core.log_metrics({"last": 1}))
        forgotten = [].clear
        ending.at_exit(forgotten)
        ending.not_at_exit(forgotten)
        ending.at_exit(lambda: called.append("last") or 1 / 0)  # type: ignore[arg-type]
        assert called == []
    assert called == ["last", "first"]
    assert own(captured) == [{"last": 1}]


def test_calls_after_the_end_are_dropped_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    with capture() as captured:
        utils = train(finish=False)
        core = OneLogger({"project": "tests"})
        core.log_metrics({"inside": 1})
    rows, spans = captured.rows, len(captured.spans)
    caplog.clear()
    core.log_metrics({"late": 1})
    core.log_app_tag("late")
    utils.on_validation_start()
    utils.on_app_end()
    utils.finish()
    core.finish()
    assert warnings_of(caplog) == [
        "a row came after the test's block had ended (one_logger_v1_shim.testing); it is dropped"
    ]
    assert (captured.rows, len(captured.spans)) == (rows, spans)


def test_rows_after_finish_are_dropped_as_in_a_job(caplog: pytest.LogCaptureFixture) -> None:
    with capture() as captured:
        utils = train()
        utils.on_app_start()
        core = OneLogger({"project": "p"})
        core.log_metrics({"in time": 1})
        telemetry.current().finish(1)  # type: ignore[union-attr]  # as the framework modules do when a job fails
        core.log_metrics({"late": 1})
    assert len(captured.rows) == 9
    assert [run.finished for run in captured.runs] == [True, True]
    assert "a row came after the run was finished; it is dropped" in warnings_of(caplog)


def test_a_logger_that_was_kept_logs_nothing_into_the_next_block() -> None:
    with capture() as first:
        kept, utils = OneLogger({"project": "first"}), train(finish=False, app_tag="first")
    before = len(first.rows)
    with capture() as second:
        kept.log_metrics({"kept": 1})
        kept.log_app_tag("kept")
        utils.on_app_end()
        OneLogger({"project": "second"}).log_app_tag("second")
        kept.finish()
        OneLogger({"project": "second"}).log_metrics({"second": 1})
    assert len(first.rows) == before
    assert own(second) == [{"second": 1}]
    assert second.rows[0]["app_tag"] == ["second"], "tags of the other block are not known here"
    assert [span.name for span in second.spans] == ["application"]


def test_each_block_is_a_new_process(caplog: pytest.LogCaptureFixture) -> None:
    seen = []
    for _ in range(3):
        caplog.clear()
        with capture() as captured:
            core = OneLogger()
            core.log_app_tag("tag")
            core.log_metrics({"odd": object()})
            core.log_metrics({"odd": object()})
        seen.append(([sorted(row) for row in captured.rows], warnings_of(caplog)))
    assert seen[0] == seen[1] == seen[2]
    rows, said = seen[0]
    assert "app_first_log_time" in rows[0]
    assert len(said) == 1, "each warning once in a block"


# -- what is outside -------------------------------------------------------------------------------------------


def test_a_run_outside_goes_on_as_before(rows: Callable[[], list[dict[str, Any]]]) -> None:
    """Its rows are in its journal: see the fixture."""
    outside = OneLogger({"project": "outside"})
    outside.log_app_tag("outside")
    outside.log_metrics({"before": 1})
    recorder = TrainingTelemetryProvider.instance().recorder
    with capture() as captured:
        inside = OneLogger({"project": "inside"})
        inside.log_app_tag("inside")
        inside.log_metrics({"inside": 1})
        outside.log_metrics({"during": 1})
        outside.log_app_tag("second")
    outside.log_metrics({"after": 1})
    joins = OneLogger({"project": "outside"})
    joins.log_metrics({"joins": 1})
    assert TrainingTelemetryProvider.instance().recorder is recorder
    assert own(captured) == [{"inside": 1}]
    assert captured.rows[0]["app_tag"] == ["inside"]
    assert rows() == [{"before": 1}, {"during": 1}, {"after": 1}, {"joins": 1}]


def test_v2_is_left_as_it_was_found(fresh: Path) -> None:
    config = shim.ConfigAdapter.convert_to_v2_config(CONFIG)
    exporter = RecordingExporter(fresh / "outside")
    TrainingTelemetryProvider.instance().with_base_config(config).with_exporter(exporter).configure_provider()
    provider, recorder = OneLoggerProvider.instance(), OneLoggerProvider.instance().recorder
    logger = logging.getLogger("nv_one_logger.recorder.default_recorder")
    handler = logging.FileHandler(os.devnull)
    logger.addHandler(handler)
    logger.setLevel(logging.CRITICAL)
    new = "nv_one_logger.training_telemetry.api.callbacks"
    try:
        v2.on_app_start()
        with capture() as captured:
            assert not OneLoggerProvider.instance().one_logger_ready
            assert (logger.level, logger.handlers) == (logging.NOTSET, [])
            native_job()
            logging.getLogger(new).addHandler(logging.FileHandler(os.devnull))
            logging.getLogger(new).setLevel(logging.ERROR)
        assert OneLoggerProvider.instance() is provider
        assert provider.recorder is recorder
        assert (logger.level, logger.handlers) == (logging.CRITICAL, [handler])
        assert (logging.getLogger(new).level, logging.getLogger(new).handlers) == (logging.NOTSET, [])
        v2.on_model_init_start()
        v2.on_model_init_end()
        v2.on_app_end()
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
        handler.close()
    told = (fresh / "outside").read_text()
    assert told.count('"start", "application"') == told.count('"stop", "application"') == 1
    assert '"stop", "model_initialization"' in told
    assert "training_loop" not in told
    assert shapes(captured.spans) == [("application", None), ("training_loop", "application")]


def test_the_environment_is_as_before() -> None:
    before, finders = dict(os.environ), list(sys.meta_path)
    with capture():
        train()
    assert (dict(os.environ), sys.meta_path) == (before, finders)
    assert _state.process.taker is None


# -- one inside of the other, side by side ---------------------------------------------------------------------


def test_blocks_nest_and_each_has_its_own() -> None:
    with capture() as outer:
        core = OneLogger({"project": "outer"})
        core.log_metrics({"outer": 1})
        with capture() as inner:
            train()
            core.log_metrics({"outer": 2})
            utils = train(finish=False)
        core.log_metrics({"outer": 3})
        utils.on_app_end()
        native = OneLogger({"project": "outer"})
        native.log_metrics({"outer": 4})
    assert own(outer) == [{"outer": 1}, {"outer": 2}, {"outer": 3}, {"outer": 4}]
    assert len(inner.rows) == 8 + 7
    assert [span.name for span in outer.spans] == ["application"]
    rows = [event for event in outer.spans[0].events if event.name == "one_logger_v1.log_metrics"]
    assert len(rows) == 3, "v2 belongs to the inner block meanwhile"
    assert shapes(inner.spans)[:2] == [("application", None), ("training_loop", "application")]


def test_a_block_of_another_thread_is_refused() -> None:
    errors: list[BaseException] = []

    def other() -> None:
        try:
            with capture():
                pass
        except RuntimeError as error:
            errors.append(error)

    with capture() as captured:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        OneLogger().log_metrics({"mine": 1})
    (error,) = errors
    assert "thread 'MainThread' has a block open" in str(error)
    assert "pytest-xdist" in str(error)
    assert own(captured) == [{"mine": 1}]
    thread = threading.Thread(target=other)  # one after the other is no trouble
    thread.start()
    thread.join()
    assert len(errors) == 1


def test_blocks_that_overlap_are_said_and_leave_nothing_behind() -> None:
    first, second = capture(), capture()
    one, two = first.__enter__(), second.__enter__()
    OneLogger().log_metrics({"two": 1})
    with pytest.raises(RuntimeError, match="a block ended before one that began later"):
        first.__exit__(None, None, None)
    OneLogger().log_metrics({"two": 2})
    second.__exit__(None, None, None)
    assert (own(one), own(two)) == ([], [{"two": 1}, {"two": 2}])
    assert _state.process.taker is None
    assert STARTED_BY_TEST not in os.environ
    assert telemetry.current() is None
    assert not OneLoggerProvider.instance().one_logger_ready


def test_threads_of_the_program_log_into_the_block() -> None:
    with capture() as captured:
        core = OneLogger({"project": "p"})
        began = threading.Barrier(4)

        def log(number: int) -> None:
            began.wait()
            for count in range(50):
                core.log_metrics({"thread": number, "count": count})
            if number == 0:
                train()

        threads = [threading.Thread(target=log, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    counts = {n: [row["count"] for row in captured.rows if row.get("thread") == n] for n in range(4)}
    assert counts == {n: list(range(50)) for n in range(4)}, "all of them, each thread's in its order"
    assert shapes(captured.spans) == [("application", None), ("training_loop", "application")]


# -- other processes -------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_child_has_a_copy_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows are not the parent's; it starts nothing; its parent's run, outside of the block, is not its own."""
    monkeypatch.setenv("WANDB_MODE", "disabled")  # no wandb in a process that forks
    outside = OneLogger({"project": "outside"})
    block = capture()
    captured = block.__enter__()
    core = OneLogger({"project": "p"})
    core.log_metrics({"parent": 1})
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            core.log_metrics({"child": "silent"})
            outside.log_metrics({"child": "silent"})
            OneLogger({"project": "child"}).log_metrics({"child": 1})
            block.__exit__(None, None, None)
            found = [own(captured), telemetry.current(), _state.process.taker, outside._telemetry._dead]  # type: ignore[union-attr]
            os.write(write, repr(found).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        assert pipe.read().decode() == repr([[{"parent": 1}, {"child": 1}], None, None, True])
    os.waitpid(pid, 0)
    core.log_metrics({"parent": 2})
    block.__exit__(None, None, None)
    assert own(captured) == [{"parent": 1}, {"parent": 2}]
    assert len(captured.runs) == 1


def test_many_blocks_cost_little() -> None:
    """No handler, file or thread stays behind."""
    with capture():
        train()  # imports
    files = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    threads = threading.active_count()
    handlers = sum(len(logging.getLogger(name).handlers) for name in list(logging.Logger.manager.loggerDict))
    began = time.perf_counter()
    for _ in range(50):
        with capture():
            train()
    assert time.perf_counter() - began < 20
    if files:
        assert len(os.listdir("/proc/self/fd")) <= files
    assert threading.active_count() == threads
    after = sum(len(logging.getLogger(name).handlers) for name in list(logging.Logger.manager.loggerDict))
    assert after == handlers
