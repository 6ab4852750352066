"""A run on disk, and its rows: of a journal of ours, of W&B's ``.wandb`` files, of what was fetched from a server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from heapq import merge
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO, Callable, Optional

from .._journal.calls import FINISH, FROM, is_call
from .._journal.files import overflow, segment_number
from .._journal.outside import MOST_LINE, is_own, json_value, open_regular
from ._left import look
from ._stored import no_progress, records

_decode: Callable[[bytes], Any] = json.loads
with suppress(ImportError):  # three times as fast as json; comes with wandb and v2, and may not be there
    from pydantic_core import from_json as _decode

_READ = 256 * 1024
_TOGETHER = 32  # files of a run that are open at a time


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
    #: of a run that was fetched from a server: what W&B says of it, and how many of the rows count
    state: Optional[str] = None
    fetched: int = 0
    #: hears of every piece that was read, in bytes
    progress: Callable[[int], None] = no_progress

    @property
    def name(self) -> str:
        """For notes."""
        return str(self.path) if self.state is None else f"{self.about.get('project')}/{self.about.get('id')}"

    @property
    def size(self) -> int:
        """Bytes to read; 0 where nobody can tell."""
        with suppress(OSError):
            paths = segments(self.path) if self.journal else self.files
            return sum(path.stat().st_size for path in paths if path.is_file())
        return 0

    def rows(self) -> Iterator[dict[str, Any]]:
        """All rows in order, each once. A value that is ``bytes`` is JSON text: :func:`~._format.decoded`."""
        if self.state is not None:
            return _fetched_rows(self)
        return _journal_rows(self) if self.journal else _stored_rows(self, self.files)


def _journal_rows(run: Run) -> Iterator[dict[str, Any]]:
    """The journal's rows, and from W&B's own files those that were removed from it after W&B had them."""
    found, ended = 0, False
    for data in _batches(run, segments(run.path)):
        if ended:
            return
        rows = _whole_batch(data)
        lines: list[bytes] = []
        if rows is None:
            lines = [line for line in data.split(b"\n") if not is_call(line)]
            rows = _whole_batch(b"\n".join(lines))
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


def _fetched_rows(run: Run) -> Iterator[dict[str, Any]]:
    """As many rows as were there when the run was opened: somebody may be fetching more of them."""
    found = 0
    for data in _batches(run, run.files):
        for line in _whole_batch(data) or data.split(b"\n"):
            if found == run.fetched:
                return
            found += 1
            try:
                yield json_value(line) if isinstance(line, bytes) else line
            except (ValueError, RecursionError):
                run.damaged += 1
    missing = run.damaged + run.fetched - found
    if missing:
        run.notes.append(
            f"{missing} rows cannot be read and are left out; to fetch them again, remove {run.path.parent}"
        )


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


def _whole_batch(data: bytes) -> Optional[list[dict[str, Any]]]:
    """The rows of ``data`` if each of its lines is one: decoded at once, at half of the price of one by one."""
    try:
        rows: list[dict[str, Any]] = _decode(b"[" + data.replace(b"\n", b",") + b"]")
    except (ValueError, RecursionError):
        return None
    return rows if len(rows) == data.count(b"\n") + 1 and set(map(type, rows)) == {dict} else None


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
    last, missing, known = first - 1, 0, 0
    between, gaps, steps = 0, 0, 0
    files = [_File(path) for path in paths]
    for index in range(0, len(files), _TOGETHER):
        # a run that was resumed has several files, which overlap: what is damaged in one may be whole in another
        some = [file.rows(run) for file in files[index : index + _TOGETHER]]
        for _, step, row in some[0] if len(some) == 1 else merge(*some, key=itemgetter(0)):
            if step is not None:
                if step <= last or (before is not None and step >= before):
                    continue
                missing += step - last - 1
                if last >= first and step > last + 1:
                    between += step - last - 1
                    gaps += 1
                last, steps = step, steps + 1
            row.pop("_runtime", None)
            row.pop("_wandb", None)
            if not known or len(files[index].about) > known:  # who reads the first rows only has to know whose they are
                known = len(files[index].about)
                run.about = {**files[index].about, **run.about}
            yield row
    # Somebody who chooses the steps (``run.log(row, step=100)``) has a gap at each row: then nothing is missing.
    if 0 < gaps * 2 < steps and before is None and not any(file.damage for file in files):
        run.notes.append(f"{files[-1].path.name}: {between} rows are missing between others")
    for file in files:
        if file.damage:
            what = f"{missing} rows are missing" if missing else "no row is missing that a later one tells of"
            places = f"in {len(file.damage)} places, the first" if len(file.damage) > 1 else ""
            said = f"{file.path.name} is damaged {places} at byte {min(file.damage)}: {what}"
            run.notes.append(" ".join(said.split()))
        run.about = {**file.about, **run.about}
        if not run.journal:
            run.exit_code = file.about.get("exit_code")


class _File:
    """One of W&B's files, and what was found in it so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.about: dict[str, Any] = {}
        self.damage: set[int] = set()

    def rows(self, run: Run) -> Iterator[tuple[int, Optional[int], dict[str, Any]]]:
        """Its rows: where it belongs, which is the step of the row before it where it has none, and the step."""
        place = -1
        try:
            for row in records(self.path, self.about, no_progress if run.journal else run.progress, self.damage):
                step = _step(row.pop("_step", None))
                place = place if step is None else step
                yield place, step, row
        except (OSError, ValueError) as error:
            run.notes.append(f"{self.path.name}: {getattr(error, 'strerror', None) or error}")


def _batches(run: Run, paths: list[Path]) -> Iterator[bytes]:
    """The files in pieces of some hundred whole lines, without the end of the last one."""
    for path in paths:
        try:
            file = open_regular(path)
        except OSError as error:
            run.notes.append(f"{path.name}: {error.strerror}")
            continue
        with file:
            yield from _batches_of(run, file)


def _batches_of(run: Run, file: BinaryIO) -> Iterator[bytes]:
    rest = b""
    while True:
        data = file.read(max(_READ, len(rest)))  # a line of many megabytes is not copied for each piece of it
        run.progress(len(data))
        end = data.rfind(b"\n") + 1
        if end:
            whole = rest + data[: end - 1]
            rest = data[end:]
            yield whole
        elif not data:
            if rest:
                run.notes.append("the last row was being written when the job ended or this was read")
            return
        elif len(rest) + len(data) > MOST_LINE:  # what follows is no part of a journal
            run.damaged += 1
            return
        else:
            rest += data
