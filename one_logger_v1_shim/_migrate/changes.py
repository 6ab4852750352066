"""Changes of files, there and back: as a diff, or written whole or not at all."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import groupby
from operator import eq
from pathlib import Path
from typing import Any, Optional

from . import record
from .files import Unreadable, content, reason_of
from .whole import sweep, write_whole

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_CONTEXT = 3  # lines around a changed one in a diff
# what a terminal would obey; a line may end in \r, and old sources have form feeds
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]|\r(?!$)")


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

    #: on the way back: what is still to be given back; None on the way there
    rest: Optional[list[record.Swap]] = None

    @property
    def changes(self) -> bool:
        """Whether there is anything to write."""
        return self.before != self.after

    def diff(self) -> Iterator[str]:
        """A unified diff, as ``patch -p1`` takes it; each text ends its line.

        A character that a terminal would obey is shown as U+FFFD: such a file's diff is for reading only.
        """
        old, new = (_LINE.findall(data.decode("utf-8", "backslashreplace")) for data in (self.before, self.after))
        name = str(self.path).lstrip("/")
        name = name if name.isprintable() else name.encode("unicode_escape").decode()
        if self.changes:
            yield f"--- a/{name}\n"
            yield f"+++ b/{name}\n"
            for hunk in _InPlace(old, new).get_grouped_opcodes(_CONTEXT):
                first, end = hunk[0][1], hunk[-1][2]
                count = "" if end - first == 1 else f",{end - first}"
                yield f"@@ -{first + 1}{count} +{first + 1}{count} @@\n"
                for kind, start, stop, _, _ in hunk:
                    yield from (_shown(" " if kind == "equal" else "-", line) for line in old[start:stop])
                    yield from (_shown("+", line) for line in new[start:stop] if kind != "equal")


class _InPlace(SequenceMatcher[str]):
    """A swap leaves the number of lines as it is, so that nothing is searched, which takes minutes in a large file."""

    def __init__(self, old: list[str], new: list[str]) -> None:
        super().__init__()
        self._same = map(eq, old, new)

    def get_opcodes(self) -> list[tuple[Any, int, int, int, int]]:
        codes, start = [], 0
        for same, lines in groupby(self._same):
            stop = start + sum(1 for _ in lines)
            codes.append(("equal" if same else "replace", start, stop, start, stop))
            start = stop
        return codes


def _shown(sign: str, line: str) -> str:
    end = "" if line.endswith("\n") else "\n\\ No newline at end of file\n"
    return sign + _CONTROL.sub("\N{REPLACEMENT CHARACTER}", line) + end


class Writer:
    """Writes changes. What was one file under several names (hard links) stays one."""

    def __init__(self) -> None:
        self._swept: set[Path] = set()
        #: a file's device and inode before it was written, and the names it was written under since
        self._written: dict[tuple[int, int], list[Path]] = {}
        #: names that each of these files had
        self._names: dict[tuple[int, int], int] = {}

    def write(self, change: Change) -> str:
        """Write the file, and the record of the way back first; the reason why not, or ""."""
        why = self._refusal(change)
        if why:
            return why
        path = change.path
        try:
            kept = record.Record.read(path.parent)
            earlier = record.standing(change.before, kept.files.get(path.name, []))
            kept.files[path.name] = [*earlier, record.swap_of(change.before, change.after)]
            kept.write()
            try:
                self._replace(change)
            except OSError:
                kept.files[path.name] = earlier
                kept.write()
                raise
        except Unreadable as error:
            return f"not written: {record.NAME} beside it is {error.reason}"
        except OSError as error:
            return f"not written: {reason_of(error)}"
        return ""

    def write_back(self, change: Change) -> str:
        """Write the file, then its record without what was given back; the reason why not, or ""."""
        why = self._refusal(change) if change.changes else ""
        if why:
            return why
        try:
            if change.changes:
                self._replace(change)
            kept = record.Record.read(change.path.parent)
            kept.files[change.path.name] = [one for one in change.rest or [] if one.lines]
            kept.write()
        except Unreadable as error:
            return f"not written: {record.NAME} beside it is {error.reason}"
        except OSError as error:
            return f"not written: {reason_of(error)}"
        return ""

    def linked_elsewhere(self) -> Iterator[Path]:
        """Files that were written and have another name, outside of what was given, with the old text."""
        return (paths[0] for key, paths in self._written.items() if self._names[key] > len(paths))

    def _refusal(self, change: Change) -> str:
        folder = change.path.parent
        if folder not in self._swept:
            self._swept.add(folder)
            sweep(folder)
        try:
            writable = change.path.lstat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
            if not writable or not os.access(change.path, os.W_OK):
                return "not written: read-only"
            if content(change.path) != change.before:
                return "not written: somebody has changed it meanwhile"
        except OSError as error:
            return f"not written: {reason_of(error)}"
        return ""

    def _replace(self, change: Change) -> None:
        status = change.path.lstat()
        key = status.st_dev, status.st_ino
        other = self._written.get(key, [None])[0]
        if other is not None and content(other) != change.after:
            other = None
        write_whole(change.path, change.after, same_as=other)
        self._names.setdefault(key, status.st_nlink)
        self._written.setdefault(key, []).append(change.path)


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
    change = Change(path, rest=[])
    try:
        change.before = change.after = content(path)
    except OSError as error:
        change.left.append((0, f"cannot be given back: {reason_of(error)}"))
        change.rest = swaps
        return change
    rest: list[record.Swap] = []
    for one in reversed(record.standing(change.before, swaps)):
        change.after, left = record.undo(change.after, one)
        rest.insert(0, record.Swap(one.before, one.after, tuple(left)))
        change.places += len(one.lines) - len(left)
        change.left += [(0, f"edited since, line {line.number} of then: {line.after.strip()}") for line in left]
    change.rest = rest
    return change
