"""docs/nemo.md: a program on v2's own Lightning integration, and our exporter named in a file. As it stands there."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from one_logger_v1_shim._v1 import metrics as m
from tests.documents.samples import samples
from tests.support import clean_environment, journalled_rows, stored_rows, stored_runs

INTEGRATION = "nv-one-logger-pytorch-lightning-integration"


def _why_not() -> str:
    """v2's integration fails to import on Lightning 2.6."""
    try:
        versions = [metadata.version(name) for name in ("lightning", INTEGRATION)]
    except metadata.PackageNotFoundError as error:
        return f"NOT RUN: {error.name} is not installed"
    major, minor = map(int, versions[0].split(".")[:2])
    return "" if (major, minor) < (2, 6) else f"NOT RUN: v2's integration does not import on Lightning {versions[0]}"


@pytest.mark.skipif(bool(_why_not()), reason=_why_not() or "-")
def test_the_recipe(tmp_path: Path) -> None:
    (program,) = (one.text for one in samples("py") if one.document.name == "nemo.md")
    (exporters,) = (one.text for one in samples("yaml") if one.document.name == "nemo.md")
    (tmp_path / "one_logger_exporters_config.yaml").write_text(exporters)
    (tmp_path / "train.py").write_text(program)
    environ = clean_environment(tmp_path, {"WANDB_MODE": "offline"})
    done = subprocess.run([sys.executable, "train.py"], cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (run,) = stored_runs(tmp_path)
    assert (run.entity, run.project) == ("my-team", "my-project")
    assert len(journalled_rows(tmp_path, bookkeeping=True)) == 16
    rows = stored_rows(tmp_path)
    names = {name for row in rows for name in row}
    assert names <= set(m.UNITS)
    left_out = {name for name, sent in m.SENT.items() if any(one.startswith("on_") for one in sent)} - names
    # of the phases that the program does not have, and of throughput, which it does not switch on
    assert {name for name in left_out if not name.startswith(("app_build_", "load_checkpoint_"))} <= {
        *("train_tokens", "save_checkpoint_async_count"),
        *(name for name in m.UNITS if "tflop" in name or "throughput" in name),
    }
