"""The text of a file of Python or YAML, and edits of it that leave every other byte as it was."""

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
    """``new`` takes the place of ``old`` (never empty), which begins at the character ``start`` of the text."""

    start: int
    old: str
    new: str


class Source(Protocol):
    """A text, and the file that it came from."""

    path: Path
    #: the program; for a notebook the cells, one after the other
    text: str

    def place(self, offset: int) -> Place:
        """Where a character of ``text`` stands in the file."""
        ...

    def apply(self, edits: Iterable[Edit]) -> bytes:
        """The file's bytes with ``edits`` made. Raises ``ValueError`` where the old text does not stand."""
        ...


@dataclass(frozen=True)
class Place:
    """A line of the file (from 1), and the notebook's cell (from 1; 0 elsewhere)."""

    line: int
    cell: int = 0


class TextFile:
    """A file of Python or YAML.

    Raises:
        Unreadable: its bytes are not what its encoding says.
    """

    def __init__(self, path: Path, data: bytes, encoding: str = "") -> None:
        self.path = path
        self._bom = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
        body = data[len(self._bom) :]
        self._encoding = encoding or _encoding(data)
        self.text = decoded(body, self._encoding)
        self._starts = line_starts(self.text)
        try:
            self.text.encode()  # libcst's parser takes nothing else
            same = self.text.encode(self._encoding) == body
        except UnicodeError:
            same = False
        if not same:
            raise Unreadable(f"its {self._encoding} text cannot be written back as it was")

    def place(self, offset: int) -> Place:
        """The same line."""
        return Place(bisect_right(self._starts, offset))

    def apply(self, edits: Iterable[Edit]) -> bytes:
        """See :class:`Source`."""
        spans = ((edit, edit.start, edit.start + len(edit.old)) for edit in edits)
        return self._bom + replaced(self.text, self.text, spans).encode(self._encoding)


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


def replaced(text: str, raw: str, edits: Iterable[tuple[Edit, int, int]]) -> str:
    """``raw`` with edits of ``text`` made, each between two characters of ``raw``; ``ValueError`` as in Source."""
    made, at = [], 0
    for edit, start, end in sorted(edits):
        if start < at or not text.startswith(edit.old, edit.start):
            raise ValueError(f"{edit.old!r} does not stand at character {edit.start}")
        made += [raw[at:start], edit.new]
        at = end
    return "".join([*made, raw[at:]])


def line_starts(text: str) -> list[int]:
    """The first character of each line. Python's lines end in \\n, \\r\\n or \\r, and in nothing else."""
    return [0, *(match.end() for match in re.finditer(r"\r\n|\r|\n", text))]
