"""A framework's job in a block of ``one_logger_v1_shim.testing``, for comparison with the same job in W&B's file."""

from __future__ import annotations

import json
from typing import Any, Callable

from tests.frameworks import jobs


def captured(job: Callable[..., jobs.Result], kind: str, **settings: Any) -> dict[str, Any]:
    """What ``captured_job.py`` has written of the job, and the kinds of its rows. No ``wandb`` folder, no wandb."""
    result = job("captured", of=kind, **settings)
    assert result.returncode == 0, result.output
    assert "it is dropped" not in result.output
    assert not list(result.folder.rglob("*wandb*"))
    assert not list(result.folder.rglob("onelogger.*"))
    found: dict[str, Any] = json.loads((result.folder / "captured.json").read_text())
    assert not found["wandb"]
    return {
        **found["after"],
        "error": found["error"],
        "kinds": kinds(found["after"]["rows"]),
        # without the row that the end of the block has added, if it has
        "kinds before": kinds(found["before"]["rows"]),
    }


def kinds(rows: list[dict[str, Any]]) -> list[str]:
    stripped = [{key: value for key, value in row.items() if key not in jobs.BOOKKEEPING} for row in rows]
    return [jobs.kind_of(row) for row in stripped if row]
