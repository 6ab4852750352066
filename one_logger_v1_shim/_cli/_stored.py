"""What a ``.wandb`` file says about a run, without wandb: it takes a second to import and may not be installed.

The file is a log of ``wandb_internal.Record`` protobuf messages, of which the few fields below are looked at. Their
numbers never changed from wandb 0.20.1 to 0.31.0.
"""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Union

from .._delivery.wandb_file import _records
from ._files import open_regular

#: what ``run.log`` adds to a row by itself
OWN_KEYS = frozenset({"_step", "_runtime", "_timestamp", "_wandb"})

# Record
_HISTORY, _CONFIG, _RUN, _EXIT = 2, 5, 17, 18
# HistoryRecord and ConfigRecord: item or update = 1
_ITEM = 1
# HistoryItem, ConfigItem
_KEY, _NESTED_KEY, _VALUE_JSON = 1, 2, 16
# RunRecord
_RUN_CONFIG, _TAGS = 4, 10
_RUN_FIELDS = {1: "id", 2: "entity", 3: "project", 8: "run_name"}


def records(path: Path, about: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of the file, with what W&B added; ``about`` is filled on the way.

    Keys of ``about``: id, entity, project, run_name, tags, config (a dict) and exit_code, each only if the file has it.
    Ends before a torn or damaged record.

    Raises:
        OSError: it can't be read.
        ValueError: it is no ``.wandb`` file.
    """
    with open_regular(path) as file:
        head = file.read(4)
        if not head:
            return
        if head != b":W&B":
            raise ValueError(f"{path} is no .wandb file")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            data: Any = content  # slices of it are bytes, which is all that is asked of it
            for body in _records(data):
                try:
                    row = _take(body, about)
                except (ValueError, LookupError, struct.error, RecursionError):
                    continue
                if row is not None:
                    yield row


def _take(body: bytes, about: dict[str, Any]) -> Any:
    """The row, if the record is one."""
    for number, value in _fields(body):
        if not isinstance(value, bytes):
            continue
        if number == _HISTORY:
            return dict(_items(value))
        if number == _CONFIG:
            about.setdefault("config", {}).update(_items(value))
        elif number == _EXIT:
            about["exit_code"] = next((code for key, code in _fields(value) if key == 1), 0)
        elif number == _RUN:
            tags = []
            for key, part in _fields(value):
                if not isinstance(part, bytes):
                    continue
                if key == _RUN_CONFIG:
                    about.setdefault("config", {}).update(_items(part))
                elif key == _TAGS:
                    tags.append(part.decode("utf-8", "replace"))
                elif key in _RUN_FIELDS:
                    about[_RUN_FIELDS[key]] = part.decode("utf-8", "replace")
            about["tags"] = tags
    return None


def _items(body: bytes) -> Iterator[tuple[str, Any]]:
    for number, value in _fields(body):
        if number != _ITEM or not isinstance(value, bytes):
            continue
        keys: list[str] = []
        content: Any = None
        for part, inner in _fields(value):
            if not isinstance(inner, bytes):
                continue
            if part == _NESTED_KEY or (part == _KEY and not keys):
                keys.append(inner.decode("utf-8", "replace"))
            elif part == _VALUE_JSON:
                content = json.loads(inner)
        if keys:
            yield ".".join(keys), content


def _fields(body: bytes) -> Iterator[tuple[int, Union[int, bytes]]]:
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
            raise ValueError(f"protobuf wire type {kind}")
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
