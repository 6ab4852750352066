"""Reads what W&B really stored: a ``.wandb`` file.

The file is a LevelDB log (32 KiB blocks of checksummed fragments) of ``wandb_internal.Record`` messages. Where wandb is
installed, its own generated messages read them. Where it is not, and for what a newer wandb has written than the one
that is installed, the few fields below are read here: their numbers never changed from wandb 0.17.7 to 0.31.0. wandb
dropped its own reader of the log in 0.30.
"""

from __future__ import annotations

import functools
import importlib
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Union

from .deep_json import from_json

#: what ``run.log`` adds to a row by itself
_OF_EXPORT = ("_run_id", "_project", "_entity", "_run_name", "_other")  # of the command `export`
OWN_KEYS = frozenset({"_step", "_runtime", "_timestamp", "_wandb", *_OF_EXPORT})

_BLOCK = 32768
_FILE_HEADER = 7  # ":W&B", a magic number, a version
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4

# Record
_HISTORY, _SUMMARY, _CONFIG, _RUN, _EXIT = 2, 3, 5, 17, 18
# HistoryRecord, SummaryRecord and ConfigRecord: item or update = 1, remove = 2
_ITEM, _REMOVE = 1, 2
# HistoryItem, SummaryItem, ConfigItem
_KEY, _NESTED_KEY, _VALUE_JSON = 1, 2, 16
# HistoryItem from wandb 0.31 on can carry a value without JSON
_NONE, _BOOLEAN, _INTEGER, _NUMBER, _TEXT, _JSON = 3, 4, 5, 6, 7, 8
# RunRecord
_RUN_ID, _ENTITY, _PROJECT, _RUN_CONFIG, _RUN_SUMMARY, _DISPLAY_NAME, _TAGS = 1, 2, 3, 4, 5, 8, 10

Field = tuple[int, Union[int, bytes]]


@dataclass
class StoredRun:
    """One W&B run as it lies in its file."""

    path: Path
    run_id: str = ""
    entity: str = ""
    project: str = ""
    name: str = ""
    tags: list[str] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    #: the rows in order, without what W&B adds
    rows: list[dict[str, Any]] = field(default_factory=list)
    #: ``_step`` of each row
    steps: list[Any] = field(default_factory=list)
    #: None: the run was not finished
    exit_code: Any = None
    #: what is wrong with the file itself
    damage: list[str] = field(default_factory=list)


def read(path: Path) -> StoredRun:
    """Read a ``.wandb`` file. What can't be read is named in ``damage``; everything before it is there."""
    run = StoredRun(Path(path))
    messages = wandb_messages()
    for record in _records(Path(path).read_bytes(), run.damage):
        try:
            if messages is None:
                take_fields(run, record)
            else:
                take_message(run, messages.Record.FromString(record))
        except Exception as error:  # protobuf's own kinds, too
            run.damage.append(f"a record of {len(record)} bytes cannot be read: {type(error).__name__}")
            break
    return run


@functools.cache
def wandb_messages() -> Any:
    """wandb's own generated messages; None where wandb is not installed, or does not work with the protobuf there."""
    try:
        return importlib.import_module("wandb.proto.wandb_internal_pb2")
    except Exception:
        return None


# -- by wandb's messages -------------------------------------------------------------------------------------------


def take_message(run: StoredRun, record: Any) -> None:
    """Add what one ``Record`` says."""
    kind = record.WhichOneof("record_type")
    if kind == "history":
        row: dict[str, Any] = {}
        _merge(row, record.history.item)
        _add_row(run, row)
    elif kind == "summary":
        _merge(run.summary, record.summary.update, record.summary.remove)
    elif kind == "config":
        _merge(run.config, record.config.update, record.config.remove)
    elif kind == "exit":
        run.exit_code = record.exit.exit_code
    elif kind == "run":
        said = record.run
        _merge(run.config, said.config.update, said.config.remove)
        _merge(run.summary, said.summary.update, said.summary.remove)
        run.run_id, run.entity, run.project, run.name = said.run_id, said.entity, said.project, said.display_name
        run.tags = list(said.tags)


def _merge(into: dict[str, Any], updates: Any, removals: Any = ()) -> None:
    for item in updates:
        keys = list(item.nested_key) or [item.key]
        _put(into, keys, _content(item))
    for item in removals:
        _remove(into, list(item.nested_key) or [item.key])


def _content(item: Any) -> Any:
    if item.value_json:
        return from_json(item.value_json)
    # a value without JSON, which the wandb that is installed may be too old to know: it keeps what it does not know
    return _item(item.SerializeToString())[1]


