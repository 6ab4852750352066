"""A stand-in for wandb in the fast loop, which imports none; it keeps what it is told. The real one: tests/delivery."""

from __future__ import annotations

import os
import types
from pathlib import Path
from typing import Any, Optional

from one_logger_v1_shim._journal.outside import make_folder
from one_logger_v1_shim._journal.records import RunRecord
from tests.journal.test_small_files import private, row, wandb_log


class Run:
    """A run. ``stores``: does what it is given come to its file?"""

    def __init__(self, folder: Path, **told: Any) -> None:
        self.told = told
        self.rows: list[dict[str, Any]] = []
        self.steps: list[Any] = []
        self.code: Optional[int] = None
        self.stores = True
        self.fails: Optional[Exception] = None
        self.url = told.get("url")
        self.id = told.get("id", "abcdefgh")
        self.entity, self.project, self.name, self.tags = "e", "p", None, ("t",)
        self.settings = types.SimpleNamespace(sync_dir=str(folder))
        self.starting_step = told.get("starting_step", 0)
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / f"run-{self.id}.wandb"

    def log(self, row_: dict[str, Any], **more: Any) -> None:
        if self.fails is not None:
            error, self.fails = self.fails, None
            raise error
        self.rows.append(row_)
        self.steps.append(more.get("step"))
        self.write()

    def write(self) -> None:
        if self.stores:
            first = self.told.get("starting_step", 0)
            private(self.file, wandb_log(*(row(first + number) for number in range(len(self.rows)))))

    def finish(self, exit_code: int) -> None:
        self.code = exit_code


class Settings:
    """As wandb's, but for what it refuses: ``WANDB_BAD``, an entity ``bad``."""

    model_fields: dict[str, Any] = {}

    def __init__(self, **values: Any) -> None:
        if values.get("entity") == "bad":
            raise ValueError("bad\nmore")
        self.values = values
        vars(self).update(values)

    def update_from_env_vars(self, environ: dict[str, str]) -> None:
        if "WANDB_BAD" in environ:
            raise ValueError("Value error, no such thing")


def wandb(**more: Any) -> Any:
    """The module. ``more``: its attributes."""
    found: Any = types.ModuleType("wandb")
    found.Settings = Settings
    found.settings = types.SimpleNamespace(base_url="https://own/", mode=None, api_key=None)

    def setup() -> Any:
        found.settings.mode = os.environ.get("WANDB_MODE", found.settings.mode)
        return types.SimpleNamespace(settings=found.settings)

    found.setup = setup
    found.teardown = lambda: None
    found.told = []
    found.init = lambda **told: found.told.append(told)
    vars(found).update(more)
    return found


def modules(**more: Any) -> dict[str, Any]:
    """For ``sys.modules``: what our code imports of wandb. ``more``: attributes of ``wandb``."""
    top, sdk, setup = wandb(**more), types.ModuleType("wandb.sdk"), types.ModuleType("wandb.sdk.wandb_setup")
    vars(sdk).update(wandb_setup=setup)
    return {"wandb": top, "wandb.sdk": sdk, "wandb.sdk.wandb_setup": setup}


def journal(home: Path, *lines: bytes, run_id: str = "abcdefgh", **about: Any) -> Path:
    """A journal of ours, whose job has not ended unless a line says so."""
    folder = home / "wandb" / f"one-logger-20260101_000000-{run_id}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    make_folder(folder)
    RunRecord(
        **{"id": run_id, "format": 3, "base": str(home), "created": 1_700_000_000.0, "v2": "none", **about}
    ).write(folder)
    private(folder / "rows-000001.jsonl", b"".join(line + b"\n" for line in (b"#from 0", *lines)))
    return folder
