"""Parts of the job's end: who takes a run, its record, its rows, the calls that wait, the end of the process."""

from __future__ import annotations

import atexit
import json
import os
import socket
import sys
import types
from pathlib import Path
from typing import Any, Optional

import pytest

from one_logger_v1_shim import _state
from one_logger_v1_shim._conversion import V2Values
from one_logger_v1_shim._job import ending, open, record, telemetry, wandb_here
from one_logger_v1_shim._job.open import open_sink
from one_logger_v1_shim._job.rows import Rows, offer, offered
from one_logger_v1_shim._job.telemetry import Telemetry
from one_logger_v1_shim._job.worker_sink import WorkerSink
from one_logger_v1_shim._journal.calls import calls, is_call
from one_logger_v1_shim._journal.destination import RunSpec
from one_logger_v1_shim._v1.bookkeeping import ROW, TAG
from tests.job.workers import Workers, workers
from tests.support import Clock

__all__ = ["workers"]

SPEC = RunSpec(chosen={"project": "demo"}, default={})
VALUES = V2Values({}, {"global_batch_size": 8}, ["global_batch_size"])


class Sink:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.ends: list[object] = []

    def put(self, data: bytes) -> None:
        self.data.append(data)

    def end(self, exit_code: int) -> None:
        self.ends.append(exit_code)

    def wait(self) -> None:
        self.ends.append("waited")

    def abandon(self) -> None:
        self.ends.append("abandoned")

    def take(self) -> list[str]:
        """The names of the calls that were written since then; of a row its text."""
        lines = [line for data in self.data for line in data.split(b"\n")]
        self.data.clear()
        return [name for line in lines for name in ([one.name for one in calls(line)] if is_call(line) else
                [line.decode()] if line else [])]  # fmt: skip


class Taker:
    """In a test's block."""

    hears_v2 = False

    def __init__(self) -> None:
        self.at_end: list[Any] = []
        self.asked: list[object] = []

    def open_sink(self, spec: RunSpec, asynchronous: bool) -> Any:
        self.asked.append((spec, asynchronous))
        return Sink()


# -- who takes a run --------------------------------------------------------------------------------------------------


