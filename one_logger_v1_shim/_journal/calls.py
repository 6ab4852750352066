"""v1's calls as data, and the lines of a journal's ``rows-*.jsonl``. Both processes; the standard library only.

=========  ========================================================================================================
``{``      a row: one JSON object, in ASCII. It goes to W&B's ``run.log``, and to v2 as an event.
``>``      v1 calls. ``>["phase_start", [s, s], ...]``: one call, as JSON: its name, its two clock readings, its
           arguments. ``>SEW BASE64``: calls that consist of their readings alone, one letter each (:data:`LETTERS`),
           and two little-endian doubles for each letter. ``R`` and ``W`` have their row in the next line.
``#from``  and the number of rows in the files before this one, which may have been removed.
``#finish``  and the job's exit code: nothing comes after it.
=========  ========================================================================================================

What one call of v1 did stands together, in the order in which v2 hears of it, and is appended in one step: the call,
and before or after it the rows that v1 sent. An iteration without a row costs no line of its own: its two readings wait
for the next row, the next other call, or a second to pass.
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Optional

try:
    from _struct import Struct, unpack  # a script's own struct.py may hide the other
except ImportError:  # another Python than CPython
    from struct import Struct, unpack

#: two clock readings of one moment: s since the epoch (``time.time()``), s of the counter (``time.perf_counter()``)
Reading = tuple[float, float]

FINISH = b"#finish"
FROM = b"#from"
CALL = b">"
ROW = b"{"

START, END, LOGGED, END_WITH_ROW = b"S", b"E", b"R", b"W"

#: letter -> the calls that it stands for; ``row`` is the row in the next line
LETTERS: dict[bytes, tuple[str, ...]] = {
    START: ("batch_start",),
    END: ("batch_end",),
    LOGGED: ("row",),
    END_WITH_ROW: ("row", "batch_end"),
}


_NAME = re.compile(r"[a-z]+(_[a-z]+)*")


class Call(NamedTuple):
    """One call of v1.

    Attributes:
        name: ``open`` (an object of v1's classes was made), ``training`` (what is known of it), ``app_start``,
            ``app_end``, ``phase_start``, ``phase_end``, ``train_start``, ``train_end``, ``batch_start``, ``batch_end``,
            ``save_start``, ``save_end``, ``save_success``, ``row`` (a row was logged), ``close`` (the run is finished);
            and ``value``: a configuration key whose value is a callable has another value now.
        at: the clock when the call came. None: of ``value``, which is no call of the job's.
        arguments: what JSON can carry, and of a ``row`` the row as JSON text (bytes). Instants that were given by hand
            are ms since the epoch.
    """

    name: str
    at: Optional[Reading]
    arguments: tuple[Any, ...] = ()


#: a letter of :data:`LETTERS` and its reading, packed by :data:`pack`
Moment = tuple[bytes, bytes]

#: the two clock readings of a moment as bytes
pack = Struct("<2d").pack


def is_row(line: bytes) -> bool:
    """Whether ``line`` is a row for W&B."""
    return line[:1] == ROW


def is_call(line: bytes) -> bool:
    """Whether ``line`` has calls."""
    return line[:1] == CALL


def rows_in(data: bytes) -> int:
    """How many rows are in ``data``: one line or several."""
    return data.count(b"\n{") + (data[:1] == ROW)


def number(line: bytes, default: int = 0) -> int:
    """The number of a control line."""
    try:
        return int(line.split()[1])
    except (IndexError, ValueError):
        return default


def call_line(call: Call) -> bytes:
    """One call as a line, without its end; of a ``row`` two lines, its reading and the row."""
    if call.at is None:
        at: tuple[Any, ...] = ()
    elif call.name == "row":
        return moments_line([(LOGGED, pack(*call.at))]) + bytes(call.arguments[0])
    else:
        at = (call.at,)
    return CALL + json.dumps([call.name, *at, *call.arguments], separators=(",", ":")).encode()


def moments_line(moments: Sequence[Moment]) -> bytes:
    """Calls that consist of their readings alone as a line, with its end."""
    letters = b"".join([letter for letter, _ in moments])
    readings = b"".join([reading for _, reading in moments])
    return b">" + letters + b" " + binascii.b2a_base64(readings)


def calls(line: bytes) -> Iterator[Call]:
    """The calls of a line; of each ``row`` the row itself is in the next line. Raises ``ValueError``: it is damaged."""
    body = line[1:]
    if body[:1] == b"[":
        name, *arguments = json.loads(body)
        if not isinstance(name, str) or not _NAME.fullmatch(name):  # it will be the name of a method
            raise ValueError(f"{name!r} is no call")
        at = None if name == "value" else _reading(arguments.pop(0) if arguments else None)
        yield Call(name, at, tuple(arguments))
        return
    letters, _, packed = body.partition(b" ")
    data = binascii.a2b_base64(packed)
    if len(data) != 16 * len(letters):
        raise ValueError(f"{len(letters)} calls and {len(data)} bytes of readings")
    readings = unpack(f"<{2 * len(letters)}d", data)
    for index in range(len(letters)):
        letter = letters[index : index + 1]
        if letter not in LETTERS:
            raise ValueError(f"unknown call {letter!r}")
        for name in LETTERS[letter]:
            yield Call(name, (readings[2 * index], readings[2 * index + 1]))


def _reading(value: Any) -> Reading:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError(f"{value!r}; expected two clock readings")
    wall, counter = map(float, value)
    return wall, counter


def milliseconds(value: Any) -> Optional[float]:
    """An instant that was given by hand (ms since the epoch) if v2 can use it: what is no number, 0 and less is not."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e15:
        return value
    return None


def plain(value: Any) -> Any:
    """``value`` of a configuration key as JSON can carry it; v2's conversions take it as they would the original."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    item = getattr(value, "item", None)  # numpy and torch scalars
    try:
        return plain(item()) if callable(item) else str(value)
    except Exception:
        return str(value)
