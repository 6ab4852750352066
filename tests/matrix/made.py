"""Runs as W&B would have stored them, made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

from compat_matrix.compare import Event, tag_row
from compat_matrix.wandb_file import StoredRun


def stored_run(project: str, name: Optional[str], events: Sequence[Event]) -> StoredRun:
    """A run in which everything is right."""
    rows: list[dict[str, Any]] = []
    for event in events:
        row = dict(tag_row(event.value) if event.kind == "tags" else event.value)
        row["app_last_log_time"] = event.at_ms if event.at_ms is not None else 1
        rows.append(row)
    if rows:
        rows[0] = {
            "app_first_log_time": rows[0]["app_last_log_time"],
            "one_logger_version": "0",
            "job_start_time": 0,
            "limit_run": 0,
            **rows[0],
        }
    summary: dict[str, Any] = {}
    for row in rows:
        summary.update({key: value for key, value in row.items() if value is not None})
    return StoredRun(
        Path("made.wandb"), "id", "", project, name or "random-name-1", [], {"_wandb": {}}, summary, rows,
        list(range(len(rows))), 0,
    )  # fmt: skip
