"""Files beside the script that are called like modules of the standard library: rows do not need them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.delivery import jobs
from tests.support import journalled_rows, run_command

pytestmark = pytest.mark.slow

_JOB = """
from one_logger_v1_shim import OneLogger

logger = OneLogger({"project": "p"})
for number in range(5):
    logger.log_metrics({"number": number})
logger.finish()
print("ended")
"""


NAMES = ["secrets", "random", "copy", "select", "tempfile", "shlex", "uuid", "queue", "calendar", "pkgutil"]
#: without them no worker is started, or none is heard of
MORE = ["signal", "struct", "subprocess", "socket", "selectors", "inspect", "traceback", "hashlib", "platform", "numpy"]


def run(folder: Path, *names: str, **environ: str) -> str:
    """The job with the user's own modules beside it. Returns what it has said."""
    for name in names:
        (folder / f"{name}.py").write_text("KEY = 'mine'\n")
    (folder / "train.py").write_text(_JOB)
    environ = {"WANDB_MODE": "offline", "WANDB_SILENT": "true", **environ}
    done = run_command([sys.executable, "train.py"], folder, env=environ)
    assert done.stdout.strip() == "ended"
    assert [row["number"] for row in journalled_rows(folder)] == [0, 1, 2, 3, 4]
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("name", [*NAMES, *MORE])
def test_rows_are_in_the_journal(name: str, tmp_path: Path) -> None:
    (line,) = run(tmp_path, name, ONE_LOGGER_V1_PYTHON=str(tmp_path / "none")).splitlines()
    assert "rows are kept in" in line


@pytest.mark.everywhere
def test_all_of_them_beside_a_worker(tmp_path: Path) -> None:
    run(tmp_path, *NAMES)
    jobs.gone(tmp_path)
