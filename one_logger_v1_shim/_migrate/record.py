"""The way back from a swap: beside the swapped files lies a record of the lines that were changed.

``.one_logger_v1_swap.json`` in a folder: for each of its swapped files, the swaps in their order, and for each of these
the SHA-256 of the file before and after, and the changed lines. While the file is as the swap left it, ``--back`` gives
it back to the byte. Where it was edited since, the lines that still are as the swap wrote them go back, and the others
are listed. The record goes when it is empty.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .files import Unreadable

NAME = ".one_logger_v1_swap.json"
FORMAT = 1


@dataclass(frozen=True)
class Line:
    """A changed line: its number (from 1), and which of how many equal lines of the swapped file it is."""

    number: int
    before: str
    after: str
    nth: int
    of: int


@dataclass(frozen=True)
class Swap:
    """What one swap did to one file. Bytes that are no UTF-8 are lone surrogates in the lines."""

    before: str
    after: str
    lines: tuple[Line, ...]


def swap_of(before: bytes, after: bytes) -> Swap:
    """The record of a change that leaves the number of lines as it is."""
    old, new = _lines(before), _lines(after)
    if len(old) != len(new):
        raise ValueError("a swap changes lines and never their number")
    places: dict[str, list[int]] = {}
    for number, line in enumerate(new):
        places.setdefault(line, []).append(number)
    changed = [
        Line(number + 1, was, line, places[line].index(number), len(places[line]))
        for number, (was, line) in enumerate(zip(old, new))
        if was != line
    ]
    return Swap(digest(before), digest(after), tuple(changed))


def undo(data: bytes, swap: Swap) -> tuple[bytes, list[Line]]:
    """The file before ``swap``, and the lines that can not be given back because somebody has edited them."""
    if digest(data) == swap.before:
        return data, []
    lines = _lines(data)
    if digest(data) == swap.after:
        for line in swap.lines:
            lines[line.number - 1] = line.before
        back = _joined(lines)
        if digest(back) == swap.before:
            return back, []
    lines = _lines(data)
    places: dict[str, list[int]] = {}
    for number, text in enumerate(lines):
        places.setdefault(_bare(text), []).append(number)
    left = []
    for line in swap.lines:
        found = places.get(_bare(line.after), [])
        if len(found) != line.of:
            left.append(line)
            continue
        at = found[line.nth]
        lines[at] = _bare(line.before) + lines[at][len(_bare(lines[at])) :]
    return _joined(lines), left


def digest(data: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _lines(data: bytes) -> list[str]:
    return data.decode("utf-8", "surrogateescape").split("\n")


def _joined(lines: list[str]) -> bytes:
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def _bare(line: str) -> str:
    return line.rstrip("\r")


@dataclass
class Record:
    """The swaps of one folder's files, by the name of the file."""

    folder: Path
    files: dict[str, list[Swap]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Record:
        """The folder's record; an empty one if there is none.

        Raises:
            Unreadable: it is not one of ours, or not of this format.
        """
        path = folder / NAME
        try:
            data = json.loads(path.read_bytes())
            if data["format"] != FORMAT:
                raise Unreadable(f"a record of format {data['format']!r}; this version reads {FORMAT}")
            return cls(folder, {name: [_swap(one) for one in swaps] for name, swaps in data["files"].items()})
        except FileNotFoundError:
            return cls(folder)
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            raise Unreadable(f"no record of a swap ({error})") from None

    def write(self) -> None:
        """Write it whole; an empty one is removed. Raises ``OSError``."""
        path = self.folder / NAME
        files = {name: [_as_json(one) for one in swaps] for name, swaps in self.files.items() if swaps}
        if files:
            text = json.dumps({"format": FORMAT, "files": files}, indent=1)
            write_whole(path, (text + "\n").encode())
        elif path.exists():
            path.unlink()


def _as_json(swap: Swap) -> dict[str, Any]:
    return {"before": swap.before, "after": swap.after, "lines": [vars(line) for line in swap.lines]}


def _swap(data: dict[str, Any]) -> Swap:
    return Swap(str(data["before"]), str(data["after"]), tuple(Line(**line) for line in data["lines"]))


def write_whole(path: Path, data: bytes) -> None:
    """Replace the file, or write none of it. Mode, owner and extended attributes stay. Raises ``OSError``."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".swap", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            _like(path, temporary)
        else:
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _like(path: Path, other: Path) -> None:
    status = path.stat()
    other.chmod(stat.S_IMODE(status.st_mode))
    own = other.stat()
    if (own.st_uid, own.st_gid) != (status.st_uid, status.st_gid):
        try:
            os.chown(other, status.st_uid, status.st_gid)
            other.chmod(stat.S_IMODE(status.st_mode))
        except PermissionError:
            pass  # somebody else's file in our folder: it becomes ours, as with any editor
    for attribute in os.listxattr(path) if hasattr(os, "listxattr") else []:
        try:
            os.setxattr(other, attribute, os.getxattr(path, attribute))
        except OSError:
            continue
