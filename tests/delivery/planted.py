"""Journals that somebody else might have written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def journal(home: Path, run_id: str = "abcdefgh", rows: int = 3, mark: Any = None, **record: Any) -> Path:
    """A journal in ``home/wandb``, as this version writes it. ``record``: what its ``run.json`` says else."""
    folder = home / "wandb" / f"one-logger-20260101_000000-{run_id}"
    folder.mkdir(mode=0o700, parents=True)
    about = {
        "id": run_id, "created": 1_767_225_600.0, "format": 3, "version": "0.3.0", "base": str(home), "keep": True,
        "chosen": {"project": "delivery", "run_name": "planted"}, "v2": "none", **record,
    }  # fmt: skip
    write(folder / "run.json", json.dumps(about))
    lines = "".join(f'{{"i": {i}, "run": "{run_id}"}}\n' for i in range(rows))
    write(folder / "rows-000001.jsonl", f"#from 0\n{lines}#finish 0\n")
    if mark is not None:
        write(folder / "mark.json", json.dumps(mark))
    return folder


def write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
