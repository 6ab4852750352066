"""The worker beside its run: the socket to the job, its log, its processes, v2's player, OTLP, its first lines."""

from __future__ import annotations

import fcntl
import gc
import json
import os
import resource
import runpy
import signal
import socket
import sys
import tempfile
import threading
import time
import types
from pathlib import Path
from typing import Any

import pytest

from one_logger_v1_shim._journal.calls import Call, call_line, moments_line, pack
from one_logger_v1_shim._journal.records import PLAYED, SENT, UNPLAYED, UNSENT, Mark, RunRecord, Sent, read_played
from one_logger_v1_shim._journal.words import Exit, message
from one_logger_v1_shim._worker import children, listener, otlp
from one_logger_v1_shim._worker.children import Log, block_signals, end_children, say, tidy_up
from one_logger_v1_shim._worker.job import JobEnd
from one_logger_v1_shim._worker.otlp import Otlp
from one_logger_v1_shim._worker.player import Player
from tests.worker import standin

START = Path(children.__file__).with_name("start.py")


# -- the job ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def ends() -> Any:
    """The worker's end on descriptor 0, and the job's; 0 and 1 are as they were afterwards."""
    kept = [os.dup(0), os.dup(1)]
    ours, theirs = socket.socketpair()
    os.dup2(theirs.fileno(), 0)
    theirs.close()
    ours.settimeout(1.0)
    made: list[JobEnd] = []

    def make(pid: Any) -> JobEnd:
        made.append(JobEnd(pid))
        return made[-1]

    yield make, ours
    for number, one in enumerate(kept):
        os.dup2(one, number)
        os.close(one)
    for job in made:
        os.close(job._descriptor)
    ours.close()


def test_what_the_worker_says_and_hears(ends: Any) -> None:
    make, ours = ends
    job = make(os.getpid())
    assert os.read(0, 1) == b""  # nobody inherits the socket
    assert os.fstat(1).st_ino == os.fstat(2).st_ino
    assert not os.get_blocking(job._descriptor)
    job.hello(), job.acknowledge(7), job.part(), job.goodbye(3)
    assert ours.recv(100) == message(b"p", os.getpid()) + message(b"r", 7) + message(b"d", Exit.DONE) + message(b"x", 3)
    assert job.wait(0.0) == (False, False)
    ours.sendall(b"ss")
    assert job.wait(1.0) == (True, False)
    assert job.wait(0.0) == (False, False)
    job.hand_over()
    assert os.get_blocking(0)
    ours.sendall(b"s")
    assert os.read(0, 5) == b"s"
    ours.close()
    assert job.wait(1.0) == (False, True)
    job.acknowledge(1)


@pytest.mark.parametrize(("pid", "gone"), [(2**22 + 1, True), (None, False)])
def test_a_job_that_has_gone_though_somebody_holds_its_socket(pid: Any, gone: bool, ends: Any) -> None:
    assert ends[0](pid).wait(0.0) == (False, gone)


def test_descriptors_from_1024_on(ends: Any) -> None:
    make, ours = ends
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed[1], allowed[1]))
    try:
        job = make(os.getpid())
        usual, job._descriptor = job._descriptor, fcntl.fcntl(job._descriptor, fcntl.F_DUPFD_CLOEXEC, 1024)
        os.close(usual)
        assert job.wait(0.0) == (False, False)
        ours.sendall(b"s")
        assert job.wait(1.0) == (True, False)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, allowed)


# -- the process ------------------------------------------------------------------------------------------------------


def test_the_log_never_raises_and_tells_no_secret(capfd: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    log = Log()
    assert (log.write("a secret \udcff\n"), log.fileno()) == (11, 2)
    monkeypatch.setattr(sys, "stderr", log)
    say("of secret")
    said = capfd.readouterr().err.splitlines()
    assert said[0] == "a *** \\udcff"
    assert said[1][19:] == " of ***"
    assert time.strptime(said[1][:19], "%Y-%m-%d %H:%M:%S")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda *_: os.stat("/nowhere"))  # no disk takes it
        assert log.write("x") == 1
    monkeypatch.setattr(sys, "stderr", None)
    say("nobody hears")


