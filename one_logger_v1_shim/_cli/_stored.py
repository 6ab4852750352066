"""What a ``.wandb`` file says about a run, without wandb: it takes a second to import and may not be installed.

The file is a log of ``wandb_internal.Record`` protobuf messages, of which the few fields below are looked at. Their
numbers never changed from wandb 0.20.1 to 0.31.0. A long run has millions of records, so values of rows stay undecoded
until somebody wants them.
"""

from __future__ import annotations

import glob
import json
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Callable, Optional

from .._journal.outside import MOST_LINE, open_regular
from .._journal.wandb_file import fields, history, records_from, run_files

_FILE_HEADER = 7  # ":W&B", a magic number, a version
_READ = 4 * 1024 * 1024

# Record
_CONFIG, _RUN, _EXIT = 5, 17, 18
# HistoryRecord and ConfigRecord: item or update = 1
_ITEM = 1
_NUM_TAG, _CONFIG_TAG = 1 << 3, _CONFIG << 3 | 2
# HistoryRecord.item and HistoryItem as the bytes that stand before the values: number << 3 | 2, a length follows
_ITEM_TAG, _STEP_TAG, _NESTED_KEY_TAG = 0x0A, 0x12, 0x12
_VALUE_TAG = 0x82  # and 0x01
# HistoryItem, ConfigItem
_KEY, _NESTED_KEY, _VALUE_JSON, _INTEGER = 1, 2, 16, 5
# RunRecord
_RUN_CONFIG, _TAGS = 4, 10
_RUN_FIELDS = {1: "id", 2: "entity", 3: "project", 8: "run_name"}


def no_progress(_: int) -> None:
    """Nobody looks."""


def records(
    path: Path,
    about: dict[str, Any],
    progress: Callable[[int], None] = no_progress,
    damage: Optional[set[int]] = None,
) -> Iterator[dict[str, Any]]:
    """The rows of the file, with what W&B added; ``about`` is filled on the way, ``progress`` hears of bytes read.

    Values of rows are ``bytes``: JSON text that nobody has decoded yet (:func:`~._format.decoded`). Keys of ``about``:
    id, entity, project, run_name, tags, config (a dict) and exit_code, each only if the file has it.
    A damaged record is left out, and its place is added to ``damage``; the last one may be torn.

    Raises:
        OSError: it can't be read.
        ValueError: it is no ``.wandb`` file.
    """
    with open_regular(path) as file:
        head = file.read(4)
        if not head:
            return
        damage = set() if damage is None else damage
        if head != b":W&B":
            file.seek(_FILE_HEADER)
            if not any(True for _ in records_from(file.read(_READ), _FILE_HEADER, set())):
                raise ValueError(f"{path} is no .wandb file")
            damage.add(0)
        names = _Names()
        for body in _bodies(file, progress, damage):
            try:
                message = history(body)
                if message:
                    yield _row(message, names)
                elif _says_what_the_run_is(body):
                    _take(body, about)
            except (ValueError, LookupError, struct.error, RecursionError):
                continue


def files_of_run(file: Path) -> list[Path]:
    """All files of the run that ``file`` is of, oldest first: a worker that was replaced has begun another one."""
    found = [file]
    if file.stem.startswith("run-"):
        with suppress(OSError):
            found = run_files(file.parent.parent, glob.escape(file.stem[4:]))
    return found if file in found else [file]


def damaged(path: Path) -> Optional[int]:
    """Where the first damage in a ``.wandb`` file is; None if there is none, or the file can't be read."""
    found: set[int] = set()
    try:
        with open_regular(path) as file:
            for _ in _bodies(file, no_progress, found):
                pass
    except OSError:
        return None
    return min(found, default=None)


def _bodies(file: BinaryIO, progress: Callable[[int], None], damage: set[int]) -> Iterator[bytes]:
    """The whole records, read piece by piece: the file of a long job is larger than the memory of a login node."""
    at, size = _FILE_HEADER, _READ
    while True:
        file.seek(at)
        data = file.read(size)
        began = at
        for body, end in records_from(data, began, damage):
            yield body
            at = end
        progress(at - began)
        if len(data) < size:
            return
        size = _READ if at != began else 2 * size  # a record may be larger than what was read
        if size > MOST_LINE:
            return


class _Names(dict[bytes, str]):
    """Names of metrics by their bytes in the file, each decoded once."""

    def __missing__(self, raw: bytes) -> str:
        name = raw.decode("utf-8", "replace")
        if len(self) < 10_000:
            self[raw] = name
        return name


def _row(message: bytes, names: _Names) -> dict[str, Any]:
    """A row, its values undecoded. Nearly all items have lengths below 128 and one (nested) key: those are quick."""
    row: dict[str, Any] = {}
    at = stop = 0
    end = len(message)
    try:
        while at < end:
            stop = at + 2 + message[at + 1]
            value = at + 4 + message[at + 3]
            # the lengths of item, key and value agree: none of them is 128 or more, and there is nothing else in it
            if (
                message[at] == _ITEM_TAG
                and message[at + 2] == _NESTED_KEY_TAG
                and message[value] == _VALUE_TAG
                and message[value + 2] == stop - value - 3
                and stop <= at + 129
            ):
                row[names[message[at + 4 : value]]] = message[value + 3 : stop]
                at = stop
            else:
                break
    except IndexError:
        pass
    if at < end and not (message[at] == _STEP_TAG and stop == end):
        row.update(_items(message[at:], lambda text: text))
    return row


def _says_what_the_run_is(record: bytes) -> bool:
    """Whether it can be a record of the run, its configuration or its end. Most are summaries and say nothing new."""
    at = 1
    while record[at] & 0x80:
        at += 1
    return record[0] != _NUM_TAG or record[at + 1] == _CONFIG_TAG or record[at + 1] >= 0x80


def _take(body: bytes, about: dict[str, Any]) -> None:
    for number, value in fields(body):
        if not isinstance(value, bytes):
            continue
        if number == _CONFIG:
            about.setdefault("config", {}).update(_items(value, json.loads))
        elif number == _EXIT:
            code = next((code for key, code in fields(value) if key == 1 and isinstance(code, int)), 0)
            about["exit_code"] = code - (1 << 64) if code >= 1 << 63 else code  # int32: a negative one is 64 bits long
        elif number == _RUN:
            tags = []
            for key, part in fields(value):
                if not isinstance(part, bytes):
                    continue
                if key == _RUN_CONFIG:
                    about.setdefault("config", {}).update(_items(part, json.loads))
                elif key == _TAGS:
                    tags.append(part.decode("utf-8", "replace"))
                elif key in _RUN_FIELDS:
                    about[_RUN_FIELDS[key]] = part.decode("utf-8", "replace")
            about["tags"] = tags


def _items(body: bytes, decode: Callable[[bytes], Any]) -> Iterator[tuple[str, Any]]:
    for number, value in fields(body):
        if number != _ITEM or not isinstance(value, bytes):
            continue
        keys: list[str] = []
        content: Any = None
        for part, inner in fields(value):
            if isinstance(inner, int):
                if part == _INTEGER:
                    content = (inner >> 1) ^ -(inner & 1)  # sint64
            elif part == _NESTED_KEY or (part == _KEY and not keys):
                keys.append(inner.decode("utf-8", "replace"))
            elif part == _VALUE_JSON:
                content = decode(inner)
        if keys:
            yield ".".join(keys), content
