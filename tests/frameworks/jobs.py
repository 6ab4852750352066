"""Runs a job in a process of its own and reads back what W&B stored of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from compat_matrix import wandb_file
from tests.support import ROOT, clean_environment

HERE = Path(__file__).resolve().parent

#: what the core adds to rows, and the tags, which travel alone or with a row
BOOKKEEPING = {
    "app_last_log_time", "app_first_log_time", "one_logger_version", "job_start_time", "limit_run",
    "app_tag", "app_tag_id", "app_tag_count",
}  # fmt: skip

_PRODUCTIVE = {
    "train_iterations_productive_end",
    "train_samples_productive_end",
    "train_iterations_time_total_productive",
    "validation_iterations_time_total_productive",
    "save_checkpoint_sync_time_total_productive",
    "last_successful_save_checkpoint_sync_finish_time",
}
_FIRST = {"first_saved_train_iterations_start_time", "first_successful_save_checkpoint_sync_finish_time"}
_TRAIN = {
    "train_iterations", "train_iterations_end", "train_samples", "train_samples_end", "train_iterations_time_total",
    "train_iterations_time_msecs_avg", "train_iterations_time_msecs_min",
    "first_logged_train_iterations_finish_time", "last_logged_train_iterations_finish_time",
}  # fmt: skip
_SYNC = {
    "save_checkpoint_sync_time_total", "save_checkpoint_sync_time_min", "save_checkpoint_sync_time_max",
    "save_checkpoint_sync_count",
}  # fmt: skip
_TRAIN_START = {
    "train_iterations_start", "train_iterations_end", "train_samples_start", "train_samples_end",
    "app_train_loop_start_time",
}  # fmt: skip

#: v1's rows by their keys (docs/dictionary.md)
KINDS: dict[str, set[str]] = {
    "app_start": {"app_start_time"},
    "app_end": {"app_finish_time"},
    "model_init_start": {"app_model_init_start_time"},
    "model_init_end": {"app_model_init_finish_time"},
    "dataloader_init_start": {"app_build_dataiters_start_time"},
    "dataloader_init_end": {"app_build_dataiters_finish_time"},
    "optimizer_init_start": {"app_build_optimizer_start_time"},
    "optimizer_init_end": {"app_build_optimizer_finish_time"},
    "load_start": {"load_checkpoint_start_time"},
    "load_end": {"load_checkpoint_finish_time", "load_checkpoint_time"},
    "train_start": _TRAIN_START,
    "train_start ": {*_TRAIN_START, "app_start_time"},
    "train": _TRAIN,
    "train ": {*_TRAIN, "train_tokens"},
    "train_end": {"app_train_loop_finish_time"},
    "validation": {
        "validation_iterations_time_total", "validation_iterations_time_msecs_avg",
        "validation_iterations_time_msecs_min",
    },
    "save": {"train_iterations_save_checkpoint_end", "save_checkpoint_count"},
    "saved": _SYNC,
    "saved ": {  # the success came first
        *_SYNC, "save_checkpoint_sync_time_total_productive", "last_successful_save_checkpoint_sync_finish_time",
    },
    "success": _PRODUCTIVE,
    "success ": _PRODUCTIVE | _FIRST,
    "success  ": {*_PRODUCTIVE, "save_checkpoint_async_count"},
    "success   ": {*_PRODUCTIVE, *_FIRST, "save_checkpoint_async_count"},
}  # fmt: skip


@dataclass
class Result:
    """A job that is over."""

    returncode: int
    output: str
    #: what the framework says (``facts.json``)
    facts: dict[str, Any]
    #: the W&B runs that it left
    runs: list[wandb_file.StoredRun]
    folder: Path
    rows: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for run in self.runs:
            assert not run.damage
        if self.runs:
            stripped = [{key: row[key] for key in row if key not in BOOKKEEPING} for row in self.runs[0].rows]
            self.rows = [row for row in stripped if row]

    @property
    def kinds(self) -> list[str]:
        """The kind of each row in order; ``init`` stands for the construction's."""
        return [kind_of(row) for row in self.rows]

    def every(self, *kinds: str) -> list[dict[str, Any]]:
        """The rows of these kinds."""
        return [row for row in self.rows if kind_of(row) in kinds]

    def only(self, kind: str) -> dict[str, Any]:
        """The one row of this kind."""
        (row,) = self.every(kind)
        return row


def kind_of(row: dict[str, Any]) -> str:
    if "one_logger_utils_version" in row:
        return "init"
    for kind, keys in KINDS.items():
        if set(row) == keys:
            return kind.rstrip()
    return f"? {sorted(row)}"


def command(kind: str, settings: dict[str, Any], torchrun: int = 0) -> list[str]:
    launcher = [sys.executable]
    if torchrun:
        launcher += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(torchrun)]
    return [*launcher, str(HERE / f"{kind}_job.py"), json.dumps(settings)]


def run(kind: str, folder: Path, settings: dict[str, Any], torchrun: int = 0) -> Result:
    """Run ``lightning_job.py`` or ``huggingface_job.py`` in ``folder``; ``program``: a legacy one, in no-edit mode."""
    if kind == "program":
        program = str(ROOT / "compat_matrix" / "programs" / settings["name"] / "train.py")
        return run_command([sys.executable, "-m", "one_logger_v1_shim", "run", program], folder)
    return run_command(command(kind, settings, torchrun), folder)


def run_command(arguments: list[str], folder: Path, env: Optional[dict[str, str]] = None) -> Result:
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder.parent / "tmp"  # programs leave folders there; a longer path is too long for wandb's sockets
    temporary.mkdir(exist_ok=True)
    settings = {"WANDB_MODE": "offline", "OMP_NUM_THREADS": "1", "TMPDIR": str(temporary)}
    environment = clean_environment(folder, {**settings, **(env or {})})
    for name in ("LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "NODE_RANK"):
        environment.pop(name, None)
    with (folder / "output.txt").open("w") as output:
        process = subprocess.Popen(
            arguments,
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            returncode = process.wait(timeout=150)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    facts = folder / "facts.json"
    return Result(
        returncode,
        (folder / "output.txt").read_text(),
        json.loads(facts.read_text()) if facts.exists() else {},
        [wandb_file.read(path) for path in sorted(folder.rglob("*.wandb"), key=lambda path: path.stat().st_mtime)],
        folder,
    )
