"""A run with a worker: rows on disk, rows that are waited for, workers that go, what is said. Nothing is started."""

from __future__ import annotations

import json
import os
import threading
import time
from typing import Any, Callable, Optional

import pytest

from one_logger_v1_shim import _state
from one_logger_v1_shim._job import process as process_module
from one_logger_v1_shim._job import worker_sink as module
from one_logger_v1_shim._job.worker_sink import WorkerSink
from one_logger_v1_shim._journal.destination import RunSpec
from one_logger_v1_shim._journal.interpreter import Interpreter
from one_logger_v1_shim._journal.records import PLAYED, Mark, RunRecord
from one_logger_v1_shim._journal.words import PARTS, ROWS, Exit
from tests.job.workers import INTERPRETER, ISOLATED, Workers, WorkersEnd, workers

__all__ = ["workers"]

SPEC = RunSpec(chosen={"project": "demo"}, default={})
ROW = b'{"a":1}'


def sink(asynchronous: bool = True, interpreter: Optional[Interpreter] = INTERPRETER, **more: Any) -> WorkerSink:
    return WorkerSink(SPEC, asynchronous, interpreter, **more)


def lines(one: WorkerSink) -> list[bytes]:
    return (one._journal.folder / "rows-000001.jsonl").read_bytes().splitlines()


def look(one: WorkerSink) -> None:
    """As after a while."""
    one._next_look = 0.0
    one.put(b'>["app_start",[1,1],null]')


class Answering:
    """Says how many rows it has when it is asked: in place of a wait for the socket."""

    def __init__(self, workers: Workers, patch: pytest.MonkeyPatch, answers: Callable[[WorkersEnd], None]) -> None:
        listen = process_module.WorkerProcess.listen

        def answering(process: process_module.WorkerProcess, limit: float) -> bool:
            if workers[-1].peer.fileno() >= 0 and workers[-1].heard():
                answers(workers[-1])
            return listen(process, min(limit, 0.05))

        patch.setattr(process_module.WorkerProcess, "listen", answering)


def test_rows_calls_and_the_end_are_on_disk_at_once(workers: Workers) -> None:
    one = sink()
    one.put(ROW)
    one.put(b'>["app_start",[1,1],null]\n{"b":2}')
    one.end(3)
    one.end(4)
    assert lines(one) == [b"#from 0", ROW, b'>["app_start",[1,1],null]', b'{"b":2}', b"#finish 3"]
    (worker,) = workers
    assert worker.heard() is None  # nobody asks
    record = RunRecord.read(one._journal.folder)
    assert (record.keep, record.python, record.v2, record.chosen) == (True, INTERPRETER.path, "", {"project": "demo"})


def test_a_row_after_the_end_is_dropped_and_said(workers: Workers, caplog: pytest.LogCaptureFixture) -> None:
    one = sink()
    one.end(0)
    one.put(b'>["app_end",[1,1]]')
    assert caplog.messages == []
    one.put(ROW)
    assert "after finish(), and is dropped" in caplog.text
    assert lines(one) == [b"#from 0", b"#finish 0"]


