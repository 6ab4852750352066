"""Where runs lie on disk: journals of ours, run folders of W&B, ``.wandb`` files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Optional

from .._journal.files import is_own, overflow, read_json
from .._journal.lines import FINISH, FROM
from .._journal.records import Mark
from ._files import open_regular
from ._left import look
from ._stored import OWN_KEYS, records

_MOST_LINE = 64 * 1024 * 1024  # bytes; a longer line is left out


class NoRunError(Exception):
    """There is no run; the message says where and what was expected."""


@dataclass
class Run:
    """A run on disk. What is below is known only after ``rows()`` has been read to its end."""

    path: Path
    journal: bool
    about: dict[str, Any] = field(default_factory=dict)
    #: things that the reader should know: what is torn, what is missing
    notes: list[str] = field(default_factory=list)
    #: the exit code in the journal's ``#finish`` or in W&B's file
    exit_code: Optional[int] = None
    #: rows that could not be read
    damaged: int = 0

    def rows(self) -> Iterator[dict[str, Any]]:
        """All rows in order, each once."""
        return _journal_rows(self) if self.journal else _stored_rows(self, [self.path])


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
        children = list(chain(_children(path), _children(path / "wandb")))
    except OSError as error:
        raise NoRunError(f"{path} can not be read ({error.strerror})") from error
    journals = [child for child in children if _is_journal(child)]
    # A job's own W&B runs lie in the same folder: those are not what v1 sent.
    found = sorted(journals or [child for child in children if _is_run(child)], key=_age)
    if not found:
        raise NoRunError(
            f"no run in {path}: expected a journal (one-logger-*), a W&B run folder, a .wandb file or a folder of these"
        )
    return found[-1], found[:-1]


def open_run(path: Path) -> Run:
    """The run at ``path``, which :func:`find` gave."""
    if path.is_dir() and _is_journal(path):
        run = Run(path, True, about=read_json(path / "run.json"))
        run.about["mark"] = vars(Mark.read(path))
        return run
    if path.is_dir():
        path = max(path.glob("*.wandb"), key=lambda one: one.stat().st_mtime)
    return Run(path, False)


def _children(folder: Path) -> list[Path]:
    if not folder.is_dir():
        if folder.name == "wandb":
            return []
        raise NoRunError(f"{folder}: no such folder")
    return [child for child in folder.iterdir() if child.is_dir() and not child.is_symlink()]


def _is_journal(folder: Path) -> bool:
    try:
        return (folder / "run.json").is_file() or any(folder.glob("rows-*.jsonl"))
    except OSError:  # somebody else's
        return False


def _is_run(folder: Path) -> bool:
    return folder.is_dir() and (_is_journal(folder) or any(folder.glob("*.wandb")))


def _age(folder: Path) -> tuple[float, str]:
    files = [*folder.glob("rows-*.jsonl"), *folder.glob("*.wandb"), folder]
    return max((file.lstat().st_mtime for file in files if file.exists()), default=0.0), folder.name


def _journal_rows(run: Run) -> Iterator[dict[str, Any]]:
    """The journal's rows, and from W&B's own files those that were removed from it after W&B had them."""
    more = overflow(run.path)
    folders = [run.path, more] if is_own(more) else [run.path]
    segments = [path for folder in folders for path in folder.glob("rows-*.jsonl") if path.stem[5:].isdigit()]
    found, ended = 0, False
    for line in _lines(run, sorted(segments, key=lambda path: int(path.stem[5:]))):
        if line.startswith(FINISH):
            run.exit_code = _number(line)
            ended = True
        elif line.startswith(FROM):
            before = _number(line)
            if before > found:
                stored = 0
                for row in _stored_rows(run, look(run.path).files, found, before):
                    stored += 1
                    yield row
                if stored < before - found:
                    run.notes.append(f"{before - found - stored} rows are neither in the journal nor in W&B's own file")
                found = before
        elif line.startswith(b"{") and not ended:
            found += 1
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                run.damaged += 1
                continue
            yield row
    if run.damaged:
        run.notes.append(f"{run.damaged} rows can not be read and are left out")


def _number(line: bytes) -> int:
    words = line.split()
    return int(words[1]) if len(words) > 1 and len(words[1]) < 19 and words[1].lstrip(b"-").isdigit() else 0


def _stored_rows(run: Run, paths: list[Path], first: int = 0, before: Optional[int] = None) -> Iterator[dict[str, Any]]:
    """The rows from number ``first`` to ``before`` (all, if that is None) in W&B's files."""
    last = first - 1  # a run that was resumed has several files, which overlap
    for path in paths:
        about: dict[str, Any] = {}
        try:
            for row in records(path, about):
                step = row.get("_step")
                if isinstance(step, int) and not isinstance(step, bool):
                    if step <= last or (before is not None and step >= before):
                        continue
                    last = step
                yield {key: value for key, value in row.items() if key not in OWN_KEYS or key == "_timestamp"}
        except (OSError, ValueError) as error:
            run.notes.append(f"{path.name}: {getattr(error, 'strerror', None) or error}")
        for key, value in about.items():
            run.about.setdefault(key, value)
        if not run.journal:
            run.exit_code = about.get("exit_code")


def _lines(run: Run, segments: list[Path]) -> Iterator[bytes]:
    for path in segments:
        try:
            file = open_regular(path)
        except OSError as error:
            run.notes.append(f"{path.name}: {error.strerror}")
            continue
        with file:
            while True:
                line = file.readline(_MOST_LINE)
                if line.endswith(b"\n"):
                    yield line
                elif len(line) < _MOST_LINE:
                    if line:
                        run.notes.append("the last row was being written when the job ended or this was read")
                    break
                else:
                    run.damaged += 1
                    while line and not line.endswith(b"\n"):
                        line = file.readline(_MOST_LINE)
