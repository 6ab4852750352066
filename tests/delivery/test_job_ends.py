"""However a job ends, and whatever happens to our processes: its rows are there, in order, and no process is left."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Callable

import pytest

from tests.delivery import jobs

ALL = list(range(50))


def plain(code: str, *options: str) -> Callable[[Path], jobs.Result]:
    return lambda home: jobs.run(code, home, options=options)


def signalled(number: int, group: bool = False) -> Callable[[Path], jobs.Result]:
    """The job is ended from outside after its last row."""

    def scenario(home: Path) -> jobs.Result:
        # Tests that run in the background of a shell ignore Ctrl-C, and so would the job.
        listen = "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        job = jobs.Job(listen + 'one = one_logger(); log(one, 50); say_so("logged"); time.sleep(60)', home)
        job.wait_for("logged")
        (os.killpg if group else os.kill)(job.process.pid, number)
        return job.end()

    return scenario


def everybody_gets_sigterm(home: Path) -> jobs.Result:
    """As a scheduler ends a job: SIGTERM for all its processes."""
    job = jobs.Job('one = one_logger(False); log(one, 50); say_so("logged"); time.sleep(60)', home)
    job.wait_for("logged")
    for pid in (job.service(), job.worker(), job.process.pid):
        os.kill(pid, signal.SIGTERM)
    return job.end()


GO_ON = """
one = one_logger({asynchronous})
log(one, 25)
say_so("half")
wait_for("go on")
slowest = 0.0
for i in range(25, 50):
    began = time.monotonic()
    one.log_metrics({{"i": i}})
    slowest = max(slowest, time.monotonic() - began)
open("slowest", "w").write(str(slowest))
one.finish()
print("done")
"""


def killed(who: str, asynchronous: bool = True, before: str = "") -> Callable[[Path], jobs.Result]:
    """Our worker, or wandb's process, dies in the middle of a run."""

    def scenario(home: Path) -> jobs.Result:
        job = jobs.Job(before + GO_ON.format(asynchronous=asynchronous), home)
        job.wait_for("half")
        job.taken(25)
        os.kill(job.worker() if who == "worker" else job.service(), signal.SIGKILL)
        job.go_on("go on")
        return job.end()

    return scenario


def stopped_worker(home: Path) -> jobs.Result:
    """The worker hangs: a sync job waits once, bounded, and is not held up again."""
    environ = {"ONE_LOGGER_V1_SYNC_TIMEOUT": "2", "ONE_LOGGER_V1_FINISH_TIMEOUT": "1"}
    job = jobs.Job(GO_ON.format(asynchronous=False), home, environ)
    job.wait_for("half")
    worker = job.worker()
    job.taken(25)
    os.kill(worker, signal.SIGSTOP)
    job.go_on("go on")
    code = job.process.wait(60)
    os.kill(worker, signal.SIGCONT)
    result = job.end()
    assert result.code == code
    return result


THREADS = """
one = one_logger({asynchronous})
def work(thread):
    for n in range(30):
        one.log_metrics({{"thread": thread, "n": n}})
threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
one.finish()
print("done")
"""

FORK = """
one = one_logger({asynchronous})
log(one, 25)
pid = os.fork()
if pid == 0:
    log(one, 5, start=100)
    one.finish()
    sys.exit(0)  # with the exit handlers that were inherited
assert os.waitpid(pid, 0)[1] == 0
pid = os.fork()
if pid == 0:
    time.sleep(300)  # holds what it inherited
log(one, 25, start=25)
one.finish()
os.kill(pid, 9)
print("done")
"""

SPAWN = """
import multiprocessing

def child(rank):
    if rank == 0:
        one = one_logger()
        log(one, 50)  # and no finish: a child ends without atexit

if __name__ == "__main__":
    context = multiprocessing.get_context("{method}")
    children = [context.Process(target=child, args=(rank,)) for rank in range(2)]
    for one in children: one.start()
    for one in children: one.join()
    print(*[one.exitcode for one in children])
    print("done")
"""

HELD = """
import subprocess
one = one_logger()
log(one, 50)
one.finish()
print("done")
"""

