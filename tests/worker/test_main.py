"""The worker: rows from the journal to the run, its mark, its end, what comes after trouble. wandb is a stand-in."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
import types
from pathlib import Path
from typing import Any, Optional

import pytest

from one_logger_v1_shim._journal import locks
from one_logger_v1_shim._journal.files import overflow
from one_logger_v1_shim._journal.records import PLAYED, SENT, UNPLAYED, UNSENT, Mark
from one_logger_v1_shim._journal.words import Exit
from one_logger_v1_shim._worker import main as module
from one_logger_v1_shim._worker import opening, run, successor
from one_logger_v1_shim._worker.main import Worker
from one_logger_v1_shim._worker.run import Recovery
from tests.journal.test_small_files import private
from tests.worker import standin


class Left(BaseException):
    """In place of the end of the process; of a successor its options."""


class Job:
    """The job's end. ``gone``: after how many waits it goes."""

    def __init__(self, gone: int = 0, asks: bool = False) -> None:
        self.gone, self.asks = gone, asks
        self.said: list[Any] = []
        self.waits: list[float] = []

    def wait(self, limit: float) -> tuple[bool, bool]:
        self.waits.append(limit)
        return self.asks, len(self.waits) > self.gone

    def acknowledge(self, rows: int) -> None:
        self.said.append(rows)

    def goodbye(self, code: int) -> None:
        self.said.append(f"goodbye {int(code)}")

    def part(self) -> None:
        self.said.append("parts")

    def hand_over(self) -> None:
        self.said.append("hands over")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process is left or started; wandb is a stand-in without processes; nothing waits."""

    def leave(*given: Any) -> None:
        raise Left(
            *(int(one) if isinstance(one, int) else one for one in given)
        )  # an IntEnum's text is a number since 3.11

    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.chdir(tmp_path)
    for name, one in standin.modules().items():
        monkeypatch.setitem(sys.modules, name, one)
    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(os, "execv", lambda path, command: leave(command[command.index("--attached") + 1 :]))
    for one in (successor, module):
        monkeypatch.setattr(one, "tidy_up", lambda: None)
    monkeypatch.setattr(module, "_POLL", 0.001)
    monkeypatch.setattr(module, "_POLL_IDLE", 0.002)


def worker(folder: Path, job: Optional[Job] = None, rows: int = 0, offline: bool = True, **more: Any) -> Any:
    """One whose run is open; ``rows`` of it are on W&B's disk already."""
    one: Any = Worker(folder, job, **more)  # type: ignore[arg-type]
    name = "offline-run" if offline else "run"
    place = one.run.home / "wandb" / f"{name}-20260101_000000-abcdefgh"
    one.run._run = standin.Run(place, starting_step=rows)
    one.run._offline = offline
    one.run.skip = rows
    return one


def options(raised: Any) -> list[str]:
    return list(raised.value.args[0])


def test_rows_come_to_the_run_in_order(tmp_path: Path) -> None:
    folder = standin.journal(
        tmp_path, b'{"a":1}', b'>["app_start",[1,1],null]', b'{"b":2}', b"#finish 3", b'{"late":1}'
    )
    one = worker(folder, Job(9))
    assert one.follow() == 3
    assert (one.run._run.rows, one.taken) == ([{"a": 1}, {"b": 2}], 2)
    one.close(3)
    mark = Mark.read(folder)
    assert (mark.state, mark.rows, mark.exit_code, mark.notice, one.run._run.code) == ("finished", 2, 3, None, 3)
    assert folder.exists()


@pytest.mark.parametrize(("lines", "code"), [([b'>["app_end",[1,1]]'], 0), ([b'>["app_start",[1,1],null]'], 1)])
def test_a_job_that_goes_without_an_end(lines: list[bytes], code: int, tmp_path: Path) -> None:
    assert worker(standin.journal(tmp_path, b'{"a":1}', *lines), Job(2)).follow() == code
    assert worker(standin.journal(tmp_path / "recovered", *lines)).follow() == code


def test_questions_are_answered_with_what_was_taken(tmp_path: Path) -> None:
    job = Job(55, asks=True)
    one = worker(standin.journal(tmp_path, b'{"a":1}'), job)
    one.follow()
    assert set(job.said) == {1}
    assert len(job.said) == 56  # also to the last one
    assert job.waits == [0.001] * 49 + [0.002] * 7


