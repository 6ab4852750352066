"""``goodput``, ``show`` and ``export`` of runs on a W&B server: real wandb, and a server on loopback."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from one_logger_v1_shim._cli import export, goodput, show
from one_logger_v1_shim._cli._online import project as meant
from one_logger_v1_shim._v1 import metrics as m
from tests.cli.history_server import HistoryServer, Stored, project
from tests.cli.journals import CONFIGURATION, T0, job_rows, journal
from tests.support import clean_environment

JSON = dict[str, Any]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HistoryServer]:
    """A server that this user's environment names; home, cache and working directory are the test's own."""
    found = HistoryServer()
    own = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "ONE_LOGGER_V1_CONNECT_TIMEOUT": "1",
           "WANDB_X_GRAPHQL_RETRY_MAX": "1", **found.environment()}  # fmt: skip
    environ = clean_environment(tmp_path / "home", own)
    for name in [name for name in os.environ if name not in environ]:
        monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    yield found
    found.stop()


def long_rows(count: int) -> list[JSON]:
    """Rows of ``job_rows`` and ``count`` of a program's own."""
    rows = job_rows()
    return [*rows[:7], *({"loss": 1.5, m.APP_LAST_LOG_TIME: T0 + 20_000 + one} for one in range(count)), *rows[7:]]


