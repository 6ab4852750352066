"""A notebook as one Python program, and edits of it that leave every other byte of the JSON as it was.

The code cells stand one after the other, because they share their names. IPython's own lines (``%pip``, ``!ls``) are
blank in the program; a cell that is no Python even then is blank as a whole, and is a problem of its own.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from json import scanner
from json.decoder import scanstring  # type: ignore[attr-defined]
from pathlib import Path
from typing import Any

from .files import NOTEBOOK, Found, Problem, Unreadable
from .source import Edit, Offsets, Place, PythonFile, Source, decoded

# one character of a JSON string, as it is written: a surrogate pair is one
_CHARACTER = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|.", re.DOTALL
)
# %pip install x; !ls; ?name; name??; files = !ls
_MAGIC = re.compile(r"\s*(?:[%!?]|[\w.,\s]+=\s*[%!](?!=)|[\w.]+\?{1,2}\s*$)")
# cell magics whose body is Python
_PYTHON_CELLS = ("%%time", "%%timeit", "%%capture", "%%prun", "%%python3", "%%python")


class _Text(str):
    """A string of the JSON, with the place of its first character in the file's text."""

    start: int


class Notebook:
    """A ``.ipynb`` file: a :class:`~.source.Source`.

    ``problems`` are the cells that do not parse.

    Raises:
        Unreadable: it is no notebook.
    """

    def __init__(self, path: Path, data: bytes) -> None:
        self.path = path
        self.problems: list[Problem] = []
        #: lines that the cells hand to a shell or to IPython: (line of the file, text)
        self.magics: list[tuple[int, str]] = []
        self._raw = decoded(data, "utf-8")
        self._newlines = [match.start() for match in re.finditer("\n", self._raw)]
        # where in ``text`` (characters) a piece of a cell's source begins, which piece, and in which cell
        self._starts: list[int] = []
        self._pieces: list[tuple[_Text, int]] = []
        parts: list[str] = []
        for number, pieces in _cells(self._raw):
            self._add(number, pieces, parts)
        self.text = "".join(parts)
        self._offsets = Offsets(self.text)

    def _add(self, number: int, pieces: list[_Text], parts: list[str]) -> None:
        source = "".join(pieces)
        program = self._program(number, source, pieces[0])
        at = sum(map(len, parts))
        for piece in pieces:
            self._starts.append(at)
            self._pieces.append((piece, number))
            at += len(piece)
        parts += [program, "\n"]

    def _program(self, number: int, source: str, first: _Text) -> str:
        """The cell as Python of the same length, line by line."""
        lines = source.splitlines(keepends=True)
        start = next((line for line in lines if line.strip()), "")
        if start.lstrip().startswith("%%") and start.split()[0] not in _PYTHON_CELLS:
            return _blank(source)
        if _parses(source):
            return source
        magics = [line for line in lines if _MAGIC.match(line)]
        line = self._line(first.start)
        self.magics += [(line, magic.strip()) for magic in magics]
        program = "".join(_pass(line) if _MAGIC.match(line) else line for line in lines)
        if not _parses(program):
            if "one_logger" in program:
                self.problems.append(Problem(self.path, f"cell {number} does not parse", line))
            return _blank(source)
        return program

    def _line(self, raw: int) -> int:
        return bisect_left(self._newlines, raw) + 1

    def _piece(self, offset: int) -> tuple[_Text, int, int]:
        """The piece that a character of ``text`` stands in, its cell, and the character's place in the piece."""
        index = bisect_right(self._starts, offset) - 1
        piece, cell = self._pieces[index]
        return piece, cell, offset - self._starts[index]

    def _character(self, byte: int) -> int:
        return len(self._offsets.data[:byte].decode())

    def _written(self, offset: int) -> tuple[int, int]:
        """Where in the file's text a character of ``text`` is written, from and to."""
        piece, _, within = self._piece(offset)
        start = end = piece.start
        for _ in range(within + 1):
            match = _CHARACTER.match(self._raw, end)
            assert match is not None
            start, end = match.span()
        return start, end

    def place(self, line: int) -> Place:
        """The file's line and the cell of a line of the program."""
        if not self._pieces:
            return Place(1)
        offset = min(self._character(self._offsets.of(line, 0)), max(len(self.text) - 2, 0))
        return Place(self._line(self._written(offset)[0]), self._piece(offset)[1])

    def apply(self, edits: Iterable[Edit]) -> bytes:
        """See :class:`~.source.Source`. What is put in is plain ASCII, which JSON writes as it is."""
        made, at = [], 0
        for edit in sorted(edits):
            first = self._character(edit.start)
            start = self._written(first)[0]
            end = self._written(first + len(edit.old) - 1)[1]
            if start < at or self.text[first : first + len(edit.old)] != edit.old:
                raise ValueError(f"{edit.old!r} does not stand at byte {edit.start}")
            made += [self._raw[at:start], edit.new]
            at = end
        return "".join([*made, self._raw[at:]]).encode()


def _cells(raw: str) -> Iterable[tuple[int, list[_Text]]]:
    """The code cells: their numbers, and the strings that their source is made of."""
    notebook = _located(raw)
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise Unreadable("no notebook: it has no list of cells")
    language = notebook.get("metadata") or {}
    language = language.get("language_info") or language.get("kernelspec") or {} if isinstance(language, dict) else {}
    name = language.get("name") or language.get("language") or "python" if isinstance(language, dict) else "python"
    if not str(language.get("language", name) if isinstance(language, dict) else name).lower().startswith("py"):
        return
    for number, cell in enumerate(cells, 1):
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            source = cell.get("source")
            pieces = [source] if isinstance(source, _Text) else source
            if isinstance(pieces, list) and pieces and all(isinstance(piece, _Text) for piece in pieces):
                yield number, pieces


def _located(raw: str) -> Any:
    """The JSON, whose strings know where they stand: the standard library's own scanner, asked for each string."""

    def text(string: str, end: int, strict: bool = True) -> tuple[_Text, int]:
        value, after = scanstring(string, end, strict)
        found = _Text(value)
        found.start = end
        return found, after

    decoder: Any = json.JSONDecoder()
    decoder.parse_string = text
    decoder.scan_once = scanner.py_make_scanner(decoder)  # type: ignore[attr-defined]
    try:
        return decoder.decode(raw)
    except json.JSONDecodeError as error:
        raise Unreadable(f"no JSON: {error.msg}", error.lineno) from None
    except RecursionError:
        raise Unreadable("no JSON: too deeply nested") from None


def _parses(program: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(program)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _blank(text: str) -> str:
    return re.sub(r"[^\r\n]", " ", text)


def _pass(line: str) -> str:
    """``pass`` (or less) in the place of a magic, with the line's indent and length."""
    body = line.rstrip("\r\n")
    indent = body[: len(body) - len(body.lstrip())]
    room = len(body) - len(indent)
    return indent + ("pass".ljust(room) if room >= 4 else "0".ljust(room)) + line[len(body) :]


def source_of(found: Found, data: bytes) -> Source:
    """The text of a Python file or of a notebook. Raises :class:`Unreadable`."""
    return Notebook(found.path, data) if found.kind == NOTEBOOK else PythonFile(found.path, data)
