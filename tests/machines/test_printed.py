"""Each command that is printed is one that a shell takes, whatever the folders are called."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

import pytest

from one_logger_v1_shim._journal.files import quoted
from tests.delivery import jobs
from tests.support import clean_environment, run_command

JOB = """
one = one_logger()
log(one, 3)
one.finish()
"""
NAMES = [
    "My Drive (team)",
    'a\'b "c"',
    "$HOME `id` $(id)",
    "-n --option",
    "two\nlines\tand tab",
    "*?[x];&|<>!#~",
    "\u00fc\u4e2d\\",
]
# Prints its arguments, each as JSON.
STUB = f"#!{sys.executable}\nimport json, os, sys\nprint(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]))\n"


def words(command: str, place: Path) -> list[list[str]]:
    """What programs a shell starts for ``command``, with their arguments."""
    stubs = place / "stubs"
    stubs.mkdir(exist_ok=True)
    for name in ("python", "wandb"):
        (stubs / name).write_text(STUB)
        (stubs / name).chmod(0o755)
    command = re.sub(jobs.WANDB, "wandb", command)  # isolated mode: that of another environment
    environ = {**os.environ, "PATH": f"{stubs}{os.pathsep}{os.environ['PATH']}", "HOME": "/nowhere"}
    done = subprocess.run(["bash", "-c", command], cwd=place, env=environ, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), (command, done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def offline(name: str) -> Callable[[Path], jobs.Result]:
    """The run is offline: the line has the command that syncs it."""
    return lambda home: jobs.run(JOB, home / name)


def in_two_folders(home: Path) -> jobs.Result:
    """wandb's process was killed: the run is in two folders."""
    job = jobs.Job("one = one_logger(); log(one, 300); say_so('half'); wait_for('go on'); log(one, 3); one.finish()",
                   home / NAMES[0])  # fmt: skip
    job.wait_for("half")
    job.taken(300)
    os.kill(job.service(), 9)
    job.go_on("go on")
    return job.end()


def no_worker(name: str) -> Callable[[Path], jobs.Result]:
    """No worker comes up: the line has the command that sends the journal."""
    return lambda home: jobs.run(JOB, home / name, {"ONE_LOGGER_V1_PYTHON": "/bin/false"})


SCENARIOS: dict[str, Callable[[Path], Any]] = {
    **{f"sync {name!r}": offline(name) for name in (NAMES[0], NAMES[4])},
    **{f"recover {name!r}": no_worker(name) for name in NAMES[1:5:2]},
    "two folders": in_two_folders,
}
RECOVER = [name for name in SCENARIOS if name.startswith("recover")]


@pytest.mark.parametrize("name", [*SCENARIOS][:2])
def test_sync_command(name: str, outcome: Callable[[str], jobs.Result], tmp_path: Path) -> None:
    result = outcome(name)
    assert result.code == 0
    (line,) = result.lines
    (run,) = result.runs()
    found = words(line.partition("; sync it with: ")[2], tmp_path)
    assert found == [["wandb", "sync", "-e", "YOUR_ENTITY", str(run.path.parent)]]


def test_sync_command_of_two_folders(outcome: Callable[[str], jobs.Result], tmp_path: Path) -> None:
    result = outcome("two folders")
    folders = [str(run.path.parent) for run in result.runs()]
    found = words(result.lines[-1].partition("; sync it with: ")[2], tmp_path)
    assert [one[-1] for one in found][-1] == folders[-1]
    assert [one for words_ in found for one in words_ if "offline-run" in one] == folders


@pytest.mark.parametrize("name", RECOVER)
def test_recover_command(name: str, outcome: Callable[[str], jobs.Result], tmp_path: Path) -> None:
    """The job's line, doctor's and show's."""
    result = outcome(name)
    (journal,) = jobs.journals(result.home)
    expected = ["python", "-m", "one_logger_v1_shim", "recover", str(journal)]
    (line,) = result.lines
    assert words(line.partition("; send them with: ")[2], tmp_path) == [expected]

    environ = clean_environment(result.home)
    doctor = run_command(
        [sys.executable, "-m", "one_logger_v1_shim", "doctor", "--offline"], result.home, env=environ, check=False
    )
    (advice,) = [line for line in doctor.stdout.splitlines() if "one_logger_v1_shim recover " in line]
    ((*command, folder),) = words(advice.rpartition(" -> ")[2], tmp_path)
    assert command == expected[:-1]
    assert (result.home / folder).samefile(journal)

    show = run_command([sys.executable, "-m", "one_logger_v1_shim", "show", str(journal)], result.home, env=environ)
    (said,) = [line for line in show.stdout.splitlines() if "recover --dry-run" in line]
    assert words(said.partition("see: ")[2], tmp_path) == [[*expected[:-1], "--dry-run", str(journal)]]


@pytest.mark.parametrize("name", [*NAMES, "plain", "", "\x1b[31m", os.fsdecode(b"\xff\xfe'\\")])
def test_one_word_on_one_line(name: str, tmp_path: Path) -> None:
    text = quoted(name)
    assert text.isprintable()
    done = subprocess.run(["bash", "-c", f"printf %s {text}"], capture_output=True, check=True)
    assert os.fsdecode(done.stdout) == (f"./{name}" if name.startswith("-") else name)
