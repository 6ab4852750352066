"""Changes of files, there and back: as a diff, or written whole or not at all."""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from . import record
from .files import Unreadable, reason_of


@dataclass
class Change:
    """What is to be done to one file, and what is not."""

    path: Path
    before: bytes = b""
    after: bytes = b""
    places: int = 0
    #: (line, text): done, in another way than the reader may expect
    notes: list[tuple[int, str]] = field(default_factory=list)
    #: (line, reason): not done; line 0 is the whole file
    left: list[tuple[int, str]] = field(default_factory=list)

    #: on the way back: what is still to be given back
    rest: list[record.Swap] = field(default_factory=list)

    @property
    def changes(self) -> bool:
        """Whether there is anything to write."""
        return self.before != self.after

    def diff(self) -> Iterator[str]:
        """A unified diff, as ``patch -p1`` takes it; each text ends its line."""
        old, new = (_shown(data) for data in (self.before, self.after))
        name = str(self.path).lstrip("/")
        name = name if name.isprintable() else name.encode("unicode_escape").decode()
        for line in difflib.unified_diff(old, new, f"a/{name}", f"b/{name}"):
            yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _shown(data: bytes) -> list[str]:
    lines = data.decode("utf-8", "backslashreplace").split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def write(change: Change) -> str:
    """Write the file, and the record of the way back first; the reason why not, or ""."""
    why = _refusal(change)
    if why:
        return why
    try:
        kept = record.Record.read(change.path.parent)
        kept.files.setdefault(change.path.name, []).append(record.swap_of(change.before, change.after))
        kept.write()
        try:
            record.write_whole(change.path, change.after)
        except BaseException:
            kept.files[change.path.name].pop()
            kept.write()
            raise
    except Unreadable as error:
        return f"not written: {record.NAME} beside it is {error.reason}"
    except OSError as error:
        return f"not written: {reason_of(error)}"
    return ""


def _refusal(change: Change) -> str:
    try:
        if not change.path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) or not os.access(
            change.path, os.W_OK
        ):
            return "not written: read-only"
        if change.path.read_bytes() != change.before:
            return "not written: somebody has changed it meanwhile"
    except OSError as error:
        return f"not written: {reason_of(error)}"
    return ""


# -- and back --------------------------------------------------------------------------------------------------


def back(paths: Sequence[Path]) -> Iterator[Change]:
    """What there is to give back below ``paths``; nothing is written."""
    for folder, names in _recorded(paths):
        try:
            kept = record.Record.read(folder)
        except Unreadable as error:
            yield Change(folder / record.NAME, left=[(0, error.reason)])
            continue
        for name, swaps in kept.files.items():
            if names is None or name in names:
                yield _undone(folder / name, swaps)


def _recorded(paths: Sequence[Path]) -> Iterator[tuple[Path, Optional[set[str]]]]:
    for path in paths:
        real = Path(os.path.realpath(path)) if path.is_symlink() else path
        if not real.is_dir():
            yield real.parent, {real.name}
            continue
        for folder, folders, files in os.walk(real):
            folders.sort()
            if record.NAME in files:
                yield Path(folder), None


def _undone(path: Path, swaps: list[record.Swap]) -> Change:
    change = Change(path)
    try:
        change.before = change.after = path.read_bytes()
    except OSError as error:
        change.left.append((0, f"can not be given back: {reason_of(error)}"))
        return change
    for one in reversed(swaps):
        change.after, left = record.undo(change.after, one)
        change.rest.insert(0, record.Swap(one.before, one.after, tuple(left)))
        change.places += len(one.lines) - len(left)
        change.left += [(0, f"edited since, line {line.number} of then: {line.after.strip()}") for line in left]
    return change


def write_back(change: Change) -> str:
    """Write the file, then its record without what was given back; the reason why not, or ""."""
    if change.changes:
        why = _refusal(change)
        if why:
            return why
    try:
        if change.changes:
            record.write_whole(change.path, change.after)
        kept = record.Record.read(change.path.parent)
        if change.left:
            kept.files[change.path.name] = [one for one in change.rest if one.lines]
        else:
            kept.files.pop(change.path.name, None)
        kept.write()
    except Unreadable as error:
        return f"not written: {record.NAME} beside it is {error.reason}"
    except OSError as error:
        return f"not written: {reason_of(error)}"
    return ""
