"""What /proc shows is not always what there is: containers with that of the machine, or with none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

import pytest

from one_logger_v1_shim._journal.process_table import has_gone, is_running, started, stat, variable
from tests.delivery import jobs

ROWS = 60
# Longer than the worker's and the job's looks at each other.
JOB = f"""
one = one_logger(ASYNCHRONOUS)
for i in range({ROWS}):
    one.log_metrics({{"i": i}})
    time.sleep(0.1)
one.finish()
print("done")
"""
NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "sh", "-c"]
#: the numbers of the first processes are, in the machine's /proc, those of others; numbers that nobody has there follow
FOREIGN = 'for i in $(seq {count}); do /bin/true; done; "$0" job.py; exit $?'
EMPTY = 'mount -t tmpfs none /proc && "$0" job.py; exit $?'


def inside(script: str, asynchronous: bool = True) -> Callable[[Path], jobs.Result]:
    def scenario(home: Path) -> jobs.Result:
        code = JOB.replace("ASYNCHRONOUS", str(asynchronous))
        job = jobs.Job(code, home, command=[*NAMESPACE, script, sys.executable])
        code = job.process.wait(120)  # with the first process all others in there have ended
        return jobs.Result(home, code, (home / "job.out").read_text(), (home / "job.err").read_text(), 0.0)

    return scenario


SCENARIOS: dict[str, Callable[[Path], Any]] = {
    "others have these numbers": inside(FOREIGN.format(count=1)),
    "nobody has these numbers": inside(FOREIGN.format(count=1000), asynchronous=False),
    "there is none": inside(EMPTY),
}


@pytest.mark.everywhere
@pytest.mark.parametrize("name", SCENARIOS)
def test_each_row_once_and_one_line(name: str, outcome: Callable[[str], jobs.Result]) -> None:
    result = outcome(name)
    if "unshare" in result.err or "mount:" in result.err:
        pytest.skip("this machine allows no user namespaces")
    assert (result.code, result.out) == (0, "done\n"), result.err
    (line,) = result.lines
    assert "W&B run is offline (WANDB_MODE=offline)" in line
    assert result.values() == list(range(ROWS))
    assert jobs.mark(result.home)["state"] == "finished"


def test_without_a_proc_of_ours_the_kernel_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    began = started(process.pid)
    assert began is not None
    monkeypatch.setattr(os, "readlink", lambda _: "1")
    assert started(process.pid) is variable(process.pid, "PATH") is None
    with pytest.raises(OSError, match="another namespace"):
        stat(process.pid)
    assert is_running(process.pid, began)
    assert not has_gone(process.pid)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert has_gone(process.pid)
    assert not is_running(process.pid, began)


@pytest.mark.parametrize("number", [0, -1, 2**31, 2**60])
def test_a_number_from_a_file(number: int) -> None:
    assert not is_running(number)