# -- by the numbers of the fields ----------------------------------------------------------------------------------


def take_fields(run: StoredRun, record: bytes) -> None:
    """Add what one ``Record`` says, without wandb."""
    for number, value in _fields(record):
        if isinstance(value, bytes):
            _take(run, number, value)


def _take(run: StoredRun, number: int, body: bytes) -> None:
    if number == _HISTORY:
        row: dict[str, Any] = {}
        _update(row, body)
        _add_row(run, row)
    elif number == _SUMMARY:
        _update(run.summary, body)
    elif number == _CONFIG:
        _update(run.config, body)
    elif number == _EXIT:
        run.exit_code = next((value for key, value in _fields(body) if key == 1), 0)
    elif number == _RUN:
        tags = []
        for key, value in _fields(body):
            if not isinstance(value, bytes):
                continue
            if key == _RUN_CONFIG:
                _update(run.config, value)
            elif key == _RUN_SUMMARY:
                _update(run.summary, value)
            elif key == _TAGS:
                tags.append(value.decode())
            elif key in _RUN_FIELDS:
                setattr(run, _RUN_FIELDS[key], value.decode())
        run.tags = tags


_RUN_FIELDS = {_RUN_ID: "run_id", _ENTITY: "entity", _PROJECT: "project", _DISPLAY_NAME: "name"}


def _update(into: dict[str, Any], body: bytes) -> None:
    for number, value in _fields(body):
        if not isinstance(value, bytes) or number not in (_ITEM, _REMOVE):
            continue
        keys, content = _item(value)
        if number == _REMOVE:
            _remove(into, keys)
        else:
            _put(into, keys, content)


def _item(body: bytes) -> tuple[list[str], Any]:
    keys: list[str] = []
    content: Any = None
    for number, value in _fields(body):
        if isinstance(value, bytes):
            if number == _NESTED_KEY:
                keys.append(value.decode())
            elif number == _KEY:
                keys = keys or [value.decode()]
            elif number in (_VALUE_JSON, _JSON):
                content = from_json(value.decode())
            elif number == _TEXT:
                content = value.decode()
            elif number == _NUMBER:
                content = struct.unpack("<d", value)[0]
        elif number == _BOOLEAN:
            content = bool(value)
        elif number == _INTEGER:
            content = (value >> 1) ^ -(value & 1)  # sint64
        elif number == _NONE:
            content = None
    return keys, content


def _fields(body: bytes) -> Iterator[Field]:
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


# -- both ----------------------------------------------------------------------------------------------------------


def _add_row(run: StoredRun, row: dict[str, Any]) -> None:
    run.steps.append(row.get("_step"))
    run.rows.append({key: value for key, value in row.items() if key not in OWN_KEYS})


def _put(into: dict[str, Any], keys: list[str], content: Any) -> None:
    home = into
    for key in keys[:-1]:
        if not isinstance(home.get(key), dict):  # a plain value until now
            home[key] = {}
        home = home[key]
    if keys:
        home[keys[-1]] = content


def _remove(into: dict[str, Any], keys: list[str]) -> None:
    home: Any = into
    for key in keys[:-1]:
        home = home.get(key) if isinstance(home, dict) else None
    if isinstance(home, dict) and keys:
        home.pop(keys[-1], None)


def _records(data: bytes, damage: list[str]) -> Iterator[bytes]:
    """The records of a LevelDB log; stops at the first one that is torn or fails its checksum."""
    if data[:4] != b":W&B":
        if data:
            damage.append(f"not a .wandb file: it begins with {data[:4]!r}")
        return
    at = _FILE_HEADER
    parts = b""
    while at < len(data):
        left = _BLOCK - at % _BLOCK
        if left < 7:  # no header fits into the rest of a block
            at += left
            continue
        if at + 7 > len(data):
            damage.append(f"torn at byte {at}")
            return
        checksum, size, kind = struct.unpack("<IHB", data[at : at + 7])
        body = data[at + 7 : at + 7 + size]
        if kind == 0 and size == 0:  # the padding of a block that was given out and never filled
            at += left
            continue
        if len(body) < size:
            damage.append(f"torn at byte {at}")
            return
        if zlib.crc32(bytes([kind]) + body) & 0xFFFFFFFF != checksum:
            damage.append(f"checksum wrong at byte {at}")
            return
        at += 7 + size
        parts = body if kind in (_FULL, _FIRST) else parts + body
        if kind in (_FULL, _LAST):
            yield parts
            parts = b""
    if parts:
        damage.append("the last record is incomplete")
