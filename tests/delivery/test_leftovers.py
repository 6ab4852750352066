"""A job that ended leaves nothing in the temp folder, and no process: wherever its rows went, and however it ended."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import left_behind
from tests.delivery import jobs
from tests.delivery.server import Server

ENDS = {
    "offline": "one = one_logger()\nlog(one, 3)\none.finish()\n",
    "without finish": "log(one_logger(), 3)\n",
    "killed": "log(one_logger(), 3)\nwhile not os.path.exists('taken'): time.sleep(0.02)\nos.kill(os.getpid(), 9)\n",
    "a child that logs": "one = one_logger()\nlog(one, 3)\n"
    "if not os.fork():\n    log(one_logger(), 2)\n    os._exit(0)\nos.wait()\none.finish()\n",
}


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder with a short path: wandb makes sockets in it."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def left(folder: Path) -> list[str]:
    """What is there. The last wandb for Python 3.9 leaves the folder of its socket."""
    return left_behind.entries(folder) if sys.version_info < (3, 10) else sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", ENDS)
def test_offline(name: str, temporary: Path, tmp_path: Path) -> None:
    job = jobs.Job(ENDS[name], tmp_path, {"TMPDIR": str(temporary)})
    if name == "killed":
        job.taken(3)
        job.go_on("taken")
    result = job.end()
    assert result.values()[:3] == [0, 1, 2]
    assert left(temporary) == []


def test_online(temporary: Path, tmp_path: Path, server: Server) -> None:
    environment = {**server.environment(), "WANDB_MODE": "online", "TMPDIR": str(temporary)}
    jobs.Job(ENDS["offline"], tmp_path, environment).end()
    assert left(temporary) == []
