"""The job's end of the socket to its worker: what it hears, what it asks, when it takes the worker for gone."""

from __future__ import annotations

import errno
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from one_logger_v1_shim._job import process as module
from one_logger_v1_shim._job.process import WorkerProcess
from one_logger_v1_shim._journal.interpreter import Interpreter
from one_logger_v1_shim._journal.words import ENDED, PARTS, ROWS, UP, Exit, message
from tests.job.workers import INTERPRETER, NOBODY, Workers, workers

__all__ = ["workers"]


def start(folder: Path) -> WorkerProcess:
    return WorkerProcess(folder, INTERPRETER, {"A": "1"})


def test_how_it_is_started(workers: Workers, tmp_path: Path) -> None:
    worker = start(tmp_path)
    given = workers[0].options
    assert given["env"] == {"A": "1"}
    assert given["cwd"] == tmp_path
    assert given["start_new_session"] is given["close_fds"] is True
    assert given["stdout"] == given["stderr"]
    with pytest.raises(OSError, match="Bad file descriptor"):  # the job keeps neither the log nor the other end
        os.fstat(given["stdin"])
    assert stat.S_IMODE((tmp_path / "worker.log").stat().st_mode) == 0o600
    worker.close()


def test_a_worker_that_cannot_be_started(workers: Workers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: object, **__: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file")

    monkeypatch.setattr(module, "_detached", nothing)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError):
        start(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_it_says(workers: Workers, tmp_path: Path) -> None:
    workers.up = False
    worker = start(tmp_path)
    assert (worker.came_up, worker.ended(), worker.acknowledged) == (False, None, 0)
    other = workers[0]
    other.peer.sendall(message(UP, os.getpid()) + message(ROWS, 7)[:4])
    assert worker.listen(1.0)
    assert (worker.pid, worker.came_up, worker.acknowledged) == (os.getpid(), True, 0)
    other.peer.sendall(message(ROWS, 7)[4:] + message(ROWS, 5))
    assert worker.listen(1.0)
    assert worker.acknowledged == 7
    assert worker.listen(0.0)  # nothing is news, and it is there
    assert worker.ended() is None
    other.say(ENDED, 3)
    assert worker.ended() == 3
    worker.close()


def test_a_worker_that_parts_is_not_waited_for(workers: Workers, tmp_path: Path) -> None:
    worker = start(tmp_path)
    workers[0].say(PARTS, Exit.DONE)
    began = time.monotonic()
    assert worker.wait(5.0) == Exit.DONE
    assert time.monotonic() - began < 0.9  # its process is there, and that is not our affair
    worker.close()


def test_a_worker_that_has_said_its_code_is_waited_for_until_it_is_no_process(workers: Workers, tmp_path: Path) -> None:
    worker = start(tmp_path)
    workers[0].say(ENDED, 0)
    began = time.monotonic()
    assert worker.wait(5.0) == 0
    assert 0.9 < time.monotonic() - began < 4.9  # this one stays: it is the test's own
    worker.close()


@pytest.mark.parametrize("up", [NOBODY, None])
def test_a_worker_that_goes_without_a_word(up: int, workers: Workers, tmp_path: Path) -> None:
    workers.up = False
    worker = start(tmp_path)
    if up is not None:
        workers[0].say(UP, up)
    workers[0].end()
    worker.listen(0.1)
    assert not worker.listen(0.1)
    assert worker.ended() == worker.wait(1.0) == Exit.UNKNOWN
    assert not worker.poke()
    worker.close()


def test_a_process_that_is_there_has_not_ended_though_its_socket_is_closed(workers: Workers, tmp_path: Path) -> None:
    worker = start(tmp_path)
    assert worker.wait(0.0) is None
    workers[0].end()
    worker.listen(0.1)
    assert worker.ended() == Exit.UNKNOWN  # nobody answers there any more
    worker.close()


def test_a_process_with_that_number_that_began_at_another_time(workers: Workers, tmp_path: Path) -> None:
    worker = start(tmp_path)
    assert worker.listen(0.1)
    worker._began = "1"
    assert worker.ended() == Exit.UNKNOWN
    worker.close()


@pytest.mark.parametrize(("starter", "code"), [(None, None), (0, None), (7, 7)])
def test_before_it_comes_up(starter: int, code: int, workers: Workers, tmp_path: Path) -> None:
    workers.up, workers.starter = False, starter
    worker = start(tmp_path)
    assert worker.ended() == code
    workers[0].end()
    worker.listen(0.1)
    assert worker.ended() == (None if starter is None else starter or Exit.UNKNOWN)
    worker.close()


def test_waiting_ends_with_its_limit(workers: Workers, tmp_path: Path) -> None:
    worker = start(tmp_path)
    began = time.monotonic()
    assert worker.wait(0.25) is None
    assert 0.2 < time.monotonic() - began < 9.0
    worker.close()


def test_questions(workers: Workers, tmp_path: Path) -> None:
    worker = start(tmp_path)
    assert worker.poke()
    assert worker.poke()
    assert workers[0].heard() == b"ss"
    worker._peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    for _ in range(500):  # it does not listen, and there is no room any more: it may be there all the same
        assert worker.poke()
    while workers[0].heard() is not None:
        pass
    worker.hang_up()
    assert workers[0].heard() == b""
    assert not worker.poke()
    worker.close()
    worker.close()


def test_a_program_that_has_closed_all_descriptors(workers: Workers, tmp_path: Path) -> None:
    worker = start(tmp_path)
    assert worker.listen(0.1)
    number = worker._peer.fileno()
    with open(tmp_path / "own", "wb") as own:
        os.dup2(own.fileno(), number)
        assert not worker.poke()
        assert not worker.listen(0.0)
        worker.hang_up()
        worker.close()
        assert os.fstat(number).st_ino == os.fstat(own.fileno()).st_ino  # it is the program's, and stays open
    os.close(number)
    assert worker.ended() == Exit.UNKNOWN


def test_in_a_forked_child_it_is_somebody_elses(workers: Workers, tmp_path: Path) -> None:
    worker = start(tmp_path)
    worker.abandon()
    assert workers[0].returncode == 0
    assert workers[0].heard() == b""
    assert worker._closed


def test_a_worker_is_left_alone(workers: Workers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "killpg", lambda group, number: ended.append((group, number)))
    worker = start(tmp_path)
    worker.leave()
    assert (ended, workers[0].heard()) == ([], b"")
    worker = start(tmp_path)
    worker.leave(end=True)
    assert ended == [(NOBODY, signal.SIGKILL)]


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda path: None, errno.ENOENT), (lambda path: path.mkdir(), errno.EACCES),
        (lambda path: path.write_text("#!/bin/sh\n"), errno.EACCES),
        (lambda path: (path.write_text("echo no"), path.chmod(0o755)), errno.ENOEXEC),
    ],
)  # fmt: skip
def test_an_interpreter_that_is_none_is_said_before_a_shell_hides_it(make: object, error: int, tmp_path: Path) -> None:
    path = tmp_path / "python"
    make(path)  # type: ignore[operator]
    with pytest.raises(OSError, match=r".") as raised:
        module._must_be_executable(str(path))
    assert (raised.value.errno, raised.value.filename) == (error, str(path))


