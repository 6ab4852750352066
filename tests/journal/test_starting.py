"""What a worker is started with, and what both sides say: commands, environment, interpreter, words, processes."""

from __future__ import annotations

import json
import os
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from one_logger_v1_shim._journal import environment, history, interpreter, process_table, system, words
from one_logger_v1_shim._journal.clock import monotonic
from one_logger_v1_shim._journal.destination import RunSpec
from one_logger_v1_shim._journal.environment import path_variable
from one_logger_v1_shim._journal.instants import Instants
from one_logger_v1_shim._journal.interpreter import Interpreter

OWN = Interpreter("/py", "the job's own", isolated=False)
ISOLATED = Interpreter("/py", "made", isolated=True)
PACKAGE = Path(environment.__file__).parent.parent
NOTHING = RunSpec(chosen={}, default={})


def test_commands() -> None:
    start = str(PACKAGE / "_worker" / "start.py")
    root = str(PACKAGE.parent)
    assert environment.start_command(OWN, Path("/j"), "--attached") == ["/py", start, root, "/j", "--attached"]
    assert environment.start_command(ISOLATED, Path("/j")) == ["/py", "-I", start, root, "/j"]
    assert environment.dry_command(OWN, ask=True)[2:] == [root, "--dry", "--attached"]
    assert environment.dry_command(OWN, ask=False)[2:] == [root, "--dry", "--attached", "--offline"]
    assert environment.settings_command(OWN)[2:] == [root, "--settings", "--attached"]
    assert environment.history_command(OWN, "{}")[2:] == [root, "--history", "--attached", "{}"]


def test_where_the_package_is_no_folder_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_PACKAGE", tmp_path)
    assert environment._script() == ["-c", (PACKAGE / "_worker" / "start.py").read_text()]
    (tmp_path / "_worker").mkdir()
    (tmp_path / "_worker" / "start.pyc").touch()
    assert environment._script() == [str(tmp_path / "_worker" / "start.pyc")]
    (tmp_path / "_worker" / "start.pyc").unlink()

    def no_source(*_: object) -> None:
        raise OSError

    monkeypatch.setattr("pkgutil.get_data", no_source)
    assert environment._script() == ["-m", "one_logger_v1_shim._worker.start"]


def test_the_workers_environment(tmp_path: Path) -> None:
    job = {
        "A": "1", "PYTHONWARNINGS": "error", "WANDB_RUN_ID": "x", "PYTHONPATH": "/p", "CONDA_PREFIX": "/c",
        "LD_LIBRARY_PATH": "/l", words.HOST: "h", words.PATH: "p", "LONG": "x" * (128 * 1024 - 7),
        "TOO_LONG": "x" * (128 * 1024 - 10), "WANDB_API_KEY": "old",
    }  # fmt: skip
    spec = RunSpec(chosen={"api_key": "k", "host": "https://u:p@h"}, default={})
    found = environment.environment(spec, OWN, job)
    assert json.loads(found.pop(words.PATH)) == environment.job_path()
    assert found == {
        "A": "1", "PYTHONPATH": "/p", "CONDA_PREFIX": "/c", "LD_LIBRARY_PATH": "/l", words.INSIDE: "1",
        words.HOST: "https://u:p@h", "WANDB_API_KEY": "k", "LONG": "x" * (128 * 1024 - 7),
    }  # fmt: skip
    short = {"A": "1", "PYTHONPATH": "/p", "CONDA_PREFIX": "/c", "LD_LIBRARY_PATH": "/l"}
    assert environment.environment(NOTHING, ISOLATED, short) == {"A": "1", words.INSIDE: "1"}
    assert environment.environment(NOTHING, ISOLATED, short, libraries=True)["LD_LIBRARY_PATH"] == "/l"
    plain = RunSpec(chosen={"host": "https://h"}, default={})
    assert words.HOST not in environment.environment(plain, OWN, short)
    assert "PATH" in environment.environment(NOTHING, OWN)


def test_a_path_that_is_too_long_for_a_variable(tmp_path: Path) -> None:
    long = ["/" + "x" * 70_000, "/" + "y" * 70_000]
    assert path_variable(["/a"], tmp_path) == {words.PATH: '["/a"]'}
    assert list(tmp_path.iterdir()) == []
    assert path_variable(long, tmp_path) == {words.PATH: f"@{tmp_path / 'path.json'}"}
    assert json.loads((tmp_path / "path.json").read_text()) == long
    assert path_variable(long, None) == path_variable(long, tmp_path / "nowhere") == {}


