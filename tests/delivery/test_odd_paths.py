"""What travels from a job to its worker, and names that are no text."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable

import pytest

from one_logger_v1_shim._worker.settings import leave_out
from one_logger_v1_shim._worker.wandb_api import hide_git
from tests.delivery import jobs
from tests.delivery.server import Server
from tests.support import clean_environment

pytestmark = pytest.mark.ci

ROWS = list(range(5))
JOB = """
one = one_logger()
log(one, 5)
one.finish()
print("done")
"""
LONG = "import sys; sys.path.extend(f'/nowhere/{i}/' + 'x' * 200 for i in range(1000))\n"
BEGIN = {
    "bytes in sys.path": "import sys; sys.path.append(b'/nowhere/\\xe9')\n",
    "a Path in sys.path": "import sys, pathlib; sys.path.append(pathlib.Path('/nowhere'))\n",
    "a long sys.path": LONG,
    "a program that is a Path": "import sys, pathlib; sys.argv[:] = [pathlib.Path('train.py'), 5]\n",
    "a long variable": "import os; os.environ['NOTES'] = 'x' * 200_000\n",
}


def begins(code: str) -> Callable[[Path], jobs.Result]:
    return lambda home: jobs.run(JOB, home, begin=code)


def starts_over(home: Path) -> jobs.Result:
    """The worker has to become a second process: the server does not take the run."""
    server = Server("init:429")
    try:
        return jobs.run(JOB, home, {"WANDB_MODE": "online", **server.environment()}, begin=LONG)
    finally:
        server.stop()


def folder_without_a_name(home: Path) -> jobs.Result:
    odd = Path(os.fsdecode(os.fsencode(home) + b"-\xe9"))
    home.mkdir()
    return jobs.run(JOB, odd, {"TMPDIR": str(home)})


def script_without_a_name(home: Path) -> jobs.Result:
    home.mkdir(parents=True)
    name = os.fsdecode(b"train-\xe9.py")
    (home / name).write_text(jobs.BEGIN + JOB)
    return jobs.run(JOB, home, command=[sys.executable, name])


def git_hangs(home: Path) -> jobs.Result:
    git = home / "bin" / "git"
    git.parent.mkdir(parents=True)
    git.write_text("#!/bin/sh\nexec sleep 20\n")
    git.chmod(0o755)
    return jobs.run(JOB, home, {"PATH": f"{git.parent}:{os.environ['PATH']}"})


MID_RUN = """
one = one_logger()
log(one, 2)
{then}
log(one, 3, start=2)
one.finish()
print("done")
"""


def temporary_removed(home: Path) -> jobs.Result:
    (home / "tmp").mkdir(parents=True)
    then = "say_so('half'); wait_for('go on'); os.rmdir(os.environ['TMPDIR'])"
    job = jobs.Job(MID_RUN.format(then=then), home, {"TMPDIR": str(home / "tmp")})
    job.wait_for("half")
    job.taken(2)
    shutil.rmtree(home / "tmp")
    (home / "tmp").mkdir()
    job.go_on("go on")
    return job.end()


def temporary_was_removed(home: Path) -> jobs.Result:
    return jobs.run(JOB, home, {"TMPDIR": str(home / "tmp")})


def temporary_without_a_name(home: Path) -> jobs.Result:
    odd = home / os.fsdecode(b"tmp-\xe9")
    odd.mkdir(parents=True)
    return jobs.run(JOB, home, {"TMPDIR": str(odd)})


def gevent_afterwards(home: Path) -> jobs.Result:
    return jobs.run(MID_RUN.format(then="from gevent import monkey; monkey.patch_all()"), home)


def frozen_and_thawed(home: Path) -> jobs.Result:
    job = jobs.Job(MID_RUN.format(then="say_so('half'); wait_for('go on')"), home)
    job.wait_for("half")
    job.taken(2)
    os.kill(job.process.pid, signal.SIGSTOP)
    time.sleep(3)
    job.go_on("go on")
    os.kill(job.process.pid, signal.SIGCONT)
    return job.end()


SCENARIOS: Mapping[str, Any] = {
    **{name: begins(code) for name, code in BEGIN.items()},
    "a long sys.path, twice": starts_over,
    "a folder with a byte": folder_without_a_name,
    "a script with a byte": script_without_a_name,
    "git hangs": git_hangs,
    "TMPDIR is removed": temporary_removed,
    "TMPDIR is no folder": temporary_was_removed,
    "TMPDIR with a byte": temporary_without_a_name,
    "gevent afterwards": gevent_afterwards,
    "frozen and thawed": frozen_and_thawed,
}


@pytest.mark.everywhere
@pytest.mark.parametrize("name", SCENARIOS)
def test_all_rows(name: str, outcome: Callable[[str], jobs.Result]) -> None:
    result = outcome(name)
    assert (result.code, result.out, result.values()) == (0, "done\n", ROWS), result.err
    assert jobs.mark(result.home)["state"] == "finished"
    assert len(result.lines) == 1
    assert "W&B run is offline (" in result.lines[0]
    assert not list(result.home.rglob("path.json"))


@pytest.mark.everywhere
def test_recover_of_a_folder_whose_name_is_no_text(tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/runs-\xe9"))
    environ = {"TMPDIR": str(tmp_path), "ONE_LOGGER_V1_PYTHON": str(tmp_path / "none")}
    assert jobs.run(JOB, odd, environ).values() == []
    command = [sys.executable, "-m", "one_logger_v1_shim", "recover"]
    wanted = clean_environment(odd, {"WANDB_MODE": "offline", "TMPDIR": str(tmp_path)})
    done = subprocess.run(command, cwd=odd, env=wanted, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stdout
    (run,) = jobs.stored(odd)
    assert [row["i"] for row in run.rows] == ROWS


@pytest.mark.parametrize(("rest", "left"), [("/nowhere", "/nowhere"), ("", os.devnull)])
def test_a_git_that_does_not_answer_is_not_found(rest: str, left: str, tmp_path: Path) -> None:
    """wandb 0.20 and its process ask it whatever the setting says; the setting stays when others are left out."""
    (tmp_path / "git").write_text("#!/bin/sh\nexec sleep 20\n")
    (tmp_path / "git").chmod(0o755)
    environ = {"PATH": f"{tmp_path}{os.pathsep}{rest}", "WANDB_CONSOLE": "off"}
    hide_git(environ)
    assert environ["PATH"] == left
    assert "WANDB_CONSOLE" in leave_out(environ, RuntimeError("refused"))
    assert environ["WANDB_DISABLE_GIT"] == "true"
