"""What travels from a job to its worker by the environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.delivery import jobs
from tests.delivery.server import Server

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


SCENARIOS: Mapping[str, Any] = {
    **{name: begins(code) for name, code in BEGIN.items()},
    "a long sys.path, twice": starts_over,
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_all_rows(name: str, outcome: Callable[[str], jobs.Result]) -> None:
    result = outcome(name)
    assert (result.code, result.out, result.values()) == (0, "done\n", ROWS), result.err
    assert jobs.mark(result.home)["state"] == "finished"
    assert len(result.lines) == 1
    assert "W&B run is offline (" in result.lines[0]
    assert not list(result.home.rglob("path.json"))
