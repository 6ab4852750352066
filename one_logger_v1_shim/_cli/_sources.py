"""Where runs lie on disk: journals of ours, run folders of W&B, ``.wandb`` files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Optional

from ._files import alive, open_regular, read_object
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
    #: rows of the job as found, from both sources
    count: int = 0

    def rows(self) -> Iterator[dict[str, Any]]:
        """All rows in order, each once."""
        for row in _journal_rows(self) if self.journal else _stored_rows(self, [self.path]):
            self.count += 1
            yield row


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
        run = Run(path, True, about=read_object(path / "run.json"))
        run.about["mark"] = read_object(path / "mark.json")
        return run
    if path.is_dir():
        path = max(path.glob("*.wandb"), key=lambda one: one.stat().st_mtime)
    return Run(path, False)


def unfinished(folder: Path) -> Optional[str]:
    """Why the journal in ``folder`` waits for ``recover``, or None: its run is finished or goes on."""
    about, mark = read_object(folder / "run.json"), read_object(folder / "mark.json")
    if mark.get("state") == "finished" or alive(about.get("pid")) or worker_of(folder) is not None:
        return None
    if not about:
        return "run.json is missing or damaged"
    taken = mark.get("rows")
    return f"W&B took {taken if isinstance(taken, int) else 0} rows, then the job and its W&B process ended"


def worker_of(folder: Path) -> Optional[int]:
    """The process that delivers this journal's rows, if it runs on this machine."""
    wanted = str(folder.resolve()).encode()
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if wanted in words and any(word.endswith(b"_delivery.worker") for word in words):
            return int(entry.parent.name)
    return None


def journals(folder: Path) -> list[Path]:
    """The user's own journals in ``folder``, oldest first; empty when it can't be read."""
    try:
        named = [child for child in folder.glob("one-logger-*") if not child.is_symlink()]
        own = [child for child in named if child.stat().st_uid == os.getuid()]
        return sorted(filter(_is_journal, own), key=_age)
    except OSError:
        return []


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
    segments = sorted(path for path in run.path.glob("rows-*.jsonl") if path.stem[5:].isdigit())
    lines = _lines(run, segments)
    first = next(lines, None)
    if segments and int(segments[0].stem[5:]) == 1:
        return chain([first] if first is not None else [], lines)
    return _joined(run, first, lines)


def _joined(run: Run, first: Optional[dict[str, Any]], rest: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """W&B's rows up to the journal's first one, and on from there: the journal's oldest files were removed."""
    met = False
    files = _stored_files(run)
    if files:
        for row in _stored_rows(run, files):
            if first is not None and _same(first, row):
                met = True
                break
            yield row
    if not files:
        run.notes.append("the oldest rows are not in the journal any more, and W&B's own file is not here")
    elif first is not None and not met:
        run.notes.append("the journal and W&B's file do not meet: rows between them may be missing or shown twice")
    if first is not None:
        yield first
        yield from rest


def _same(row: dict[str, Any], stored: dict[str, Any]) -> bool:
    # W&B flattens a dict, and keeps the rest as it is
    return all(
        repr(stored.get(key)) == repr(value) for key, value in row.items() if not isinstance(value, (dict, list))
    )


def _stored_files(run: Run) -> list[Path]:
    """The ``.wandb`` files of the run. The folder may have been moved or copied: neighbours first."""
    mark = run.about.get("mark", {})
    named = mark.get("dirs") if isinstance(mark.get("dirs"), list) else [mark.get("dir")]
    found: list[Path] = []
    for name in filter(None, named):
        told = Path(str(name))
        for folder in (run.path.parent / told.name, run.path / "wandb" / told.name, told):
            files = sorted(folder.glob("*.wandb")) if folder.is_dir() else []
            if files:
                found.extend(files)
                break
    return found


def _stored_rows(run: Run, paths: list[Path]) -> Iterator[dict[str, Any]]:
    last = -1  # a run that was resumed has several files, which overlap
    for path in paths:
        about: dict[str, Any] = {}
        try:
            for row in records(path, about):
                step = row.get("_step")
                if isinstance(step, int) and not isinstance(step, bool):
                    if step <= last:
                        continue
                    last = step
                yield {key: value for key, value in row.items() if key not in OWN_KEYS or key == "_timestamp"}
        except (OSError, ValueError) as error:
            run.notes.append(f"{path.name}: {getattr(error, 'strerror', None) or error}")
        for key, value in about.items():
            run.about.setdefault(key, value)
        if not run.journal:
            run.exit_code = about.get("exit_code")


def _lines(run: Run, segments: list[Path]) -> Iterator[dict[str, Any]]:
    damaged = 0
    for path in segments:
        try:
            file = open_regular(path)
        except OSError as error:
            run.notes.append(f"{path.name}: {error.strerror}")
            continue
        with file:
            while True:
                line = file.readline(_MOST_LINE)
                if not line:
                    break
                if not line.endswith(b"\n"):
                    if len(line) < _MOST_LINE:
                        run.notes.append("the last row was being written when the job ended or this was read")
                        break
                    while line and not line.endswith(b"\n"):
                        line = file.readline(_MOST_LINE)
                    damaged += 1
                    continue
                if line.startswith(b"#finish"):
                    words = line.split()
                    run.exit_code = int(words[1]) if len(words) > 1 and words[1].lstrip(b"-").isdigit() else 0
                if not line.startswith(b"{"):
                    continue
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError):
                    damaged += 1
                    continue
                yield row
    if damaged:
        run.notes.append(f"{damaged} rows can not be read and are left out")
