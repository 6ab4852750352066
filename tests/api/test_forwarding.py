"""What each v1 callback hands on: one call with its rows, in their order, with one clock reading, in v1's words."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import pytest

from one_logger_v1_shim import _log, core
from one_logger_v1_shim._v1.bookkeeping import ROW, Emit
from one_logger_v1_shim.utils import OneLoggerUtils
from tests.support import CONFIG, Clock
from tests.v1.job import T0, T0_MS

Call = tuple[Any, ...]


class Telemetry:
    """What stands behind both APIs: keeps each call, in order."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def take(self) -> list[Call]:
        taken, self.calls = self.calls, []
        return taken

    def leave(self) -> None:
        self.calls.append(("leave",))

    def batch_start(self, now: float) -> None:
        self.calls.append(("batch_start", now))

    def batch_end(self, now: float, emits: list[Emit]) -> None:
        self.call("batch_end", now, (), emits)

    def call(
        self, name: str, now: float, arguments: Call = (), emits: Iterable[Emit] = (), rows_first: bool = True
    ) -> None:
        sent = [(kind, next(iter(value)) if kind == ROW else value, now) for kind, value in emits]
        call = (name, now, *arguments)
        self.calls += [*sent, call] if rows_first else [call, *sent]

    def attach(self, *arguments: Any, **keywords: Any) -> Telemetry:
        """In place of the one that opens a run; what is sent at the construction is its last argument."""
        self.call("attach", time.time(), (), arguments[-1])
        return self


@pytest.fixture
def telemetry(monkeypatch: pytest.MonkeyPatch) -> Telemetry:
    _log.forget()
    one = Telemetry()
    monkeypatch.setattr(core, "_attach", one.attach)
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
    ("on_validation_start", {}, [("phase_start", NOW, "validation", None)]),
    ("on_validation_batch_start", {}, [("phase_start", NOW, "validation_batch", None)]),
    ("on_validation_batch_end", {}, [("phase_end", NOW, "validation_batch", None)]),
    (
        "on_validation_end",
        {},
        [("row", "validation_iterations_time_total", NOW), ("phase_end", NOW, "validation", None)],
    ),
    ("on_test_start", {}, [("phase_start", NOW, "test", None)]),
    ("on_test_end", {}, [("phase_end", NOW, "test", None)]),
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
    assert telemetry.take() == [("tag", "tag", T0), ("row", "one_logger_utils_version", T0), ("attach", T0)]


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


def test_run_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
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
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("OneLogger is off: no row of it is kept or sent")
    monkeypatch.setattr(core, "_attach", refuse(ValueError("bad")))
    with pytest.raises(ValueError, match="bad"):
        OneLoggerUtils(CONFIG)


# -- a core object that is not ours ---------------------------------------------------------------------------


class Theirs:
    """A core object that a program has put into ``one_logger``: it is sent what v1 would have sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def log_metrics(self, row: dict[str, Any]) -> None:
        self.sent.append(next(iter(row)))

    def log_app_tag(self, tag: Any) -> None:
        self.sent.append(f"tag {tag}")


def test_core_that_is_not_ours_gets_the_rows_and_v2_the_calls(
    telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch, T0)
    utils = job(telemetry)
    clock.now = NOW
    theirs = Theirs()
    utils.one_logger = theirs  # type: ignore[assignment]
    for callback, arguments, expected in LIFE[:-1]:
        getattr(utils, callback)(**arguments)
        sent = [f"tag {call[1]}" if call[0] == "tag" else call[1] for call in expected if call[0] in ("tag", "row")]
        assert theirs.sent == sent, callback
        assert telemetry.take() == [call for call in expected if call[0] not in ("tag", "row")], callback
        theirs.sent.clear()
