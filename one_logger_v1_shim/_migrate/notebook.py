"""A notebook as one Python program, and edits of it that leave every other byte of the JSON as it was.

The code cells stand one after the other, because they share their names. IPython's own lines (``%pip``, ``!ls``) are
blank in the program; a cell that is no Python even then is blank as a whole, and is a problem of its own.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from json import scanner
from json.decoder import scanstring  # type: ignore[attr-defined]
from pathlib import Path
from typing import Any

from .files import NOTEBOOK, YAML, Found, Problem, Unreadable
from .pins import is_pin_file
from .source import Edit, Place, Source, TextFile, decoded, replaced

# one character of a JSON string, as it is written: a surrogate pair is one
_CHARACTER = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|.", re.DOTALL
)
_NAME = re.compile(r"[\w.]+")
_AUTOMAGIC = re.compile(r"(?:pip|conda|mamba|micromamba|uv)\s+[a-z]")  # IPython takes them without their %
_TARGETS = re.compile(r"[\w.,\s]+")
# cell magics whose body is a file's or a shell's; any other's is Python's if it parses
_PYTHON_CELLS = ("%%time", "%%capture", "%%prun", "%%py")
_WRITE_CELLS = ("%%writefile", "%%file")
_TEXT_CELLS = (
    "%%markdown",
    "%%javascript",
    "%%js",
    "%%html",
    "%%latex",
    "%%svg",
    "%%sql",
    "%%bigquery",
    "%%R",
    "%%perl",
)
_SHELL_CELLS = ("%%bash", "%%sh", "%%script", "%%cmd", "%%system", "%%sx", "%%!")


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
        #: what the cells hand to a shell or to a file: its name, the file's line of each of its lines, the text
        self.others: list[tuple[str, list[int], str]] = []
        self._raw = decoded(data, "utf-8")
        self._newlines = [match.start() for match in re.finditer("\n", self._raw)]
        # where in ``text`` (characters) a piece of a cell's source begins, which piece, and in which cell
        self._starts: list[int] = []
        self._pieces: list[tuple[_Text, int]] = []
        self._characters: dict[int, array[int]] = {}
        self._length = 0
        parts: list[str] = []
        for number, pieces in _cells(self._raw):
            self._add(number, pieces, parts)
        self.text = "".join(parts)

    def _add(self, number: int, pieces: list[_Text], parts: list[str]) -> None:
        source = "".join(pieces)
        program = self._program(number, source, pieces)
        for piece in pieces:
            self._starts.append(self._length)
            self._pieces.append((piece, number))
            self._length += len(piece)
        self._length += len(program) + 1 - len(source)
        parts += [program, "\n"]

    def _program(self, number: int, source: str, pieces: list[_Text]) -> str:
        """The cell as Python of the same length, line by line."""
        lines = source.splitlines(keepends=True)
        places = [self._line(pieces[min(index, len(pieces) - 1)].start) for index in range(len(lines))]
        first = next((index for index, line in enumerate(lines) if line.strip()), 0)
        words = lines[first].split() if lines and lines[first].strip() else [""]
        is_cell, is_written, last = words[0].startswith("%%"), words[0] in _WRITE_CELLS, words[-1].strip("'\"")
        if words[0] in _TEXT_CELLS:
            return _blank(source)
        to_shell = words[0] in _SHELL_CELLS and not last.startswith(("python", "pypy"))
        is_text = is_written and not last.endswith(".py") and ("." in last or is_pin_file(Path(last)))
        if to_shell or is_text:
            self.others.append((last if is_text else "cell.sh", places[first + 1 :], "".join(lines[first + 1 :])))
            return _blank(source)
        if is_cell:
            lines[first] = "#" + lines[first][1:]
        if _parses("".join(lines)):
            return "".join(lines)
        magic = dict.fromkeys(_magic(lines))
        self.others.append(("line.sh", [places[one] for one in magic], "".join(lines[one] for one in magic)))
        program = "".join(_pass(line) if one in magic else line for one, line in enumerate(lines))
        if not _parses(program):
            if "one_logger" in program and (not is_cell or words[0].startswith(_PYTHON_CELLS)):
                self.problems.append(Problem(self.path, f"cell {number} does not parse", places[0]))
            return _blank(source)
        return program

    def _line(self, raw: int) -> int:
        return bisect_left(self._newlines, raw) + 1

    def _written(self, offset: int) -> tuple[int, int]:
        """Where in the file's text a character of ``text`` is written, from and to."""
        index = bisect_right(self._starts, offset) - 1
        piece, _ = self._pieces[index]
        if index not in self._characters:
            places, end = array("L", [piece.start]), piece.start
            for _ in piece:
                match = _CHARACTER.match(self._raw, end)
                assert match is not None
                end = match.end()
                places.append(end)
            self._characters[index] = places
        places = self._characters[index]
        within = min(offset - self._starts[index], len(places) - 2)  # after a cell stands a line end of our own
        return places[within], places[within + 1]

    def place(self, offset: int) -> Place:
        """The file's line and the cell."""
        if not self._pieces:
            return Place(1)
        offset = min(offset, max(len(self.text) - 2, 0))
        return Place(self._line(self._written(offset)[0]), self._pieces[bisect_right(self._starts, offset) - 1][1])

    def apply(self, edits: Iterable[Edit]) -> bytes:
        """See :class:`~.source.Source`. What is put in is plain ASCII, which JSON writes as it is."""
        edits = list(edits)
        starts = (self._written(edit.start)[0] for edit in edits)
        ends = (self._written(edit.start + len(edit.old) - 1)[1] for edit in edits)
        return replaced(self.text, self._raw, zip(edits, starts, ends)).encode()


