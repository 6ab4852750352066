"""How much of a run is on disk for certain: reads the ``.wandb`` file that wandb writes.

The file is a LevelDB log (32 KiB blocks of checksummed fragments) of ``Record`` messages, whose classes wandb brings.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_BLOCK = 32768
_HEADER = 7
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


def rows_on_disk(folder: Path) -> int:
    """One more than the last ``_step`` in the run folder's ``.wandb`` file; 0 without a file."""
    steps = [row.get("_step", -1) for row in rows(folder)]
    return 1 + max((step for step in steps if isinstance(step, int)), default=-1)


def rows(folder: Path) -> Iterator[dict[str, Any]]:
    """The rows of a run folder (or of a ``.wandb`` file), with what W&B added; ends before a torn or damaged record."""
    from wandb.proto import wandb_internal_pb2 as messages

    record_class: Any = messages.Record  # type: ignore[attr-defined]

    paths = [folder] if folder.suffix == ".wandb" else sorted(folder.glob("*.wandb"))
    for path in paths:
        for data in _records(path.read_bytes()):
            record = record_class()
            record.ParseFromString(data)
            if record.WhichOneof("record_type") != "history":
                continue
            row: dict[str, Any] = {}
            for item in record.history.item:
                value = item.value_json
                row[item.key or ".".join(item.nested_key)] = json.loads(value) if value else None
            yield row


def _records(data: bytes) -> Iterator[bytes]:
    at = _HEADER
    parts = b""
    while at + _HEADER <= len(data):
        left = _BLOCK - at % _BLOCK
        if left < _HEADER:
            at += left
            continue
        checksum, size, kind = struct.unpack("<IHB", data[at : at + _HEADER])
        if kind == 0 and size == 0:  # padding
            at += left
            continue
        body = data[at + _HEADER : at + _HEADER + size]
        if len(body) < size or zlib.crc32(bytes([kind]) + body) & 0xFFFFFFFF != checksum:
            return
        at += _HEADER + size
        if kind == _FULL:
            yield body
        elif kind == _FIRST:
            parts = body
        elif kind in (_MIDDLE, _LAST):
            parts += body
            if kind == _LAST:
                yield parts