def said(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> JSON:
    capsys.readouterr()
    assert goodput.main([*arguments, "--json"]) == code
    told: JSON = json.loads(capsys.readouterr().out or "{}")
    return told


def cached(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache").rglob("rows.jsonl"))


@pytest.mark.slow
def test_a_project_is_what_its_journals_are(
    server: HistoryServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    growing = Stored("cccc0003", [{**CONFIGURATION, m.APP_TAG_RUN_NAME: "other"}, *job_rows()[2:20]], state="running")
    foreign = Stored("bbbb0002", [{"loss": 1.0}] * 5)
    where = project(server, [Stored("aaaa0001", job_rows()), foreign, growing])
    told = said([where], capsys)
    first, second = told["trainings"]
    journal(tmp_path / "journals", job_rows(), run_id="aaaa0001", chosen={"project": "pretraining"})
    (local,) = said([str(tmp_path / "journals")], capsys)["trainings"]
    assert first["parts"] == local["parts"]
    assert (first["project"], first["attempts"][0]["id"], first["attempts"][0]["ended"]) == (
        "pretraining", "aaaa0001", "finished",
    )  # fmt: skip
    assert second["attempts"][0]["ended"] == "running"
    assert server.pages == [("aaaa0001", 0), ("cccc0003", 0)], "what is not of v1 is not fetched"
    assert told["notes"] == []
    for path in (tmp_path / "cache").rglob("*"):
        if "history" in path.parts:
            assert stat.S_IMODE(path.stat().st_mode) in ((0o700,) if path.is_dir() else (0o600,)), path

    server.pages.clear()
    growing.rows = [*growing.rows, *job_rows()[20:]]
    growing.state = "crashed"
    assert [one["attempts"][0]["rows"] for one in said([where], capsys)["trainings"]] == [33, len(growing.rows)]
    assert server.pages == [("cccc0003", 18)], "a finished run is not fetched again, another one from its last row on"
    server.pages.clear()
    folder = str(cached(tmp_path)[0].parent.parent)
    server.stop()
    assert said([folder], capsys)["trainings"][0]["parts"] == first["parts"], "the cache can be read without a server"
    assert not server.pages


@pytest.mark.slow
def test_only_what_may_have_the_tag_is_fetched(server: HistoryServer, capsys: pytest.CaptureFixture[str]) -> None:
    others = [{m.APP_TAG: ["tag-c"]}, *job_rows()[1:]]
    where = project(
        server, [Stored("aaaa0001", job_rows()), Stored("cccc0003", others, created="2023-11-14T23:00:00Z")]
    )
    told = said([where, "--app-tag", "tag-c"], capsys)
    assert [one["app_tag"] for one in told["trainings"]] == [["tag-c"]]
    assert server.pages == [("cccc0003", 0)]
    assert said([f"{where}/aaaa0001"], capsys)["trainings"][0]["app_tag"] == ["tag-a", "tag-b"]
    assert server.pages == [("cccc0003", 0), ("aaaa0001", 0)]


@pytest.mark.slow
def test_a_history_that_lies_in_a_parquet_file(server: HistoryServer, tmp_path: Path) -> None:
    """Newer releases of wandb read it where the server has one; it may lie with somebody else."""
    pyarrow = pytest.importorskip("pyarrow", reason="not run: pyarrow is not installed")
    from pyarrow import parquet

    run = Stored("aaaa0001", job_rows())
    where, rows = project(server, [run]), run.history()
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = pyarrow.Table.from_pydict({name: [row.get(name) for row in rows] for name in names})
    parquet.write_table(table, tmp_path / "history.parquet")
    store = server.files = HistoryServer()
    try:
        store.parquet[run.id] = (tmp_path / "history.parquet").read_bytes()
        assert export.main([str(where), str(tmp_path / "rows.jsonl")]) == 0
    finally:
        store.stop()
    found = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [{name: row[name] for name in row if not name.startswith("_")} for row in found] == job_rows()
    assert store.authorized <= {""}, "no key for another server"
    assert bool(store.requests) is not bool(server.pages), "one way or the other"


@pytest.mark.slow
def test_an_interrupted_download_goes_on(
    server: HistoryServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = long_rows(2500)
    where = project(server, [Stored("aaaa0001", rows)])
    server.mode = "gone:2"
    assert goodput.main([where]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert "no answer in 1 s" in err
    assert "the same command goes on from there" in err
    assert server.pages == [("aaaa0001", 0), ("aaaa0001", 1000)]
    server.mode = "ok"
    server._released.set()
    (some,) = said([where], capsys)["trainings"]
    assert some["attempts"][0]["rows"] == len(rows)
    assert min(step for _, step in server.pages[2:]) >= 999, "what had come is not fetched again, but for its last row"
    (file,) = cached(tmp_path)
    assert [json.loads(line) for line in file.read_text().splitlines()] == rows

    with file.open("r+b") as cut:  # a disk that has lost what was written
        cut.truncate(1000)
    assert said([where], capsys)["trainings"][0]["attempts"][0]["rows"] == len(rows)
    assert [json.loads(line) for line in file.read_text().splitlines()] == rows


@pytest.mark.slow
def test_ctrl_c_loses_nothing(server: HistoryServer) -> None:
    where = project(server, [Stored("aaaa0001", long_rows(1500))])
    server.mode = "gone:1"
    waiting = subprocess.Popen(
        [sys.executable, "-m", "one_logger_v1_shim", "show", where],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "ONE_LOGGER_V1_CONNECT_TIMEOUT": "60"},
    )  # fmt: skip
    try:
        while not server.pages:
            time.sleep(0.05)
            assert waiting.poll() is None
        time.sleep(0.5)
        os.killpg(waiting.pid, signal.SIGINT)
        out, err = waiting.communicate(timeout=60)
    finally:
        waiting.kill()
        waiting.wait()
    assert (waiting.returncode, out) == (130, "")
    assert [line for line in err.splitlines() if line] == [err.strip()]
    assert "the same command goes on from there" in err


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="not run: a limit on files as Linux has it")
def test_a_full_disk_and_a_rewound_run(
    server: HistoryServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A limit on the size of a file ends a write as a full disk does: in the middle of a page."""
    rows = long_rows(2500)
    where = project(server, [Stored("aaaa0001", rows)])
    limit = len("".join(json.dumps(row) + "\n" for row in rows[:1700]))
    code = (
        f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        f"from one_logger_v1_shim._cli.goodput import main; raise SystemExit(main([{where!r}]))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (told.returncode, told.stdout) == (2, "")
    assert len(told.stderr.splitlines()) == 1
    assert "cannot be written (File too large)" in told.stderr
    (file,) = cached(tmp_path)
    assert file.stat().st_size <= limit
    assert said([where], capsys)["trainings"][0]["attempts"][0]["rows"] == len(rows)
    assert [step for _, step in server.pages[:3]] == [0, 1000, 999], "what had come is not fetched again"
    assert [json.loads(line) for line in file.read_text().splitlines()] == rows

    project(server, [Stored("aaaa0001", rows[:5])])  # rewound
    assert said([where], capsys)["trainings"][0]["attempts"][0]["rows"] == 5
    assert [json.loads(line) for line in file.read_text().splitlines()] == rows[:5]
    again = [*rows[:3], *({**row, "loss": 0.5} for row in rows[3:9])]  # rewound, and further than before by now
    project(server, [Stored("aaaa0001", again)])
    assert said([where], capsys)["trainings"][0]["attempts"][0]["rows"] == 9
    assert [json.loads(line) for line in file.read_text().splitlines()] == again


@pytest.mark.slow
def test_two_commands_on_one_cache(server: HistoryServer, tmp_path: Path) -> None:
    rows = long_rows(1500)
    where = project(server, [Stored("aaaa0001", rows)])
    command = [sys.executable, "-m", "one_logger_v1_shim", "goodput", str(where), "--json"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [one.communicate(timeout=60) for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert told[0] == told[1]
    assert json.loads(told[0][0])["trainings"][0]["attempts"][0]["rows"] == len(rows)
    assert server.pages == [("aaaa0001", 0), ("aaaa0001", 1000)], "one of them fetched"
    (file,) = cached(tmp_path)
    assert [json.loads(line) for line in file.read_text().splitlines()] == rows


@pytest.mark.slow
def test_one_run_that_cannot_be_had_is_named(server: HistoryServer, capsys: pytest.CaptureFixture[str]) -> None:
    late = Stored("cccc0003", long_rows(1), created="2023-11-14T23:00:00Z")
    where = project(server, [Stored("aaaa0001", job_rows()), late])
    server.mode = "run:aaaa0001"
    told = said([where], capsys)
    assert [one["id"] for some in told["trainings"] for one in some["attempts"]] == ["cccc0003"]
    (note,) = told["notes"]
    assert note.startswith("aaaa0001: not all of its rows could be fetched")
    project(server, [Stored("aaaa0001", job_rows())])
    assert goodput.main([where]) == 2
    said_of_it = capsys.readouterr().err
    assert "no v1 rows in the runs of team/pretraining on W&B: aaaa0001: not all of its rows could be" in said_of_it
    assert said_of_it.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "environ", "expected"),
    [
        ("team/nothing", {}, "Could not find project nothing"),
        ("team/foreign", {}, "no v1 rows in the runs of team/foreign on W&B"),
        ("team/pretraining", {"WANDB_API_KEY": ""}, "no API key for http://127.0.0.1"),
        ("team/pretraining", {"WANDB_BASE_URL": "http://127.0.0.1:9"}, "127.0.0.1:9 cannot be reached"),
        ("team/pretraining", {"XDG_CACHE_HOME": "/proc/none"}, "cannot be written"),
        ("team/pretraining", {"ONE_LOGGER_V1_PYTHON": "/no/python"}, "No such file or directory"),
    ],
)
def test_what_cannot_be_had_is_one_line(
    server: HistoryServer, asked: str, environ: dict[str, str], expected: str,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    project(server, [Stored("aaaa0001", job_rows())])
    project(server, [Stored("aaaa0001", [{"loss": 1.0}])], "foreign")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert goodput.main([asked]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert expected in err


@pytest.mark.slow
def test_a_key_goes_to_the_server_that_the_user_names(
    server: HistoryServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    where = project(server, [Stored("aaaa0001", job_rows())])
    foreign = HistoryServer()
    try:
        project(foreign, [Stored("aaaa0001", job_rows())])
        (tmp_path / "here" / "wandb").mkdir()
        (tmp_path / "here" / "wandb" / "settings").write_text(f"[default]\nbase_url = {foreign.url}\n")
        own = tmp_path / "home" / ".config" / "wandb" / "settings"
        own.parent.mkdir(parents=True)
        own.write_text(f"[default]\nbase_url = {server.url}\n")
        monkeypatch.delenv("WANDB_BASE_URL")
        assert len(said([where], capsys)["trainings"]) == 1
    finally:
        foreign.stop()
    assert not foreign.requests
    assert server.pages


@pytest.mark.slow
def test_show_and_export_where_the_command_has_no_wandb(server: HistoryServer, tmp_path: Path) -> None:
    """The worker's interpreter, here this one, has it; the command's own environment has nothing."""
    where = project(server, [Stored("aaaa0001", job_rows()), Stored("bbbb0002", [{"loss": 1.0}])])
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    bare = str(tmp_path / "bare" / "bin" / "python")
    environ = {**os.environ, "ONE_LOGGER_V1_PYTHON": sys.executable}

    def command(*arguments: str) -> str:
        done = subprocess.run(
            [bare, "-m", "one_logger_v1_shim", *arguments], env=environ, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    assert "iterations      20 of 100" in command("show", where)
    file = tmp_path / "rows.jsonl"
    assert "33 rows of 1 run" in command("export", where, str(file))
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    own = {"_run_id", "_project", "_entity", "_run_name", "_step"}
    assert [{name: value for name, value in row.items() if name not in own} for row in rows] == job_rows()
    assert (rows[0]["_run_id"], rows[0]["_entity"], rows[0]["_run_name"]) == ("aaaa0001", "team", "llama-7b")


def test_what_reads_as_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "team" / "there").mkdir(parents=True)
    assert meant(Path("team/pretraining")) == ("team", "pretraining", "")
    assert meant(Path("team/llama 3/abcd1234")) == ("team", "llama 3", "abcd1234")
    for folder in (
        "team/there",
        "team",
        "./team/x",
        "../team/x",
        "/team/x",
        "~/team",
        "team/a/b/c",
        "a\\b/c",
        "t/..",
        "wandb/run-a.wandb",
    ):
        assert meant(Path(folder) if folder != "./team/x" else tmp_path / "x") is None, folder


@pytest.mark.slow
@pytest.mark.parametrize("command", [show, export])
def test_the_other_commands_say_it_in_one_line(
    server: HistoryServer, command: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.mode = "403"
    more = [] if command is show else [str(tmp_path / "rows.csv")]
    assert command.main(["team/pretraining", *more]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "rows.csv").exists()
