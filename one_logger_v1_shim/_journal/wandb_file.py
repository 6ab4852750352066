"""How much of a run is on disk for certain: reads the ``.wandb`` files that wandb writes, without wandb.

A file is a LevelDB log (32 KiB blocks of checksummed fragments) of protobuf messages, of which only the rows' numbers
matter here. The numbers of the fields never changed from wandb 0.20.1 to 0.31.0.

Both processes.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Optional, Union

from .outside import MOST_LINE, open_regular

_BLOCK = 32768
_FILE_HEADER = 7  # ":W&B", a magic number, a version
_MOST_DIGITS = 30  # of a step
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_READ = 4 * 1024 * 1024
_TAIL = 16 * _BLOCK
_HEADER = struct.Struct("<IHB")  # checksum of kind and body, size of the body, kind

# wandb_internal.Record.history; HistoryRecord.item; HistoryItem: key, nested_key, value_json; from 0.31 on a number
_HISTORY, _ITEM, _KEY, _NESTED_KEY, _VALUE_JSON, _INTEGER = 2, 1, 1, 2, 16, 5
# How a record begins: Record.num, a varint, and the tag of what it is about, a row here. A regular expression sees it
# at a third of the cost of a loop, and most records of a long run are looked at for nothing else.
_NUM_TAG = b"\x08"
_ROW = re.compile(rb"\x08[\x80-\xff]*[\x00-\x7f]\x12").match


class Scanner:
    """One ``.wandb`` file that may still grow: :meth:`advance` reads on from where it stopped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        #: one more than the last ``_step`` that is whole on disk
        self.rows = 0
        self._at = _FILE_HEADER

    def advance(self) -> int:
        """Read what is new; returns :attr:`rows`. A torn or damaged record ends the reading, until it is whole."""
        last = b""
        try:
            with open_regular(self.path) as file:
                size = _READ
                while True:
                    file.seek(self._at)
                    data = file.read(size)
                    began = self._at
                    for record, self._at in records_from(data, began):
                        last = history(record) or last
                    if len(data) < size:
                        break
                    # a record may be larger than what was read, but not as large as that: it is damaged
                    size = _READ if self._at != began else 2 * size
                    if size > MOST_LINE:
                        break
        except (OSError, ValueError, IndexError, struct.error):
            pass
        if last:
            self.rows = max(self.rows, _step(last) + 1)
        return self.rows


#: the names that W&B's folder may have; the second is used where it is there already
FOLDERS = ("wandb", ".wandb")


def run_files(folder: Path, run_id: str) -> list[Path]:
    """The ``.wandb`` files of a run below ``folder`` (which holds ``offline-run-<date>-<id>`` ...), oldest first."""
    try:
        found = [path for path in folder.glob(f"*/run-{run_id}.wandb") if not path.parent.is_symlink()]
    except (OSError, ValueError):  # a name that is too long for a file's, or somebody else's folder
        return []
    return sorted(found, key=lambda path: path.parent.name.rpartition("run-")[2])


def is_offline(folder: Path) -> bool:
    """Whether ``folder`` is that of an offline run."""
    return folder.name.startswith("offline-")


def sync_options(folders: Iterable[Path]) -> list[str]:
    """What ``wandb sync`` must be told to send all of ``folders``: newer versions pass over those of online runs."""
    return [] if all(map(is_offline, folders)) else ["--include-online"]