def test_nothing_is_imported_from_the_working_directory() -> None:
    found = environment.without_working_directory({"PYTHONPATH": "/a::rel:/b", "A": "1"})
    assert found == {"PYTHONPATH": "/a:/b", "A": "1", "PYTHONSAFEPATH": "1"}
    assert "PYTHONPATH" not in environment.without_working_directory({"PYTHONPATH": "rel"})
    assert "PYTHONPATH" not in environment.without_working_directory({})


def test_odd_entries_of_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [".", b"/bytes", Path("/path"), 3, "/path"])
    assert environment.job_path() == ["/bytes", "/path", os.getcwd()]


# -- the interpreter --------------------------------------------------------------------------------------------------


def executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_who_names_the_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    other = executable(tmp_path / "bin" / "other")
    environ = {"XDG_DATA_HOME": str(tmp_path / "data")}
    found = interpreter.find(environ)
    assert found == Interpreter(sys.executable, "the job's own", isolated=False)
    made = executable(tmp_path / "data" / "one-logger-v1-shim" / interpreter.VERSION / "bin" / "python")
    assert interpreter.find(environ) == found  # it is not whole yet
    (made.parent.parent / interpreter.MARKER).touch()
    told = interpreter.find(environ)
    assert told == Interpreter(str(made), f"made by `isolate` in {made.parent.parent}", isolated=True)
    for named in (" other ", str(other), "~/bin/other"):
        told = interpreter.find({**environ, interpreter.VARIABLE: named})
        assert told == Interpreter(str(other), interpreter.VARIABLE, isolated=True)
    missing = interpreter.find({interpreter.VARIABLE: "no-such-python"})
    assert missing == Interpreter(os.path.abspath("no-such-python"), interpreter.VARIABLE, isolated=True)
    own = interpreter.find({interpreter.VARIABLE: sys.executable})
    assert own == Interpreter(sys.executable, interpreter.VARIABLE, isolated=False)


def test_a_training_is_not_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training = executable(tmp_path / "train")
    monkeypatch.setattr(sys, "executable", str(training))
    for prefix in ("prefix", "exec_prefix", "base_prefix"):
        monkeypatch.setattr(sys, prefix, str(tmp_path / prefix))
    environ = {"XDG_DATA_HOME": str(tmp_path)}
    assert interpreter.find(environ) is None
    assert interpreter.find({**environ, interpreter.VARIABLE: str(training)}) is None
    assert not interpreter.is_interpreter()
    second = executable(tmp_path / "base_prefix" / "bin" / "python3")
    assert interpreter.find(environ) == Interpreter(str(second), "the job's own", isolated=False)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert interpreter.is_frozen()
    assert interpreter.find(environ) is None
    monkeypatch.setattr(sys, "executable", str(executable(tmp_path / "python3.11")))
    assert not interpreter.is_interpreter()
    monkeypatch.delattr(sys, "frozen")
    assert interpreter.is_interpreter()
    monkeypatch.setattr(sys.modules["__main__"], "__compiled__", 1, raising=False)
    assert interpreter.is_frozen()
    monkeypatch.delattr(sys.modules["__main__"], "__compiled__")
    monkeypatch.setattr(sys, "executable", "")
    assert not interpreter.is_interpreter()


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("python", True),
        ("python3.13t", True),
        ("PyPy3", True),
        ("python.exe", True),
        ("python-train", False),
        ("uwsgi", False),
    ],
)
def test_what_is_a_python_by_its_name(name: str, is_one: bool, tmp_path: Path) -> None:
    assert interpreter.is_python(f"/x/{name}") is is_one
    link = tmp_path / "train"
    link.symlink_to(name)
    assert interpreter.is_python(str(link)) is is_one


def test_where_isolate_makes_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    place = Path("one-logger-v1-shim", interpreter.VERSION)
    assert interpreter.default_place({"XDG_DATA_HOME": "/d"}) == Path("/d", place)
    assert interpreter.default_place({"XDG_DATA_HOME": "rel"}) == tmp_path / ".local" / "share" / place
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert interpreter.default_place({}) is None
    assert history.cache() is None
    monkeypatch.setenv("XDG_CACHE_HOME", "/c")
    assert history.cache() == Path("/c/one-logger-v1-shim/history")
    assert history.said("/c") == "what has come is kept in /c, and the same command goes on from there"


# -- words, processes, clocks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 7, -9, 2**40])
def test_messages(number: int) -> None:
    data = words.message(words.ROWS, number)
    assert len(data) == words.MESSAGE
    assert words.read_message(data + b"more") == (b"r", number)


