"""``ONE_LOGGER_JOB_CATEGORY`` is in the run's configuration; also where `recover` sends the run from another shell."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.support import run_command, run_python, stored_runs

pytestmark = pytest.mark.slow

JOB = (
    "from one_logger_v1_shim import OneLogger\none = OneLogger(config={'project': 'p', 'name': 'n'})\n"
    "one.log_metrics({'a': 1})\none.finish()"
)


def configuration(folder: Path) -> dict[str, object]:
    (run,) = stored_runs(folder)
    return {key: value for key, value in run.config.items() if key != "_wandb"}


def test_it_is_in_the_configuration(tmp_path: Path) -> None:
    quiet = {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}
    run_python(JOB, tmp_path, env={**quiet, "ONE_LOGGER_JOB_CATEGORY": "production"})
    assert configuration(tmp_path) == {"job_category": "production"}
    for folder in tmp_path.glob("wandb/offline-run-*"):  # the journal alone is left
        shutil.rmtree(folder)
    (journal,) = tmp_path.glob("wandb/one-logger-*")
    (journal / "mark.json").unlink()
    run_command([sys.executable, "-m", "one_logger_v1_shim", "recover", str(journal)], tmp_path, env=quiet)
    assert configuration(tmp_path) == {"job_category": "production"}
