"""Files beside the script that are called like modules of the standard library: rows do not need them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    "name",
    ["secrets", "random", "copy", "select", "tempfile", "shlex", "uuid", "queue", "calendar", "pkgutil"],
)
def test_rows_are_in_the_journal(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.py").write_text("KEY = 'mine'\n")
    (tmp_path / "train.py").write_text(_JOB)
    done = run_command([sys.executable, "train.py"], tmp_path, env={"WANDB_MODE": "offline", "WANDB_SILENT": "true"})
    assert done.stdout.strip() == "ended"
    assert [row["number"] for row in journalled_rows(tmp_path)] == [0, 1, 2, 3, 4]
    assert "Traceback" not in done.stderr
