"""Limits hold where a test of the application's has frozen the clock, or lets it step."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.delivery import jobs

CLOCKS = {
    "frozen": "time.monotonic = lambda: 1000.0",
    "stepping": "time.monotonic = lambda: now.pop() if now else 1e9\nnow = [1e9, 1.0] * 500",
    "freezegun": "",
}
WAITS = """
import os, stat
hanging = os.path.abspath("python3")
open(hanging, "w").write("#!/bin/sh\\nwhile true; do sleep 0.2; done\\n")
os.chmod(hanging, 0o755)
os.environ["ONE_LOGGER_V1_PYTHON"] = hanging
{clock}
one = one_logger(asynchronous=False)
log(one, 3)
one.finish()
print("done")
"""


@pytest.mark.parametrize("name", CLOCKS)
def test_finish_keeps_its_limit(name: str, tmp_path: Path) -> None:
    if name == "freezegun":
        pytest.importorskip("freezegun")
    began = time.monotonic()
    environ = {"ONE_LOGGER_V1_FINISH_TIMEOUT": "2", "ONE_LOGGER_V1_SYNC_TIMEOUT": "1"}
    begin = "import freezegun; freezegun.freeze_time('2026-01-02').start()\n" if name == "freezegun" else ""
    job = jobs.Job(WAITS.format(clock=CLOCKS[name]), tmp_path, environ, begin=begin)
    code = job.process.wait(45)
    took = time.monotonic() - began
    for pid in jobs.processes(tmp_path, "python3"):
        os.kill(pid, signal.SIGKILL)
    assert (code, (tmp_path / "job.out").read_text()) == (0, "done\n"), (tmp_path / "job.err").read_text()
    assert took < 15
    assert jobs.journal_values(tmp_path) == [0, 1, 2]
