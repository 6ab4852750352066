"""Runs a job in a process of its own, forked from one that has the framework; reads back what W&B stored of it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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

#: the rows of a checkpoint
SAVE = ["train", "save", "saved", "success"]


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


#: what a job of a kind, a family or a program imports -> the modules that its processes are forked with
LIGHTNING, PYTORCH_LIGHTNING = ("lightning.pytorch",), ("pytorch_lightning",)
TRANSFORMERS = ("transformers", "transformers.trainer", "transformers.models.gpt2.modeling_gpt2")
IMPORTED = {
    "lightning.pytorch": LIGHTNING, "codonfm": LIGHTNING, "nemo_builder": LIGHTNING,
    "pytorch_lightning": PYTORCH_LIGHTNING, "boltz_cp": PYTORCH_LIGHTNING,
    "huggingface": TRANSFORMERS, "vila": TRANSFORMERS, "eagle": TRANSFORMERS,
}  # fmt: skip


class Forks:
    """``forked_jobs.py`` with its modules imported: runs scripts in processes that are forked from it."""

    def __init__(self, modules: tuple[str, ...]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "forked_jobs.py"), *modules],
            env=clean_environment(HERE, {"OMP_NUM_THREADS": "1"}),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._lock = threading.Lock()
        self._codes: dict[int, Future[int]] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            number, code = json.loads(line)
            self._codes[number].set_result(code)
        for code in self._codes.values():
            if not code.done():
                code.set_exception(RuntimeError("forked_jobs.py has ended"))

    def start(self, arguments: list[str], folder: Path, environment: dict[str, str]) -> Future[int]:
        """Its exit code is the result."""
        assert self._process.stdin is not None
        with self._lock:
            number = len(self._codes)
            self._codes[number] = Future()
            task = {"number": number, "arguments": arguments, "cwd": str(folder), "environment": environment,
                    "output": str(folder / "output.txt")}  # fmt: skip
            self._process.stdin.write(json.dumps(task) + "\n")
            self._process.stdin.flush()
        return self._codes[number]

    def close(self) -> None:
        """End it, and the jobs that still run."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._reader.join()


def run(forks: Callable[[tuple[str, ...]], Forks], kind: str, folder: Path, settings: dict[str, Any]) -> Result:
    """Run ``lightning_job.py`` or ``huggingface_job.py`` in ``folder``; ``program``: a legacy one, in no-edit mode.

    ``captured``: the job of ``settings["of"]`` inside of a block. ``ranks``: as many processes, with what torchrun
    tells them in their environment (torchrun itself is in tests/machines/test_torchrun.py).
    """
    settings = dict(settings)
    ranks, job = settings.pop("ranks", 0), settings.pop("of", kind)
    environment: dict[str, str] = {}
    if kind == "program":
        imports = settings["name"]
        arguments = [str(ROOT / "compat_matrix" / "programs" / imports / "train.py")]
        environment["ONE_LOGGER_V1_SHIM"] = "1"
    else:
        imports = job if job == "huggingface" else settings.get("family", "lightning.pytorch")
        arguments = [str(HERE / f"{job}_job.py"), json.dumps(settings)]
        if kind == "captured":
            arguments = [str(HERE / "captured_job.py"), job, json.dumps(settings)]
    temporary = folder.parent / "tmp"  # programs leave folders there; a longer path is too long for wandb's sockets
    temporary.mkdir(parents=True, exist_ok=True)
    environment.update(WANDB_MODE="offline", OMP_NUM_THREADS="1", TMPDIR=str(temporary))
    environment = {
        key: value
        for key, value in clean_environment(folder, environment).items()
        if key not in ("LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "NODE_RANK")
    }
    of_ranks = _ranks(ranks) if ranks else [{}]
    started = [forks(IMPORTED[imports]).start(arguments, folder, {**environment, **more}) for more in of_ranks]
    returncode = max((one.result(150) for one in started), key=abs)
    facts = folder / "facts.json"
    return Result(
        returncode,
        (folder / "output.txt").read_text(),
        json.loads(facts.read_text()) if facts.exists() else {},
        [wandb_file.read(path) for path in sorted(folder.rglob("*.wandb"), key=lambda path: path.stat().st_mtime)],
        folder,
    )


def _ranks(count: int) -> list[dict[str, str]]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    same = {
        "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count), "GROUP_RANK": "0", "TORCHELASTIC_RUN_ID": "none",
        "TORCHELASTIC_RESTART_COUNT": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port,
    }  # fmt: skip
    return [{**same, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count)]
