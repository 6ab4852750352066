"""The process's one connection to v2: attaching, rows at any time, threads, errors, flat cost."""

from __future__ import annotations

import json
import logging
import os
import threading
from pathlib import Path
from typing import Any, Callable

import pytest
from nv_one_logger.api.config import LoggerConfig, OneLoggerConfig
from nv_one_logger.api.one_logger_provider import OneLoggerProvider
from nv_one_logger.training_telemetry.api import callbacks as v2
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider

from one_logger_v1_shim import OneLogger
from one_logger_v1_shim.utils import OneLoggerUtils
from tests.support import CONFIG, Clock, journalled_rows, journalled_runs
from tests.v2.recording import RecordingExporter

Rows = Callable[[], list[dict[str, Any]]]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and "is offline" not in record.getMessage()
    ]


def application_configures_v2(exporter: Any = None, **more: Any) -> None:
    provider = TrainingTelemetryProvider.instance().with_base_config(
        OneLoggerConfig(
            application_name="the-application",
            session_tag_or_fn="s",
            world_size_or_fn=1,
            logger_config=LoggerConfig(log_file_path_for_info=os.devnull, log_file_path_for_err=os.devnull),
            **more,
        )
    )
    if exporter is not None:
        provider = provider.with_exporter(exporter)
    provider.configure_provider()


def recorded_stream(fresh: Path) -> Path:
    """v2's own export configuration in the working directory has a recording exporter; the file that it writes."""
    path = fresh / "stream.jsonl"
    recording = {"class_name": "tests.v2.recording.RecordingExporter", "config": {"file_path": str(path)}}
    (fresh / "one_logger_exporters_config.json").write_text(json.dumps({"exporters": [recording]}))
    return path


