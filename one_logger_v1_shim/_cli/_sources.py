"""Where runs lie on disk: journals of ours, run folders of W&B, ``.wandb`` files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Callable, Optional

from .._journal.calls import FINISH, FROM, is_call
from .._journal.files import overflow, segment_number
from .._journal.outside import MOST_LINE, is_own, json_value, open_regular, read_object
from .._journal.records import Mark
from ._left import look
from ._stored import files_of_run, no_progress, records

_decode: Callable[[bytes], Any] = json.loads
with suppress(ImportError):  # three times as fast as json; comes with wandb and v2, and may not be there
    from pydantic_core import from_json as _decode

_READ = 256 * 1024
_EXPECTED = "a journal (one-logger-*), a W&B run folder, a .wandb file or a folder of these"
_DEPTH = 4  # folders below the one that was named


class NoRunError(Exception):
    """There is no run; the message says where and what was expected."""


@dataclass
class Run:
    """A run on disk. What is below is known only after ``rows()`` has been read to its end."""

    path: Path
    journal: bool
    #: W&B's files of a run that has no journal, oldest first
    files: list[Path] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)
    #: things that the reader should know: what is torn, what is missing
    notes: list[str] = field(default_factory=list)
    #: the exit code in the journal's ``#finish`` or in W&B's file
    exit_code: Optional[int] = None
    #: rows that could not be read
    damaged: int = 0
    #: hears of every piece that was read, in bytes
    progress: Callable[[int], None] = no_progress

    @property
    def size(self) -> int:
        """Bytes to read."""
        paths = segments(self.path) if self.journal else self.files
        return sum(path.stat().st_size for path in paths if path.is_file())

    def rows(self) -> Iterator[dict[str, Any]]:
        """All rows in order, each once. A value that is ``bytes`` is JSON text: :func:`~._format.decoded`."""
        return _journal_rows(self) if self.journal else _stored_rows(self, self.files)


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
    if path.is_dir():
        path = max(path.glob("*.wandb"), key=_changed)
    return Run(path, False, files_of_run(path))


def find_all(path: Path) -> list[Run]:
    """All runs at ``path`` and up to four folders below it: journals, and runs of W&B that have no journal.

    Raises:
        NoRunError: there is none.
    """
    if path.is_file() or is_journal(path):
        return [open_run(find(path)[0])]
    if not path.is_dir():
        raise NoRunError(f"{path}: no such folder")
    journals: list[Path] = []
    files: dict[str, list[Path]] = {}
    for folder, below, names in os.walk(path):  # follows no symlinks, leaves out what can't be read
        here = Path(folder)
        stored = [here / name for name in names if name.endswith(".wandb")]
        kept = is_journal(here)
        if kept:
            journals.append(here)
        for file in stored:
            files.setdefault(file.stem.rpartition("-")[2], []).append(file)
        if stored or kept or len(here.relative_to(path).parts) >= _DEPTH:
            below.clear()
    runs = [open_run(folder) for folder in sorted(journals, key=lambda one: one.name)]
    for run in runs:
        files.pop(str(run.about.get("id")), None)
    for found in files.values():
        found.sort(key=lambda one: (_changed(one), one.name))
        runs.append(Run(found[-1], False, found))
    if not runs:
        raise NoRunError(f"no run in {path} or the {_DEPTH} levels of folders below it: expected {_EXPECTED}")
    return runs


def _children(folder: Path) -> list[Path]:
    if not folder.is_dir():
        if folder.name == "wandb":
            return []
        raise NoRunError(f"{folder}: no such folder")
    return [child for child in folder.iterdir() if child.is_dir() and not child.is_symlink()]


def is_journal(folder: Path) -> bool:
    try:
        return (folder / "run.json").is_file() or any(folder.glob("rows-*.jsonl"))
    except OSError:  # somebody else's
        return False


def _is_run(folder: Path) -> bool:
    return folder.is_dir() and (is_journal(folder) or any(folder.glob("*.wandb")))


def _age(folder: Path) -> tuple[float, str]:
    files = [*folder.glob("rows-*.jsonl"), *folder.glob("*.wandb"), folder]
    return max(map(_changed, files), default=0.0), folder.name


def _changed(file: Path) -> float:
    try:
        return file.lstat().st_mtime
    except OSError:
        return 0.0


def _journal_rows(run: Run) -> Iterator[dict[str, Any]]:
    """The journal's rows, and from W&B's own files those that were removed from it after W&B had them."""
    found, ended = 0, False
    for lines in _batches(run, segments(run.path)):
        if ended:
            return
        lines = [line for line in lines if not is_call(line)]
        rows = _whole_batch(lines)
        if rows is not None:
            found += len(rows)
            yield from rows
            continue
        for line in lines:
            if line.startswith(FINISH):
                run.exit_code = _number(line)
                ended = True
            elif line.startswith(FROM):
                before = _number(line)
                if before > found:
                    yield from _removed_rows(run, found, before)
                    found = before
            elif line.startswith(b"{") and not ended:
                found += 1
                try:
                    row = json_value(line)
                except (ValueError, RecursionError):
                    run.damaged += 1
                    continue
                yield row
            elif line[1:2] == b'"' and not ended:  # a row whose first character is damaged
                run.damaged += 1
    if run.damaged:
        run.notes.append(f"{run.damaged} rows cannot be read and are left out")


def segments(folder: Path) -> list[Path]:
    """The files of the journal in ``folder``, in order."""
    more = overflow(folder)
    folders = [folder, more] if is_own(more, folder) else [folder]
    numbered = [(segment_number(path), path) for one in folders for path in one.glob("rows-*.jsonl")]
    return [path for number, path in sorted((number, path) for number, path in numbered if number is not None)]


def _removed_rows(run: Run, found: int, before: int) -> Iterator[dict[str, Any]]:
    stored = 0
    for row in _stored_rows(run, look(run.path, rows=before).files, found, before):
        stored += 1
        yield row
    if stored < before - found:
        run.notes.append(f"{before - found - stored} rows are neither in the journal nor in W&B's own file")


def _whole_batch(lines: list[bytes]) -> Optional[list[dict[str, Any]]]:
    """The rows of ``lines`` if each of them is one: decoded at once, at half of the price of one by one."""
    if not all(line.startswith(b"{") for line in lines):
        return None
    try:
        rows: list[dict[str, Any]] = _decode(b"[" + b",".join(lines) + b"]")
    except (ValueError, RecursionError):
        return None
    return rows if len(rows) == len(lines) else None


def _number(line: bytes) -> int:
    words = line.split()
    return int(words[1]) if len(words) > 1 and len(words[1]) < 19 and words[1].lstrip(b"-").isdigit() else 0


def _step(raw: Any) -> Optional[int]:
    try:
        return int(raw) if raw is not None and len(str(raw)) < 30 else None
    except ValueError:
        return None


def _stored_rows(run: Run, paths: list[Path], first: int = 0, before: Optional[int] = None) -> Iterator[dict[str, Any]]:
    """The rows from number ``first`` to ``before`` (all, if that is None) in W&B's files."""
    last = first - 1  # a run that was resumed has several files, which overlap
    for path in paths:
        about: dict[str, Any] = {}
        damage: set[int] = set()
        missing = 0
        try:
            for row in records(path, about, no_progress if run.journal else run.progress, damage):
                step = _step(row.pop("_step", None))
                if step is not None:
                    if step <= last or (before is not None and step >= before):
                        continue
                    missing += step - last - 1
                    last = step
                row.pop("_runtime", None)
                row.pop("_wandb", None)
                yield row
        except (OSError, ValueError) as error:
            run.notes.append(f"{path.name}: {getattr(error, 'strerror', None) or error}")
        if damage:
            what = f"{missing} rows are missing" if missing else "no row is missing that a later one tells of"
            places = f"in {len(damage)} places, the first" if len(damage) > 1 else ""
            run.notes.append(" ".join(f"{path.name} is damaged {places} at byte {min(damage)}: {what}".split()))
        for key, value in about.items():
            run.about.setdefault(key, value)
        if not run.journal:
            run.exit_code = about.get("exit_code")


def _batches(run: Run, paths: list[Path]) -> Iterator[list[bytes]]:
    """The whole lines of the files without their ends, some hundred at a time."""
    for path in paths:
        try:
            file = open_regular(path)
        except OSError as error:
            run.notes.append(f"{path.name}: {error.strerror}")
            continue
        with file:
            yield from _batches_of(run, file)


def _batches_of(run: Run, file: BinaryIO) -> Iterator[list[bytes]]:
    rest = b""
    while True:
        data = file.read(max(_READ, len(rest)))  # a line of many megabytes is not copied for each piece of it
        run.progress(len(data))
        end = data.rfind(b"\n") + 1
        if end:
            lines = (rest + data[: end - 1]).split(b"\n")
            rest = data[end:]
            yield lines
        elif not data:
            if rest:
                run.notes.append("the last row was being written when the job ended or this was read")
            return
        elif len(rest) + len(data) > MOST_LINE:  # what follows is no part of a journal
            run.damaged += 1
            return
        else:
            rest += data