def test_an_interpreter_that_may_be_one(tmp_path: Path) -> None:
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    for path in (str(script), sys.executable, "python3"):  # the last one is the shell's to find
        module._must_be_executable(path)


@pytest.mark.slow
@pytest.mark.parametrize("shell", [True, False])
def test_a_worker_is_no_child_of_the_job(shell: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a real process in the interpreter's place, that says where it stands."""
    script = tmp_path / "python"
    script.write_text('#!/bin/sh\necho "$PPID" "$@" >told.new && mv told.new told; cat >heard\n')
    script.chmod(0o755)
    if not shell:
        popen = subprocess.Popen
        monkeypatch.setattr(
            subprocess, "Popen",
            lambda command, **more: popen(["/no/shell"] if command[0] == "/bin/sh" else command, **more),
        )  # fmt: skip
    worker = WorkerProcess(tmp_path, Interpreter(str(script), "", isolated=False), dict(os.environ))
    limit = time.monotonic() + 20
    while not (tmp_path / "told").exists() and time.monotonic() < limit:
        time.sleep(0.01)
    parent, *_, last = (tmp_path / "told").read_text().split()
    assert (int(parent) != os.getpid(), last == "--attached") == (shell, shell)  # without one, start.py forks
    assert worker.poke()
    worker.hang_up()
    while (not (tmp_path / "heard").exists() or worker.wait(0.05) is None) and time.monotonic() < limit:
        time.sleep(0.01)
    assert (tmp_path / "heard").read_bytes() == b"s"
    worker.leave()
    worker._starter.wait(5)