def records(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


# -- attaching ------------------------------------------------------------------------------------------------


def test_second_instance_joins_the_run(fresh: Path, caplog: pytest.LogCaptureFixture) -> None:
    one = OneLoggerUtils(CONFIG)
    two = OneLogger({"project": "other", "name": "other", "async": False})
    three = OneLoggerUtils(CONFIG)
    two.log_metrics({"two": 1})
    three.on_app_start()
    one.finish()
    two.log_metrics({"two": 2})
    two.finish()
    three.on_app_end()
    three.finish()
    assert len(journalled_runs(fresh)) == 1
    assert [row["two"] for row in journalled_rows(fresh) if "two" in row] == [1, 2]
    (path,) = fresh.rglob("rows-*.jsonl")
    assert path.read_text().splitlines()[-1] == "#finish 0"
    assert [message for message in warnings(caplog) if "joins it" in message]


def test_new_run_after_finish(fresh: Path) -> None:
    for number in range(2):
        utils = OneLoggerUtils({**CONFIG, "one_logger_run_name": f"run-{number}"})
        utils.on_app_start()
        utils.on_train_start(train_iterations_start=0)
        utils.on_train_end()
        utils.on_app_end()
        utils.finish()
    assert [run.chosen["run_name"] for run in journalled_runs(fresh)] == ["run-0", "run-1"]
    first, second = (journalled_rows(path.parent, bookkeeping=True) for path in fresh.rglob("run.json"))
    assert [set(row) for row in first] == [set(row) for row in second], "the second run is as complete as the first"


def test_application_that_configured_v2_itself(fresh: Path) -> None:
    path = fresh / "stream.jsonl"
    application_configures_v2(RecordingExporter(path))
    v2.on_app_start()
    utils = OneLoggerUtils(CONFIG)
    utils.on_app_start()
    utils.on_train_start(train_iterations_start=0)
    utils.on_train_batch_start()
    utils.on_train_batch_end()
    utils.on_train_end()
    utils.on_app_end()
    utils.finish()
    v2.on_model_init_start()  # the application's own recorder goes on
    v2.on_model_init_end()
    v2.on_app_end()
    shape = [record[:3] for record in records(path) if record[0] == "start"]
    assert shape == [
        ["start", "application", None],
        ["start", "training_loop", "application"],
        ["start", "model_initialization", "application"],
    ]
    assert records(path)[-1] == ["close"]
    assert {"app_start_time"} in [set(row) for row in journalled_rows(fresh)]
    assert len(journalled_runs(fresh)) == 1


def test_application_span_is_not_opened_behind_the_applications_back(fresh: Path) -> None:
    application_configures_v2()
    core = OneLogger({"project": "p", "async": False})
    core.log_metrics({"early": 1})
    v2.on_app_start()  # would raise if we had opened it
    core.log_metrics({"late": 1})
    core.finish()
    v2.on_app_end()
    assert journalled_rows(fresh) == [{"early": 1}, {"late": 1}]


def test_exporter_of_the_application_is_used(fresh: Path) -> None:
    from one_logger_v1_shim import V1CompatibleExporter

    base = OneLoggerConfig(application_name="app", session_tag_or_fn="s", world_size_or_fn=1)
    exporter = V1CompatibleExporter(one_logger_config=base, async_mode=False)
    application_configures_v2(exporter)
    utils = OneLoggerUtils(CONFIG)
    utils.on_app_start()
    utils.on_app_end()
    utils.finish()
    (run,) = journalled_runs(fresh)
    assert run.spec.arguments({})["project"] == "app"
    names = [set(row) for row in journalled_rows(fresh)]
    assert names.count({"app_start_time"}) == 1, "forwarded calls are not translated a second time"
    assert names.count({"app_finish_time"}) == 1


def test_file_exporter_of_the_working_directory_works_beside(fresh: Path) -> None:
    good = {"class_name": "nv_one_logger.exporter.file_exporter.FileExporter", "config": {"file_path": "v2.jsonl"}}
    (fresh / "one_logger_exporters_config.json").write_text(json.dumps({"exporters": [good]}))
    utils = OneLoggerUtils(CONFIG)
    utils.on_app_start()
    utils.on_app_end()
    utils.finish()
    assert "application" in (fresh / "v2.jsonl").read_text()


# -- rows at any time -----------------------------------------------------------------------------------------


def test_second_logger_knows_the_training(fresh: Path, caplog: pytest.LogCaptureFixture) -> None:
    """v2 is told with the values of the callables that this object has read, not those of the first."""
    path = recorded_stream(fresh)
    core = OneLogger({"project": "p", "async": False})
    utils = OneLoggerUtils({**CONFIG, "app_tag": lambda: "tag", "global_batch_size": lambda: 24})
    utils.on_train_start(train_iterations_start=0)
    utils.on_train_batch_start()
    utils.on_train_batch_end()
    config: Any = TrainingTelemetryProvider.instance().config.telemetry_config
    assert (config.perf_tag, config.global_batch_size) == ("tag", 24)
    utils.finish()
    core.finish()
    assert "update_training_telemetry_config" in path.read_text()
    assert not [message for message in warnings(caplog) if "v2" in message]


def test_rows_before_app_start_and_after_app_end(rows: Rows) -> None:
    utils = OneLoggerUtils({**CONFIG, "save_checkpoint_strategy": "async"})
    utils.on_model_init_start()
    utils.on_app_start()
    utils.on_save_checkpoint_start(global_step=1)
    utils.on_save_checkpoint_end(global_step=1)
    utils.on_app_end()
    utils.on_save_checkpoint_success(global_step=1)
    utils.finish()
    stored = rows()
    assert set(stored[1]) == {"app_model_init_start_time"}
    assert stored[-1]["save_checkpoint_async_count"] == 1


def test_timestamps_older_than_ten_minutes(rows: Rows, caplog: pytest.LogCaptureFixture) -> None:
    utils = OneLoggerUtils({**CONFIG, "app_start_time": 1_600_000_000_000.5})
    utils.on_app_start()
    utils.on_load_checkpoint_start(load_checkpoint_start_time=1_600_000_001_000)
    utils.on_load_checkpoint_end(load_checkpoint_finish_time=1_600_000_000_500)
    application = OneLoggerProvider.instance().recorder._spans  # type: ignore[attr-defined]
    (span,) = application.values()
    assert span.start_event.timestamp.seconds_since_epoch == 1_600_000_000.0005
    utils.finish()
    assert rows()[1] == {"app_start_time": 1_600_000_000_000.5}
    assert not [message for message in warnings(caplog) if "v2 could not" in message]


def test_unusable_timestamp_does_not_reach_v2(rows: Rows, caplog: pytest.LogCaptureFixture) -> None:
    utils = OneLoggerUtils(CONFIG)
    utils.on_app_start(app_start_time="yesterday")
    utils.on_model_init_start(app_model_init_start_time=float("nan"))
    utils.on_model_init_end(app_model_init_finish_time=-1)
    utils.finish()
    assert rows()[1] == {"app_start_time": "yesterday"}
    assert not [message for message in warnings(caplog) if "v2 could not" in message]


def test_clock_that_steps_back(fresh: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    utils = OneLoggerUtils({**CONFIG, "log_every_n_train_iterations": 1})
    with monkeypatch.context() as patch:
        clock = Clock(patch)
        perf = [5.0]
        patch.setattr("time.perf_counter", lambda: perf[0])
        utils.on_train_start(train_iterations_start=0)
        for step in (10.0, -3600.0, 3600.0, 10.0):
            utils.on_train_batch_start()
            clock.advance(step)
            perf[0] += 10.0
            utils.on_train_batch_end()
        timer = TrainingTelemetryProvider.instance().recorder._training_state.multi_iteration_timers
        total = timer["training_single_iteration"].total_time_sec  # type: ignore[index]
    utils.finish()
    assert total == 40.0, "v2's clock never runs backwards"
    progress = [row for row in journalled_rows(fresh) if "train_iterations" in row]
    # v1 took time.time() as it was
    assert [row["train_iterations_time_total"] for row in progress] == [10.0, -3590.0, 10.0, 20.0]
    assert not [message for message in warnings(caplog) if "v2 could not" in message]


# -- threads and forks ----------------------------------------------------------------------------------------


def test_sixteen_threads_lose_and_double_nothing(fresh: Path) -> None:
    core = OneLogger({"project": "p", "async": False})
    barrier = threading.Barrier(16)

    def work(number: int) -> None:
        barrier.wait()
        for count in range(50):
            core.log_metrics({"thread": number, "count": count})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    core.finish()
    seen: dict[int, list[int]] = {}
    for row in journalled_rows(fresh):
        seen.setdefault(row["thread"], []).append(row["count"])
    assert seen == {number: list(range(50)) for number in range(16)}


# -- v2's own failures ----------------------------------------------------------------------------------------


def test_v2_that_disabled_itself_loses_no_row(rows: Rows) -> None:
    utils = OneLoggerUtils({**CONFIG, "quiet": True})
    utils.on_app_start()
    OneLoggerProvider.instance().force_disable_logging()
    utils.on_train_start(train_iterations_start=0)
    utils.on_train_end()
    utils.on_app_end()
    utils.finish()
    assert [set(row) for row in rows()][-2:] == [{"app_train_loop_finish_time"}, {"app_finish_time"}]


def test_span_is_built_where_another_begins_inside_an_iteration(fresh: Path) -> None:
    utils = OneLoggerUtils(CONFIG)
    utils.on_train_start(train_iterations_start=0)
    utils.on_train_batch_start()
    utils.on_save_checkpoint_start(global_step=1)
    recorder = TrainingTelemetryProvider.instance().recorder
    nesting = [span.name_str for span in recorder._spans.values()]
    assert nesting == ["application", "training_loop", "training_single_iteration", "checkpoint_save_sync"]
    utils.on_save_checkpoint_end(global_step=1)
    utils.on_train_batch_end()
    assert [span.name_str for span in recorder._spans.values()] == ["application", "training_loop"]
    assert recorder._training_state.completed_training_iterations_overall == 1


def test_no_files_of_v2_in_the_working_directory(fresh: Path) -> None:
    utils = OneLoggerUtils(CONFIG)
    utils.on_app_start()
    utils.on_app_end()
    utils.finish()
    assert {path.name for path in fresh.iterdir()} <= {"wandb", ".config", ".cache", ".local"}