def test_signals_are_blocked_or_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    try:
        block_signals()
        assert {signal.SIGTERM, signal.SIGINT, signal.SIGHUP} <= signal.pthread_sigmask(signal.SIG_BLOCK, [])
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    told: list[Any] = []
    monkeypatch.delattr(signal, "pthread_sigmask")
    monkeypatch.setattr(signal, "signal", lambda *given: told.append(given))
    block_signals()
    assert told == [(one, signal.SIG_IGN) for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]


def test_temporary_folders_of_this_process_go(monkeypatch: pytest.MonkeyPatch) -> None:
    one = tempfile.TemporaryDirectory()
    monkeypatch.setattr(gc, "get_objects", lambda: [3, one, tempfile.TemporaryDirectory])
    tidy_up()
    assert not os.path.exists(one.name)


def test_processes_are_ended_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, ended = [0.0], []
    running = {7: 0.5, 8: 100.0, 9: 100.0}
    monkeypatch.setattr(children, "children", lambda: list(running))
    monkeypatch.setattr(children, "is_running", lambda pid: clock[0] < running[pid])
    monkeypatch.setattr(children.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(children.time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + 0.1))

    def kill(pid: int, number: int) -> None:
        ended.append((pid, number, round(clock[0], 1)))
        if pid == 7:
            raise ProcessLookupError

    monkeypatch.setattr(os, "kill", kill)
    end_children(grace=2.0)
    assert ended == [(pid, 9, 2.0) for pid in (7, 8, 9)]
    assert 4.9 < clock[0] < 5.2
    ended.clear()
    running.clear()
    end_children()
    assert ended == []


@pytest.mark.slow
def test_children_are_found_and_ended() -> None:
    import subprocess

    with subprocess.Popen(["sleep", "60"]) as one, subprocess.Popen(["true"]) as two:
        os.waitid(os.P_PID, two.pid, os.WEXITED | os.WNOWAIT)
        assert one.pid in children.children()
        assert two.pid not in children.children()  # it has ended
        assert os.getpid() not in children.children()
        end_children()
        assert one.wait(5) == -9


# -- v2's player ------------------------------------------------------------------------------------------------------

AT = (1_700_000_001.0, 5.0)
LINES = (
    call_line(Call("app_start", AT, (None,))), moments_line([(b"S", pack(*AT)), (b"R", pack(*AT))])[:-1], b'{"a":1}',
    b'{"free":1}',
    moments_line([(b"W", pack(*AT))])[:-1], b'{"b":1}', b">[damaged", call_line(Call("app_end", AT)),
)  # fmt: skip


class Replay:
    """What v2 hears, and what is only played to be there."""

    made: list[Any] = []

    def __init__(self, values: Any, run_id: str, resumed: bool) -> None:
        self.told = [(values, run_id, resumed)]
        self.played: list[Any] = []
        Replay.made.append(self)

    def play(self, call: Call, heard: bool) -> None:
        self.played.append((call.name, heard, *call.arguments))

    def close(self, last: Any) -> None:
        self.played.append(last)


@pytest.fixture
def replays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(listener, "_POLL", 0.001)
    monkeypatch.setattr(Replay, "made", [])
    monkeypatch.setitem(
        sys.modules, "one_logger_v1_shim._v2.replay", types.SimpleNamespace(Replay=Replay)  # type: ignore[arg-type]
    )  # fmt: skip
    return Replay.made


