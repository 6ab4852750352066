"""Reads what W&B really stored: a ``.wandb`` file.

The file is a LevelDB log (32 KiB blocks of checksummed fragments) of ``wandb_internal.Record`` messages, which protobuf
reads. The few fields that are looked at are described here and not taken from the wandb that is installed: their
numbers never changed from wandb 0.17.7 to 0.31.0, a newer wandb than that may have written the file, and its import
takes a second. wandb dropped its own reader of the log in 0.30.
"""

from __future__ import annotations

import functools
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .deep_json import from_json

#: what ``run.log`` adds to a row by itself
_OF_EXPORT = ("_run_id", "_project", "_entity", "_run_name", "_other")  # of the command `export`
OWN_KEYS = frozenset({"_step", "_runtime", "_timestamp", "_wandb", *_OF_EXPORT})

_BLOCK = 32768
_FILE_HEADER = 7  # ":W&B", a magic number, a version
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4

#: message -> name, number and type of its fields; "*": repeated. "Update" is what history, summary and config have
_MESSAGES = {
    "Record": "history 2 Update, summary 3 Update, config 5 Update, run 17 Run, exit 18 Exit",
    "Update": "update 1 Item*, remove 2 Item*",
    # from wandb 0.31 on an item can carry a value without JSON
    "Item": "key 1 string, nested_key 2 string*, value_json 16 string, "
    "boolean 4 bool, integer 5 sint64, number 6 double, text 7 string, json 8 string",
    "Run": "run_id 1 string, entity 2 string, project 3 string, config 4 Update, summary 5 Update, "
    "display_name 8 string, tags 10 string*",
    "Exit": "exit_code 1 int32",
}


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
    for data in _records(Path(path).read_bytes(), run.damage):
        try:
            _take(run, _record_class().FromString(data))
        except Exception as error:  # protobuf's own kinds, too
            run.damage.append(f"a record of {len(data)} bytes cannot be read: {type(error).__name__}")
            break
    return run


@functools.cache
def _record_class() -> Any:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    package = "compat_matrix"
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package)
    for message, fields in _MESSAGES.items():
        described = file.message_type.add(name=message)
        for name, number, kind in (text.split() for text in fields.split(", ")):
            one = described.field.add(name=name, number=int(number), label=3 if kind.endswith("*") else 1)
            kind = kind.rstrip("*")
            if kind in _MESSAGES:
                one.type, one.type_name = one.TYPE_MESSAGE, f".{package}.{kind}"
            else:
                one.type = getattr(one, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    record = pool.FindMessageTypeByName(f"{package}.Record")
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(record)
    return message_factory.MessageFactory(pool).GetPrototype(record)  # up to protobuf 4.21


def _take(run: StoredRun, record: Any) -> None:
    """Add what one ``Record`` says."""
    if record.HasField("history"):
        row: dict[str, Any] = {}
        _merge(row, record.history)
        run.steps.append(row.get("_step"))
        run.rows.append({key: value for key, value in row.items() if key not in OWN_KEYS})
    _merge(run.summary, record.summary)
    _merge(run.config, record.config)
    if record.HasField("exit"):
        run.exit_code = record.exit.exit_code
    if record.HasField("run"):
        said = record.run
        _merge(run.config, said.config)
        _merge(run.summary, said.summary)
        run.run_id, run.entity, run.project, run.name = said.run_id, said.entity, said.project, said.display_name
        run.tags = list(said.tags)


def _merge(into: dict[str, Any], said: Any) -> None:
    for item in said.update:
        *above, last = list(item.nested_key) or [item.key]
        home = into
        for key in above:
            if not isinstance(home.get(key), dict):  # a plain value until now
                home[key] = {}
            home = home[key]
        home[last] = _content(item)
    for item in said.remove:
        *above, last = list(item.nested_key) or [item.key]
        found: Any = into
        for key in above:
            found = found.get(key) if isinstance(found, dict) else None
        if isinstance(found, dict):
            found.pop(last, None)


def _content(item: Any) -> Any:
    text = item.value_json or item.json
    if text:
        return from_json(text)
    return next((getattr(item, kind) for kind in ("boolean", "integer", "number", "text") if item.HasField(kind)), None)


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