def test_rows_that_wandb_has_are_not_given_again(tmp_path: Path) -> None:
    one = worker(standin.journal(tmp_path, *(b'{"a":%d}' % n for n in range(4)), b"#finish 0"), rows=2)
    one.follow()
    assert (one.run._run.rows, one.run._run.steps) == ([{"a": 2}, {"a": 3}], [2, 3])


def test_files_that_were_removed_and_rows_that_nobody_has(tmp_path: Path) -> None:
    folder = standin.journal(tmp_path)
    (folder / "rows-000001.jsonl").unlink()
    private(folder / "rows-000002.jsonl", b'#from 5\n{"a":5}\n#finish 0\n')
    one = worker(folder, rows=3)
    one.follow()
    assert (one.taken, one._passed, one.run._run.steps) == (6, 2, [5])
    one.run._run.told["starting_step"] = 5
    one.run._run.write()
    one.close(0)
    assert Mark.read(folder).notice is not None
    assert str(Mark.read(folder).notice).startswith("2 older rows are in W&B's files only; send it with: wandb sync")
    assert Mark.read(folder).state == "unfinished"


def test_a_row_that_cannot_be_read_is_skipped_and_kept(tmp_path: Path) -> None:
    folder = standin.journal(tmp_path, b'{"a":1}', b'{"a":', b"{1}", b'{"b":2}', b"#finish 0", keep=False)
    one = worker(folder)
    assert one.follow() == 0
    assert one.run._run.rows == [{"a": 1}, {"b": 2}]
    assert one.taken == 4
    assert [text.split(" (")[0] for text in one.mark.said] == [f"row {n} cannot be read and is skipped" for n in (2, 3)]
    assert one._keep
    assert one.follower._held == {1}


def test_a_row_that_wandb_refuses_goes_in_as_text(tmp_path: Path) -> None:
    one = worker(standin.journal(tmp_path, b'{"a":36893488147419103232,"b":[1],"c":null}', b"#finish 0"))
    one.run._run.fails = TypeError("no")
    one.follow()
    assert one.run._run.rows == [{"a": "36893488147419103232", "b": "[1]", "c": None}]
    assert one.mark.said == ["W&B refused a row (TypeError('no')); the values that it cannot take were logged as text"]
    assert not one._keep


def test_not_too_much_is_said(tmp_path: Path) -> None:
    one = worker(standin.journal(tmp_path))
    for number in range(25):
        one._tell(f"{number}")
        one._tell(f"{number}")
    assert one.mark.said == [str(number) for number in range(20)]


@pytest.mark.parametrize(
    ("tries", "age", "given"),
    [(0, 0, ["--tries", "1"]), (2, 0, ["--tries", "3"]), (3, 0, None), (3, 61, ["--tries", "1"])],
)
def test_another_process_goes_on(tries: int, age: float, given: Optional[list[str]], tmp_path: Path) -> None:
    folder = standin.journal(tmp_path, b'{"a":1}', b'{"b":2}')
    job = Job(3)
    one = worker(folder, job, tries=tries)
    one._began -= age
    one.run._run.fails = RuntimeError("broken pipe")
    with pytest.raises(Left) as raised:
        one.follow()
    mark = Mark.read(folder)
    assert (mark.state, mark.rows, one.taken) == ("failed", 0, 0)
    if given is None:
        assert raised.value.args == (Exit.LOST_WANDB,)
        assert (mark.event, mark.events, job.said) == (None, 0, ["goodbye 3"])
    else:
        assert options(raised) == given
        assert job.said == ["hands over"]
        assert (mark.event, mark.events) == (
            "run.log: RuntimeError: broken pipe; another one goes on from the journal",
            1,
        )


def test_what_the_next_process_is_to_know(tmp_path: Path) -> None:
    folder = standin.journal(tmp_path, b'{"a":1}')
    one = worker(
        folder, recovery=Recovery("abcdefgh", frozenset([Path("/k")]), frozenset([Path("/f")])), own_entity=True
    )
    one._reason = "no API key"
    one.run.home = overflow(folder)
    with pytest.raises(Left) as raised:
        one._fail("why")
    assert options(raised) == [
        "--offline", "no API key", "--overflow", "--tries", "1", "--own-entity", "--recover", "abcdefgh", "--known",
        "/k", "--foreign", "/f", "--directory", str(tmp_path),
    ]  # fmt: skip
    with pytest.raises(Left) as raised:
        one._fail("why", "--overflow")
    assert options(raised).count("--overflow") == 1
    with pytest.raises(Left) as raised:
        one._go_offline("the W&B server refuses rows")
    assert options(raised)[:3] == ["--offline", "the W&B server refuses rows", "--overflow"]
    assert Mark.read(folder).state == "failed"