def test_a_call_waits_for_its_row(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def answers(worker: WorkersEnd) -> None:
        asked.append(1)
        worker.say(ROWS, len(asked) // 2)  # it takes the row when it was asked twice

    Answering(workers, monkeypatch, answers)
    one = sink(asynchronous=False)
    one.put(ROW)
    assert one._process is not None
    assert (one._process.acknowledged, len(asked)) == (1, 2)
    one.put(b'>["app_start",[1,1],null]')  # no row, no wait
    assert len(asked) == 2
    one.put(ROW)
    assert (one._process.acknowledged, len(asked)) == (2, 4)


def test_a_late_worker_is_waited_for_once_until_it_has_caught_up(
    workers: Workers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ONE_LOGGER_V1_SYNC_TIMEOUT", "0.6")
    rows = [0]
    Answering(workers, monkeypatch, lambda worker: worker.say(ROWS, rows[0]))
    one = sink(asynchronous=False)
    took = []
    for taken in (0, 0, 3):
        rows[0] = taken
        began = time.monotonic()
        one.put(ROW)
        took.append(time.monotonic() - began)
    assert took[0] > 0.5
    assert took[1] < 0.5
    assert not one._late  # it has answered at once
    assert [text for text in caplog.messages if "take a row" in text] == [
        "W&B did not take a row within 0.6 s; callbacks do not wait until it has caught up, rows are kept and follow"
    ]
    began = time.monotonic()
    one.put(ROW)
    assert 0.5 < time.monotonic() - began < 5.0  # it is waited for again


def test_an_asynchronous_call_and_a_run_that_nobody_takes_wait_for_nothing(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.monotonic()
    sink().put(ROW)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    one = sink(asynchronous=False)
    one.put(ROW)
    assert time.monotonic() - began < 9.0
    assert RunRecord.read(one._journal.folder).keep is False


def test_another_worker_goes_on_for_one_that_died_three_times(
    workers: Workers, caplog: pytest.LogCaptureFixture
) -> None:
    one = sink()
    for number in (1, 2, 3):
        assert len(workers) == number
        workers[-1].end(-9)
        look(one)
    assert len(workers) == 3
    assert "the W&B process was ended by signal 9; another one goes on from the journal" in caplog.messages
    assert "the W&B process does not stay up (was ended by signal 9); rows are kept in " in caplog.text
    assert "recover" in caplog.text


def test_workers_that_lived_long_are_not_counted(workers: Workers) -> None:
    one = sink()
    for _ in range(5):
        one._began -= 301
        workers[-1].end(-9)
        look(one)
    assert len(workers) == 6


def test_a_worker_that_failed_by_itself_is_said_once_with_its_last_words(
    workers: Workers, caplog: pytest.LogCaptureFixture
) -> None:
    one = sink()
    (one._journal.folder / "worker.log").write_text("first\n\nboom: no wandb\n\n")
    for _ in range(3):
        workers[-1].end(Exit.FAILED)
        look(one)
    (text,) = caplog.messages
    assert "(ended with code 1; the last line of worker.log: boom: no wandb); rows are kept in" in text


@pytest.mark.parametrize("code", [Exit.GIVEN_UP, Exit.DONE])
def test_a_worker_that_has_said_why_is_not_replaced(
    code: int, workers: Workers, caplog: pytest.LogCaptureFixture
) -> None:
    one = sink()
    Mark(state="failed", notice="no wandb").write(one._journal.folder)
    workers[-1].end(code)
    look(one)
    look(one)
    assert (len(workers), caplog.messages) == (1, ["no wandb"])


@pytest.mark.parametrize(
    ("code", "libraries", "started", "said"),
    [
        (Exit.TOO_OLD, True, 1, "it is older than Python 3.9"), (127, False, 1, "it ended with code 127 before"),
        (127, True, 2, "it ended with code 127 before our code ran; the last line of worker.log: no libpython"),
        (-11, True, 2, "it was ended by signal 11 before our code ran; rows"),
    ],
)  # fmt: skip
def test_an_environment_in_which_our_code_never_ran(
    code: int, libraries: bool, started: int, said: str, workers: Workers, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if libraries:
        monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/lib")
    else:
        monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    workers.up = False
    one = sink(interpreter=ISOLATED)
    for _ in range(3):
        (one._journal.folder / "worker.log").write_text("no libpython\n")
        if workers[-1].peer.fileno() >= 0:
            workers[-1].end(code)
        look(one)
    assert ["LD_LIBRARY_PATH" in worker.environ for worker in workers] == [False, True][:started]
    (text,) = caplog.messages
    assert f"no W&B process: ONE_LOGGER_V1_PYTHON=/nowhere/python: {said}" in text


def test_no_process_can_be_started(
    workers: Workers, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(process_module, "_detached", nothing)
    one = sink(interpreter=ISOLATED, asynchronous=False)
    one.put(ROW)
    (text,) = caplog.messages
    assert text.startswith(
        "no process could be started for W&B (ONE_LOGGER_V1_PYTHON=/nowhere/python: Permission denied); rows are kept"
    )
    assert lines(one)[1:] == [ROW]


def test_what_the_worker_has_to_say_is_said_once(workers: Workers, caplog: pytest.LogCaptureFixture) -> None:
    one = sink()
    folder = one._journal.folder
    for mark in (
        Mark(state="offline", event="restarted", events=1, notice="offline", said=["row 3"], v2="v2 hears nothing"),
        Mark(state="offline", event="restarted", events=1, notice="offline", said=["row 3"], v2=PLAYED),
        Mark(state="online", event="restarted", events=2, notice="online"),
    ):
        mark.write(folder)
        look(one)
    assert caplog.messages == ["restarted", "offline", "row 3", "v2 hears nothing", "restarted", "online"]


@pytest.mark.parametrize(("state", "said"), [("offline", []), ("finished", []), ("failed", ["trouble"])])
def test_who_asked_for_silence_and_offline(
    state: str, said: list[str], workers: Workers, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    one = sink()
    Mark(state=state, notice="trouble").write(one._journal.folder)
    look(one)
    assert caplog.messages == said


def test_a_run_that_nobody_takes_says_nothing_of_v2(
    workers: Workers, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    one = sink()
    Mark(v2="v2 hears nothing").write(one._journal.folder)
    look(one)
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("name", "launcher"), [("RAY_RAYLET_PID", "Ray"), ("PYTHON_WORKER_FACTORY_SECRET", "Spark"), ("X", None)]
)
def test_launchers_that_end_their_processes_without_a_word(
    name: str, launcher: str, workers: Workers, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "1")
    one = sink()
    said = f"{launcher} may end this process without notice; the journal of its run is {one._journal.folder}; "
    assert [text.startswith(said) for text in caplog.messages] == ([True] if launcher else [])
    caplog.clear()
    monkeypatch.setenv("WANDB_MODE", "disabled")
    sink()
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "1")
    sink()
    assert caplog.messages == []


def test_a_short_job_is_looked_at_sooner(workers: Workers) -> None:
    one = sink()
    assert one._next_look - one._opened == 1.0
    for age, pause in ((0.0, 1.0), (3.0, 3.0), (60.0, 5.0)):
        one._opened = module.monotonic() - age
        one._look()
        assert one._next_look - module.monotonic() == pytest.approx(pause, abs=0.2)
    one._next_look = module.monotonic() + 100
    Mark(notice="later").write(one._journal.folder)
    one.put(ROW)
    assert one._notice is None


# -- the end ----------------------------------------------------------------------------------------------------------


def test_a_worker_that_has_everything(workers: Workers, caplog: pytest.LogCaptureFixture) -> None:
    one = sink()
    one.end(0)
    heard: list[bytes] = []

    def answer() -> None:
        while b"" not in heard:  # it is asked, and then nobody will ask any more
            found = workers[0].heard()
            heard.extend([] if found is None else [found])
            time.sleep(0.001)
        Mark(state="finished", notice="it is there").write(one._journal.folder)
        workers[0].say(PARTS, Exit.DONE)

    thread = threading.Thread(target=answer)
    thread.start()
    one.wait()
    thread.join()
    one.wait()
    assert b"".join(heard) == b"s"
    assert (one._process, caplog.messages) == (None, ["it is there"])


def test_a_worker_that_is_still_at_it(
    workers: Workers, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONE_LOGGER_V1_FINISH_TIMEOUT", "0.2")
    one = sink()
    one.put(ROW)
    one.end(0)
    began = time.monotonic()
    one.wait()
    assert 0.15 < time.monotonic() - began < 2.0
    (text,) = caplog.messages
    assert text.startswith(
        "W&B has not taken all rows within 0.2 s; that goes on in the background; to send what is left then:"
    )
    assert one._process is None
    assert workers[0].peer.fileno() >= 0


@pytest.mark.parametrize(("state", "limit"), [("online", 2.0), ("", 5.0)])
def test_a_wait_is_said(
    state: str, limit: float, workers: Workers, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock goes a second with each look."""
    one = sink()
    one.put(ROW)
    one.end(0)
    Mark(state=state, rows=7).write(one._journal.folder)
    clock = [1000.0]

    def wait(process: process_module.WorkerProcess, seconds: float) -> Optional[int]:
        clock[0] += 1.0
        return Exit.DONE if clock[0] > 1000 + limit + 3 else None

    monkeypatch.setattr(process_module.WorkerProcess, "wait", wait)
    monkeypatch.setattr(module, "monotonic", lambda: clock[0])
    said: list[float] = []
    monkeypatch.setattr(module, "warn", lambda text: said.append(clock[0]))
    one._process.listen(0.1)  # type: ignore[union-attr]
    one._await_end()
    assert said == [1000 + limit + 2]


def test_an_interpreter_that_never_came_up_is_ended(
    workers: Workers, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SURELY", 0.1)
    monkeypatch.setenv("ONE_LOGGER_V1_FINISH_TIMEOUT", "0.1")
    ended: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda group, number: ended.append(group))
    workers.up = False
    one = sink(interpreter=ISOLATED)
    one.end(0)
    one.wait()
    assert ended == [workers[0].pid]
    assert "no W&B process: ONE_LOGGER_V1_PYTHON=/nowhere/python: no answer in 0.1 s; rows are kept in" in caplog.text


def test_a_worker_that_dies_at_the_end_is_replaced(workers: Workers) -> None:
    one = sink()
    one.put(ROW)
    one.end(0)
    workers[0].end(-9)
    start = workers.start

    def second(*arguments: Any, **options: Any) -> WorkersEnd:
        found = start(*arguments, **options)
        found.say(PARTS, Exit.DONE)
        return found

    process_module._detached = second  # type: ignore[assignment]
    one.wait()
    assert len(workers) == 2
    assert one._process is None


def test_rows_that_no_disk_took(workers: Workers, caplog: pytest.LogCaptureFixture) -> None:
    one = sink()
    one._journal._lost = 1
    one.end(0)
    assert "1 row could not be written to any disk, and that is lost" in caplog.messages
    two = sink()
    _state.process.said.clear()
    two._journal._lost = 2
    two.end(0)
    assert "2 rows could not be written to any disk, and that is lost" in caplog.messages


def test_a_forked_child_leaves_the_run_to_its_parent(workers: Workers) -> None:
    one = sink(asynchronous=False)
    one.abandon()
    one.put(ROW)
    one.end(0)
    one.wait()
    assert lines(one) == [b"#from 0"]
    assert workers[0].returncode == 0
    assert one._process is None


def test_without_an_interpreter_the_journal_alone(workers: Workers) -> None:
    one = sink(asynchronous=False, interpreter=None)
    one.put(ROW)
    one.end(0)
    one.wait()
    assert workers == []
    assert lines(one) == [b"#from 0", ROW, b"#finish 0"]
    assert json.loads((one._journal.folder / "run.json").read_text())["python"] == ""


@pytest.mark.parametrize(
    ("code", "text"), [(Exit.UNKNOWN, "has ended"), (-6, "was ended by signal 6"), (0, "ended with code 0")]
)
def test_how_it_ended(code: int, text: str) -> None:
    assert module._ended(code) == text
