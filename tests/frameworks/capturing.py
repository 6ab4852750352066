"""A framework's job in a block of ``one_logger_v1_shim.testing``, for comparison with the same job in W&B's file."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.frameworks import jobs


@dataclass
class Captured:
    """What ``captured_job.py`` has written."""

    kinds: list[str]
    #: without the row that the end of the block has added, if it has
    kinds_before: list[str]
    spans: list[list[Any]]
    finished: list[bool]
    error: Any


def captured(kind: str, folder: Path, **settings: Any) -> Captured:
    """Run the job; no ``wandb`` folder, no wandb module."""
    script = str(Path(__file__).with_name("captured_job.py"))
    result = jobs.run_command([sys.executable, script, kind, json.dumps(settings)], folder)
    assert result.returncode == 0, result.output
    assert "it is dropped" not in result.output
    assert not list(folder.rglob("*wandb*"))
    assert not list(folder.rglob("onelogger.*"))
    found = json.loads((folder / "captured.json").read_text())
    assert not found["wandb"]
    return Captured(
        kinds(found["after"]["rows"]),
        kinds(found["before"]["rows"]),
        found["after"]["spans"],
        found["after"]["finished"],
        found["error"],
    )


def kinds(rows: list[dict[str, Any]]) -> list[str]:
    stripped = [{key: value for key, value in row.items() if key not in jobs.BOOKKEEPING} for row in rows]
    return [jobs.kind_of(row) for row in stripped if row]