def test_a_wandb_process_that_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, lines in enumerate(([b"#finish 0"], [])):
        one = worker(standin.journal(tmp_path / str(number), b'{"a":1}', *lines), Job(2))
        one.run._processes = [2**22 + 1]
        with pytest.raises(Left) as raised:
            one.follow()
        assert options(raised) == ["--tries", "1"]
        assert str(one.mark.event).startswith("wandb's process has ended; another")
    one = worker(standin.journal(tmp_path / "row", b'{"a":1}'), Job(2))
    one.run._processes = [2**22 + 1]
    one.run._run.fails = RuntimeError("x")
    with pytest.raises(Left):
        one.follow()
    assert str(one.mark.event).startswith("wandb's process has ended; another")


def test_a_server_that_refuses_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = standin.journal(tmp_path, b'{"a":1}')
    one = worker(folder, Job(3), offline=False)
    log = Path(one.run._run.settings.sync_dir, "logs", "debug-internal.log")
    log.parent.mkdir()
    log.write_text('{"msg":"fine"}\n{"msg":"filestream: fatal error: 4')
    assert not one.run.refused()
    with log.open("a") as file:
        file.write('04"}\n')
    one._asked -= 6
    with pytest.raises(Left) as raised:
        one.follow()
    assert options(raised)[:2] == ["--offline", "the W&B server refuses rows"]
    assert one.run.refused()


def test_rows_that_are_not_on_disk_are_given_again(tmp_path: Path) -> None:
    folder = standin.journal(tmp_path, b'{"a":1}', b"#finish 0")
    one = worker(folder)
    one.run._run.stores = False
    one.follow()
    with pytest.raises(Left) as raised:
        one.close(0)
    assert options(raised) == ["--offline", "W&B has 0 of 1 rows on disk (its process ended early)", "--tries", "1"]
    one.tries = 3
    one.close(0)
    mark = Mark.read(folder)
    assert mark.state == "unfinished"
    assert str(mark.notice).startswith("W&B has 0 of 1 rows on disk (its process ended early); send it with: python -m")


@pytest.mark.parametrize("keep", [True, False])
def test_a_journal_that_is_not_kept_goes_when_all_is_done(keep: bool, tmp_path: Path) -> None:
    folder = standin.journal(tmp_path, b'{"a":1}', b"#finish 0", keep=keep)
    more = overflow(folder)
    more.mkdir()
    one = worker(folder)
    finish, states = one.run.finish, []
    one.run.finish = lambda *given: (states.append(Mark.read(folder).state), finish(*given))[1]
    one.close(one.follow())
    assert states == ["finishing"]
    assert (folder.exists(), more.exists()) == (keep, keep)


class Listener:
    """Of v2 or OTLP: ends when it is waited for."""

    def __init__(self, state: str, *said: str, alive: bool = False) -> None:
        self.state, self.said, self.rows = state, list(said), 1
        self.alive = alive
        self.heard: list[Any] = []

    def start(self) -> None:
        self.heard.append("start")

    def job_has_gone(self) -> None:
        self.heard.append("gone")

    def join(self, limit: float) -> None:
        self.heard.append(limit)

    def stop(self) -> None:
        self.heard.append("stop")

    def settle(self) -> None:
        self.heard.append("settle")

    def is_alive(self) -> bool:
        return self.alive


def test_v2_is_waited_for_and_what_it_has_not_heard_is_said(tmp_path: Path) -> None:
    folder = standin.journal(tmp_path, b'{"a":1}', b"#finish 0", keep=False)
    one = worker(folder)
    one.player = Listener(UNPLAYED, "v2 says")
    one.close(one.follow())
    mark = Mark.read(folder)
    assert one.player.heard == ["gone", 20.0, "stop"]
    assert (mark.state, mark.v2, mark.said) == ("finished", UNPLAYED, ["v2 says"])
    assert str(mark.notice).startswith("v2 has not heard all calls within 20 s; to play the rest: python -m")
    one.player = Listener(PLAYED)
    one.mark.notice = None
    one.close(0)
    assert one.player.heard == ["gone", 20.0]
    assert not folder.exists()