#: name -> (scenario, exit code, standard output, exit code of the run, what the log says beside the offline line)
JOBS: dict[str, tuple[Callable[[Path], jobs.Result], int, str, int, list[str]]] = {
    "finish, sync": (plain('one = one_logger(False); log(one, 50); one.finish(); print("done")'), 0, "done\n", 0, []),
    "never finished": (plain('one = one_logger(); log(one, 50); print("done")'), 0, "done\n", 0, []),
    "finished twice, then a row": (
        plain('one = one_logger(); log(one, 50); one.finish(); one.finish(); log(one, 3, start=50); print("done")'),
        0, "done\n", 0, [],
    ),
    "finish in a thread": (
        plain("""
one = one_logger()
log(one, 50)
thread = threading.Thread(target=one.finish)
thread.start()
thread.join()
print("done")
"""), 0, "done\n", 0, [],
    ),
    "exception": (plain('one = one_logger(); log(one, 50); raise KeyError("mine")'), 1, "", 1, ["KeyError: 'mine'"]),
    "os._exit": (plain("one = one_logger(); log(one, 50); os._exit(3)"), 3, "", 1, ["-"]),
    "SIGTERM": (signalled(signal.SIGTERM), -15, "", 1, ["-"]),
    "SIGTERM for everybody": (everybody_gets_sigterm, -15, "", 1, ["-"]),
    "SIGINT": (signalled(signal.SIGINT), -2, "", 1, ["KeyboardInterrupt"]),
    "SIGKILL of the group": (signalled(signal.SIGKILL, group=True), -9, "", 1, ["-"]),
    "handler that finishes": (
        plain("""
one = one_logger()
def handler(number, frame):
    one.finish()
    sys.exit(5)
signal.signal(signal.SIGUSR1, handler)
log(one, 50)
os.kill(os.getpid(), signal.SIGUSR1)
time.sleep(60)
"""), 5, "", 0, [],
    ),
    "unguarded script": (plain(SPAWN.format(method="fork").replace('if __name__ == "__main__":', "if True:")),
                         0, "0 0\ndone\n", 0, []),
    "child of spawn": (plain(SPAWN.format(method="spawn")), 0, "0 0\ndone\n", 0, []),
    "child of forkserver": (plain(SPAWN.format(method="forkserver")), 0, "0 0\ndone\n", 0, []),
    "fork": (plain(FORK.format(asynchronous=True)), 0, "done\n", 0, []),
    "fork, sync": (plain(FORK.format(asynchronous=False)), 0, "done\n", 0, []),
    "warnings are errors": (
        plain('one = one_logger(); log(one, 50); one.finish(); print("done")', "-X", "dev", "-W", "error"),
        0, "done\n", 0, [],
    ),
    "clock steps": (
        plain("""
import itertools
steps, clock = itertools.cycle([0, 3600, -3600]), time.time
time.time = lambda: clock() + next(steps)
one = one_logger()
log(one, 50)
one.finish()
print("done")
"""), 0, "done\n", 0, [],
    ),
    "worker killed": (killed("worker"), 0, "done\n", 0, ["has ended; another one goes on"]),
    "worker killed, SIGPIPE ends the job": (
        killed("worker", False, "signal.signal(signal.SIGPIPE, signal.SIG_DFL)\n"),
        0, "done\n", 0, ["has ended; another one goes on"],
    ),
    "wandb killed": (killed("wandb"), 0, "done\n", 0, ["wandb's process has ended; another one goes on"]),
    "wandb killed, sync": (killed("wandb", False), 0, "done\n", 0, ["wandb's process has ended; another one goes on"]),
    "worker hangs": (stopped_worker, 0, "done\n", 0, ["did not take a row within 2 s", "goes on in the background"]),
}  # fmt: skip

SCENARIOS: dict[str, Callable[[Path], jobs.Result]] = {
    **{name: job[0] for name, job in JOBS.items()},
    "16 threads": plain(THREADS.format(asynchronous=True)),
    "16 threads, sync": plain(THREADS.format(asynchronous=False)),
}


@pytest.mark.parametrize("name", JOBS)
def test_job(name: str, outcome: Callable[[str], jobs.Result]) -> None:
    _, code, out, run_code, said = JOBS[name]
    result = outcome(name)
    assert (result.code, result.out) == (code, out), result.err
    assert result.values() == ALL
    assert jobs.journal_values(result.home) == ALL
    runs = result.runs()
    assert {run.run_id for run in runs} == {runs[0].run_id}
    steps = [step for run in runs for step in run.steps]
    assert steps == list(range(len(steps)))
    assert runs[-1].exit_code == run_code
    assert jobs.mark(result.home)["state"] == "finished"
    if said == ["-"]:
        # it had no chance to say anything, unless W&B was up before the end
        assert all("W&B run is offline (WANDB_MODE=offline)" in line for line in result.lines)
        return
    lines = result.lines
    if "killed" in name and len(lines) == 3:  # the folder that was named first did not live
        assert str(runs[-1].path.parent) in lines.pop()
    if code == 0 and "hangs" not in name:
        assert len(lines) == 1 + len(said), lines
    if "hangs" not in name:
        assert any("W&B run is offline (WANDB_MODE=offline)" in line for line in lines)
    for one in said:
        assert any(one in line for line in lines), lines


def test_a_callback_is_not_held_up_by_a_worker_that_hangs(outcome: Callable[[str], jobs.Result]) -> None:
    result = outcome("worker hangs")
    assert float((result.home / "slowest").read_text()) < 10


@pytest.mark.parametrize("name", ["16 threads", "16 threads, sync"])
def test_threads(name: str, outcome: Callable[[str], jobs.Result]) -> None:
    result = outcome(name)
    assert (result.code, result.out) == (0, "done\n")
    (run,) = result.runs()
    for thread in range(16):
        assert [row["n"] for row in run.rows if row.get("thread") == thread] == list(range(30))


def test_the_jobs_pipe_is_not_held_open(tmp_path: Path) -> None:
    """`job | tee log` ends with the job, not with what the worker still has to do."""
    import subprocess
    import sys
    import time

    from tests.support import clean_environment

    (tmp_path / "job.py").write_text(jobs.BEGIN + 'one = one_logger(); log(one, 5); print("done")')
    environ = clean_environment(tmp_path, {"WANDB_MODE": "offline", "ONE_LOGGER_V1_FINISH_TIMEOUT": "0"})
    done = subprocess.run(
        [sys.executable, "job.py"],
        cwd=tmp_path,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    ended = time.monotonic()
    assert done.returncode == 0
    assert b"done" in done.stdout
    assert jobs.processes(tmp_path, "_worker/start.py"), "the worker was to outlive the job here"
    jobs.gone(tmp_path)
    assert time.monotonic() > ended
    assert jobs.stored(tmp_path)[0].exit_code == 0
