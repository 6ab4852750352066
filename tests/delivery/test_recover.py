"""``recover``: everything is killed at once, and what was logged still gets into W&B, once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
from importlib import metadata
from pathlib import Path

import pytest

from one_logger_v1_shim._journal.wandb_file import run_files
from tests.delivery import jobs
from tests.delivery.server import KEY, Server
from tests.support import run_command

SLOW = """
one = one_logger()
for i in range(5000):
    one.log_metrics({"i": i, "text": "x" * 100})
    if i == 1500:
        wait_for("first part taken")
    if i == 4000:
        say_so("logged")
        time.sleep(60)
"""


def everything_killed(home: Path) -> jobs.Job:
    """As when a machine goes down: some rows are in W&B's file, some in the journal only."""
    job = jobs.Job(SLOW, home)
    job.taken(1501)
    worker, service = job.worker(), job.service()
    os.kill(worker, signal.SIGSTOP)
    job.go_on("first part taken")
    job.wait_for("logged")
    for pid in (service, worker):
        os.kill(pid, signal.SIGKILL)
    os.killpg(job.process.pid, signal.SIGKILL)
    job.end()
    return job


@pytest.fixture(scope="module")
def killed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home: Path = tmp_path_factory.mktemp("killed")
    everything_killed(home)
    return home


@pytest.fixture
def killed(killed_once: Path, tmp_path: Path) -> Path:
    """A folder of its own with what was left."""
    shutil.copytree(killed_once, tmp_path / "killed", symlinks=True)
    return tmp_path / "killed"