def test_calls_are_played_with_their_rows(replays: Any, tmp_path: Path) -> None:
    folder = standin.journal(tmp_path, *LINES, b"#finish 0", v2_values={"x": 1})
    one = Player(folder, RunRecord.read(folder))
    assert one.state == UNPLAYED
    one.run()
    (replay,) = replays
    assert replay.told == [({"x": 1}, "abcdefgh", False)]
    assert replay.played == [
        ("app_start", False, None), ("batch_start", False), ("row", False, b'{"a":1}'), ("row", False, b'{"b":1}'),
        ("batch_end", False), ("app_end", False), AT,
    ]  # fmt: skip
    assert (one.state, one.rows, read_played(folder)) == (PLAYED, 3, 5)


def test_a_player_that_goes_on_tells_nothing_twice(replays: Any, tmp_path: Path) -> None:
    folder = standin.journal(tmp_path, *LINES)
    (folder / "played").write_bytes((1).to_bytes(8, "big"))
    one = Player(folder, RunRecord.read(folder))
    one.job_has_gone()
    one.run()
    (replay,) = replays
    assert replay.told[0][2] is True
    assert [told[1] for told in replay.played[:-1]] == [True, False, False, False, False, False]
    assert (one.state, read_played(folder)) == (PLAYED, 5)


