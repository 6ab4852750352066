"""What v2 hears of each v1 callback, and when: beside the rows, with the same clock reading, in v1's vocabulary."""

from __future__ import annotations

from typing import Any

import pytest

from one_logger_v1_shim import _log, core
from one_logger_v1_shim.utils import OneLoggerUtils
from tests.support import CONFIG, Clock
from tests.v1_job import T0, T0_MS

Call = tuple[Any, ...]


class Telemetry:
    """What stands behind both faces: keeps each call, in order."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def take(self) -> list[Call]:
        taken, self.calls = self.calls, []
        return taken

    def log_metrics(self, row: Any, now: float) -> None:
        self.calls.append(("row", next(iter(row)), now))

    def log_app_tag(self, tag: Any, now: float) -> None:
        self.calls.append(("tag", tag, now))

    def leave(self) -> None:
        self.calls.append(("leave",))

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: self.calls.append((name, *arguments))

    # before the rooms were divided: three calls for all
    def open(self, now: float, instant: Any, asked: bool) -> None:
        assert asked
        self.calls.append(("app_start", now, instant))

    def end(self, now: float, instant: Any) -> None:
        self.calls.append(("app_end", now, instant))

    def forward(self, method: str, now: float, *arguments: Any) -> None:
        if (method, *arguments) == ("stop", "train"):
            method, arguments = "train_end", ()
        self.calls.append(({"start": "phase_start", "stop": "phase_end"}.get(method, method), now, *arguments))


@pytest.fixture
def telemetry(monkeypatch: pytest.MonkeyPatch) -> Telemetry:
    _log.forget()
    one = Telemetry()
    monkeypatch.setattr(core, "_attach", lambda *arguments, **keywords: one)
    return one


def job(telemetry: Telemetry, **more: Any) -> OneLoggerUtils:
    utils = OneLoggerUtils({**CONFIG, "log_every_n_train_iterations": 1, **more})
    telemetry.take()
    return utils


NOW = T0 + 1
NOW_MS = T0_MS + 1000

# callback, its arguments, what is sent and heard, in order
LIFE: list[tuple[str, dict[str, Any], list[Call]]] = [
    ("on_app_start", {}, [("app_start", NOW, NOW_MS), ("row", "app_start_time", NOW)]),
    (
        "on_model_init_start",
        {},
        [("phase_start", NOW, "model_init", NOW_MS), ("row", "app_model_init_start_time", NOW)],
    ),
    (
        "on_model_init_end",
        {},
        [("row", "app_model_init_finish_time", NOW), ("phase_end", NOW, "model_init", NOW_MS)],
    ),
    (
        "on_dataloader_init_start",
        {},
        [("phase_start", NOW, "dataloader_init", NOW_MS), ("row", "app_build_dataiters_start_time", NOW)],
    ),
    (
        "on_dataloader_init_end",
        {},
        [("row", "app_build_dataiters_finish_time", NOW), ("phase_end", NOW, "dataloader_init", NOW_MS)],
    ),
    (
        "on_optimizer_init_start",
        {},
        [("phase_start", NOW, "optimizer_init", NOW_MS), ("row", "app_build_optimizer_start_time", NOW)],
    ),
    (
        "on_optimizer_init_end",
        {"app_build_optimizer_finish_time": 77},
        [("row", "app_build_optimizer_finish_time", NOW), ("phase_end", NOW, "optimizer_init", 77)],
    ),
    (
        "on_load_checkpoint_start",
        {"load_checkpoint_start_time": 55},
        [("phase_start", NOW, "load_checkpoint", 55), ("row", "load_checkpoint_start_time", NOW)],
    ),
    (
        "on_load_checkpoint_end",
        {},
        [("row", "load_checkpoint_finish_time", NOW), ("phase_end", NOW, "load_checkpoint", NOW_MS)],
    ),
    (
        "on_train_start",
        {"train_iterations_start": 5},
        [("row", "train_iterations_start", NOW), ("train_start", NOW, 5, 40)],
    ),
    ("on_train_batch_start", {}, [("batch_start", NOW)]),
    ("on_train_batch_end", {}, [("tag", "tag", NOW), ("row", "train_iterations", NOW), ("batch_end", NOW)]),
    ("on_validation_start", {}, [("phase_start", NOW, "validation")]),
    ("on_validation_batch_start", {}, [("phase_start", NOW, "validation_batch")]),
    ("on_validation_batch_end", {}, [("phase_end", NOW, "validation_batch")]),
    (
        "on_validation_end",
        {},
        [("row", "validation_iterations_time_total", NOW), ("phase_end", NOW, "validation")],
    ),
    ("on_test_start", {}, [("phase_start", NOW, "test")]),
    ("on_test_end", {}, [("phase_end", NOW, "test")]),
    (
        "on_save_checkpoint_start",
        {"global_step": 6},
        [
            ("tag", "tag", NOW),
            ("row", "train_iterations", NOW),
            ("row", "train_iterations_save_checkpoint_end", NOW),
            ("save_start", NOW, 6),
        ],
    ),
    (
        "on_save_checkpoint_end",
        {"global_step": 6},
        [("row", "save_checkpoint_sync_time_total", NOW), ("save_end", NOW, 6)],
    ),
    (
        "on_save_checkpoint_success",
        {"global_step": 6},
        [("row", "first_saved_train_iterations_start_time", NOW), ("save_success", NOW, 6)],
    ),
    ("on_train_end", {}, [("row", "app_train_loop_finish_time", NOW), ("train_end", NOW)]),
    ("on_app_end", {"app_finish_time": 99}, [("row", "app_finish_time", NOW), ("app_end", NOW, 99)]),
    ("finish", {}, [("leave",)]),
]


def test_life_of_a_job(telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, T0)
    utils = job(telemetry)
    clock.now = NOW
    for callback, arguments, expected in LIFE:
        getattr(utils, callback)(**arguments)
        assert telemetry.take() == expected, callback


@pytest.mark.parametrize("callback", [callback for callback, *_ in LIFE if callback != "finish"])
def test_call_that_is_refused_is_not_heard(
    callback: str, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    Clock(monkeypatch, T0)
    utils = job(telemetry)
    with pytest.raises(ValueError, match="arguments"):
        getattr(utils, callback)(foo=1)
    assert [call for call in telemetry.take() if call[0] not in ("tag", "row")] == []


def test_second_end_of_a_phase_has_no_instant(telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch, T0)
    utils = job(telemetry)
    utils.on_app_start()
    utils.on_app_end()
    telemetry.take()
    utils.on_app_end()
    assert telemetry.take() == [("app_end", T0, None)]
    utils.on_model_init_end()
    telemetry.take()
    utils.on_model_init_end()
    assert telemetry.take() == [("phase_end", T0, "model_init", None)]


def test_job_that_has_stopped_is_not_heard(telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch, T0)
    utils = job(telemetry, quiet=True)
    utils.on_model_init_start(foo=1)
    for callback, arguments, _ in LIFE:
        getattr(utils, callback)(**arguments)
    assert telemetry.take() == []


def test_construction(monkeypatch: pytest.MonkeyPatch, telemetry: Telemetry) -> None:
    Clock(monkeypatch, T0)
    OneLoggerUtils(CONFIG)
    assert telemetry.take() == [("tag", "tag", T0), ("row", "one_logger_utils_version", T0)]


@pytest.mark.parametrize(
    ("config", "project", "name", "asynchronous", "quiet"),
    [
        ({"one_logger_run_name": "r"}, "tests", "r", False, False),
        ({"one_logger_run_name": "r", "one_logger_async": True, "quiet": True}, "tests", "r", True, True),
        ({"one_logger_run_name": "r", "one_logger_project": "p"}, "p", "r", False, False),
    ],
)
def test_run_that_is_asked_for(
    config: dict[str, Any], project: str, name: str, asynchronous: bool, quiet: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def attach(settings: Any, *arguments: Any, **keywords: Any) -> Telemetry:
        asked.append(settings)
        return Telemetry()

    monkeypatch.setattr(core, "_attach", attach)
    OneLoggerUtils({**CONFIG, **config})
    (settings,) = asked
    assert (settings.project, settings.run_name, settings.asynchronous) == (project, name, asynchronous)
    assert (settings.quiet, settings.no_exception) == (quiet, False)


def test_run_that_can_not_be_made(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """v1 said so and the job ran on without telemetry; a bad value still raises."""

    def refuse(error: Exception) -> Any:
        def attach(*arguments: Any, **keywords: Any) -> Any:
            raise error

        return attach

    monkeypatch.setattr(core, "_attach", refuse(RuntimeError("no v2")))
    utils = OneLoggerUtils(CONFIG)
    utils.on_app_start()
    utils.finish()
    assert utils.one_logger is None
    assert [record.getMessage() for record in caplog.records] == [
        "OneLogger is off, it could not be set up: RuntimeError('no v2')"
    ]
    monkeypatch.setattr(core, "_attach", refuse(ValueError("bad")))
    with pytest.raises(ValueError, match="bad"):
        OneLoggerUtils(CONFIG)
