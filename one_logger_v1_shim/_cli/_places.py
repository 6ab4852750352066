"""Where runs lie on disk: journals of ours, run folders of W&B, ``.wandb`` files, what was fetched from a server."""

from __future__ import annotations

import os
from pathlib import Path

from .._journal.history import ROWS, STATE
from .._journal.outside import read_object
from .._journal.records import Mark
from ._sources import Run
from ._stored import files_of_run

_EXPECTED = "a journal (one-logger-*), a W&B run folder, a .wandb file or a folder of these"
_DEPTH = 4  # folders below the one that was named
_OF_A_RUN = ("files", "logs", "tmp")  # what lies beside a .wandb file in a run folder of W&B


class NoRunError(Exception):
    """There is no run; the message says where and what was expected."""


def find(path: Path) -> tuple[Path, list[Path]]:
    """The run meant by ``path``, and other runs beside it: the newest, a journal before a run folder of W&B.

    Raises:
        NoRunError: there is none.
    """
    try:
        if path.is_file():
            if path.suffix == ".wandb":
                return path, []
            raise NoRunError(f"{path} is no .wandb file and no folder")
        if _is_run(path):
            return path, []
        if not path.is_dir():
            raise NoRunError(f"{path}: no such folder")
        within = [one for folder in (path, path / "wandb") if folder.is_dir() for one in folder.iterdir()]
        children = [one for one in within if one.is_dir() and not one.is_symlink()]
    except OSError as error:
        raise NoRunError(f"{path} cannot be read ({error.strerror})") from error
    journals = [child for child in children if is_journal(child)]
    # A job's own W&B runs lie in the same folder: those are not what v1 sent.
    found = sorted(journals or [child for child in children if _is_run(child)], key=_age)
    if not found:
        raise NoRunError(f"no run in {path}: expected {_EXPECTED}")
    newest = {file.name for file in found[-1].glob("*.wandb")}
    return found[-1], [one for one in found[:-1] if not newest.intersection(file.name for file in one.glob("*.wandb"))]


def open_run(path: Path) -> Run:
    """The run at ``path``, which :func:`find` gave."""
    if path.is_dir() and is_journal(path):
        run = Run(path, True, about=read_object(path / "run.json"))
        run.about["mark"] = vars(Mark.read(path))
        return run
    if _is_download(path):
        return open_download(path)
    if path.is_dir():
        path = max(path.glob("*.wandb"), key=_changed)
    return Run(path, False, files_of_run(path))


def open_download(folder: Path) -> Run:
    """The run in a folder of the cache (:mod:`.._journal.history`)."""
    told = read_object(folder / STATE)
    about, rows = told.get("about"), told.get("rows")
    run = Run(
        folder / ROWS, False, [folder / ROWS], about if isinstance(about, dict) else {}, state=str(told.get("state"))
    )
    run.fetched = rows if isinstance(rows, int) else 0
    if not told.get("whole"):
        run.notes.append("not all of its rows have been fetched from W&B")
    return run


def find_all(path: Path) -> list[Run]:
    """All runs at ``path`` and up to four folders below it: journals, and runs of W&B that have no journal.

    Raises:
        NoRunError: there is none.
    """
    if path.is_file() or is_journal(path) or _is_download(path):
        return [open_run(find(path)[0])]
    if not path.is_dir():
        raise NoRunError(f"{path}: no such folder")
    journals: list[Path] = []
    downloads: list[Path] = []
    files: dict[str, list[Path]] = {}
    for folder, below, names in os.walk(path):  # follows no symlinks, leaves out what can't be read
        here = Path(folder)
        stored = [here / name for name in names if name.endswith(".wandb")]
        kept = is_journal(here)
        if kept:
            journals.append(here)
        elif STATE in names:
            downloads.append(here)
        for file in stored:
            files.setdefault(file.stem.removeprefix("run-"), []).append(file)
        if kept or STATE in names or len(here.relative_to(path).parts) >= _DEPTH:
            below.clear()
        elif stored:  # mostly a run folder of W&B; a file that lies above others must not hide them
            below[:] = [one for one in below if one not in _OF_A_RUN]
    runs = [open_run(folder) for folder in sorted(journals, key=lambda one: one.name)]
    for run in runs:
        files.pop(str(run.about.get("id")), None)
    runs += map(open_download, sorted(downloads))
    for found in files.values():
        found.sort(key=lambda one: (one.parent.name.rpartition("run-")[2], _changed(one), one.name))
        runs.append(Run(found[-1], False, found))
    if not runs:
        raise NoRunError(f"no run in {path} or the {_DEPTH} levels of folders below it: expected {_EXPECTED}")
    return runs


def is_journal(folder: Path) -> bool:
    try:
        named = folder.name.startswith("one-logger-") and (folder / "run.json").is_file()
        return named or any(folder.glob("rows-*.jsonl"))
    except OSError:  # somebody else's
        return False


def _is_run(folder: Path) -> bool:
    return folder.is_dir() and (is_journal(folder) or _is_download(folder) or any(folder.glob("*.wandb")))


def _is_download(folder: Path) -> bool:
    return (folder / STATE).is_file()


def _age(folder: Path) -> tuple[float, str]:
    files = [*folder.glob("rows-*.jsonl"), *folder.glob("*.wandb"), folder]
    return max(map(_changed, files), default=0.0), folder.name


def _changed(file: Path) -> float:
    try:
        return file.lstat().st_mtime
    except OSError:
        return 0.0