def test_a_player_stops_between_two_lines(replays: Any, tmp_path: Path) -> None:
    folder = standin.journal(tmp_path, *LINES)
    one = Player(folder, RunRecord.read(folder))
    one.start()
    limit = time.monotonic() + 5
    while not (replays and len(replays[0].played) == 6) and time.monotonic() < limit:
        time.sleep(0.005)
    assert one.is_alive()
    one.stop()
    assert not one.is_alive()
    assert (one.state, replays[0].played[-1]) == (UNPLAYED, ("app_end", False))
    two = Player(folder, RunRecord.read(folder))
    two.stop()
    two.run()
    assert (two.state, two.rows) == (UNPLAYED, 0)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ImportError("No module named nv_one_logger"), "it is not installed in"),
        (ImportError("other"), "could not be set up (Imp"),
        (SystemExit(3), "could not be set up (SystemExit(3)) in"),
    ],
)  # fmt: skip
def test_v2_that_cannot_be_used(
    error: BaseException, said: str, replays: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(sys.modules["one_logger_v1_shim._v2.replay"], "Replay", broken)
    one = Player(standin.journal(tmp_path), RunRecord())
    one.run()
    assert one.state.startswith("v2 (nv_one_logger) hears nothing: it ")
    assert said in one.state
    assert one.state.endswith("v1 rows are not affected")


# -- OTLP -------------------------------------------------------------------------------------------------------------


class Sender:
    """Takes what it is sent, or refuses ``refuses`` times."""

    most_events, delta = 100, False

    def __init__(self, refuses: int = 0) -> None:
        self.refuses = refuses
        self.spans: list[Any] = []
        self.errors: list[str] = []
        self.points: list[Any] = []

    def deliver(self, trace: int, spans: Any, points: Any, tell: Any) -> None:
        for _ in range(self.refuses):
            tell(ValueError(f"http://c: refused {'0123456789' * 4}"))
        self.refuses = 0
        self.spans += [span.name for span in spans]
        self.errors += [span.error for span in spans if span.error]
        self.points += [point.time for point in points] if points and hasattr(points[0], "time") else list(points)


def followed(folder: Path, sender: Sender, gone: bool = True) -> Otlp:
    module = types.SimpleNamespace(Sender=lambda resource, environ: sender)
    sys.modules["one_logger_v1_shim._otlp.sender"] = module  # type: ignore[assignment]
    one = Otlp(folder, RunRecord.read(folder))
    if gone:
        one.job_has_gone()
    one.run()
    return one


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(listener, "_POLL", 0.001)
    monkeypatch.setenv("ONE_LOGGER_V1_OTLP", "1")
    from one_logger_v1_shim._otlp import sender

    monkeypatch.setitem(sys.modules, "one_logger_v1_shim._otlp.sender", sender)  # given back afterwards


@pytest.mark.usefixtures("collector")
def test_spans_and_points_are_sent_once(tmp_path: Path) -> None:
    folder = standin.journal(
        tmp_path, *LINES, b'{"train_iterations_end":3,"app_last_log_time":1700000002000}', b"#finish 0"
    )
    first = Sender()
    one = followed(folder, first)
    assert "application" in first.spans
    assert len(first.points) >= 1
    assert (one.rows, one.state, one.said, first.errors) == (4, SENT, [], [])
    sent = Sent.read(folder)
    assert (sent.segment, sent.line) == (1, 11)
    second = Sender()
    followed(folder, second)
    assert (second.spans, second.points) == ([], [])


@pytest.mark.usefixtures("collector")
@pytest.mark.parametrize(("line", "over"), [(b"#finish 3", "exit code 3"), (b"{1", "the job has gone")])
def test_how_a_trace_ends(line: bytes, over: str, tmp_path: Path) -> None:
    sender = Sender()
    followed(standin.journal(tmp_path, *LINES[:-1], line, b"[]"), sender)
    assert sender.errors == [over]


@pytest.mark.usefixtures("collector")
def test_a_collector_that_refuses_is_asked_again(tmp_path: Path) -> None:
    folder = standin.journal(tmp_path, *LINES, b"#finish 0")
    sender = Sender(refuses=3)
    one = followed(folder, sender)
    assert sender.spans
    (text,) = one.said
    assert text.startswith(
        "OTLP: http://c: refused ***; what is not sent waits in the journal, v1 rows are not affected; after"
    )
    assert f"recover {folder}" in text


@pytest.mark.usefixtures("collector")
def test_what_waits_is_sent_in_time_or_when_it_is_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = standin.journal(tmp_path, *LINES)
    for name, value in (("_EVERY", 0.0), ("_MOST", 1)):
        monkeypatch.setattr(otlp, "_EVERY", 60.0)
        monkeypatch.setattr(otlp, name, value)
        (folder / "sent").unlink(missing_ok=True)
        sender = Sender()
        thread = threading.Thread(target=followed, args=(folder, sender, False), daemon=True)
        thread.start()
        limit = time.monotonic() + 5
        while not sender.spans and time.monotonic() < limit:
            time.sleep(0.005)
        assert "application" in sender.spans
        with (folder / "rows-000001.jsonl").open("ab") as file:
            file.write(b"#finish 0\n")
        thread.join(5)
        (folder / "rows-000001.jsonl").write_bytes(
            (folder / "rows-000001.jsonl").read_bytes().replace(b"#finish 0\n", b"")
        )


def test_who_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Otlp(standin.journal(tmp_path), RunRecord())
    monkeypatch.setattr(Otlp, "is_alive", lambda self: True)
    monkeypatch.setattr(otlp, "_SETTLE", 0.8)
    for asked, said, least, most in ((0.0, [], 0.8, 9.0), (1.5, [], 0.0, 0.7), (0.0, ["x"], 0.0, 0.7)):
        one._asked = time.monotonic() - asked if asked else 0.0
        one.said = said  # type: ignore[assignment]
        one.join = lambda limit: time.sleep(0.01)  # type: ignore[method-assign, assignment, misc]
        began = time.monotonic()
        one.settle()
        assert least <= time.monotonic() - began < most


@pytest.mark.parametrize(
    ("environ", "state", "made"),
    [
        ({}, "", False), ({"ONE_LOGGER_V1_OTLP": "1"}, "", True), ({"ONE_LOGGER_V1_OTLP": "1"}, UNSENT, True),
        ({"ONE_LOGGER_V1_OTLP": "1"}, SENT, False),
    ],
)  # fmt: skip
def test_who_wants_it(
    environ: dict[str, str], state: str, made: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from one_logger_v1_shim._otlp import settings

    monkeypatch.setattr(settings, "wanted", lambda given: bool(environ))
    assert (otlp.make(standin.journal(tmp_path), RunRecord(), Mark(otlp=state)) is not None) is made

    def bad(given: Any) -> bool:
        raise ValueError("x")

    monkeypatch.setattr(settings, "wanted", bad)
    assert otlp.make(tmp_path, RunRecord(), Mark()) is not None
    one = Otlp(tmp_path, RunRecord())
    one.run()
    assert (one.state, one.said) == ("OTLP is off: x; v1 rows are not affected", [one.state])
    monkeypatch.setattr(settings, "wanted", lambda given: True)
    monkeypatch.setattr(settings, "missing", lambda given: ["a", "b"])
    one = Otlp(tmp_path, RunRecord())
    one.run()
    assert one.state.startswith(f"OTLP needs a and b in {sys.executable}: pip install 'one-logger-v1-shim[otel]'")
    monkeypatch.setattr(settings, "missing", lambda given: 1 / 0)
    one = Otlp(tmp_path, RunRecord())
    one.run()
    assert one.state == "OTLP could not be set up (ZeroDivisionError: division by zero); v1 rows are not affected"


# -- the first lines --------------------------------------------------------------------------------------------------


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What ``start.py`` defines; ``sys.path`` is as it was afterwards."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    return types.SimpleNamespace(**runpy.run_path(str(START)))


def test_the_jobs_path(start: Any, tmp_path: Path) -> None:
    assert start.job_path('["/a"]') == ["/a"]
    path = tmp_path / "path.json"
    for mode, found in ((0o620, []), (0o602, []), (0o600, ["/b"])):
        path.write_text('["/b"]')
        path.chmod(mode)
        assert start.job_path(f"@{path}") == found
    assert not path.exists()
    assert start.job_path(f"@{path}") == []
    (tmp_path / "link").symlink_to(tmp_path / "x.json")
    (tmp_path / "x.json").write_text("[1]")
    assert start.job_path(f"@{tmp_path / 'link'}") == []


def test_the_package_and_nothing_beside_it(start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "one_logger_v1_shim"
    package.mkdir()
    (package / "__init__.py").write_text("found = __path__")
    monkeypatch.setitem(sys.modules, "one_logger_v1_shim", sys.modules["one_logger_v1_shim"])
    before = list(sys.path)
    start.find(str(tmp_path))
    assert sys.modules["one_logger_v1_shim"].found == [str(package)]
    assert sys.path == before
    start.find("/in.zip")
    assert sys.path == [*before, "/in.zip"]


@pytest.mark.parametrize(
    ("arguments", "room", "given"),
    [
        (["--dry", "--attached", "--offline"], "dry", (["--dry", "--attached", "--offline"],)),
        (["--settings", "--attached"], "settings", (["--settings", "--attached"],)),
        (["--history", "--attached", "{}"], "history", (["--history", "--attached", "{}"],)),
        (["/journal", "--attached"], "main", (["/journal", "--attached"],)),
    ],
)  # fmt: skip
def test_who_is_called(
    arguments: list[str], room: str, given: Any, start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[Any] = []
    for name in ("dry", "settings", "history", "main"):
        one = types.SimpleNamespace(main=lambda *given, name=name: called.append((name, given)))
        monkeypatch.setitem(sys.modules, f"one_logger_v1_shim._worker.{name}", one)  # type: ignore[arg-type]
    monkeypatch.setitem(start.main.__globals__, "find", lambda root: called.append(root))
    monkeypatch.setenv("ONE_LOGGER_V1_WORKER_PATH", json.dumps(["/of the job", "", sys.path[-1]]))
    monkeypatch.setattr(sys, "argv", ["start.py", "/root", *arguments])
    last = sys.path[-1]
    start.main()
    assert called == ["/root", (room, given)]
    assert sys.path[:2] == ["/of the job", last]
    assert sys.path.count(last) == 1
    assert "ONE_LOGGER_V1_WORKER_PATH" not in os.environ


def test_a_python_that_is_too_old(start: Any, ends: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 8))
    with pytest.raises(SystemExit, match="86"):
        start.main()
    assert ends[1].recv(100) == message(b"x", 86)
    assert capsys.readouterr().err == "Python 3.8 is too old for the worker; expected 3.9\n"