def recover(home: Path, *arguments: str, **environ: str) -> tuple[int, str]:
    done = run_command(
        [sys.executable, "-m", "one_logger_v1_shim", "recover", *arguments], home, env=dict(environ), check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


def test_what_was_logged_is_sent_once(killed: Path) -> None:
    written = jobs.journal_values(killed)
    assert written == list(range(4001))
    (first,) = jobs.stored(killed)
    before = len(first.rows)
    assert 0 < before <= 1501  # the end of what wandb was given may be lost

    code, said = recover(killed, "--dry-run")
    assert (code, f"4001 rows, W&B has {before} of them on disk" in said) == (1, True)
    assert f"would send {4001 - before} rows" in said
    assert len(jobs.stored(killed)) == 1

    code, said = recover(killed)
    assert code == 0, said
    first, second = jobs.stored(killed)
    assert (first.run_id, second.project, second.name) == (second.run_id, "delivery", "job")
    assert first.steps + second.steps == list(range(4001))
    assert [row["i"] for row in first.rows + second.rows] == list(range(4001))
    assert second.exit_code == 1
    assert str(first.path.parent) in said
    assert str(second.path.parent) in said

    code, said = recover(killed)
    assert (code, said) == (0, "1 of 1 runs finished: nothing to send for them\n")
    assert len(jobs.stored(killed)) == 2


def test_a_torn_row_is_left_out(killed: Path) -> None:
    (rows,) = killed.rglob("rows-*.jsonl")
    with rows.open("a") as file:
        file.write('{"i":4001,"te')
    assert recover(killed)[0] == 0
    assert sorted(i for run in jobs.stored(killed) for i in [row["i"] for row in run.rows]) == list(range(4001))


def test_a_job_that_runs_is_left_alone(tmp_path: Path) -> None:
    job = jobs.Job('one = one_logger(); log(one, 5); say_so("half"); wait_for("go on")', tmp_path)
    job.wait_for("half")
    job.taken(5)
    code, said = recover(tmp_path)
    assert code == 1
    assert "left alone: its W&B process is at work" in said
    worker = job.worker()
    os.kill(worker, signal.SIGKILL)
    jobs.until(lambda: not jobs.alive(worker), "the worker is gone")
    code, said = recover(tmp_path)
    assert code == 1
    assert f"left alone: its job runs (process {job.process.pid})" in said
    job.go_on("go on")
    assert job.end().values() == list(range(5))
    assert recover(tmp_path)[0] == 0


def test_without_wandb_rows_wait_for_recover(tmp_path: Path) -> None:
    from tests.delivery.test_disk import without_wandb

    result = without_wandb(tmp_path)
    assert result.values() == []
    assert recover(tmp_path, WANDB_MODE="offline")[0] == 0
    assert result.values() == list(range(50))


def test_a_journal_in_the_temp_directory_knows_its_run(tmp_path: Path) -> None:
    environ = {"ONE_LOGGER_V1_JOURNAL": "0", "TMPDIR": str(tmp_path / "temporary")}
    (tmp_path / "temporary").mkdir()
    job = jobs.Job(SLOW, tmp_path / "job", environ)
    jobs.until(lambda: jobs.mark(tmp_path).get("rows", 0) >= 1501, "rows taken")
    (journal,) = (tmp_path / "temporary").glob("one-logger-*")
    (worker,) = jobs.processes(tmp_path / "temporary", "_worker/start.py")
    pids = [worker, *jobs.children(worker)]
    os.kill(worker, signal.SIGSTOP)
    job.go_on("first part taken")
    job.wait_for("logged")
    for pid in reversed(pids):
        os.kill(pid, signal.SIGKILL)
    os.killpg(job.process.pid, signal.SIGKILL)
    job.end()
    jobs.gone(tmp_path)
    code, said = recover(tmp_path, TMPDIR=environ["TMPDIR"])
    assert code == 0, said
    steps = [step for run in jobs.stored(tmp_path) for step in run.steps]
    assert steps == list(range(4001))
    assert not journal.exists() or jobs.mark(tmp_path)["state"] == "finished"


@pytest.mark.ci
def test_sent_online_into_the_same_run(server: Server, tmp_path: Path) -> None:
    """The server has taken some rows, W&B's file has fewer, the journal all."""
    environ = {"WANDB_MODE": "online", **server.environment()}
    code = (
        'one = one_logger(); log(one, 20); wait_for("go on"); log(one, 20, start=20); say_so("logged"); time.sleep(60)'
    )
    job = jobs.Job(code, tmp_path, environ)
    jobs.until(lambda: len(server.rows) >= 20, "twenty rows on the server")
    worker, service = job.worker(), job.service()
    os.kill(worker, signal.SIGSTOP)
    job.go_on("go on")
    job.wait_for("logged")
    for pid in (service, worker):
        os.kill(pid, signal.SIGKILL)
    os.killpg(job.process.pid, signal.SIGKILL)
    job.end()
    before = sum("file_stream" in one for one in server.requests)
    code_, said = recover(tmp_path, **{**environ, **jobs.LIMITS})
    assert code_ == 0, said
    assert [server.rows[step]["i"] for step in sorted(server.rows)] == list(range(40))
    assert sum("file_stream" in one for one in server.requests) > before
    assert KEY not in said
    requests = len(server.requests)
    assert recover(tmp_path, **environ)[0] == 0
    assert len(server.requests) == requests


def test_a_key_goes_to_no_server_that_only_a_file_names(killed: Path) -> None:
    (journal,) = jobs.journals(killed)
    about = json.loads((journal / "run.json").read_text())
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        about["chosen"]["host"] = f"http://127.0.0.1:{listener.getsockname()[1]}"
        about["mode"] = ""
        (journal / "run.json").write_text(json.dumps(about))
        code, said = recover(killed, WANDB_API_KEY=KEY)
        assert code == 1
        assert f"{about['chosen']['host']}, is named by the journal only, and nothing is sent" in said
        assert f"to send it there: WANDB_BASE_URL={about['chosen']['host']} python -m one_logger_v1_shim" in said
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        '{"id": "../../../etc"}',
        '{"id": "\\u001b[31m", "base": "/etc"}',
        '{"id": 5, "pid": "x"}',
        "[" * 100_000,
    ],
)
def test_files_are_data(content: str, tmp_path: Path) -> None:
    journal = tmp_path / "wandb" / "one-logger-20260101_000000-abcdefgh"
    journal.mkdir(parents=True)
    (journal / "run.json").write_text(content)
    (journal / "rows-000001.jsonl").write_text('{"i": 1}\n')
    (journal / "mark.json").write_text('{"state": "\\u001b[2J", "dirs": ["/etc"], "processes": [[1, "0"], "x", 5]}')
    code, said = recover(tmp_path, WANDB_MODE="offline")
    assert code == 1
    assert "\x1b" not in said
    assert len(said) < 2000
    assert list(tmp_path.rglob("*.wandb")) == []


def test_the_base_in_a_file_leads_nowhere(killed: Path, tmp_path: Path) -> None:
    (journal,) = jobs.journals(killed)
    about = json.loads((journal / "run.json").read_text())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    about.update(base=str(elsewhere), cwd=str(elsewhere), chosen={**about["chosen"], "save_dir": str(elsewhere)})
    (journal / "run.json").write_text(json.dumps(about))
    assert recover(tmp_path, str(killed))[0] == 0
    assert list(elsewhere.iterdir()) == []
    assert sorted(i for run in jobs.stored(tmp_path) for i in [row["i"] for row in run.rows]) == list(range(4001))