def test_a_test_takes_the_run(workers: Workers) -> None:
    taker = Taker()
    _state.exchange(_state.Process(taker=taker))
    assert isinstance(open_sink(SPEC, asynchronous=True, v2="none"), Sink)
    assert taker.asked == [(SPEC, True)]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ONE_LOGGER_V1_DISABLED", "1", ""), ("ONE_LOGGER_V1_WORKER", "1", "inside of the W&B process is not logged"),
        ("ONE_LOGGER_V1_STARTED_BY_TEST", "1", "its own run is not logged"), ("WANDB_MODE", "disabled", ""),
    ],
)  # fmt: skip
def test_nobody_takes_it(
    name: str, value: str, said: str, workers: Workers, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.setenv(name, value)
    for _ in range(2):
        assert open_sink(SPEC, asynchronous=True, v2="none") is None
    assert [said in text for text in caplog.messages] == ([True] if said else [])
    assert list(tmp_path.iterdir()) == []


def test_a_disabled_run_has_a_journal_for_v2(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert isinstance(open_sink(SPEC, asynchronous=True, v2="worker", v2_values={"a": 1}), WorkerSink)


@pytest.mark.parametrize(
    ("frozen", "lacking", "said"),
    [
        (False, ["fork"], "which has no fork; rows are kept in the journal"),
        (False, [], "this process is no Python interpreter"), (True, [], "this process is a frozen program"),
    ],
)  # fmt: skip
def test_where_no_worker_can_be(
    frozen: bool, lacking: list[str], said: str, workers: Workers, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setattr(open, "find", lambda environ: None)
    monkeypatch.setattr(open, "is_frozen", lambda: frozen)
    monkeypatch.setattr(open, "without", lambda: lacking)
    one = open_sink(SPEC, asynchronous=True, v2="none")
    one.put(b'{"a":1}')
    assert (len(workers), len(caplog.messages)) == (0, 1)
    assert said in caplog.text


def test_no_journal_can_be_made(
    workers: Workers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "file" / "deeper"))
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    assert open_sink(SPEC, asynchronous=True, v2="none") is None
    assert "no row of this run is kept or sent: no journal could be made (NotADirectoryError" in caplog.text


def test_variables_that_are_gone_are_said(
    workers: Workers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ONE_LOGGER_V1_DELIVERY", "inline")
    open_sink(SPEC, asynchronous=True, v2="none")
    assert [text for text in caplog.messages if text.startswith("ONE_LOGGER_V1_DELIVERY has no effect any more: ")]


@pytest.mark.parametrize("parent", [None, "its parent"])
def test_a_child_of_multiprocessing_finishes_without_atexit(parent: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    util = types.SimpleNamespace(Finalize=lambda *given, **more: made.append((given, more)))
    monkeypatch.setitem(sys.modules, "multiprocessing.util", util)
    monkeypatch.setitem(
        sys.modules, "multiprocessing.process", types.SimpleNamespace(parent_process=lambda: parent)
    )  # fmt: skip
    one = Sink()
    open._finish_with_child(one)
    assert len(made) == (parent is not None)
    if made:
        ((nobody, finish), more) = made[0]
        assert (nobody, more) == (None, {"exitpriority": 0})
        finish()
        try:
            raise ValueError
        except ValueError:
            finish()
        assert one.ends == [0, "waited", 1, "waited"]


# -- the record and the rows ------------------------------------------------------------------------------------------


def test_what_run_json_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py", "--more"])
    monkeypatch.setenv("ONE_LOGGER_EXPORTER_CONFIG_PATH", "exporters.json")
    environ = {"WANDB_MODE": "dryrun", "ONE_LOGGER_JOB_CATEGORY": " test ", "WANDB_PROJECT": "p"}
    found = record.new_record(
        RunSpec(chosen={"api_key": "secret", "host": "https://u:p@h"}, default={"entity": "e"}), environ, keep=False,
        python="/py", v2="job", v2_values={"a": 1},
    )  # fmt: skip
    assert (found.pid, found.machine, found.mode, found.category) == (
        os.getpid(), socket.gethostname(), "offline", "test"
    )  # fmt: skip
    assert (found.chosen, found.default, found.settled) == (
        {"host": "https://h"},
        {"entity": "e"},
        {"WANDB_PROJECT": "p"},
    )
    assert (found.cwd, found.program, found.exporters) == (str(tmp_path), "train.py", str(tmp_path / "exporters.json"))
    assert (found.keep, found.python, found.v2, found.v2_values) == (False, "/py", "job", {"a": 1})
    assert found.started is not None
    monkeypatch.delenv("ONE_LOGGER_EXPORTER_CONFIG_PATH")
    assert record._exporters() == ""
    monkeypatch.setattr(os, "uname", lambda: (_ for _ in ()).throw(AttributeError("uname")))
    assert record._host() == socket.gethostname()
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert record._working_directory() == ""


def test_rows_before_and_after_their_sink() -> None:
    one = Rows(SPEC, True)
    one.put(b"{}"), one.abandon(), one.finish()
    assert one.finished
    one = Rows(SPEC, True)
    taker = Taker()
    before = _state.exchange(_state.Process(taker=taker))
    try:
        one.open("none")
        one.open("none")
    finally:
        _state.exchange(before)
    assert len(taker.asked) == 1
    sink: Any = one.sink
    first, second = (json.loads(one.encode({"a": 1}, 12.5)) for _ in range(2))
    assert first["app_last_log_time"] == second["app_last_log_time"] == 12500
    assert "app_first_log_time" in first
    assert "app_first_log_time" not in second
    one.put(b"{}")
    assert not one.finished
    one.finish(3)
    one.abandon()
    assert (sink.data, sink.ends) == ([b"{}"], [3, "waited", "abandoned"])


def test_the_run_of_an_exporter_is_offered_until_it_is_finished(workers: Workers) -> None:
    one, two = Rows(SPEC, True), Rows(SPEC, True)
    assert offered() is None
    offer(one), offer(two), offer(one)
    assert _state.process.offered == [two, one]
    assert offered() is two
    two.finished = True
    assert offered() is one
    offer(one)
    assert _state.process.offered == [one]


# -- the calls --------------------------------------------------------------------------------------------------------


@pytest.fixture
def run(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A run without v2 in this process, its sink and its clock."""
    clock = Clock(monkeypatch)
    rows, sink = Rows(SPEC, True), Sink()
    rows.sink = sink
    return Telemetry(rows, None, "demo"), sink, clock


class Here:
    """v2 in this process."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def play(self, calls: Any) -> None:
        self.heard += [call.name for call in calls]


def test_iterations_wait_for_a_second_or_for_512(run: Any) -> None:
    one, sink, clock = run
    one.batch_start(clock.now)  # the first one does not wait
    assert sink.take() == ["batch_start"]
    one.batch_end(clock.now, [])
    one.batch_start(clock.now)
    clock.advance(0.99)
    one.batch_end(clock.now, [])
    assert sink.take() == []
    clock.advance(0.01)
    one.batch_end(clock.now, [])
    assert sink.take() == ["batch_end", "batch_start", "batch_end", "batch_end"]
    clock.advance(1.0)
    one.batch_start(clock.now)
    assert sink.take() == ["batch_start"]
    clock.advance(-5)  # a counter that has gone back
    one.batch_start(clock.now)
    assert sink.take() == ["batch_start"]
    for _ in range(511):
        one.batch_end(clock.now, [])
    assert sink.take() == []
    one.batch_end(clock.now, [])
    assert len(sink.take()) == 512


def test_rows_take_what_waits_with_them(run: Any) -> None:
    one, sink, clock = run
    one.batch_start(clock.now)
    sink.take()
    one.batch_end(clock.now, [])
    one.log_metrics({"a": 1}, clock.now)
    assert [name if name[0] != "{" else "{" for name in sink.take()] == ["batch_end", "row", "{"]
    one.batch_start(clock.now)
    one.batch_end(clock.now, [(ROW, {"b": 1})])
    assert [name if name[0] != "{" else "{" for name in sink.take()] == ["batch_start", "row", "batch_end", "{"]
    one.batch_start(clock.now)
    one.call("app_end", clock.now, (), [(ROW, {"c": 1}), (ROW, {})])
    assert [name if name[0] != "{" else "{" for name in sink.take()] == ["batch_start", "row", "{", "app_end"]
    one.call("app_start", clock.now, (None,), [(ROW, {"d": 1})], rows_first=False)
    assert [name if name[0] != "{" else "{" for name in sink.take()] == ["app_start", "row", "{"]
    one.call("", clock.now)
    assert sink.data == []


def test_a_tag_is_sent_once_to_a_run(run: Any) -> None:
    one, sink, clock = run
    one.batch_end(clock.now, [(TAG, "x")])
    (name, text, end) = sink.take()
    assert (name, json.loads(text)["app_tag"], end) == ("row", ["x"], "batch_end")
    tag = one._last_tag
    one.batch_end(clock.now, [(TAG, tag), (ROW, {"a": 1})])
    assert [json.loads(text)["a"] for text in sink.take() if text[0] == "{"] == [1]
    one.call("", clock.now, (), [(TAG, "x")])
    assert sink.take() == []
    one.call("", clock.now, (), [(TAG, ["y"])])
    assert one._last_tag is None


def test_v2_in_this_process_hears_at_once_and_after_the_disk(run: Any) -> None:
    one, sink, clock = run
    here = one.here = Here()
    one.batch_start(clock.now)
    one.batch_end(clock.now, [])
    one.log_metrics({"a": 1}, clock.now)
    one.finish(4)
    one.finish(5)
    assert here.heard == ["batch_start", "batch_end", "row", "close"]
    assert [name for name in sink.take() if name[0] != "{"] == ["batch_start", "batch_end", "row", "close"]
    assert sink.ends == [4, 4, "waited", 5, "waited"]


def test_values_of_callables_are_told_when_they_change(run: Any) -> None:
    one, sink, clock = run
    value: list[Any] = [8]
    one.join(VALUES, lambda key: value[0], clock.now, None, [(ROW, {"a": 1})])
    assert [name for name in sink.take() if name[0] != "{"] == ["value", "open", "training", "row"]
    one.log_metrics({"b": 1}, clock.now)
    assert [name for name in sink.take() if name[0] != "{"] == ["row"]
    value[0] = 8.0  # of another type
    one.log_metrics({"b": 1}, clock.now)
    assert [name for name in sink.take() if name[0] != "{"] == ["value", "row"]
    value[0] = 9.0
    one.batch_end(clock.now, [])
    assert sink.take() == ["value", "batch_end"]


def test_the_run_ends_with_the_last_that_uses_it(run: Any) -> None:
    one, sink, _ = run
    one.users = 2
    one.leave()
    assert (sink.ends, one.finished) == ([], False)
    one.leave()
    assert (sink.ends, one.finished) == ([0, 0, "waited"], True)


def test_a_forked_child_says_nothing(run: Any) -> None:
    one, sink, clock = run
    one.batch_start(clock.now)
    sink.take()
    one.here = Here()
    one.abandon()
    one.call("app_start", clock.now), one.log_metrics({"a": 1}, clock.now), one.batch_start(clock.now)
    one.batch_end(clock.now, []), one.join(VALUES, lambda key: 1, clock.now, None), one.finish(0)
    assert (sink.data, sink.ends, one.here) == ([], ["abandoned"], None)


def test_where_v2_hears(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("nv_one_logger.api", "nv_one_logger.core", "nv_one_logger.training_telemetry.api")
    before = _state.process
    try:
        for taker, forked, loaded, where in (
            (None, False, False, telemetry.WORKER), (None, False, True, telemetry.JOB),
            (None, True, True, telemetry.NONE), (Taker(), False, True, telemetry.NONE),
        ):  # fmt: skip
            for used in names:
                for name in names:
                    monkeypatch.delitem(sys.modules, name, raising=False)
                if loaded:  # any one of them tells
                    monkeypatch.setitem(sys.modules, used, types.ModuleType(used))
                _state.exchange(_state.Process(forked, taker))
                assert telemetry.where_v2_hears() == where, used
        hears = Taker()
        hears.hears_v2 = True
        _state.exchange(_state.Process(taker=hears))
        assert telemetry.where_v2_hears() == telemetry.JOB
    finally:
        _state.exchange(before)


def test_a_second_object_joins_the_run(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Said once for each, when the process's lock is free again: a log handler may log a row."""
    monkeypatch.setattr(telemetry.ending, "watch", lambda: None)
    before = _state.process
    try:
        _state.exchange(_state.Process(taker=Taker()))
        one, *others = (
            telemetry.attach(SPEC, True, VALUES, lambda key: 1, 0.0, described=name) for name in ("p/a", "p/b", "p/b")
        )
        assert [other is one for other in others] == [True, True]
        assert caplog.messages == ["this process has a OneLogger run already (p/a); p/b joins it"]
    finally:
        _state.exchange(before)


# -- the end of the process -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, 0),
        (ValueError(), 1),
        (SystemExit(), 0),
        (SystemExit(7), 7),
        (SystemExit("text"), 1),
        (SystemExit(True), 1),
    ],
)
def test_the_code_that_an_exception_ends_with(error: Optional[BaseException], code: int) -> None:
    assert ending.code_of(error) == code


@pytest.fixture
def program(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What is known of a program that has not begun."""
    found = ending._Program()
    monkeypatch.setattr(ending, "_program", found)
    monkeypatch.setattr(sys, "exit", sys.exit)
    monkeypatch.setattr(sys.stderr, "flush", sys.stderr.flush)
    monkeypatch.delattr(sys, "last_type", raising=False)
    return found


@pytest.mark.parametrize(("given", "code"), [((), 0), ((3,), 3), (("no",), 1), (((4,),), 4), ((None,), 0)])
def test_what_sys_exit_was_told(given: Any, code: int, program: Any) -> None:
    ending._watch_program()
    with pytest.raises(SystemExit):
        sys.exit(*given)
    assert (program.code, ending.exit_code()) == (code, code)
    assert "exit" in str(sys.exit.__doc__)


def test_the_standard_stream_is_flushed_all_the_same(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(sys.stderr, "flush", lambda: flushed.append(1))
    ending._watch_program()
    sys.stderr.flush()
    assert (flushed, program.code) == ([1], None)  # code of the program is running


def test_what_a_thread_exits_with_is_not_the_programs(program: Any) -> None:
    from threading import Thread

    ending._watch_program()
    program.code = 5

    def leave() -> None:
        with pytest.raises(SystemExit):
            sys.exit(3)

    thread = Thread(target=leave)
    thread.start()
    thread.join()
    assert program.code == 5


def test_an_exception_that_ended_the_program(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    program.code = 7
    monkeypatch.setattr(sys, "last_type", ValueError, raising=False)
    assert ending.exit_code() == 1


def test_a_frame_that_has_returned(program: Any) -> None:
    def returns() -> Any:
        return sys._getframe()

    def raises() -> None:
        program.outermost = sys._getframe()
        raise SystemExit(6)

    program.outermost, program.code = returns(), 6
    assert ending.exit_code() == 0  # whatever was raised in it was caught
    with pytest.raises(SystemExit):
        raises()
    assert not ending._has_returned()
    program.outermost = None
    assert not ending._has_returned()


def test_the_exit_that_is_alive_is_looked_for(program: Any) -> None:
    def raises(code: int) -> None:
        program.outermost = sys._getframe()
        raise SystemExit(code)

    try:
        raises(6)
    except SystemExit as error:
        kept = error.with_traceback(error.__traceback__.tb_next if error.__traceback__ else None)
        ending._look_for_exit()
        assert program.code == 6
        del kept


def test_what_is_called_at_the_end(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    registered: list[Any] = []
    monkeypatch.setattr(atexit, "register", registered.append)
    monkeypatch.setattr(atexit, "unregister", registered.remove)
    forked: list[Any] = []
    monkeypatch.setattr(os, "register_at_fork", lambda **more: forked.append(more))
    ending.watch()
    ending.watch()
    assert (registered, forked) == ([ending._at_exit], [{"after_in_child": ending._in_child}])
    ending.at_exit(len)
    assert registered[-1] is len
    ending.not_at_exit(len)
    assert len not in registered
    taker = Taker()
    _state.process.taker = taker
    ending.at_exit(len)
    assert taker.at_end == [len]
    monkeypatch.setattr(atexit, "unregister", lambda function: None)
    ending.not_at_exit(len)
    ending.not_at_exit(len)
    assert taker.at_end == []


def test_the_run_ends_as_the_process_ends(program: Any, caplog: pytest.LogCaptureFixture) -> None:
    ending._at_exit()
    ended: list[int] = []
    _state.process.current = types.SimpleNamespace(finish=ended.append)  # type: ignore[assignment]
    program.code = 9
    ending._at_exit()
    assert ended == [9]
    _state.process.current = types.SimpleNamespace(finish=lambda code: 1 / 0)  # type: ignore[assignment]
    ending._at_exit()
    assert "the run could not be finished at exit (ZeroDivisionError" in caplog.text


def test_a_forked_child_begins_again(workers: Workers) -> None:
    before = _state.process
    left: list[str] = []
    before.said["x"], before.hooked = 1, True
    before.current = types.SimpleNamespace(abandon=lambda: left.append("run"))  # type: ignore[assignment]
    before.offered = [types.SimpleNamespace(abandon=lambda: left.append("offered"))]  # type: ignore[list-item]
    before.tags = tags = telemetry._tags()
    ending._in_child()
    now = _state.process
    assert left == ["run", "offered"]
    assert (now.forked, now.said, now.tags, now.hooked, now.current, now.offered) == (
        True, before.said, tags, True, None, []
    )  # fmt: skip


# -- what the application has told its wandb --------------------------------------------------------------------------


def told(monkeypatch: pytest.MonkeyPatch, before: dict[str, str], pid: int = 0, **settings: Any) -> Any:
    """The environment as wandb has it. ``before``: the environment when wandb was set up."""

    class Settings:
        model_fields = {"base_url": types.SimpleNamespace(default="https://api.wandb.ai")}

    found = Settings()
    for name in wandb_here._VARIABLES:
        setattr(found, name, settings.get(name))
    setup = types.SimpleNamespace(_settings=found, _pid=pid or os.getpid(), _settings_environ=before)
    monkeypatch.setitem(sys.modules, "wandb.sdk.wandb_setup", types.SimpleNamespace(_singleton=setup))
    return wandb_here.environment_as_wandb_has_it(SPEC)


def test_what_wandb_was_told_counts_over_what_stood_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wandb_here.environment_as_wandb_has_it(SPEC) == dict(os.environ)
    found = told(monkeypatch, {}, mode="offline", api_key="k", base_url="https://api.wandb.ai", entity="")
    assert (found["WANDB_MODE"], found["WANDB_API_KEY"]) == ("offline", "k")
    assert "WANDB_BASE_URL" not in found
    assert "WANDB_ENTITY" not in found
    assert "WANDB_MODE" not in told(monkeypatch, {}, pid=1, mode="offline")  # a forked child's parent has told it
    monkeypatch.setenv("WANDB_MODE", "online")  # put there since then
    assert told(monkeypatch, {}, mode="offline")["WANDB_MODE"] == "online"
    assert told(monkeypatch, {"WANDB_MODE": "online"}, mode="offline")["WANDB_MODE"] == "offline"
    monkeypatch.setenv("WANDB_MODE", "dryrun")  # another word for what it has
    assert told(monkeypatch, {"WANDB_MODE": "dryrun"}, mode="offline")["WANDB_MODE"] == "dryrun"


@pytest.mark.parametrize(("host", "key"), [("", True), ("https://own/", True), ("https://other", False)])
def test_a_key_is_for_its_server(host: str, key: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "SPEC", RunSpec(chosen={"host": host}, default={}))
    assert ("WANDB_API_KEY" in told(monkeypatch, {}, api_key="k", base_url="https://own")) is key
