"""Plays the short job against a copy: its rows in W&B's files, and what v2's exporter heard."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from ..jobs import HOME
from ..wandb_file import read

_JOBS = Path(__file__).with_name("jobs")
_LIMIT = 120.0  # seconds for a job, and for its worker after it
_FOREIGN = ("WANDB_", "SLURM_", "ONE_LOGGER", "COMPAT_MATRIX")
#: differ between two runs of the same job
_NEW_IN_EACH_RUN = frozenset({"app_tag_id"})

Rows = dict[str, list[dict[str, Any]]]
Stream = Counter[tuple[Optional[str], ...]]


@dataclass
class Heard:
    """``rows``: those of each run, by its name. ``stream``: how often v2 told what. ``trouble``: what went wrong."""

    rows: Rows
    stream: Stream
    trouble: str
    output: str


def play(job: str, folder: Path, packages: Optional[Path] = None, **environ: str) -> Heard:
    """Run ``job`` ("v1_job" or "v2_job") in ``folder``; ``packages`` come before those of this interpreter."""
    folder.mkdir(parents=True)
    stream = folder / "stream.jsonl"
    exporters = folder / "exporters.json"
    recording = {"class_name": "drift_recording.Recording", "config": {"file_path": str(stream)}}
    exporters.write_text(json.dumps({"exporters": [recording]}))
    work = folder / "work"
    work.mkdir()
    told = _environment(folder, packages, {**environ, "ONE_LOGGER_EXPORTER_CONFIG_PATH": str(exporters)})
    command = [sys.executable, str(_JOBS / f"{job}.py")]
    trouble, output = "", ""
    try:
        done = subprocess.run(command, cwd=work, env=told, capture_output=True, text=True, timeout=_LIMIT, check=False)
        output = (done.stdout + done.stderr).strip()
        if done.returncode:
            trouble = f"exit code {done.returncode}: {output[-300:]}"
    except subprocess.TimeoutExpired:
        trouble = f"the job does not end within {_LIMIT:g} s"
    if not _workers_end(work):
        trouble = trouble or f"the worker does not end within {_LIMIT:g} s"
    return Heard(_rows(work), _stream(stream), trouble, output)


def _environment(folder: Path, packages: Optional[Path], more: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    path = [str(one) for one in (packages, _JOBS, HOME / "inside") if one is not None]
    own = {"HOME": str(folder), "WANDB_MODE": "offline", "PYTHONPATH": os.pathsep.join(path)}
    return {**kept, **own, **more}


def _workers_end(work: Path) -> bool:
    """Wait until no process names ``work`` in its command line, as a worker does."""
    limit = time.monotonic() + _LIMIT
    while time.monotonic() < limit:
        if not any(_names(entry, str(work).encode()) for entry in Path("/proc").glob("[0-9]*/cmdline")):
            return True
        time.sleep(0.05)
    return False


def _names(entry: Path, word: bytes) -> bool:
    try:
        return word in entry.read_bytes()
    except OSError:
        return False


def _rows(work: Path) -> Rows:
    found: Rows = {}
    for path in sorted(path for path in work.rglob("*.wandb") if not path.parent.is_symlink()):
        run = read(path)
        rows = [{key: value for key, value in row.items() if key not in _NEW_IN_EACH_RUN} for row in run.rows]
        found.setdefault(run.name, []).extend(rows)
    return found


def _stream(path: Path) -> Stream:
    if not path.exists():
        return Counter()
    return Counter(tuple(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines())