def test_nothing_to_find(tmp_path: Path) -> None:
    assert recover(tmp_path, str(tmp_path))[0] == 2
    assert recover(tmp_path, TMPDIR=str(tmp_path)) == (
        0,
        "no journal of this user: here, in WANDB_DIR or in the temp directory\n",
    )


def test_an_interpreter_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is ended, and a line names it; the rows wait for the next time."""
    from one_logger_v1_shim._cli import _sending, recover

    hangs = tmp_path / "hangs"
    hangs.write_text("#!/bin/sh\nexec sleep 300\n")
    hangs.chmod(0o755)
    job = "one = one_logger(); log(one, 3); one.finish()"
    result = jobs.run(job, tmp_path / "home", {"ONE_LOGGER_V1_PYTHON": str(tmp_path / "nobody")})
    assert result.code == 0
    monkeypatch.setenv("ONE_LOGGER_V1_PYTHON", str(hangs))
    monkeypatch.setattr(_sending, "_START_LIMIT", 0.2)
    assert recover.main([str(jobs.journals(result.home)[0])]) == 1
    assert f"{hangs} (ONE_LOGGER_V1_PYTHON) has not run our code within 0.2 s" in capsys.readouterr().out
    assert jobs.journal_values(result.home) == [0, 1, 2]
    assert not [one for one in jobs.processes(tmp_path, "start.py") if jobs.alive(one)]


def test_two_folders_of_one_second(tmp_path: Path) -> None:
    """Where a second process opens the run within the same second, wandb adds a number to the folder's name."""
    names = ["offline-run-20261125_154825-abcdefgh", "offline-run-20261125_154825-abcdefgh-1"]
    for name in (*names, "offline-run-20261125_154825-abcdefgi"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"run-{name[28:36]}.wandb").touch()
    (tmp_path / "latest-run").symlink_to(names[1])
    assert [path.parent.name for path in run_files(tmp_path, "abcdefgh")] == names


HALF = """
one = OneLogger({"project": "delivery", "name": "job", "async": False, **json.loads(os.environ["CONFIG"])})
log(one, 10)
say_so("half")
wait_for("go on")
log(one, 10, start=10)
one.finish()
"""


@pytest.mark.ci
@pytest.mark.parametrize("told_by", ["the environment", "the v1 configuration"])
def test_all_rows_are_in_wandbs_files(told_by: str, tmp_path: Path, server: Server) -> None:
    """The server went away in mid-run and is back: `recover` lets ``wandb sync`` send the files, to that server."""
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {server.url[7:]} login user password {KEY}\n"
                     f"machine 127.0.0.1 login user password {KEY}\n")  # fmt: skip
    netrc.chmod(0o600)
    told = {"WANDB_BASE_URL": server.url} if told_by == "the environment" else {}
    environ = {"NETRC": str(netrc), "WANDB_ENTITY": "team", **told}
    config = {} if told else {"host": server.url}
    job = jobs.Job(HALF, tmp_path, {**environ, "WANDB_MODE": None, "CONFIG": json.dumps(config)})
    job.wait_for("half")
    server.mode = "drop"
    job.go_on("go on")
    result = job.end()
    assert result.values() == list(range(20))
    # wandb before 0.27 does not write its last rows down when it is given up: all go into an offline run
    goes_offline = tuple(map(int, metadata.version("wandb").split(".")[:2])) < (0, 27)
    assert jobs.mark(tmp_path)["state"] == ("finished" if goes_offline else "unfinished")
    if goes_offline:
        return
    command = [sys.executable, "-m", "one_logger_v1_shim", "recover"]
    if not told:  # who recovers it says that he means that server, too
        done = run_command(command, tmp_path, env=environ, check=False)
        assert f"; to send it there: WANDB_BASE_URL={server.url} python -m" in done.stdout
        environ["WANDB_BASE_URL"] = server.url
    done = run_command(command, tmp_path, env=environ, check=False)
    said = f"{server.url} cannot be reached"
    assert (done.returncode, said in done.stdout, "Traceback" in done.stderr) == (1, True, False), done.stdout

    server.mode = "ok"
    done = run_command(command, tmp_path, env=environ)
    assert done.stdout.endswith("  synced\n")
    (rows,) = server.runs.values()
    assert [row["i"] for _, row in sorted(rows.items())] == list(range(20))
    before = len(server.requests)
    assert "nothing to send" in run_command(command, tmp_path, env=environ).stdout
    assert len(server.requests) == before
