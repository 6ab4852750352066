"""A run ends as its process ended: the exit code of the job is the exit code of the run."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Callable, NamedTuple

import pytest

from tests.delivery import jobs
from tests.support import CONFIG

BEGIN = "one = one_logger()\none.log_metrics({'i': 0})\n"

#: how the program ends -> its exit code, which is the run's. All as a script.
ENDS: dict[str, tuple[str, int]] = {
    "returns": ("pass", 0),
    "sys.exit(3)": ("sys.exit(3)", 3),
    "sys.exit()": ("sys.exit()", 0),
    "sys.exit(text)": ("sys.exit('text')", 1),
    "sys.exit in a function": ("def main(): sys.exit(5)\nmain()", 5),
    "sys.exit in a handler": ("try: 1 / 0\nexcept ZeroDivisionError: sys.exit(6)", 6),
    "SystemExit(7)": ("raise SystemExit(7)", 7),
    "SystemExit": ("raise SystemExit", 0),
    "SystemExit(text)": ("raise SystemExit('text')", 1),
    "SystemExit in a function": ("def main(): raise SystemExit(8)\nmain()", 8),
    "quit(2)": ("quit(2)", 2),
    "exit(4)": ("exit(4)", 4),
    "an exception": ("raise KeyError('mine')", 1),
    "caught": ("try: sys.exit(3)\nexcept SystemExit: pass", 0),
    "caught, a raised one": ("try: raise SystemExit(7)\nexcept SystemExit: pass", 0),
    "caught and kept": ("try: quit(2)\nexcept SystemExit as error: kept = error", 0),
    "caught, then another": ("try: sys.exit(3)\nexcept SystemExit: pass\nsys.exit(4)", 4),
    "caught, then an exception": ("try: sys.exit(3)\nexcept SystemExit: pass\nraise KeyError('mine')", 1),
    "in a thread": ("thread = threading.Thread(target=sys.exit, args=(3,)); thread.start(); thread.join()", 0),
    "raised in a thread": (
        "def work(): raise SystemExit(7)\nthread = threading.Thread(target=work); thread.start(); thread.join()", 0,
    ),
    "finished before": ("one.finish()\nsys.exit(3)", 3),
}  # fmt: skip

if sys.version_info >= (3, 12):  # older ones have no exception for it until somebody looks
    ENDS["exit(), known from before"] = ("known(9)", 9)

#: not as a script: what there is beside it
OTHERS = {
    "-c, sys.exit(3)": (["-c"], "sys.exit(3)", 3),
    "-c, caught": (["-c"], "try: sys.exit(3)\nexcept SystemExit: pass", 0),
    "-c, an exception": (["-c"], "raise KeyError('mine')", 1),
    "-m, sys.exit(3)": (["-m", "job"], "sys.exit(3)", 3),
    "-m, caught": (["-m", "job"], "try: sys.exit(3)\nexcept SystemExit: pass", 0),
}

KNOWN = "from sys import exit as known\n"  # before we are imported


def alone(code: str, options: tuple[str, ...] = ()) -> Callable[[Path], jobs.Result]:
    """A job without a worker: the journal has the exit code in its last line."""

    def scenario(home: Path) -> jobs.Result:
        command = [sys.executable, *options] if options else None
        if options == ("-c",):
            command = [sys.executable, "-c", jobs.BEGIN + BEGIN + code]
        env = {"ONE_LOGGER_V1_PYTHON": str(home / "none")}
        return jobs.run(BEGIN + code, home, env, begin=KNOWN, command=command)

    return scenario


class Stored(NamedTuple):
    """A job with a worker: how its run ended."""

    scenario: Callable[[Path], jobs.Result]
    code: int
    run_code: int


APPLICATION = f"""
from one_logger_v1_shim.utils import OneLoggerUtils
one = OneLoggerUtils({ ({**CONFIG, "one_logger_async": True})!r})
one.on_app_start()
one.on_app_end()
"""


def ended(code: str) -> Callable[[Path], jobs.Result]:
    return lambda home: jobs.run(code, home)


def killed(home: Path) -> jobs.Result:
    job = jobs.Job(APPLICATION + "say_so('ended'); time.sleep(60)", home)
    job.wait_for("ended")
    job.process.send_signal(signal.SIGKILL)
    return job.end()


STORED: dict[str, Stored] = {
    "stored: SystemExit(7)": Stored(ended(BEGIN + "raise SystemExit(7)"), 7, 7),
    "stored: caught": Stored(ended(BEGIN + "try: sys.exit(3)\nexcept SystemExit: pass"), 0, 0),
    "stored: on_app_end, os._exit(5)": Stored(ended(APPLICATION + "os._exit(5)"), 5, 0),
    "stored: on_app_end, SIGKILL": Stored(killed, -signal.SIGKILL, 0),
    "stored: on_app_end, sys.exit(3)": Stored(ended(APPLICATION + "sys.exit(3)"), 3, 3),
}

SCENARIOS: dict[str, Callable[[Path], jobs.Result]] = {
    **{name: one.scenario for name, one in STORED.items()},
    **{name: alone(code) for name, (code, _) in ENDS.items()},
    **{name: alone(code, tuple(options)) for name, (options, code, _) in OTHERS.items()},
}


@pytest.mark.parametrize("name", [*ENDS, *OTHERS])
def test_the_journal_ends_with_the_jobs_exit_code(name: str, outcome: Callable[[str], jobs.Result]) -> None:
    code = ENDS[name][1] if name in ENDS else OTHERS[name][2]
    result = outcome(name)
    assert result.code == code, result.err
    (path,) = result.home.rglob("rows-*.jsonl")
    run_code = 0 if name == "finished before" else code
    assert path.read_text().splitlines()[-1] == f"#finish {run_code}", result.err


@pytest.mark.parametrize("name", STORED)
def test_the_run_ends_with_the_jobs_exit_code(name: str, outcome: Callable[[str], jobs.Result]) -> None:
    """A job that has reported the end of its application, and then goes away however it may, has finished."""
    result, (_, code, run_code) = outcome(name), STORED[name]
    assert result.code == code, result.err
    (run,) = result.runs()
    mark = jobs.mark(result.home)
    assert (mark["state"], mark["exit_code"], run.exit_code) == ("finished", run_code, run_code)