def test_a_mark_of_a_run_is_the_same_by_every_way_to_its_folder(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert words.run_mark("id", str(tmp_path / "link")) == f"id {os.path.realpath(tmp_path)}"


def test_this_process_and_one_that_is_not_there() -> None:
    began = process_table.started(os.getpid())
    assert began is not None
    assert began.isdigit()
    assert process_table.is_running(os.getpid())
    assert process_table.is_running(os.getpid(), began)
    assert not process_table.is_running(os.getpid(), f"{began}0")
    assert not process_table.has_gone(os.getpid())
    for pid in (2**22 + 1, 0, -1, 2**40):
        assert process_table.started(pid) is None
        assert not process_table.is_running(pid)
        assert process_table.has_gone(pid)
        assert not system.answers(pid)
    assert system.answers(1)


def test_a_proc_of_another_namespace_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "readlink", lambda path: "1")
    assert process_table.started(os.getpid()) is None
    assert process_table.is_running(os.getpid())
    assert not process_table.has_gone(os.getpid())
    assert process_table.variable(os.getpid(), "PATH") is None


def test_the_environment_that_a_process_was_started_with() -> None:
    words_of_ours = dict(
        word.split("=", 1) for word in os.fsdecode(Path("/proc/self/environ").read_bytes()).split("\0") if "=" in word
    )
    name = next(one for one in words_of_ours if words_of_ours[one])
    assert process_table.variable(os.getpid(), name) == words_of_ours[name]
    assert process_table.variable(os.getpid(), name[:-1]) is None


def test_what_the_system_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    import _socket

    assert system.without() == []
    monkeypatch.delattr(os, "fork")
    assert system.without() == ["fork"]
    monkeypatch.delattr(_socket, "AF_UNIX")
    assert system.without() == ["Unix sockets", "fork"]
    monkeypatch.setitem(sys.modules, "_socket", None)
    assert system.without() == ["sockets"]


def test_the_system_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    assert system.described() == f"Linux {os.uname().machine}" or sys.platform != "linux"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delattr(os, "uname")
    monkeypatch.setenv("PROCESSOR_ARCHITECTURE", "ARM64")
    assert system.described() == "Windows ARM64"
    monkeypatch.setattr(sys, "platform", "plan9")
    monkeypatch.delenv("PROCESSOR_ARCHITECTURE")
    assert system.described() == "plan9"


def test_whose_a_file_is(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = os.getuid()
    assert system.user_number() == mine
    assert system.is_mine(mine)
    assert not system.is_mine(mine + 1)
    assert system.is_mine(mine + 1, mine + 1)
    monkeypatch.delattr(os, "getuid")
    assert system.user_number() is None
    assert system.is_mine(mine + 1)


@pytest.mark.parametrize(("error", "there"), [(ProcessLookupError, False), (PermissionError, True), (None, True)])
def test_a_process_of_another_user_is_there(error: Any, there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def kill(pid: int, number: int) -> None:
        assert (pid, number) == (77, 0)
        if error is not None:
            raise error

    monkeypatch.setattr(os, "kill", kill)
    assert system.answers(77) is there


@pytest.mark.parametrize(("handle", "waits", "there"), [(0, 0, False), (5, 0x102, True), (5, 0, False)])
def test_a_process_on_windows(handle: int, waits: int, there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    import ctypes

    closed: list[int] = []
    kernel = types.SimpleNamespace(
        OpenProcess=lambda right, inherits, pid: handle if (right, inherits, pid) == (0x100000, False, 77) else None,
        WaitForSingleObject=lambda one, limit: waits if (one, limit) == (handle, 0) else None,
        CloseHandle=closed.append,
    )
    monkeypatch.setattr(ctypes, "windll", types.SimpleNamespace(kernel32=kernel), raising=False)
    monkeypatch.delattr(os, "fork")
    assert system.answers(77) is there
    assert closed == ([handle] if handle else [])


def test_instants_never_run_backwards() -> None:
    one = Instants()
    assert one.at((100.0, 5.0)) == (100.0, 5.0)
    assert one.at((90.0, 6.5)) == (101.5, 6.5)
    assert one.at((90.0, 6.0)) == (101.5, 6.0)  # the counter has gone back, too
    assert one.at((103.0, 7.0)) == (103.0, 7.0)
    assert one.at((104.0, 8.0), 102_500) == (102.5, 6.5)
    assert one.at((104.0, 1.5), 102_500) == (102.5, 1.5)  # 0 is no counter
    assert one.at((104.0, 8.0), 0) == (104.0, 8.0)
    assert one.at((103.5, 9.0)) == (105.0, 9.0)


def test_the_clock_is_the_systems() -> None:
    import time

    assert 0 <= monotonic() - time.clock_gettime(time.CLOCK_MONOTONIC) + 1 < 2
