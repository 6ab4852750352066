"""What several tests need: the recorded jobs, a clock that stands still, a program in a process of its own."""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Optional

from compat_matrix.jobs import WIRE

ROOT = Path(__file__).resolve().parent.parent
GOLDENS = ROOT / "compat_matrix" / "goldens"

#: the variable that names the worker's interpreter, where a run of the tests has one for all jobs
WORKER = "TESTS_WORKER"

#: the smallest configuration of an enabled rank
CONFIG: dict[str, Any] = {
    "enable_for_current_rank": True,
    "one_logger_project": "tests",
    "one_logger_async": False,
    "log_every_n_train_iterations": 2,
    "app_tag": "tag",
    "app_tag_run_name": "job",
    "world_size": 2,
    "global_batch_size": 8,
    "batch_size": 8,
    "is_train_iterations_enabled": True,
    "is_validation_iterations_enabled": True,
}


def golden_names(*, every_wire: bool = False) -> list[str]:
    """By default without the jobs whose rows are those of another v1 than 1.0.2 (``WIRE`` in their environment)."""
    names = sorted(path.stem for path in GOLDENS.glob("*.json"))
    assert names, "the recorded jobs are missing"
    return [name for name in names if every_wire or WIRE not in golden(name).get("environment", {})]


def golden(name: str) -> dict[str, Any]:
    job: dict[str, Any] = json.loads((GOLDENS / f"{name}.json").read_text())
    return job


def decode(value: Any) -> Any:
    """A recorded value; ``$callable`` and ``$sequence`` stand for what v1 called."""
    if isinstance(value, dict) and set(value) == {"$callable"}:
        constant = value["$callable"]
        return lambda: constant
    if isinstance(value, dict) and set(value) == {"$sequence"}:
        items = list(value["$sequence"])
        return lambda: items.pop(0) if len(items) > 1 else items[0]
    return value


def decoded(mapping: Optional[dict[str, Any]]) -> dict[str, Any]:
    return {key: decode(value) for key, value in (mapping or {}).items()}


def same(a: Any, b: Any) -> bool:
    """Equal within the tolerance; a bool is not an int."""
    if isinstance(a, bool) or isinstance(b, bool):
        return isinstance(a, bool) and isinstance(b, bool) and a == b
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        if a == b:
            return True
        return abs(a - b) <= 2e-3 if abs(a) > 1e9 else math.isclose(a, b, rel_tol=2e-6, abs_tol=2e-6)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


class Clock:
    """``time.time`` and ``time.perf_counter`` under the test's control (seconds)."""

    def __init__(self, monkeypatch: Any, start: float = 1_700_000_000.0) -> None:
        self.now = start
        self._start = start
        monkeypatch.setattr("time.time", lambda: self.now)
        monkeypatch.setattr("time.perf_counter", lambda: self.now - self._start + 1000.0)

    def advance(self, seconds: float) -> None:
        self.now += seconds


def warned(caplog: Any) -> list[str]:
    """The warnings that pytest's ``caplog`` has."""
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


class CoreSpy:
    """Keeps what ``OneLoggerUtils`` hands to its core, in order: v1's own seam, ``_set_one_logger``, takes it."""

    def __init__(self) -> None:
        self.emits: list[tuple[Any, ...]] = []

    def log_metrics(self, metrics: dict[str, Any]) -> None:
        self.emits.append(("log_metrics", dict(metrics)))

    def log_app_tag(self, app_tag: Any) -> None:
        self.emits.append(("log_app_tag", app_tag))

    def finish(self) -> None:
        self.emits.append(("finish",))

    def take(self) -> list[tuple[Any, ...]]:
        taken, self.emits = self.emits, []
        return taken

    def rows(self) -> list[dict[str, Any]]:
        return [emit[1] for emit in self.take() if emit[0] == "log_metrics"]


def utils_on(spy: CoreSpy, config: dict[str, Any]) -> Any:
    """A ``OneLoggerUtils`` whose core is ``spy``: v1's arithmetic and nothing behind it."""
    from one_logger_v1_shim.utils import OneLoggerUtils

    class Spied(OneLoggerUtils):
        def _set_one_logger(self) -> None:
            self.one_logger = spy  # type: ignore[assignment]

    return Spied(config)


