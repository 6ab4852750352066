"""What a ``.wandb`` file says about a run, without wandb: it takes a second to import and may not be installed.

The file is a log of ``wandb_internal.Record`` protobuf messages, of which the few fields below are looked at. Their
numbers never changed from wandb 0.20.1 to 0.31.0.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from .._worker.wandb_file import fields, records_from
from ._files import open_regular

#: what ``run.log`` adds to a row by itself
OWN_KEYS = frozenset({"_step", "_runtime", "_timestamp", "_wandb"})

_FILE_HEADER = 7  # ":W&B", a magic number, a version
_READ = 4 * 1024 * 1024

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
        for body in _bodies(file):
            try:
                row = _take(body, about)
            except (ValueError, LookupError, struct.error, RecursionError):
                continue
            if row is not None:
                yield row


def _bodies(file: BinaryIO) -> Iterator[bytes]:
    """The whole records, read piece by piece: the file of a long job is larger than the memory of a login node."""
    at, size = _FILE_HEADER, _READ
    while True:
        file.seek(at)
        data = file.read(size)
        began = at
        for body, end in records_from(data, began):
            yield body
            at = end
        if len(data) < size:
            return
        size = _READ if at != began else 2 * size  # a record may be larger than what was read


def _take(body: bytes, about: dict[str, Any]) -> Any:
    """The row, if the record is one."""
    for number, value in fields(body):
        if not isinstance(value, bytes):
            continue
        if number == _HISTORY:
            return dict(_items(value))
        if number == _CONFIG:
            about.setdefault("config", {}).update(_items(value))
        elif number == _EXIT:
            about["exit_code"] = next((code for key, code in fields(value) if key == 1), 0)
        elif number == _RUN:
            tags = []
            for key, part in fields(value):
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
    for number, value in fields(body):
        if number != _ITEM or not isinstance(value, bytes):
            continue
        keys: list[str] = []
        content: Any = None
        for part, inner in fields(value):
            if not isinstance(inner, bytes):
                continue
            if part == _NESTED_KEY or (part == _KEY and not keys):
                keys.append(inner.decode("utf-8", "replace"))
            elif part == _VALUE_JSON:
                content = json.loads(inner)
        if keys:
            yield ".".join(keys), content