def test_a_collector_is_waited_for_without_the_job(tmp_path: Path) -> None:
    folder = standin.journal(tmp_path, b'{"a":1}', b"#finish 0", keep=False)
    job = Job(9)
    one = worker(folder, job)
    one.otlp = Listener(UNSENT, alive=True)
    one.close(one.follow())
    assert one.otlp.heard == ["gone", "settle", 20.0]
    assert job.said == ["parts"]
    assert [text[:50] for text in Mark.read(folder).said] == ["OTLP: a collector has not taken all spans and metr"]
    assert Mark.read(folder).otlp == UNSENT
    one.otlp = Listener(SENT, "OTLP: was away")
    one.mark.said.append("row 1")
    one.close(0)
    assert (one.mark.said, one.mark.otlp, one.otlp.said) == (["row 1"], SENT, [])
    assert not folder.exists()


def test_files_stay_until_all_have_heard_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = standin.journal(tmp_path, b'{"a":1}')
    one = worker(folder)
    given: list[Any] = []
    monkeypatch.setattr(one.follower, "remove", lambda rows, keep=0: given.append((rows, keep)))
    one.take(b'{"a":1}'), one.take(b'{"a":2}')
    one._remove_files()
    one.player, one.otlp = Listener(UNPLAYED), Listener(SENT)
    one._remove_files()
    one.player, one.otlp = Listener(PLAYED), Listener(UNSENT)
    one.otlp.rows = 0
    one._remove_files()
    assert given == [(2, 0), (1, 16), (0, 16)]


@pytest.mark.parametrize(("mode", "there"), [("disabled", False), ("offline", True)])
def test_nobody_wants_the_rows_but_v2(mode: str, there: bool, tmp_path: Path) -> None:
    folder = standin.journal(tmp_path, b'{"a":1}', mode=mode, keep=False)
    one = worker(folder, Job(3))
    one.mark.rows = 5
    one.player = Listener(PLAYED)
    module._work(one, None, without_wandb=mode != "disabled")
    assert one.player.heard == ["start", "gone", 20.0]
    assert (folder.exists(), one.taken) == (there, 5)
    if there:
        assert Mark.read(folder).v2 == PLAYED


def test_a_format_that_is_not_known(tmp_path: Path) -> None:
    folder = standin.journal(tmp_path, format=99)
    job = Job()
    with pytest.raises(Left, match="4"):
        module._work(worker(folder, job), None, without_wandb=False)
    assert job.said == ["goodbye 4"]
    mark = Mark.read(folder)
    assert mark.state == "failed"
    assert str(mark.notice).startswith("the journal has format 99, which version ")
    assert f"rows are kept in {folder}; send them with: python -m one_logger_v1_shim recover" in str(mark.notice)


