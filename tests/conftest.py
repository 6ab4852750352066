"""Fixtures: a process that looks new, and the rows that W&B really stored."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from one_logger_v1_shim import _log
from tests.support import CONFIG, stored_rows


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("WANDB_", "ONE_LOGGER_", "SLURM_")) or name in ("RANK", "WORLD_SIZE"):
            monkeypatch.delenv(name)


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory of its own, an unconfigured v2 provider, W&B offline and in this process."""
    from nv_one_logger.core.internal.singleton import SingletonMeta

    from one_logger_v1_shim._job import rows, telemetry
    from one_logger_v1_shim._v1.bookkeeping import TagList

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("ONE_LOGGER_V1_DELIVERY", "inline")

    def reset() -> None:
        if telemetry._current is not None:
            telemetry._current.finish(0)
        telemetry._current = None
        telemetry._forked = False  # a tool that forks for each test run is no job that forks
        telemetry.tags = TagList()
        rows.abandon_offered()
        SingletonMeta._instances.clear()
        _log.forget()

    reset()
    yield tmp_path
    reset()
    if "wandb" in sys.modules:
        sys.modules["wandb"].teardown()  # it reads its environment once per process


@pytest.fixture
def rows(fresh: Path) -> Callable[[], list[dict[str, Any]]]:
    """Finish what is open and read the rows of all runs back from the ``.wandb`` files, in order."""

    def read() -> list[dict[str, Any]]:
        from one_logger_v1_shim._job.telemetry import current

        telemetry = current()
        if telemetry is not None:
            telemetry.finish(0)
        return stored_rows(fresh)

    return read


@pytest.fixture
def config() -> dict[str, Any]:
    return dict(CONFIG)
