"""The way back from a swap: beside the swapped files lies a record of the lines that were changed.

``.one_logger_v1_swap.json`` in a folder: for each of its swapped files, the swaps in their order, and for each of these
the SHA-256 of the file before and after, and the changed lines. While the file is as the swap left it, ``--back`` gives
it back to the byte. Where it was edited since, the lines that still are as the swap wrote them go back, and the others
are listed. The record goes when it is empty.

A record may come with somebody else's tree: it names files of its own folder and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .files import Unreadable, content, reason_of
from .whole import write_whole

NAME = ".one_logger_v1_swap.json"
FORMAT = 1
#: bytes of a record that are read
MOST_BYTES = 64 * 1024 * 1024


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
    totals, seen = Counter(new), Counter[str]()
    changed = []
    for number, (was, line) in enumerate(zip(old, new), 1):
        if was != line:
            changed.append(Line(number, was, line, seen[line], totals[line]))
        seen[line] += 1
    return Swap(digest(before), digest(after), tuple(changed))


def standing(data: bytes, swaps: Sequence[Swap]) -> list[Swap]:
    """The swaps that the file still has: ``git checkout`` takes some or all of them away."""
    now = digest(data)
    for number, one in enumerate(swaps):
        if one.before == now:
            return list(swaps[:number])
    return list(swaps)


def undo(data: bytes, swap: Swap) -> tuple[bytes, list[Line]]:
    """The file before ``swap``, and the lines that cannot be given back because somebody has edited them."""
    lines = _lines(data)
    if digest(data) == swap.after and all(line.number <= len(lines) for line in swap.lines):
        for line in swap.lines:
            lines[line.number - 1] = line.before
        back = _joined(lines)
        if digest(back) == swap.before:
            return back, []
    lines = _lines(data)
    places: dict[str, list[int]] = {}
    for number, text in enumerate(lines):
        places.setdefault(_bare(text), []).append(number)
    groups: dict[str, list[Line]] = {}
    for line in swap.lines:
        groups.setdefault(_bare(line.after), []).append(line)
    left = []
    for after, group in groups.items():
        found = places.get(after, [])
        given, kept = _given_back(group, found, {text: len(at) for text, at in places.items()})
        left += kept
        for line, at in given:
            lines[at] = _bare(line.before) + lines[at][len(_bare(lines[at])) :]
    return _joined(lines), sorted(left, key=lambda line: line.number)


def _given_back(
    group: list[Line], found: list[int], counts: dict[str, int]
) -> tuple[list[tuple[Line, int]], list[Line]]:
    """Which of the lines that a swap made equal go back, and where; with those that do not.

    ``found``: where the file has such a line now. ``counts``: how often it has each line.
    """
    if len(found) == group[0].of:
        return [(line, found[line.nth]) for line in group if line.nth < len(found)], []
    # Some were edited, or are back already. Which of them it was is of no interest if all come from the same text.
    before = _bare(group[0].before)
    alike = all(_bare(line.before) == before for line in group) and len(group) == group[0].of
    if not alike or len(found) > len(group):
        return [], group
    at_home = [line for line in group if line.number - 1 in found]
    order = at_home + [line for line in group if line not in at_home]
    is_back = min(counts.get(before, 0), len(group) - len(found))
    kept = order[len(found) : len(group) - is_back]
    return list(zip(order, found)), [replace(line, nth=nth, of=len(kept)) for nth, line in enumerate(kept)]


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
        try:
            data = json.loads(content(folder / NAME, MOST_BYTES))
            if data["format"] != FORMAT:
                raise Unreadable(f"a record of format {data['format']!r}; this version reads {FORMAT}")
            files = {_file_name(name): [_swap(one) for one in swaps] for name, swaps in data["files"].items()}
        except FileNotFoundError:
            return cls(folder)
        except OSError as error:
            raise Unreadable(f"no record of a swap ({reason_of(error)})") from None
        except RecursionError:
            raise Unreadable("no record of a swap (too deeply nested)") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unreadable(f"no record of a swap ({error})") from None
        return cls(folder, files)

    def write(self) -> None:
        """Write it whole; an empty one is removed. Raises ``OSError``."""
        path = self.folder / NAME
        files = {name: [_as_json(one) for one in swaps] for name, swaps in self.files.items() if swaps}
        if files:
            text = json.dumps({"format": FORMAT, "files": files}, indent=1)
            write_whole(path, (text + "\n").encode())
        else:
            path.unlink(missing_ok=True)


def _as_json(swap: Swap) -> dict[str, Any]:
    return {"before": swap.before, "after": swap.after, "lines": [vars(line) for line in swap.lines]}


# -- what is read is checked: a type that does not fit, a line that is more than one, a name that leads elsewhere ------


def _file_name(name: str) -> str:
    if name in ("", ".", "..", NAME) or any(char in name for char in "/\\\0") or not _is_text(name):
        raise ValueError(f"{name!r} is no file beside it")
    return name


def _swap(data: dict[str, Any]) -> Swap:
    return Swap(_string(data["before"]), _string(data["after"]), tuple(_line(one) for one in data["lines"]))


def _line(data: dict[str, Any]) -> Line:
    numbers = [data[key] for key in ("number", "nth", "of")]
    if any(type(one) is not int for one in numbers) or not (0 <= numbers[1] < numbers[2] and numbers[0] > 0):
        raise ValueError("a line has no number")
    return Line(numbers[0], _string(data["before"]), _string(data["after"]), numbers[1], numbers[2])


def _string(text: Any) -> str:
    if not isinstance(text, str) or "\n" in text or not _is_text(text):
        raise ValueError("a line is no line of text")
    return text


def _is_text(text: str) -> bool:
    """Whether it is what bytes become: no lone surrogate but those that stand for bytes."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True
