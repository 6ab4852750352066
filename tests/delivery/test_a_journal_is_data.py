"""Folders that somebody else has filled: what `recover` and `doctor` do there, in processes of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from compat_matrix.wandb_file import read
from one_logger_v1_shim._journal.process_table import started
from one_logger_v1_shim._journal.words import RUN, run_mark
from tests.delivery import jobs, planted
from tests.delivery.server import KEY
from tests.support import clean_environment, run_command

COMMAND = [sys.executable, "-m", "one_logger_v1_shim"]
WANDB_FILE = Path(__file__).parents[1] / "matrix" / "wandb_files" / "0.31.0.wandb"

#: leaves a trace when it is imported
TRACE = "open(__import__('os').path.join({!r}, __name__), 'w').close()\n"


def recover(home: Path, *arguments: str, **environ: str) -> tuple[int, str]:
    done = run_command([*COMMAND, "recover", *arguments], home, env={"WANDB_MODE": "offline", **environ}, check=False)
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    assert all(line.isprintable() for line in done.stdout.splitlines())
    return done.returncode, done.stdout


def sent(home: Path, run_id: str) -> list[int]:
    files = sorted(home.rglob(f"offline-run-*/run-{run_id}.wandb"))
    return [row["i"] for path in files for row in read(path).rows]


def damaged_journals(home: Path) -> list[Path]:
    """Ten, of ten kinds. The first seven are damaged, the others are not to be trusted."""
    folders = [planted.journal(home, f"damaged{number}") for number in range(10)]
    planted.write(folders[0] / "run.json", "[]")
    planted.write(folders[1] / "run.json", '{"id": ["damaged1"]}')
    planted.write(folders[2] / "run.json", '{"id": "damaged2", "format": 99}')
    planted.write(folders[3] / "run.json", "[" * 100_000)
    planted.write(folders[4] / "run.json", "\0\x1b[2J")
    for folder, name in [(folders[5], "run.json"), (folders[6], "rows-000001.jsonl")]:
        (folder / name).unlink()
        os.mkfifo(folder / name)
    (folders[7] / "worker.log").symlink_to(home / ".bashrc")
    folders[8].chmod(0o777)
    (folders[9] / "mark.json").touch(0o666)
    (folders[9] / "mark.json").chmod(0o666)
    return folders


@pytest.fixture(scope="module")
def recovered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Five journals that are sent, each with something in it that is to have no effect, and ten that are not."""
    home: Path = tmp_path_factory.mktemp("planted")
    (home / ".bashrc").write_text("mine\n")
    evil = home / "evil"
    evil.mkdir()
    exporters = evil / "one_logger_exporters_config.json"
    exporters.write_text(json.dumps({"exporters": [{"class_name": "evil.Exporter", "config": {}}]}))
    (evil / "evil.py").write_text(TRACE.format(str(evil)))
    (evil / "wandb").mkdir()
    (evil / "wandb" / "settings").write_text("[default]\nmode = disabled\n")

    odd = {"chosen": {"host": ["a"], "tags": [1, "t"], "entity": "a\0b"}, "base": "x" * 5000, "machine": None}
    code = planted.journal(home, "withcode", cwd=str(evil), exporters=str(exporters), v2="worker", v2_values={})
    shutil.copytree(evil / "wandb", code / "wandb")
    planted.journal(home, "oddvalue", settled={"WANDB_NOTES": "a\0b", "WANDB_TAGS": "\ud800", "X": 5}, **odd)

    # a process that calls itself wandb, and one that is wandb's of another run
    environ = clean_environment(home, {RUN: run_mark("otherrun", str(home))})
    processes = [subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)", "wandb"], env=environ)]
    mark = {"id": "privatee", "processes": [[one.pid, started(one.pid)] for one in processes], "dirs": ["/etc"]}
    planted.journal(home, "withmark", mark=mark)
    private = [home / "wandb" / f"run-20260101_000000-{one}" for one in ("privatee", "sameasid")]
    for folder in private:
        folder.mkdir()
    (private[0] / "run-privatee.wandb").touch()
    shutil.copy(WANDB_FILE, private[1] / "run-sameasid.wandb")
    planted.journal(home, "sameasid")

    repository = planted.journal(home, "disabled", mode="disabled", keep=False)
    (repository / "thesis.tex").touch()
    (repository / ".git").mkdir()

    folders = damaged_journals(home)
    code_, said = recover(home)
    alive = [one.poll() is None for one in processes]
    for one in processes:
        one.kill()
        one.wait()
    return {"home": home, "code": code_, "said": said, "alive": alive, "private": private, "damaged": folders}


def test_what_is_damaged_is_one_line_and_the_others_are_sent(recovered: dict[str, Any]) -> None:
    said = recovered["said"]
    assert recovered["code"] == 1
    for folder in recovered["damaged"]:
        (line,) = [line for line in said.splitlines() if str(folder) in line.partition(": ")[0]]
        assert ": left alone: " in line
    for name in ("withcode", "oddvalue", "withmark", "sameasid"):
        assert sent(recovered["home"], name) == [0, 1, 2], said


def test_no_code_of_the_journals_is_run(recovered: dict[str, Any]) -> None:
    assert "is not used: a journal names no code to run" in recovered["said"]
    assert sorted(path.name for path in (recovered["home"] / "evil").iterdir()) == [
        "evil.py", "one_logger_exporters_config.json", "wandb",
    ]  # fmt: skip


