"""Launchers that kill what a job has started: the worker goes on, sends all rows and finishes the run."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.delivery import jobs
from tests.delivery.server import Server
from tests.support import CONFIG

# verl's shape: an actor that never calls finish().
BEGIN = f"""
from one_logger_v1_shim.utils import OneLoggerUtils
one = OneLoggerUtils({{**{CONFIG!r}, "one_logger_async": True}})
one.on_app_start()
one.on_train_start(train_iterations_start=0)
for i in range(20):
    one.on_train_batch_start()
    one.on_train_batch_end()
    one.one_logger.log_metrics({{"i": i}})
one.on_train_end()
one.on_app_end()
"""
CHILDREN = """
def children_of(pid):
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                words = open(f"/proc/{entry}/stat", errors="replace").read().rpartition(")")[2].split()
            except OSError:
                continue
            if int(words[1]) == pid:
                yield int(entry)
"""
# As Ray ends an actor: SIGKILL for every direct child, whatever its session, and no exit handlers.
RAY = CHILDREN + "for pid in list(children_of(os.getpid())): os.kill(pid, 9)\nos._exit(0)\n"
# A subreaper inherits the worker, never reaps it, and ends after it. So does a container's first process.
SUBREAPER = """
import ctypes, os, subprocess, sys, time
assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0  # PR_SET_CHILD_SUBREAPER
code = subprocess.call([sys.executable, "job.py"])
deadline = time.monotonic() + 60
while not any('"finished"' in open(os.path.join(folder, "mark.json")).read()
              for folder, _, files in os.walk("wandb") if "mark.json" in files) and time.monotonic() < deadline:
    time.sleep(0.05)
time.sleep(0.5)  # the worker's last instructions; it is nobody's zombie now
os._exit(code)
"""
NAMESPACE = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]


def ended(end: str) -> Callable[[Path], jobs.Result]:
    return lambda home: jobs.run(BEGIN + end, home)


def below_a_subreaper(home: Path) -> jobs.Result:
    home.mkdir(parents=True)
    (home / "reaper.py").write_text(SUBREAPER)
    return jobs.run(BEGIN + RAY, home, command=[sys.executable, "reaper.py"])


def first_process_of_a_container(home: Path) -> jobs.Result:
    """With the job's end all processes of the container end: the exit handler waits for the worker."""
    job = jobs.Job(BEGIN, home, command=[*NAMESPACE, sys.executable, "job.py"])
    code = job.process.wait(60)  # with it everything in there has ended
    return jobs.Result(home, code, (home / "job.out").read_text(), (home / "job.err").read_text(), 0.0)


def killed(home: Path) -> jobs.Result:
    job = jobs.Job(BEGIN + 'say_so("ended"); time.sleep(60)', home)
    job.wait_for("ended")
    os.kill(job.process.pid, signal.SIGKILL)
    return job.end()


#: name -> (scenario, exit code of the job)
JOBS: dict[str, tuple[Callable[[Path], jobs.Result], int]] = {
    "Ray kills direct children": (ended(RAY), 0),
    "below a subreaper that does not reap": (below_a_subreaper, 0),
    "first process of a container": (first_process_of_a_container, 0),
    "SIGKILL right after on_app_end": (killed, -9),
}
SCENARIOS: dict[str, Callable[[Path], Any]] = {name: job[0] for name, job in JOBS.items()}


@pytest.mark.everywhere
@pytest.mark.parametrize("name", JOBS)
def test_all_rows_reach_wandb(name: str, outcome: Callable[[str], jobs.Result]) -> None:
    result = outcome(name)
    if "container" in name and "unshare" in result.err:
        pytest.skip("this machine allows no user namespaces")
    assert result.code == JOBS[name][1], result.err
    assert result.values() == list(range(20))
    (run,) = result.runs()
    assert any("app_finish_time" in row or "app_run_finish_time" in row for row in run.rows), run.rows[-1]
    assert run.exit_code is not None
    assert jobs.mark(result.home)["state"] == "finished"


# Both change the working directory and are ended without exit handlers, right after a row.
SHORT = """
os.makedirs("elsewhere"); os.chdir("elsewhere")
one = one_logger(ASYNCHRONOUS)
one.log_metrics({"i": 0})
os._exit(0)
"""


SPARK = pytest.param("PYTHON_WORKER_FACTORY_SECRET", marks=pytest.mark.everywhere)


@pytest.mark.parametrize("kind", ["RAY_RAYLET_PID", SPARK, "sync"])
def test_the_line_is_out_before_the_first_row_returns(kind: str, tmp_path: Path) -> None:
    environ = {kind: "1"} if kind != "sync" else {}
    result = jobs.run(SHORT.replace("ASYNCHRONOUS", str(kind != "sync")), tmp_path, environ)
    (journal,) = jobs.journals(tmp_path)
    (line,) = result.lines
    assert journal.parent == tmp_path / "elsewhere" / "wandb"
    assert (str(journal) if kind != "sync" else jobs.mark(tmp_path)["dir"]) in line
    assert "one_logger_v1_shim recover " in line or "W&B run is offline (" in line
    assert result.values() == [0]


@pytest.mark.everywhere
def test_a_short_job_hears_where_its_run_is(tmp_path: Path) -> None:
    """It logs for a few seconds and is killed."""
    code = """
one = one_logger()
for i in range(600):
    one.log_metrics({"i": i})
    if "W&B run is offline" in open("job.err").read():
        break
    time.sleep(0.05)
os.kill(os.getpid(), 9)
"""
    job = jobs.Job(code, tmp_path)
    result = job.end()
    assert (result.code, len(result.lines)) == (-9, 1), result.err


def test_rows_are_with_wandb_soon_after_on_app_end(server: Server, tmp_path: Path) -> None:
    """Nobody calls finish(), and the job goes on."""
    job = jobs.Job(
        BEGIN + 'say_so("ended"); wait_for("go on"); os._exit(0)',
        tmp_path,
        {"WANDB_MODE": None, **server.environment()},
    )
    job.wait_for("ended")
    jobs.until(lambda: {row.get("i") for row in server.rows.values()} >= set(range(20)), "all rows at the server", 30)
    jobs.until(lambda: any("app_finish_time" in row for row in server.rows.values()), "the last row, too", 30)
    assert job.process.poll() is None
    job.go_on("go on")
    result = job.end()
    assert (result.code, jobs.mark(tmp_path)["state"]) == (0, "finished")
    assert sorted(server.rows) == list(range(len(server.rows)))