def _cells(raw: str) -> Iterable[tuple[int, list[_Text]]]:
    """The code cells: their numbers, and the strings that their source is made of."""
    notebook = _located(raw)
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise Unreadable("no notebook: it has no list of cells")
    if not _language(notebook.get("metadata")).lower().startswith("py"):
        return
    for number, cell in enumerate(cells, 1):
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            source = cell.get("source")
            pieces = [source] if isinstance(source, _Text) else source
            if isinstance(pieces, list) and pieces and all(isinstance(piece, _Text) for piece in pieces):
                yield number, pieces


def _language(metadata: Any) -> str:
    """A kernel's name, such as ``my-venv``, says nothing of its language."""
    of_kernel, of_file = (
        (metadata or {}).get(key) if isinstance(metadata, dict) else None for key in ("kernelspec", "language_info")
    )
    language = (isinstance(of_file, dict) and of_file.get("name")) or (
        isinstance(of_kernel, dict) and of_kernel.get("language")
    )
    return str(language or "python")


def _located(raw: str) -> Any:
    """The JSON, whose strings know where they stand: the standard library's own scanner, asked for each string."""

    def text(string: str, end: int, strict: bool = True) -> tuple[_Text, int]:
        value, after = scanstring(string, end, strict)
        found = _Text(value)
        found.start = end
        return found, after

    decoder: Any = json.JSONDecoder(parse_int=lambda digits: 0)  # numbers are of no interest; huge ones are refused
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


def _magic(lines: list[str]) -> list[int]:
    """Which lines are IPython's; a backslash goes on with one."""
    found: list[int] = []
    for number, line in enumerate(lines):
        goes_on = found[-1:] == [number - 1] and lines[number - 1].rstrip().endswith("\\")
        if goes_on or _is_magic(line):
            found.append(number)
    return found


def _is_magic(line: str) -> bool:
    """``%pip install x``, ``!ls``, ``?name``, ``name??``, ``files = !ls``."""
    text = line.strip()
    if text[:1] in ("%", "!", "?") or _AUTOMAGIC.match(text):
        return True
    if text.endswith("?") and _NAME.fullmatch(text.rstrip("?")):
        return True
    before, _, after = text.partition("=")
    after = after.lstrip()
    return after[:1] in ("%", "!") and after[1:2] != "=" and _TARGETS.fullmatch(before) is not None


def _blank(text: str) -> str:
    return re.sub(r"[^\r\n]", " ", text)


def _pass(line: str) -> str:
    """``pass`` (or less) in the place of a magic, with the line's indent and length."""
    body = line.rstrip("\r\n")
    indent = body[: len(body) - len(body.lstrip())]
    room = len(body) - len(indent)
    return indent + ("pass".ljust(room) if room >= 4 else "0".ljust(room)) + line[len(body) :]


def source_of(found: Found, data: bytes) -> Source:
    """The text of a Python file, of a notebook, of YAML. Raises :class:`Unreadable`."""
    if found.kind == NOTEBOOK:
        return Notebook(found.path, data)
    return TextFile(found.path, data, "utf-8" if found.kind == YAML else "")