@pytest.mark.parametrize(
    ("other", "why"), [("0.0.1", "has one-logger-v1-shim 0.0.1 and the job has"), (None, "wandb is not")]
)
def test_an_interpreter_that_cannot_do_it(
    other: Any, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONE_LOGGER_V1_PYTHON", "/py")
    monkeypatch.setattr(module, "_foreign_shim", lambda: other)
    monkeypatch.setattr(module.wandb_api, "git_answers", lambda: True)
    monkeypatch.setitem(sys.modules, "wandb", types.ModuleType("wandb"))
    folder = standin.journal(tmp_path)
    with pytest.raises(Left, match="4"):
        module._work(worker(folder), None, without_wandb=False)
    assert why in str(Mark.read(folder).notice)
    assert "send them with: unset ONE_LOGGER_V1_PYTHON && python -m one_logger_v1_shim isolate && " in str(
        Mark.read(folder).notice
    )


@pytest.mark.parametrize(
    ("isolated", "version", "found"),
    [(True, "0.0.1", "0.0.1"), (True, module.VERSION, None), (False, "0.0.1", None), (True, None, None)],
)
def test_another_version_beside_it(isolated: bool, version: Any, found: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(name: str) -> str:
        assert name == "one-logger-v1-shim"
        if version is None:
            raise module.metadata.PackageNotFoundError
        return str(version)

    monkeypatch.setattr(module.metadata, "version", asked)
    monkeypatch.setattr(sys, "flags", types.SimpleNamespace(isolated=isolated))
    assert module._foreign_shim() == found


def test_the_mark_is_written_twice_a_second_at_most(tmp_path: Path) -> None:
    folder = standin.journal(tmp_path)
    one = worker(folder)
    one.taken = 1
    for passed, written in ((0.4, False), (0.6, True), (29.0, False), (31.0, True)):
        (folder / "mark.json").unlink(missing_ok=True)
        one._marked = time.monotonic() - passed
        one._write_mark()
        assert (folder / "mark.json").exists() is written, passed


# -- opening ----------------------------------------------------------------------------------------------------------


def opened(folder: Path, monkeypatch: pytest.MonkeyPatch, because: Optional[str] = None, **told: Any) -> Any:
    one: Any = Worker(folder, Job(), own_entity=told.pop("own_entity", False))  # type: ignore[arg-type]

    def init(**given: Any) -> Any:
        sys.modules["wandb"].told.append(given)  # type: ignore[attr-defined]
        fails = told.get("fails", {}).get(given["mode"])
        if fails is not None:
            raise fails
        name = "offline-run" if given["mode"] == "offline" else "run"
        return standin.Run(Path(given["dir"], "wandb", f"{name}-20260101_000000-{given['id']}"), **told.get("run", {}))

    monkeypatch.setattr(sys.modules["wandb"], "init", init)
    one.open(because)
    return one


def test_an_offline_run_is_opened_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = standin.journal(tmp_path, chosen={"project": "p"}, category="test", program="train.py")
    opened(folder, monkeypatch)
    (given,) = sys.modules["wandb"].told  # type: ignore[attr-defined]
    assert (given["id"], given["mode"], given["project"], given["dir"]) == ("abcdefgh", "offline", "p", str(tmp_path))
    assert given["config"] == {"job_category": "test"}
    assert "resume" not in given
    place = str(tmp_path / "wandb" / "offline-run-20260101_000000-abcdefgh")
    mark = Mark.read(folder)
    assert (mark.state, mark.dir, mark.dirs, mark.rows, mark.url) == ("offline", place, [place], 0, None)
    assert mark.notice == f"W&B run is offline (WANDB_MODE=offline): {place}; sync it with: wandb sync {place}"
    assert mark.run == {"entity": "e", "project": "p", "run_name": "", "tags": ["t"]}
    assert os.environ["WANDB_RUN_ID"] == "abcdefgh"
    assert os.environ["ONE_LOGGER_V1_RUN"] == f"abcdefgh {os.path.realpath(folder)}"


def test_a_run_that_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = standin.journal(tmp_path)
    before = standin.Run(tmp_path / "wandb" / "offline-run-20251231_000000-abcdefgh")
    before.log({"a": 1}), before.log({"a": 2})
    empty = tmp_path / "wandb" / "offline-run-20251230_000000-abcdefgh"
    empty.mkdir()
    private(empty / "run-abcdefgh.wandb", b"")
    one = opened(folder, monkeypatch, "because")
    (given,) = sys.modules["wandb"].told  # type: ignore[attr-defined]
    assert (given["resume"], one.run.skip, empty.exists()) == ("allow", 2, False)
    assert Mark.read(folder).rows == 2
    assert one._reason == "because; WANDB_MODE=offline" or one._reason == "because"


def test_an_online_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setattr(opening.server, "why_offline", lambda *_: None)
    folder = standin.journal(tmp_path, default={"entity": "hwinf_dcm"}, program="train.py")
    one = opened(folder, monkeypatch, own_entity=True, run={"url": "https://u:p@own/x", "id": "other-id"})
    mark = Mark.read(folder)
    assert (mark.state, mark.url, mark.id, one.run.skip) == ("online", "https://own/x", "other-id", 0)
    assert "entity" not in sys.modules["wandb"].told[0]  # type: ignore[attr-defined]
    assert mark.notice == (
        "the account may not write to hwinf_dcm, v1's default entity; the run goes to its own: https://own/x; "
        "set WANDB_ENTITY to choose one"
    )


@pytest.mark.parametrize(
    ("error", "chosen", "given", "said"),
    [
        ("permission denied", {}, ["--own-entity"], ""), ("404 x", {}, ["--offline"], "ValueError: 404 x"),
        ("returned error 404", {"entity": "mine"}, ["--offline"], "may this API key write to entity mine?"),
        ("timed out: not found", {}, ["--offline"], "may this API key write to entity hwinf_dcm?"),
        ("no such host", {}, ["--offline"], "ValueError: no such host"),
        ("HTTP 500", {}, ["--offline"], "ValueError: HTTP 500"),
    ],
)  # fmt: skip
def test_a_server_that_does_not_take_the_run(
    error: str, chosen: dict[str, Any], given: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setattr(opening.server, "why_offline", lambda *_: None)
    folder = standin.journal(tmp_path, default={"entity": "hwinf_dcm"}, chosen=chosen)
    with pytest.raises(Left) as raised:
        opened(folder, monkeypatch, fails={"online": ValueError(error)})
    assert options(raised)[0] == given[0]
    assert said in "".join(options(raised))
    assert options(raised)[-1].endswith(said)


def test_the_servers_own_words_are_in_wandbs_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setattr(opening.server, "why_offline", lambda *_: None)
    log = tmp_path / "wandb" / "run-20260101_000000-abcdefgh" / "logs" / "debug-internal.log"
    log.parent.mkdir(parents=True)
    log.write_text('{"msg":"failed to init run","error":"say \\"project\\" x"}\n{"msg":"more"}\n')
    (tmp_path / "wandb" / "run-20260102_000000-abcdefgh").mkdir()
    folder = standin.journal(tmp_path)
    with pytest.raises(Left) as raised:
        opened(folder, monkeypatch, fails={"online": ValueError("<no message>")})
    assert options(raised) == ["--offline", 'say "project" x']


def test_a_run_that_cannot_be_opened_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = standin.journal(tmp_path)
    with pytest.raises(Left) as raised:
        opened(folder, monkeypatch, fails={"offline": OSError("disk")})
    assert options(raised) == ["--offline", "WANDB_MODE=offline; OSError: disk", "--overflow"]
    monkeypatch.setenv("WANDB_ODD", "1")
    with pytest.raises(Left) as raised:
        opened(folder, monkeypatch, fails={"offline": OSError("disk")})
    assert options(raised) == ["--offline", "WANDB_MODE=offline; wandb raises 'disk' with WANDB_ODD; unset it"]
    assert "WANDB_ODD" not in os.environ


def test_settings_that_wandb_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = standin.journal(tmp_path, chosen={"entity": "bad"})
    monkeypatch.setenv("WANDB_BAD", "1")
    one = opened(folder, monkeypatch, "no key")
    assert one._reason == (
        "no key; WANDB_BAD='1' is refused by wandb (Value error, no such thing); correct or unset it; "
        "entity='bad' of the v1 configuration is refused by wandb (bad)"
    )
    assert "entity" not in one.run.spec.chosen

    def broken() -> None:
        raise ValueError("cannot be set up")

    monkeypatch.setattr(sys.modules["wandb"], "setup", broken)
    monkeypatch.setenv("WANDB_ODD", "1")
    with pytest.raises(Left) as raised:
        opened(standin.journal(tmp_path / "two"), monkeypatch)
    assert options(raised) == ["--offline", "wandb raises 'cannot be set up' with WANDB_ODD; unset it"]


def test_an_offline_init_that_does_not_return(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, stuck = standin.journal(tmp_path), threading.Event()
    one: Any = Worker(folder, None)
    monkeypatch.setattr(opening.wandb_api, "stuck_limit", lambda: 0.05)
    monkeypatch.setattr(one.run, "open", lambda offline: stuck.wait(9))
    opening.Opening(folder, one.record, one.run, one._successor, stuck.set)._open_offline("why")  # type: ignore[arg-type]
    assert stuck.is_set()


def test_a_token_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file is on a dead mount: the run goes offline, and is not told of the file any more."""
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setenv("WANDB_IDENTITY_TOKEN_FILE", "dead")
    given: list[str] = []
    left = threading.Event()
    folder = standin.journal(tmp_path)
    one: Any = Worker(folder, None)
    monkeypatch.setattr(one._successor, "offline", lambda why: (given.append(why), left.set()))
    monkeypatch.setattr(opening.wandb_api, "stuck_limit", lambda: 0.5)
    monkeypatch.setattr(opening.server, "why_offline", lambda *_: left.wait(9) and "it was waited for")
    monkeypatch.setattr(one.run, "open", lambda offline: None)
    opening.Opening(folder, one.record, one.run, one._successor, left.set).open(None, Mark())  # type: ignore[arg-type]
    assert given == ["no credentials could be read within 0.5 s"]
    assert "WANDB_IDENTITY_TOKEN_FILE" not in os.environ


def test_an_init_that_does_not_return(tmp_path: Path) -> None:
    folder = standin.journal(tmp_path)
    one = Worker(folder, None)
    with pytest.raises(Left, match="4"):
        one._stuck()
    limit = module.wandb_api.stuck_limit()
    assert str(Mark.read(folder).notice).startswith(f"wandb.init does not return within {limit:g} s (see ONE_LOGGER")
    called: list[object] = []
    began = time.monotonic()
    with opening._otherwise(0.3, called.append, "in time"):
        in_time = time.monotonic() - began < 0.2
    with opening._otherwise(0.01, called.append, "late"):
        while not called and time.monotonic() < began + 9:
            time.sleep(0.01)
    time.sleep(0.3 * in_time)
    assert called == ["late"]
    assert (opening.first_line(ValueError(" a\nb ")), opening.first_line(ValueError())) == (
        "ValueError: a",
        "ValueError",
    )


# -- the run ----------------------------------------------------------------------------------------------------------


def test_where_a_run_lies(tmp_path: Path) -> None:
    folder = standin.journal(tmp_path / "a", base=str(tmp_path / "b"))
    one: Any = Worker(folder, None)
    assert one.run.home == tmp_path / "b"
    one = Worker(folder, None, recovery=Recovery("given-id"))
    assert (one.run.home, one.run.id) == (tmp_path / "a", "given-id")  # what the file says is not trusted
    assert one.run.folders.__self__._elsewhere == []
    with pytest.raises(ValueError, match=r"run\.json has no run id"):
        Worker(standin.journal(tmp_path, run_id="no-id"), None)
    (folder / "mark.json").write_text(json.dumps({"id": "renamed"}))
    assert Worker(folder, None).run.id == "renamed"


def test_files_of_another_run_are_left_out(tmp_path: Path) -> None:
    folder = standin.journal(tmp_path)
    ours = standin.Run(tmp_path / "wandb" / "run-20260101_000000-abcdefgh")
    other = standin.Run(tmp_path / ".wandb" / "offline-run-20260102_000000-abcdefgh")
    ours.log({"a": 1}), other.log({"b": 1}), other.log({"b": 1})
    one: Any = Worker(folder, None)
    assert (one.run.rows_on_disk(), one.run.began_offline()) == (2, True)
    one = Worker(folder, None, recovery=Recovery("", frozenset(), frozenset([other.file])))
    assert (one.run.rows_on_disk(), one.run.began_offline()) == (1, False)
    one.run._run = standin.Run(tmp_path / "elsewhere")
    one.run._run.log({"c": 1})
    assert one.run.folders() == [str(ours.file.parent), str(tmp_path / "elsewhere")]
    private(ours.file, b"")
    known: Any = Worker(folder, None, recovery=Recovery("", frozenset([ours.file])))
    known.run.forget_attempts()
    assert ours.file.exists()
    private(other.file, b"")
    one = Worker(folder, None)
    one.run.forget_attempts(online_only=True)
    assert (ours.file.exists(), other.file.exists()) == (False, True)
    one.run.forget_attempts()
    assert not other.file.exists()


def test_a_process_of_an_earlier_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = standin.journal(tmp_path)
    ended: list[Any] = []

    def kill(pid: int, number: int) -> None:
        if not number:
            raise ProcessLookupError
        ended.append((pid, number))

    monkeypatch.setattr(os, "kill", kill)
    monkeypatch.setattr(run, "_LEAVE", 0.05)
    began = run_started()
    mark = Mark(processes=[[os.getpid(), began], [os.getpid(), "1"], [1], ["x", "y"], [2**22 + 1, "5"]])
    one: Any = Worker(folder, None)
    one.run.await_older(mark)
    assert ended == []  # it is none of wandb's for our run
    monkeypatch.setattr(run, "variable", lambda pid, name: f"abcdefgh {os.path.realpath(folder)}")
    one.run.await_older(mark)
    assert ended == [(os.getpid(), 9)]


def run_started() -> str:
    from one_logger_v1_shim._journal.process_table import started

    return str(started(os.getpid()))


def test_the_end_of_an_online_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = standin.journal(tmp_path)
    one = worker(folder, offline=False)
    one.take(b'{"a":1}')
    ended: list[float] = []
    monkeypatch.setattr(run, "end_children", lambda grace: ended.append(grace))
    assert one.run.finish(0, 1, 5.0, None) == ""
    assert ended == [2.0]
    monkeypatch.setattr(run.server, "why_incomplete", lambda *_: "it is away")
    assert one.run.finish(0, 1, 5.0, object()) == "W&B's server may not have all rows (it is away)"
    one.run._refused = True
    assert one.run.finish(0, 1, 5.0, object()) == "the W&B server refused rows"
    monkeypatch.setattr(one.run._run, "finish", lambda exit_code: 1 / 0)
    assert (
        one.run.finish(0, 1, 5.0, None)
        == "the W&B server did not take all rows within 5 s, see ONE_LOGGER_V1_DRAIN_TIMEOUT"
    )
    one.run._offline = True
    assert one.run.finish(0, 1, 5.0, None) == ""
    monkeypatch.setenv("WANDB_ODD", "1")
    assert (
        one.run.finish(0, 2, 5.0, None) == "W&B has 1 of 2 rows on disk (its process ended early; set here: WANDB_ODD)"
    )


# -- the process ------------------------------------------------------------------------------------------------------


def begun(monkeypatch: pytest.MonkeyPatch, *arguments: str, work: Any = None) -> tuple[Any, list[Any]]:
    """The exit code of :func:`main`, and what it was to work on."""
    given: list[Any] = []
    job: Any = Job()

    def made(pid: Any) -> Job:
        given.append(pid)
        return job

    job.hello = lambda: job.said.append("hello")
    monkeypatch.setattr(module, "JobEnd", made)
    monkeypatch.setattr(module, "block_signals", lambda: given.append("blocked"))
    monkeypatch.setattr(module, "end_children", lambda: given.append("ended"))
    monkeypatch.setattr(module, "_work", work or (lambda *told: given.extend(told)))
    monkeypatch.setattr(module.logging, "raiseExceptions", True)
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, getattr(sys, name))
    monkeypatch.setattr(sys, "argv", ["start.py", "more"])
    with pytest.raises(Left) as raised:
        module.main(list(arguments))
    for descriptor in locks._held:
        os.close(descriptor)
    locks._held.clear()
    assert sys.argv == ["start.py"]
    return int(raised.value.args[0]), [*given, *job.said]


def test_a_worker_of_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cwd").mkdir()
    folder = standin.journal(tmp_path, pid=77, cwd=str(tmp_path / "cwd"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "gone"))
    monkeypatch.setenv("TMP", str(tmp_path))
    code, given = begun(monkeypatch, str(folder), "--attached", "--offline", "why", "--tries", "2", "--without-wandb")
    blocked, pid, one, because, without, *said = given
    assert (code, blocked, pid, because, without, said) == (0, "blocked", 77, "why", True, ["hello", "goodbye 0"])
    assert (one.tries, one._successor.own_entity, one.run.recovery, one.run.home) == (2, False, None, tmp_path)
    assert (Path.cwd(), "TMPDIR" in os.environ, "TMP" in os.environ) == (tmp_path / "cwd", False, True)
    assert (sys.stdout, module.logging.raiseExceptions) == (sys.stderr, False)
    monkeypatch.setenv(module.ELSEWHERE, "1")
    begun(monkeypatch, str(folder), "--own-entity", "--overflow")
    assert Path.cwd() == folder
    _, given = begun(monkeypatch, str(folder), "--own-entity", "--overflow", "--directory", str(tmp_path))
    assert (given[2]._successor.own_entity, given[2].run.home) == (True, overflow(folder))
    assert Path.cwd() == tmp_path


def test_a_worker_without_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cwd").mkdir()
    folder = standin.journal(tmp_path, pid=77, cwd=str(tmp_path / "cwd"))
    paths = ["--known", "/a", "--known", "/b", "--foreign", "/c"]
    code, given = begun(monkeypatch, str(folder), "--recover", "the-id", *paths)
    _, one, because, without = given
    assert (code, because, without, one._job, one.tries) == (0, None, False, None, 0)
    assert one.run.recovery == Recovery("the-id", frozenset([Path("/a"), Path("/b")]), frozenset([Path("/c")]))
    assert Path.cwd() == folder  # what a file says of a job's folder does not count
    overflow(folder).symlink_to(tmp_path)
    _, given = begun(monkeypatch, str(folder), "--recover", "the-id", "--overflow")
    assert given[1].run.home == tmp_path  # somebody else's


def test_who_may_not_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = standin.journal(tmp_path)

    def fails(*_: Any) -> None:
        raise KeyboardInterrupt

    assert begun(monkeypatch, str(folder), work=fails) == (1, ["blocked", None, "ended", "hello", "goodbye 1"])
    monkeypatch.setattr(module, "lock", lambda given: False)
    assert begun(monkeypatch, str(folder)) == (Exit.NOT_OWNER, ["blocked", None, "hello", "goodbye 5"])


def test_a_home_folder_that_is_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = tmp_path / os.fsdecode(b"\xff")
    odd.mkdir()
    folder = standin.journal(tmp_path, cwd=str(odd))
    monkeypatch.setenv("HOME", str(odd))
    begun(monkeypatch, str(folder))
    assert os.environ["HOME"] == str(overflow(folder) / "home")
    assert Path.cwd() == tmp_path / "temp"