def records_from(data: bytes, began: int, damage: Optional[set[int]] = None) -> Iterator[tuple[bytes, int]]:
    """The whole records in ``data``, which stands at ``began`` in its file, each with the place where it ends.

    ``data`` may begin at a record or at any block; the end of a record whose beginning is not in ``data`` is left out.
    A damaged record ends the reading. With ``damage``, which gets its place, the reading goes on with the next whole
    one: for what is shown, never for what decides whether W&B has a row.
    """
    here, size_of_data = 0, len(data)
    parts: Optional[list[bytes]] = None
    view = memoryview(data)
    while here + 7 <= size_of_data:
        left = _BLOCK - (began + here) % _BLOCK
        if left < 7:  # no header fits into the rest of a block
            here += left
            continue
        checksum, size, kind = _HEADER.unpack_from(data, here)
        if kind == 0 and size == 0:  # the padding of a block that was given out and never filled
            if parts is not None:  # or a block that was lost, with the rest of a record
                if damage is None:
                    return
                damage.add(began + here)
            here, parts = here + left, None
            continue
        stop = here + 7 + size
        if stop > size_of_data or size + 7 > left or zlib.crc32(view[here + 6 : stop]) != checksum:
            if damage is None:
                return
            end = min(here + left, size_of_data)
            following = _next_whole(data, view, here + 1, end)
            if following is None and here + left > size_of_data:
                return  # the rest of it is not in ``data``, or was never written
            damage.add(began + here)
            here, parts = here + left if following is None else following, None
            continue
        body = data[here + 7 : stop]
        here = stop
        if kind == _FULL:
            yield body, began + here
            parts = None
        elif kind == _FIRST:
            parts = [body]
        elif parts is not None:
            parts.append(body)
            if kind == _LAST:
                yield b"".join(parts), began + here
                parts = None


def _next_whole(data: bytes, view: memoryview, begin: int, end: int) -> Optional[int]:
    """Where the next record begins whose checksum is right, before the block or ``data`` ends at ``end``."""
    for at in range(begin, end - 6):
        if _FULL <= data[at + 6] <= _LAST:
            checksum, size, _ = _HEADER.unpack_from(data, at)
            stop = at + 7 + size
            if size and stop <= end and zlib.crc32(view[at + 6 : stop]) == checksum:
                return at
    return None


def rows_at_end(path: Path) -> int:
    """As :meth:`Scanner.advance`, from the end of the file only: quick, and blind to damage further up.

    For what is shown. What decides whether a row is sent must use :class:`Scanner`.

    Raises:
        OSError: the file can't be read.
    """
    with open_regular(path) as file:
        size, back, last = file.seek(0, 2), _TAIL, b""
        while True:
            began = max(0, size - back) // _BLOCK * _BLOCK
            file.seek(began or _FILE_HEADER)
            with suppress(ValueError, IndexError):  # a damaged record ends the reading
                for record, _ in records_from(file.read(size - began), began or _FILE_HEADER):
                    last = history(record) or last
            if last or not began or 8 * back > MOST_LINE:
                break
            back *= 8
    try:
        return _step(last) + 1 if last else 0
    except (ValueError, IndexError):
        return 0


def history(record: bytes) -> bytes:
    """The row's message, if the record is one of a row; empty otherwise."""
    found = _ROW(record)
    if found is None:
        if record[:1] == _NUM_TAG:
            return b""
        return next((value for number, value in fields(record) if number == _HISTORY and isinstance(value, bytes)), b"")
    try:
        size, at = _varint(record, found.end())
    except IndexError:
        return b""
    return record[at : at + size]


def _step(history: bytes) -> int:
    for number, item in fields(history):
        if number != _ITEM or not isinstance(item, bytes):
            continue
        found = dict(fields(item))
        if b"_step" not in (found.get(_KEY), found.get(_NESTED_KEY)):
            continue
        text, whole = found.get(_VALUE_JSON), found.get(_INTEGER)
        if isinstance(text, bytes) and 0 < len(text) < _MOST_DIGITS:
            return int(text)
        if isinstance(whole, int):
            return (whole >> 1) ^ -(whole & 1)  # sint64
    return -1


def fields(body: bytes) -> Iterator[tuple[int, Union[int, bytes]]]:
    """The fields of a protobuf message: a number for a varint, bytes for all else."""
    at = 0
    while at < len(body):
        tag, at = _varint(body, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(body, at)
            yield tag >> 3, value
            continue
        if kind == 2:
            size, at = _varint(body, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"protobuf wire type {kind} at byte {at}")
        yield tag >> 3, body[at : at + size]
        at += size


def _varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:  # no number of a protobuf message has more bits
            raise ValueError(f"a varint without an end at byte {at}")