def package_alone(folder: Path) -> str:
    """A folder with this package and nothing else: :data:`ROOT` has what its user keeps there, perhaps a ``wandb/``."""
    folder.mkdir(parents=True)
    for name in ("one_logger_v1_shim", "pyproject.toml"):  # the latter has the version
        (folder / name).symlink_to(ROOT / name)
    return str(folder)


def run_python(
    code: str,
    cwd: Path,
    *arguments: str,
    env: Optional[dict[str, str]] = None,
    timeout: float = 120,
    check: bool = True,
    options: tuple[str, ...] = (),
) -> subprocess.CompletedProcess[str]:
    """Run ``code`` in a fresh interpreter, offline, with HOME and the working directory under ``cwd``."""
    return run_command([sys.executable, *options, "-c", code, *arguments], cwd, env=env, timeout=timeout, check=check)


@contextmanager
def _own_temporary_folder(wanted: bool) -> Iterator[dict[str, str]]:
    """`recover` looks for journals in the temp folder, too, where other tests have some at the same time."""
    if not wanted:
        yield {}
        return
    folder = tempfile.mkdtemp(prefix="recover-")
    try:
        yield {"TMPDIR": folder}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_command(
    command: list[str],
    cwd: Path,
    *,
    env: Optional[dict[str, str]] = None,
    timeout: float = 120,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    with _own_temporary_folder("recover" in command) as told:
        result = subprocess.run(
            command,
            cwd=cwd,
            env=clean_environment(cwd, {**told, **(env or {})}),
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )
    if check and result.returncode != 0:
        raise AssertionError(f"exit code {result.returncode}\n{result.stdout}\n{result.stderr}")
    return result


def mode() -> dict[str, str]:
    """What the environment of jobs has in isolated mode (``TESTS_ISOLATED``); nothing else."""
    python = os.environ.get(WORKER)
    return {"ONE_LOGGER_V1_PYTHON": python} if python else {}


def clean_environment(home: Path, more: Optional[dict[str, str]] = None) -> dict[str, str]:
    """This environment without W&B's and OneLogger's variables, and with a HOME of its own; :func:`mode` counts."""
    environ = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("WANDB_", "ONE_LOGGER_", "SLURM_")) and key not in ("RANK", "WORLD_SIZE", "NETRC")
    }
    path = [str(ROOT), *filter(None, [environ.get("PYTHONPATH")])]
    return {**environ, "HOME": str(home), "PYTHONPATH": os.pathsep.join(path), **mode(), **(more or {})}


def stored_runs(folder: Path) -> list[Any]:
    """All W&B runs below ``folder``, oldest first, as they lie in their files."""
    from compat_matrix.wandb_file import read

    if "wandb" in sys.modules:
        sys.modules["wandb"].teardown()  # finish() may return before the file is on disk
    paths = sorted(folder.rglob("*.wandb"), key=lambda path: path.stat().st_mtime_ns)
    return [read(path) for path in paths]


def journalled_rows(folder: Path, bookkeeping: bool = False) -> list[dict[str, Any]]:
    """As :func:`stored_rows`, from the journals below ``folder``, in the order in which they were begun."""
    paths = sorted(folder.rglob("rows-*.jsonl"), key=lambda path: (path.parent.stat().st_ctime_ns, path.name))
    rows = [json.loads(line) for path in paths for line in path.read_bytes().splitlines() if line[:1] == b"{"]
    return rows if bookkeeping else _without_bookkeeping(rows)


def journalled_runs(folder: Path) -> list[Any]:
    """The ``run.json`` of all journals below ``folder``, in the order in which they were begun."""
    from one_logger_v1_shim._journal.records import RunRecord

    return sorted((RunRecord.read(path.parent) for path in folder.rglob("run.json")), key=lambda one: one.created)


BOOKKEEPING = {"app_last_log_time", "app_first_log_time", "one_logger_version", "job_start_time", "limit_run"}


def stored_rows(folder: Path, bookkeeping: bool = False) -> list[dict[str, Any]]:
    """The rows of all runs below ``folder``; by default without what the core adds, and without rows of tags only."""
    rows = [row for run in stored_runs(folder) for row in run.rows]
    return rows if bookkeeping else _without_bookkeeping(rows)


def _without_bookkeeping(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    hidden = BOOKKEEPING | {"app_tag", "app_tag_id", "app_tag_count"}
    kept = [{key: value for key, value in row.items() if key not in hidden} for row in rows]
    return [row for row in kept if row]
