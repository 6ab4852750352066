"""The lines of a journal: rows, v1's calls for v2, and control lines. The first character tells which.

=========  ========================================================================================================
begins     what the line is
=========  ========================================================================================================
``{``      a row: one JSON object, in ASCII. It goes to W&B's ``run.log``, and to v2 as an event.
``>``      v1 calls for v2. ``>["phase_start", ...]``: one call, as JSON. ``>SEESER BASE64``: calls that consist of a
           clock reading alone, one letter each (:data:`READINGS`), and their readings: two little-endian doubles for
           each letter, s since the epoch and s of the performance counter. ``R`` is the row in the next line.
``#from``  and the number of rows in the files before this one, which may have been removed.
``#finish``  and the job's exit code: nothing comes after it.
=========  ========================================================================================================

An iteration without a row costs no line of its own: its two readings wait for the next row, the next other call, or a
second to pass.
"""

from __future__ import annotations

import binascii
import json
import struct
from collections.abc import Iterator, Sequence
from typing import Any

FINISH = b"#finish"
FROM = b"#from"
CALL = b">"
ROW = b"{"

#: letter -> the call of :class:`one_logger_v1_shim._job.calls.Listener` that has nothing but a reading
READINGS = {"S": "batch_start", "E": "batch_end", "R": "row"}


def is_row(line: bytes) -> bool:
    """Whether ``line`` is a row for W&B."""
    return line[:1] == ROW


def is_call(line: bytes) -> bool:
    """Whether ``line`` has calls for v2."""
    return line[:1] == CALL


def number(line: bytes, default: int = 0) -> int:
    """The number of a control line."""
    try:
        return int(line.split()[1])
    except (IndexError, ValueError):
        return default


def call_line(name: str, *arguments: Any) -> bytes:
    """One call as a line, without its end."""
    return CALL + json.dumps([name, *arguments], separators=(",", ":")).encode()


def reading_line(letters: str, readings: Sequence[float]) -> bytes:
    """Calls that consist of a reading alone; ``readings`` has two numbers for each letter."""
    packed = binascii.b2a_base64(struct.pack(f"<{len(readings)}d", *readings), newline=False)
    return CALL + letters.encode() + b" " + packed


def calls(line: bytes) -> Iterator[tuple[str, list[Any]]]:
    """The calls of a line: name and arguments. Raises ``ValueError`` for a line that is damaged."""
    body = line[1:]
    if body[:1] == b"[":
        name, *arguments = json.loads(body)
        yield str(name), arguments
        return
    letters, _, packed = body.partition(b" ")
    data = binascii.a2b_base64(packed)
    if len(data) != 16 * len(letters):
        raise ValueError(f"{len(letters)} calls and {len(data)} bytes of readings")
    readings = struct.unpack(f"<{2 * len(letters)}d", data)
    for index, letter in enumerate(letters.decode()):
        if letter not in READINGS:
            raise ValueError(f"unknown call {letter!r}")
        yield READINGS[letter], [[readings[2 * index], readings[2 * index + 1]]]
