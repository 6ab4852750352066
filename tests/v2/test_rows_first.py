"""Rows come first where the application itself uses v2: they are on disk before v2 hears of them. Forked children.

With the worker, where v2 lives otherwise: tests/delivery/test_slow_v2.py.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable, Optional

import pytest
from nv_one_logger.api.config import LoggerConfig, OneLoggerConfig
from nv_one_logger.api.one_logger_provider import OneLoggerProvider
from nv_one_logger.core.event import Event
from nv_one_logger.core.internal.singleton import SingletonMeta
from nv_one_logger.core.span import Span
from nv_one_logger.core.time import TracingTimestamp
from nv_one_logger.exporter.exporter import BaseExporter
from nv_one_logger.recorder.default_recorder import ExportCustomizationMode
from nv_one_logger.training_telemetry.api import callbacks as v2
from nv_one_logger.training_telemetry.api.training_recorder import TrainingRecorder
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider
from overrides import override

from one_logger_v1_shim import OneLogger
from one_logger_v1_shim._v2.forward import ROW_ATTRIBUTE, ROW_EVENT
from one_logger_v1_shim.utils import OneLoggerUtils
from tests.support import CONFIG, journalled_rows
from tests.v2.recording import RecordingExporter

CORE = {"project": "p", "async": False}


def v2_config() -> OneLoggerConfig:
    quiet = LoggerConfig(log_file_path_for_info=os.devnull, log_file_path_for_err=os.devnull)
    return OneLoggerConfig(application_name="app", session_tag_or_fn="s", world_size_or_fn=1, logger_config=quiet)


#: v1's callbacks, in an order in which each of them is in its place
LIFE: list[tuple[str, dict[str, Any]]] = [
    ("on_app_start", {}),
    ("on_model_init_start", {}),
    ("on_model_init_end", {}),
    ("on_train_start", {"train_iterations_start": 0}),
    *[("on_train_batch_start", {}), ("on_train_batch_end", {})] * 4,
    ("on_validation_start", {}),
    ("on_validation_end", {}),
    ("on_save_checkpoint_start", {"global_step": 4}),
    ("on_save_checkpoint_end", {"global_step": 4}),
    ("on_save_checkpoint_success", {"global_step": 4}),
    ("on_train_end", {}),
    ("on_app_end", {}),
    ("finish", {}),
]


def whole_job() -> None:
    utils = OneLoggerUtils(CONFIG)
    for callback, arguments in LIFE:
        getattr(utils, callback)(**arguments)


def names(folder: Path) -> list[set[str]]:
    return [set(row) for row in journalled_rows(folder)]


def said(caplog: pytest.LogCaptureFixture, part: str) -> int:
    return sum(part in record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING)


# -- on disk before anybody is asked --------------------------------------------------------------------------


class Looking(BaseExporter):
    """Notes what is on disk when it is asked; ``trouble`` is called then."""

    asked: list[tuple[str, int]] = []  # the method, and how many rows are in the journal
    folder = Path()

    @staticmethod
    def trouble(method: str) -> None: ...

    def _look(self, method: str) -> None:
        self.asked.append((method, len(journalled_rows(self.folder, bookkeeping=True))))
        self.trouble(method)

    @override
    def initialize(self) -> None:
        self._look("initialize")
        super().initialize()

    @override
    def export_start(self, span: Span) -> None:
        self._look("export_start")

    @override
    def export_stop(self, span: Span) -> None:
        self._look("export_stop")

    @override
    def export_event(self, event: Event, span: Span) -> None:
        self._look("export_event")

    @override
    def close(self) -> None:
        self._look("close")
        super().close()


@pytest.fixture
def looking(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> type[Looking]:
    """:class:`Looking` as v2's export configuration names it."""
    monkeypatch.setattr(Looking, "asked", [])
    monkeypatch.setattr(Looking, "folder", fresh)
    exporters = {"exporters": [{"class_name": "tests.v2.test_rows_first.Looking"}]}
    (fresh / "one_logger_exporters_config.json").write_text(json.dumps(exporters))
    return Looking


