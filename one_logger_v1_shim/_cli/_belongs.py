"""Which of W&B's files are those of a journal's run: the rows in them say so. No name or path in the journal does."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Optional

from .._journal.calls import FINISH, FROM, is_row, number
from .._journal.follow import Follower
from .._journal.outside import MOST_LINE, json_value, open_regular
from .._journal.wandb_file import fields, history, records_from
from ._stored import _FILE_HEADER, _Names, _row

_COMPARED = 16  # rows of a file, the last ones
_TAIL = 512 * 1024
# Record: num, history, summary, output, config, files, stats, telemetry, metric, output_raw, run, exit, final, header,
# footer, preempting, environment. Artifacts and Tensorboard's records name files of this machine that are uploaded.
_HARMLESS = {1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 15, 16, 17, 18, 19, 20, 21, 22, 23, 26, 27, 200}
_FILES, _FILE, _PATH = 6, 1, 1


def belonging(folder: Path, files: Mapping[Path, int]) -> tuple[list[Path], bool]:
    """Those of ``files`` whose rows are the rows of the journal in ``folder``, or that have none; is that certain?

    Args:
        folder: of the journal.
        files: W&B's files with one run id, and how many rows each has.
    """
    wanted: set[int] = set()
    for rows in files.values():
        wanted.update(range(max(0, rows - _COMPARED), rows))
    journal = _rows_of_journal(folder, wanted) if wanted else {}
    verdicts = {path: _agree(journal, _last_rows(path)) if rows else None for path, rows in files.items()}
    certain = any(verdicts.values())
    # a file of the same run whose rows the journal does not have any more
    return [path for path, rows in files.items() if verdicts[path] or (verdicts[path] is None and (certain or not rows))
            ], certain  # fmt: skip


def _agree(journal: Mapping[int, Any], stored: Mapping[int, Mapping[str, Any]]) -> Optional[bool]:
    """Whether a row is in both; None: there is none to compare. W&B may have changed a value that it cannot take."""
    both = [(journal[step], stored[step]) for step in journal.keys() & stored.keys()]
    return any(_equal(*one) for one in both) if both else None


def _equal(row: Any, stored: Mapping[str, Any]) -> bool:
    mine = dict(_flat(row)) if isinstance(row, dict) else {}
    return bool(mine) and all(key in stored and _same(value, stored[key]) for key, value in mine.items())


def _flat(row: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in row.items():
        if isinstance(value, dict) and before.count(".") < 50:
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=1e-12) or (math.isnan(one) and math.isnan(other))
    return bool(one == other)


def _rows_of_journal(folder: Path, wanted: set[int]) -> dict[int, Any]:
    found = {}
    for rows, line in journal_lines(folder):
        if is_row(line) and rows - 1 in wanted:
            found[rows - 1] = _value(line)
        if rows > max(wanted):
            break
    return found


def journal_lines(folder: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a journal until its end, each with how many rows there are up to it."""
    follower, rows = Follower(folder), 0
    try:
        while lines := follower.lines(rows):
            for line in lines:
                if is_row(line):
                    rows += 1
                elif line.startswith(FROM):
                    rows = max(rows, number(line))
                yield rows, line
                if line.startswith(FINISH):
                    return
    finally:
        follower.close()


def _last_rows(path: Path) -> dict[int, dict[str, Any]]:
    """The last rows in one of W&B's files, by their step."""
    found: dict[int, dict[str, Any]] = {}
    try:
        with open_regular(path) as file:
            size, back, names = file.seek(0, 2), _TAIL, _Names()
            while not found and back <= MOST_LINE:
                began = max(0, size - back) // 32768 * 32768 or _FILE_HEADER
                file.seek(began)
                messages = [one for one, _ in records_from(file.read(size - began), began) if history(one)]
                for message in messages[-_COMPARED:]:
                    row = {key: _value(value) for key, value in _row(history(message), names).items()}
                    step = row.pop("_step", None)
                    if isinstance(step, int):
                        found[step] = row
                if began == _FILE_HEADER:
                    break
                back *= 16
    except (OSError, ValueError, LookupError, RecursionError):
        pass
    return found


def _value(raw: Any) -> Any:
    try:
        return json_value(raw) if isinstance(raw, bytes) else raw
    except (ValueError, RecursionError):
        return None


def is_harmless(path: Path) -> bool:
    """Whether ``wandb sync`` uploads nothing but the run for the file: its records name no other files."""
    try:
        with open_regular(path) as file:
            at = _FILE_HEADER
            while True:
                file.seek(at)
                data, began = file.read(MOST_LINE), at
                for record, end in records_from(data, began):
                    at = end
                    if not history(record) and not _names_no_file(record):
                        return False
                if len(data) < MOST_LINE or at == began:
                    return True
    except (OSError, ValueError, LookupError):
        return False


def _names_no_file(record: bytes) -> bool:
    for kind, body in fields(record):
        if kind not in _HARMLESS:
            return False
        if kind == _FILES and isinstance(body, bytes):
            for part, item in fields(body):
                if part == _FILE and isinstance(item, bytes):
                    name = next((value for key, value in fields(item) if key == _PATH), b"")
                    if not isinstance(name, bytes) or name.startswith((b"/", b"\\", b"~")) or b".." in name:
                        return False
    return True
