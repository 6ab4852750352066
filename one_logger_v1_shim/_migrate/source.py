"""The text of a Python file, and edits of it that leave every other byte as it was."""

from __future__ import annotations

import codecs
import io
import re
import tokenize
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .files import Unreadable

#: text encodings of Python that no source file has; one of them takes time that grows with the square of the text
_NO_FILES = frozenset({"idna", "punycode", "undefined"})


@dataclass(frozen=True, order=True)
class Edit:
    """``new`` takes the place of ``old`` (never empty), which begins at ``start`` (bytes of the text as UTF-8)."""

    start: int
    old: str
    new: str


class Source(Protocol):
    """Python text, and the file that it came from."""

    path: Path
    #: the program; for a notebook the cells, one after the other
    text: str
    lines: Lines

    def place(self, byte: int) -> Place:
        """Where a byte of ``text`` (as UTF-8) stands in the file."""
        ...

    def apply(self, edits: Iterable[Edit]) -> bytes:
        """The file's bytes with ``edits`` made."""
        ...


@dataclass(frozen=True)
class Place:
    """A line of the file (from 1), and the notebook's cell (from 1; 0 elsewhere)."""

    line: int
    cell: int = 0


class PythonFile:
    """A ``.py`` or ``.pyi`` file.

    Raises:
        Unreadable: its bytes are not what its encoding says.
    """

    def __init__(self, path: Path, data: bytes) -> None:
        self.path = path
        self._bom = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
        body = data[len(self._bom) :]
        self._encoding = _encoding(data)
        self.text = decoded(body, self._encoding)
        try:
            same = self.text.encode(self._encoding) == body
            self.lines = Lines(self.text)
        except UnicodeError:
            same = False
        if not same:
            raise Unreadable(f"its {self._encoding} text cannot be written back as it was")

    def place(self, byte: int) -> Place:
        """The same line."""
        return Place(self.lines.line(byte))

    def apply(self, edits: Iterable[Edit]) -> bytes:
        """See :class:`Source`."""
        data = replaced(self.lines.data, edits)
        return self._bom + data.decode().encode(self._encoding)


def _encoding(data: bytes) -> str:
    try:
        named, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    except SyntaxError as error:
        decoded(data, "utf-8")  # its error is the better one, where the first lines are not UTF-8
        raise Unreadable(str(error.msg), 1) from None
    if named in _NO_FILES or not getattr(codecs.lookup(named), "_is_text_encoding", True):
        raise Unreadable(f"{named} is no encoding of a source file", 1)
    return "utf-8" if named == "utf-8-sig" else named


def decoded(data: bytes, encoding: str) -> str:
    """The text. Raises :class:`Unreadable` with the first bad byte and its line."""
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Unreadable(f"not {encoding.upper()}: byte 0x{data[error.start]:02x}", line) from None
    except (UnicodeError, LookupError) as error:
        raise Unreadable(f"not {encoding.upper()}: {error}") from None


def replaced(data: bytes, edits: Iterable[Edit]) -> bytes:
    """``data`` with ``edits`` made. Raises ``ValueError`` where the old text does not stand."""
    made, at = [], 0
    for edit in sorted(edits):
        end = edit.start + len(edit.old.encode())
        if edit.start < at or data[edit.start : end] != edit.old.encode():
            raise ValueError(f"{edit.old!r} does not stand at byte {edit.start}")
        made += [data[at : edit.start], edit.new.encode()]
        at = end
    return b"".join([*made, data[at:]])


class Lines:
    """From bytes of a text as UTF-8 to its lines, and back."""

    def __init__(self, text: str) -> None:
        self.data = text.encode()
        # Python's lines end in \n, \r\n or \r, and in nothing else.
        self._starts = [0, *(match.end() for match in re.finditer(rb"\r\n|\r|\n", self.data))]

    def of(self, line: int) -> int:
        """The first byte of a line (from 1)."""
        return self._starts[min(line, len(self._starts)) - 1]

    def line(self, offset: int) -> int:
        """The line (from 1) of a byte."""
        return bisect_right(self._starts, offset)