def test_the_rows_of_a_call_are_on_disk_before_an_exporter_is_asked(looking: type[Looking], fresh: Path) -> None:
    seen: set[str] = set()

    def check(call: str) -> None:
        rows = len(journalled_rows(fresh, bookkeeping=True))
        assert [one for one in looking.asked if one[1] != rows] == [], call
        seen.update(method for method, _ in looking.asked)
        looking.asked.clear()

    utils = OneLoggerUtils(CONFIG)
    check("construction")
    for callback, arguments in LIFE[:-2]:
        getattr(utils, callback)(**arguments)
        check(callback)
    core = OneLogger(CORE)
    core.log_metrics({"a": 1})
    check("log_metrics")
    utils.on_app_end()
    check("on_app_end")
    utils.finish()
    core.finish()
    assert seen == {"initialize", "export_start", "export_stop", "export_event", "close"}


@pytest.mark.parametrize("error", [RuntimeError("a fault of the exporter"), ValueError("another")])
def test_an_exporter_that_raises_loses_no_row(
    error: Exception, looking: type[Looking], fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole_job()
    expected = names(fresh)
    SingletonMeta._instances.clear()  # v2's provider is new

    def trouble(method: str) -> None:
        raise error

    monkeypatch.setattr(looking, "trouble", staticmethod(trouble))
    whole_job()
    assert len(expected) > 8
    assert names(fresh) == expected * 2


@pytest.mark.parametrize("method", ["export_event", "export_start", "export_stop"])
def test_other_threads_do_not_wait_for_an_exporter_that_hangs(
    method: str, looking: type[Looking], fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who calls v2 waits for it, as for any call of the application's own; nobody else does."""
    asked, let_go = threading.Event(), threading.Event()

    def trouble(called: str) -> None:
        if called == method:
            asked.set()
            assert let_go.wait(60)

    utils = OneLoggerUtils(CONFIG)
    core = OneLogger(CORE)
    utils.on_train_start(train_iterations_start=0)
    monkeypatch.setattr(looking, "trouble", staticmethod(trouble))

    def hang() -> None:
        core.log_metrics({"first": 1})
        utils.on_model_init_start()
        utils.on_model_init_end()

    thread = threading.Thread(target=hang)
    thread.start()
    assert asked.wait(60)
    for number in range(3):
        began = time.monotonic()
        core.log_metrics({"number": number})
        utils.on_train_batch_start()
        utils.on_train_batch_end()
        assert journalled_rows(fresh)[-2 if number % 2 else -1]["number"] == number
        assert time.monotonic() - began < 0.25
    let_go.set()
    thread.join(60)
    assert not thread.is_alive()
    utils.on_app_end()
    utils.finish()
    core.finish()
    told = [one for one, _ in looking.asked if one == "export_event"]
    assert len(told) >= len(journalled_rows(fresh, bookkeeping=True)) - 1, "v2 has heard all of them afterwards"


# -- v2 in trouble --------------------------------------------------------------------------------------------


@pytest.fixture
def undisturbed(fresh: Path) -> list[set[str]]:
    """Names of the rows of :func:`whole_job` where v2 works."""
    whole_job()
    found = names(fresh)
    for path in fresh.rglob("rows-*.jsonl"):
        path.unlink()
    SingletonMeta._instances.clear()  # v2's provider is new
    assert len(found) > 8
    return found


def test_recorder_that_raises_at_every_call(
    undisturbed: list[set[str]], fresh: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("v2 is broken")

    calls = [name for name in vars(TrainingRecorder) if name.startswith("on_")] + ["event", "start", "stop", "error"]
    for name in calls:
        monkeypatch.setattr(TrainingRecorder, name, broken)
    whole_job()
    assert names(fresh) == undisturbed
    assert said(caplog, "v2 could not record on_app_start") == 1


def test_v2_that_cannot_be_set_up(
    undisturbed: list[set[str]], fresh: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("v2 is broken")

    monkeypatch.setattr(TrainingTelemetryProvider, "with_base_config", broken)
    whole_job()
    assert names(fresh) == undisturbed
    assert said(caplog, "v2 hears nothing, it could not be set up (RuntimeError('v2 is broken')); v1 rows are not") == 1


# -- a row as an event of v2 ----------------------------------------------------------------------------------


def row_events(path: Path) -> list[tuple[str, Mapping[str, Any]]]:
    """Span and row of each row event that a :class:`RecordingExporter` wrote down."""
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        (record[2], json.loads(record[3][ROW_ATTRIBUTE]))
        for record in records
        if record[0] == "event" and record[1] == ROW_EVENT
    ]


def test_exporters_of_the_applications_recorder_get_row_events(fresh: Path) -> None:
    path = fresh / "stream.jsonl"
    provider = TrainingTelemetryProvider.instance().with_base_config(v2_config())
    provider.with_exporter(RecordingExporter(path)).configure_provider()
    v2.on_app_start()
    core = OneLogger(CORE)
    core.log_metrics({"a": 1, "none": None, "mixed": [1, "b", {"c": 0.5}]})
    core.log_metrics({"a": 2})
    core.finish()
    v2.on_app_end()
    given = [{"a": 1, "none": None, "mixed": [1, "b", {"c": 0.5}]}, {"a": 2}]
    events = row_events(path)
    assert [span for span, _ in events] == ["application"] * 2
    assert all(expected.items() <= row.items() for expected, (_, row) in zip(given, events))
    assert journalled_rows(fresh) == given


class _Customised(TrainingRecorder):
    """A recorder of the application's that does something of its own with events."""

    @override
    def event(self, span: Span, event: Event) -> Event:
        _Customised.seen.append((span.name_str, event.name_str, event.attributes.to_json().get(ROW_ATTRIBUTE)))
        return super().event(span, event)

    seen: list[tuple[str, str, Optional[Any]]] = []


def test_recorder_with_an_event_method_of_its_own_hears_rows(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Customised, "seen", [])
    config = v2_config()
    recorder = _Customised(config, [], ExportCustomizationMode.EXPORT_ALL_SPANS, None)
    OneLoggerProvider.instance().configure(config, recorder)
    recorder.on_app_start(TracingTimestamp.now())
    core = OneLogger(CORE)
    core.log_metrics({"a": 1})
    core.finish()
    heard = [(span, json.loads(row)["a"]) for span, name, row in _Customised.seen if name == ROW_EVENT]
    assert heard == [("application", 1)]
    assert journalled_rows(fresh) == [{"a": 1}]


# -- forked children ------------------------------------------------------------------------------------------


def in_child(work: Callable[[], None]) -> None:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0


def test_forked_childs_own_logger_has_a_run_of_its_own(fresh: Path) -> None:
    stream = fresh / "stream.jsonl"
    exporter = {"class_name": "tests.v2.recording.RecordingExporter", "config": {"file_path": str(stream)}}
    (fresh / "one_logger_exporters_config.json").write_text(json.dumps({"exporters": [exporter]}))
    parents = OneLogger({**CORE, "name": "parent"})
    parents.log_metrics({"a": 1})

    def child() -> None:
        own = OneLogger({**CORE, "name": "child"})
        parents.log_metrics({"a": 100})
        parents.log_app_tag("from the child")
        own.log_metrics({"a": 2})
        parents.finish()
        own.log_metrics({"a": 3})
        own.finish()

    in_child(child)
    parents.log_metrics({"a": 4})
    parents.finish()
    folders = {json.loads(path.read_text())["chosen"]["run_name"]: path.parent for path in fresh.rglob("run.json")}
    rows = {name: journalled_rows(folder, bookkeeping=True) for name, folder in folders.items()}
    assert {name: [row["a"] for row in one if "a" in row] for name, one in rows.items()} == {
        "parent": [1, 4],
        "child": [2, 3],
    }
    assert not [row for row in rows["parent"] if "app_tag" in row]
    for folder in folders.values():
        (path,) = folder.glob("rows-*.jsonl")
        assert path.read_text().splitlines()[-1] == "#finish 0"
    assert [row["a"] for _, row in row_events(stream) if "a" in row] == [1, 4], "the parent's exporter of v2"
    assert stream.read_text().count('["close"]') == 1


# -- no lock is held while something is logged, nor while code of the user's runs ------------------------------


class Handler(logging.Handler):
    """An application's handler that logs a row of each warning, in another thread, for which it waits."""

    def __init__(self, core: OneLogger) -> None:
        super().__init__(logging.WARNING)
        self.waited: list[bool] = []
        self._core = core

    @override
    def handle(self, record: logging.LogRecord) -> bool:  # without a handler's own lock
        thread = threading.Thread(target=self._core.log_metrics, args=({"said": record.getMessage()},), daemon=True)
        thread.start()
        thread.join(10)
        self.waited.append(thread.is_alive())
        return True


@pytest.fixture(params=["", "one_logger_v1_shim"], ids=["root", "package"])
def handler(request: pytest.FixtureRequest, fresh: Path) -> Any:
    logger = logging.getLogger(request.param)
    one = Handler(OneLogger(CORE))
    logger.addHandler(one)
    yield one
    logger.removeHandler(one)


def odd(number: int) -> dict[str, Any]:
    """A row that warns."""
    return {f"odd{number}": object()}


def run_threads(*works: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work, daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [thread.is_alive() for thread in threads] == [False] * len(threads)


def test_a_handler_that_logs_rows_hangs_nobody(handler: Handler, fresh: Path) -> None:
    core = OneLogger(CORE)
    barrier = threading.Barrier(4)

    def work(thread: int) -> Callable[[], None]:
        def warn() -> None:
            barrier.wait()
            for count in range(5):
                core.log_metrics(odd(10 * thread + count))

        return warn

    run_threads(*map(work, range(4)))
    core.finish()
    assert not any(handler.waited)
    rows = journalled_rows(fresh)
    assert len([row for row in rows if "said" in row]) == len(handler.waited) == 20
    assert len(rows) == 40


def test_a_second_logger_of_another_name_is_said_with_no_lock_held(handler: Handler, fresh: Path) -> None:
    run_threads(lambda: OneLogger({**CORE, "name": "other"}).log_metrics({"a": 1}))
    assert handler.waited == [False]
    assert {"a": 1} in journalled_rows(fresh)


def test_a_disk_that_takes_nothing_is_said_with_no_lock_held(
    handler: Handler, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal is written under the lock: what it has to say waits until the lock is free."""
    core, write = OneLogger(CORE), os.write
    refused: list[int] = []

    def full(descriptor: int, data: bytes) -> int:
        if b'"refused"' in data and not refused:
            refused.append(1)
            raise OSError(28, "No space left on device")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", full)
    run_threads(lambda: core.log_metrics({"refused": 1}), lambda: core.log_metrics({"other": 1}))
    core.finish()
    assert refused
    assert handler.waited
    assert not any(handler.waited)
    rows = journalled_rows(fresh)
    assert {"refused": 1} in rows
    assert {"other": 1} in rows
    assert any("cannot be written (No space left on device)" in row.get("said", "") for row in rows)


class Slow:
    """A value whose text takes another thread's row to be made."""

    def __init__(self, core: OneLogger) -> None:
        self._core = core
        self.waited: list[bool] = []

    def __repr__(self) -> str:
        thread = threading.Thread(target=self._core.log_metrics, args=({"other": 1},), daemon=True)
        thread.start()
        thread.join(10)
        self.waited.append(thread.is_alive())
        return "slow"


class Items(dict):  # type: ignore[type-arg]
    """A row whose items take another thread's row."""

    slow: Slow

    @override
    def keys(self) -> Any:
        repr(self.slow)
        return super().keys()

    @override
    def items(self) -> Any:
        repr(self.slow)
        return super().items()

    @override
    def __iter__(self) -> Any:
        repr(self.slow)
        return super().__iter__()


def test_code_of_the_users_runs_with_no_lock_held(fresh: Path) -> None:
    core = OneLogger(CORE)
    slow = Slow(core)
    items = Items(a=1)
    items.slow = slow

    def read(value: Any) -> Callable[[], Any]:
        return lambda: repr(slow) and value

    def job() -> None:
        core.log_metrics({"value": slow})
        core.log_metrics(items)
        core.log_app_tag(slow)
        config = {**CONFIG, "global_batch_size": read(8), "world_size": read(2), "app_tag": read("tag")}
        utils = OneLoggerUtils({**config, "metadata": {"slow": slow}})
        utils.on_app_start()
        utils.on_train_start(train_iterations_start=0)
        for _ in range(2):
            utils.on_train_batch_start()
            utils.on_train_batch_end()
        utils.finish()

    run_threads(job)
    assert len(slow.waited) > 5
    assert not any(slow.waited)
    assert {"other": 1} in journalled_rows(fresh)
