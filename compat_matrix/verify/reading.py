"""The kinds of sources: a run on a server, a run folder, a ``.wandb`` file, or an export."""

from __future__ import annotations

import re
from pathlib import Path

from ..wandb_file import OWN_KEYS, read
from .beliefs import METRICS
from .exports import SUFFIXES, read_export
from .history import BadSource, History, history

_RUN = re.compile(r"[^/\\\s]+/[^/\\\s]+/[^/\\\s]+")
_EXPECTED = "ENTITY/PROJECT/RUN, a run folder, a .wandb file, or an export of scan_history() (.jsonl, .csv, .parquet)"


def read_history(source: str) -> History:
    """The history that ``source`` names. Raises :class:`BadSource` with the one line to show."""
    path = Path(source)
    try:
        if path.is_dir():
            found = _wandb_file(_in_folder(path), source)
        elif path.is_file() and path.suffix == ".wandb":
            found = _wandb_file(path, source)
        elif path.is_file() and path.suffix.lower() in SUFFIXES:
            found = read_export(path)
        elif path.is_file():
            raise BadSource(f"{source}: a file of another kind; expected {_EXPECTED}")
        elif _RUN.fullmatch(source) and path.suffix.lower() not in (".wandb", *SUFFIXES):
            from .online import read_run

            found = read_run(source)
        else:
            raise BadSource(
                f"{source}: there is no such file or folder, nor is it ENTITY/PROJECT/RUN; expected {_EXPECTED}"
            )
    except OSError as error:
        raise BadSource(f"{source}: {error.strerror or error}") from None
    if not found.rows:
        raise BadSource(f"{source}: its history has no rows{''.join(f'; {line}' for line in found.damage)}")
    if not any(name in METRICS for row in found.rows for name in row.values):
        raise BadSource(f"{source}: its history has {len(found.rows)} rows and no metric of v1")
    return found


def _in_folder(folder: Path) -> Path:
    """The run's file in its folder, or below it where there is exactly one (``wandb/``, a job's working directory)."""
    files = sorted(folder.glob("*.wandb")) or sorted(folder.glob("**/*run-*/*.wandb"))
    real = {path.resolve(): path for path in files}  # W&B keeps a link `latest-run` beside the folders
    if len(real) == 1:
        return next(iter(real.values()))
    if not real:
        raise BadSource(f"{folder}: no .wandb file in it; expected {_EXPECTED}")
    raise BadSource(f"{folder}: {len(real)} runs in it, for example {next(iter(real.values()))}; name one of them")


def _wandb_file(path: Path, source: str) -> History:
    try:
        run = read(path)
    except (ValueError, IndexError) as error:
        raise BadSource(f"{path}: {error}; expected a .wandb file") from None
    steps = ({"_step": step, **row} for step, row in zip(run.steps, run.rows))
    rows = [row for row in steps if row.keys() - OWN_KEYS]
    return history(source, rows, damage=run.damage)
