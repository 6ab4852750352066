"""More of what a machine or a program may be like. Where plain wandb works, ours does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.delivery import jobs
from tests.support import ROOT, clean_environment

ROWS = 6
JOB = f"""
one = one_logger(ASYNCHRONOUS)
log(one, {ROWS})
one.finish()
print("done")
"""


def job(begin: str = "", asynchronous: bool = True, code: str = JOB, **environ: str) -> Callable[[Path], jobs.Result]:
    code = code.replace("ASYNCHRONOUS", str(asynchronous))
    return lambda home: jobs.run(code, home, environ, begin=begin)


# "p" and "x" begin messages of the worker to its job.
PRINTS = """
import os, sys
print("x is what this company prints in each process of Python")
sys.stdout.flush()
os.write(1, b"p12345678x12345678r")
"""


def prints_at_start(home: Path) -> jobs.Result:
    (home / "site").mkdir(parents=True)
    (home / "site" / "sitecustomize.py").write_text(PRINTS)
    path = f"{home / 'site'}{os.pathsep}{ROOT}"
    result = jobs.run(JOB.replace("ASYNCHRONOUS", "False"), home, {"PYTHONPATH": path})
    result.out = result.out.splitlines()[-1].rpartition("r")[2] + "\n"
    return result


def unwritable_home(home: Path) -> jobs.Result:
    """No file can be made in the user's home, whoever the user is."""
    return jobs.run(JOB.replace("ASYNCHRONOUS", "True"), home, {"HOME": "/proc/self"})


# The name is cut in the middle of a character, as the system does with long ones.
NAMED = r"""
import ctypes
assert ctypes.CDLL(None).prctl(15, b"(train) \xe8\xae\xad\xe7\xbb", 0, 0, 0) == 0  # PR_SET_NAME
"""
REAPER = """
import os, signal
def reap(*_):
    try:
        while os.waitpid(-1, os.WNOHANG)[0]: pass
    except ChildProcessError: pass
signal.signal(signal.SIGCHLD, reap)
"""
NO_SHELL = """
import subprocess
class Popen(subprocess.Popen):
    def __init__(self, args, **more):
        if args[0] == "/bin/sh": raise FileNotFoundError(2, "No such file or directory", "/bin/sh")
        super().__init__(args, **more)
subprocess.Popen = Popen
"""
CLOSES = "import os\nos.closerange(3, 100)\n"
DEEP = f"""
one = one_logger()
def deeper(depth):
    if depth > sys.getrecursionlimit() - 120:
        one.log_metrics({{"depth": depth}})
    try:
        deeper(depth + 1)
    except RecursionError:
        pass
deeper(len(__import__("inspect").stack()))
log(one, {ROWS})
one.finish()
print("done")
"""

# What C code prints goes to whatever has the number of the closed stream.
NOISE = """
os.close(1)
one = one_logger()
for i in range(6):
    one.log_metrics({"i": i})
    try:
        os.write(1, b"noise\\n")
    except OSError: pass
one.finish()
os._exit(0)
"""

SCENARIOS: dict[str, Callable[[Path], Any]] = {
    "C code prints to a closed stream": job(code=NOISE),
    "sitecustomize prints": prints_at_start,
    "the process has an odd name and no sys.argv": job(NAMED + "import sys; del sys.argv\n", False),
    "sys.argv is None": job("import sys; sys.argv = None\n"),
    "no standard error": job("import sys; sys.stderr = None\n"),
    "standard streams are closed": job(
        "", code="os.close(0); os.close(1); os.close(2)\n" + JOB.replace('print("done")', "os._exit(0)")
    ),
    "SIGCHLD is ignored": job("import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n", False),
    "the job reaps all children": job(REAPER, False),
    "no shell": job(NO_SHELL),
    "no stack is left": job(code=DEEP),
    "HOME takes no file": unwritable_home,
    "TMPDIR does not exist, the locale is C and a text no UTF-8": job(
        TMPDIR="/nowhere", WANDB_NOTES=os.fsdecode(b"caf\xe9"),
        LC_ALL="C", LANG="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0",
    ),
    "optimised": job(PYTHONOPTIMIZE="2"),
}  # fmt: skip
SILENT = ("no standard error", "standard streams are closed")
NO_OUTPUT = ("standard streams are closed", "C code prints to a closed stream")


@pytest.mark.parametrize("name", SCENARIOS)
def test_all_rows_once(name: str, outcome: Callable[[str], jobs.Result]) -> None:
    result = outcome(name)
    assert result.code == 0, result.err
    if name not in NO_OUTPUT:
        assert result.out == "done\n"
    assert "Traceback" not in result.err
    assert result.values() == list(range(ROWS)) == jobs.journal_values(result.home)
    assert jobs.mark(result.home)["state"] == "finished"
    if name == "no stack is left":
        depths = [row["depth"] for run in result.runs() for row in run.rows if "depth" in row]
        assert depths == sorted(set(depths))
        assert len(depths) > 10
    elif name not in SILENT:
        (line,) = result.lines
        assert "W&B run is offline (" in line


def test_doctor_where_each_process_prints(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(PRINTS)
    environ = clean_environment(
        tmp_path, {"PYTHONPATH": f"{tmp_path / 'site'}{os.pathsep}{ROOT}", "WANDB_MODE": "offline"}
    )
    command = [sys.executable, "-m", "one_logger_v1_shim", "doctor", "--offline"]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60)
    assert "could not be looked at" not in done.stdout
    assert "ok       wandb: " in done.stdout
    assert "W&B mode: offline" in done.stdout
