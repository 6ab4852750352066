"""A job that is stopped (SIGSTOP, a cgroup's freezer) for longer than our limits, and goes on."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.delivery import jobs
from tests.delivery.server import Server

ROWS = list(range(5))
JOB = """
one = one_logger(asynchronous={asynchronous})
log(one, 2)
say_so("half"); wait_for("go on")
log(one, 3, start=2)
one.finish()
print("done")
"""
STOPPED = 4.0  # seconds
LIMITS = {
    "ONE_LOGGER_V1_CONNECT_TIMEOUT": "1",
    "ONE_LOGGER_V1_INIT_TIMEOUT": "20",  # the run has to be open before
    "ONE_LOGGER_V1_SYNC_TIMEOUT": "1",
    "ONE_LOGGER_V1_FINISH_TIMEOUT": "2",
}
#: what may be said: a limit has passed; nothing of rows that are lost, of a run that is offline
MAY_BE_SAID = ("W&B did not take a row within ", "W&B has not taken all rows within ")


def stopped(job_too: bool, asynchronous: bool) -> Callable[[Path], tuple[jobs.Result, Server]]:
    """``job_too``: the job is stopped with its worker and wandb's process; else these two alone, and it goes on."""

    def scenario(home: Path) -> tuple[jobs.Result, Server]:
        server = Server()
        job = jobs.Job(
            JOB.format(asynchronous=asynchronous), home, {"WANDB_MODE": None, **server.environment(), **LIMITS}
        )
        try:
            job.wait_for("half")
            job.taken(2)
            pids = [job.worker(), job.service(), *([job.process.pid] if job_too else [])]
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            job.go_on("go on")
            time.sleep(STOPPED)
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
            return job.end(), server
        finally:
            server.stop()

    return scenario


SCENARIOS: dict[str, Callable[[Path], Any]] = {
    "all of it": stopped(True, True),
    "all of it, sync": stopped(True, False),
    "all but the job, sync": stopped(False, False),
}


EVERYWHERE = pytest.param("all of it", marks=pytest.mark.everywhere)


@pytest.mark.parametrize("name", [EVERYWHERE, *list(SCENARIOS)[1:]])
def test_all_rows(name: str, outcome: Callable[[str], tuple[jobs.Result, Server]]) -> None:
    result, server = outcome(name)
    assert (result.code, result.out) == (0, "done\n"), result.err
    assert [server.rows[step]["i"] for step in sorted(server.rows)] == ROWS
    assert result.values() == ROWS
    assert jobs.mark(result.home)["state"] == "finished"
    assert [line for line in result.lines if not line.startswith(MAY_BE_SAID)] == []