def test_nothing_of_others_is_written_removed_or_ended(recovered: dict[str, Any]) -> None:
    home = recovered["home"]
    assert (home / ".bashrc").read_text() == "mine\n"
    assert recovered["alive"] == [True]
    assert (recovered["private"][0] / "run-privatee.wandb").exists()
    assert (recovered["private"][1] / "run-sameasid.wandb").read_bytes() == WANDB_FILE.read_bytes()
    (repository,) = (home / "wandb").glob("*-disabled")
    assert {"thesis.tex", ".git"} <= {path.name for path in repository.iterdir()}
    assert "sameasid.wandb" not in recovered["said"]
    assert "sync" not in "".join(line for line in recovered["said"].splitlines() if "20260101_000000-privatee" in line)


def test_a_process_of_wandb_that_was_left_is_ended(tmp_path: Path) -> None:
    folder = planted.journal(tmp_path)
    environ = clean_environment(tmp_path, {RUN: run_mark("abcdefgh", str(folder))})
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], env=environ)
    planted.write(folder / "mark.json", json.dumps({"processes": [[left.pid, started(left.pid)]]}))
    assert recover(tmp_path)[0] == 0
    assert left.wait(5) == -signal.SIGKILL
    assert sent(tmp_path, "abcdefgh") == [0, 1, 2]


def test_journals_of_earlier_versions(tmp_path: Path) -> None:
    """As 0.2.0 made them: readable for others."""
    for number in (1, 2):
        folder = planted.journal(tmp_path, f"abcdefg{number}", format=number, version="0.2.0")
        folder.chmod(0o755)
        for path in folder.iterdir():
            path.chmod(0o644)
    assert recover(tmp_path)[0] == 0
    assert sent(tmp_path, "abcdefg1") == sent(tmp_path, "abcdefg2") == [0, 1, 2]


@pytest.mark.skipif(os.getuid() != 0, reason="an administrator's")
def test_an_administrator_recovers_a_users_folder(tmp_path: Path) -> None:
    folder = planted.journal(tmp_path)
    for path in (folder, *folder.iterdir()):
        os.chown(path, 65534, 65534)
    assert recover(tmp_path)[1].startswith("no journal of this user")
    code, said = recover(tmp_path, str(folder))
    assert code == 0
    assert "  it belongs to nobody; what is written there now belongs to this user\n" in said
    assert sent(tmp_path, "abcdefgh") == [0, 1, 2]


def test_no_server_hears_of_it(tmp_path: Path) -> None:
    """The key of a settings file, that of ``.netrc``, a token file: none goes to a server that a file names."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        folder = planted.journal(tmp_path, chosen={"host": f"http://{address}"})
        planted.journal(tmp_path, "abcdefgi", settled={"WANDB_BASE_URL": f"http://u:a/PW@{address}"})
        redirect = planted.journal(tmp_path, "abcdefgj")
        for place in (redirect / "wandb", tmp_path / "wandb"):
            place.mkdir(exist_ok=True)
            (place / "settings").write_text(f"[default]\nbase_url = http://{address}\n")
        (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login user password {KEY}\n")
        (tmp_path / ".netrc").chmod(0o600)
        (tmp_path / "own").mkdir()
        (tmp_path / "own" / "settings").write_text(f"[default]\napi_key = {KEY}\n")
        environ = {
            "WANDB_MODE": "online", "WANDB_CONFIG_DIR": str(tmp_path / "own"), "WANDB_BASE_URL": "http://127.0.0.1:9",
            **jobs.LIMITS,
        }  # fmt: skip
        code, said = recover(tmp_path, **environ)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert code in (0, 1)
    assert said.count(f"http://{address}, is named by the journal only, and nothing is sent") == 2
    assert "PW" not in said
    assert KEY not in said + "".join(path.read_text() for path in folder.parent.rglob("worker.log"))
    assert sent(tmp_path, "abcdefgj") == [0, 1, 2], said


def test_isolate_gives_installers_no_key_and_obeys_no_parent_folder(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    stub = tmp_path / "bin" / "uv"
    stub.write_text(f"#!/bin/sh\n(pwd; umask; env) > {tmp_path}/seen\nexit 1\n")
    stub.chmod(0o755)
    environ = {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "WANDB_API_KEY": KEY,
        "WANDB_BASE_URL": "http://a:PW@b",
    }
    done = run_command([*COMMAND, "isolate", str(tmp_path / "new")], tmp_path, env=environ, check=False)
    assert done.returncode == 1
    folder, umask, *seen = (tmp_path / "seen").read_text().splitlines()
    assert (folder, int(umask, 8) & 0o022) == ("/", 0o022)
    assert not [line for line in seen if KEY in line or "PW@" in line or line.startswith(("WANDB", "ONE_LOGGER"))]


@pytest.mark.parametrize("command", ["doctor --offline", "recover", "show"])
def test_nothing_is_imported_from_the_working_directory(command: str, tmp_path: Path) -> None:
    """Nor by a child, and also where ``PYTHONPATH`` has an empty entry."""
    place = tmp_path / "place"
    (place / "wandb").mkdir(parents=True)
    (tmp_path / "traces").mkdir()
    trace = TRACE.format(str(tmp_path / "traces"))
    for name in ("json", "argparse", "tempfile", "subprocess", "yaml", "configparser", "rich", "wandb/__init__"):
        (place / f"{name}.py").write_text(trace)
    planted.journal(place)
    environ = clean_environment(tmp_path, {"WANDB_MODE": "offline"})
    environ["PYTHONPATH"] += os.pathsep
    options = ["--dry-run"] if command == "recover" else []
    subprocess.run([*COMMAND, *command.split(), *options], cwd=place, env=environ, capture_output=True, timeout=120)
    assert list((tmp_path / "traces").iterdir()) == []
