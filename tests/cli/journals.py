"""Journals as a job leaves them, written by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from one_logger_v1_shim._v1 import metrics as m

RUN_ID = "abcd1234"
T0 = 1_700_000_000_000.0  # 2023-11-14 22:13:20 UTC

CONFIGURATION: dict[str, Any] = {
    m.ONE_LOGGER_UTILS_VERSION: "1.0.2",
    m.APP_TAG_RUN_NAME: "llama",
    m.WORLD_SIZE: 16,
    m.GLOBAL_BATCH_SIZE: 8,
    m.TRAIN_ITERATIONS_TARGET: 100,
    m.TRAIN_SAMPLES_TARGET: 800,
    m.IS_BASELINE_RUN: False,
    "learning_rate": 0.25,
}


def training(done: int, at: float) -> dict[str, Any]:
    """The row of the iteration ``done``; every iteration takes a second, the tenth two."""
    total = done + (1.0 if done >= 10 else 0.0)
    return {
        m.TRAIN_ITERATIONS: done,
        m.TRAIN_ITERATIONS_END: done,
        m.TRAIN_SAMPLES: done * 8,
        m.TRAIN_SAMPLES_END: done * 8,
        m.TRAIN_ITERATIONS_TIME_TOTAL: total,
        m.TRAIN_ITERATIONS_TIME_MSECS_AVG: 1000 * total / done,
        m.TRAIN_ITERATIONS_TIME_MSECS_MIN: 1000.0,
        m.TRAIN_THROUGHPUT_PER_GPU: 120.0 * done / total,
        m.TRAIN_THROUGHPUT_PER_GPU_MAX: 120.0,
        m.APP_LAST_LOG_TIME: at + 1000 * total,
    }


def job_rows() -> list[dict[str, Any]]:
    """A job of 20 iterations with a checkpoint after the 15th, a validation, and a row of its own."""
    rows: list[dict[str, Any]] = [
        {m.APP_TAG: ["tag-a", "tag-b"], m.APP_FIRST_LOG_TIME: T0, m.APP_LAST_LOG_TIME: T0},
        CONFIGURATION,
        {m.APP_START_TIME: T0},
        {m.APP_MODEL_INIT_START_TIME: T0},
        {m.APP_MODEL_INIT_FINISH_TIME: T0 + 12_500},
        {m.LOAD_CHECKPOINT_START_TIME: T0 + 13_000},
        {m.APP_TRAIN_LOOP_START_TIME: T0 + 20_000},
    ]
    for done in range(1, 21):
        rows.append(training(done, T0 + 20_000))
        if done == 15:
            rows.append(
                {
                    m.SAVE_CHECKPOINT_COUNT: 1,
                    m.SAVE_CHECKPOINT_SYNC_COUNT: 1,
                    m.SAVE_CHECKPOINT_SYNC_TIME_TOTAL: 3.0,
                    m.TRAIN_ITERATIONS_PRODUCTIVE_END: 15,
                    m.TRAIN_ITERATIONS_TIME_TOTAL_PRODUCTIVE: 16.0,
                }
            )
    rows += [
        {m.VALIDATION_ITERATIONS_TIME_TOTAL: 2.5, m.VALIDATION_ITERATIONS_TIME_MSECS_AVG: 250.0},
        {m.APP_TRAIN_LOOP_FINISH_TIME: T0 + 50_000},
        {"loss": 3.5},
        {"loss": 2.5, "note": "fine"},
        {m.APP_FINISH_TIME: T0 + 125_000, m.APP_LAST_LOG_TIME: T0 + 125_000},
    ]
    return rows


def journal(
    base: Path,
    rows: Sequence[dict[str, Any]],
    *,
    state: str = "finished",
    finish: bool = True,
    before: int = 0,
    raw: bytes = b"",
    run_id: str = RUN_ID,
    **about: Any,
) -> Path:
    """A journal below ``base/wandb``; ``raw`` stands behind the rows."""
    folder = base / "wandb" / f"one-logger-20231114_221320-{run_id}"
    folder.mkdir(parents=True)
    told = {
        "id": run_id,
        "pid": 2**22 + 1,  # above the kernel's limit
        "created": T0 / 1000,
        "version": "0.1.0",
        "chosen": {"project": "tests", "run_name": "llama-7b"},
        "default": {"entity": "hwinf_dcm", "tags": ["e2e_metrics_enabled"]},
        **about,
    }
    (folder / "run.json").write_text(json.dumps(told))
    (folder / "mark.json").write_text(json.dumps({"state": state, "rows": len(rows), "url": None}))
    lines = [f"#from {before}\n".encode(), *(json.dumps(row).encode() + b"\n" for row in rows)]
    if finish:
        lines.append(b"#finish 0\n")
    number = 1 if before == 0 else 2
    (folder / f"rows-{number:06d}.jsonl").write_bytes(b"".join(lines) + raw)
    return folder
