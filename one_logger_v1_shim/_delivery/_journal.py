"""The journal's files: every row on local disk, one line each, before it goes anywhere else. They are also the queue.

A folder beside the W&B run: ``run.json`` (what the run is, never a key), ``rows-000001.jsonl`` and so on (rows, and
control lines that do not begin with ``{``), ``mark.json`` (how far W&B has taken it; the worker's), ``worker.log``.
When the disk takes no more, the files go on in :func:`overflow`, a folder in the temp directory.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
import string
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

FINISH = "#finish"  # and the job's exit code: nothing comes after it
FROM = "#from"  # and the number of rows in the files before this one, which may have been removed

NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_PREFIX = "one-logger-"


def new_run_id() -> str:
    """A W&B run id: ours to choose, so that a later process can find the run again."""
    letters = string.ascii_lowercase + string.digits
    return "".join(secrets.choice(letters) for _ in range(8))


def segment(number: int) -> str:
    """The name of the journal's ``number``-th file, from 1."""
    return f"rows-{number:06d}.jsonl"


def overflow(folder: Path) -> Path:
    """Where the journal in ``folder`` goes on when its disk takes no more. The run's id makes the name our own."""
    return Path(tempfile.gettempdir()) / f"{folder.name}-more"


def is_own(folder: Path) -> bool:
    """Is it a folder of this user, and no symlink to one?"""
    try:
        found = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()


def has_room(folder: Path) -> bool:
    """Does the disk of ``folder`` take as much as wandb writes at a time?"""
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            return file.write(bytes(65536)) == 65536
    except OSError:
        return False


def elsewhere(about: Mapping[str, Any]) -> list[Path]:
    """The folder of the run, if ``about`` is the ``run.json`` of a journal in the temp directory.

    A file says so: it is to be looked at, and nothing more.
    """
    base = about.get("base")
    return [Path(base)] if about.get("keep") is False and isinstance(base, str) else []


def write_json(path: Path, content: Any) -> None:
    """Replace ``path`` in one step: a reader sees the old content or the new one. Raises ``OSError``."""
    partial = path.with_name(path.name + ".partial")
    with suppress(FileNotFoundError):
        partial.unlink()
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW, 0o666)
    data = json.dumps(content).encode()
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    finally:
        os.close(descriptor)
    os.replace(partial, path)


def read_json(path: Path) -> dict[str, Any]:
    """The object in ``path``; empty when there is none or it is damaged. Follows no symlink."""
    try:
        descriptor = os.open(path, os.O_RDONLY | NO_FOLLOW | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            content = json.loads(file.read(4 * 1024 * 1024))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def read_mark(folder: Path) -> dict[str, Any]:
    """How far W&B has taken the journal in ``folder``; empty before the worker has said so."""
    more = overflow(folder)
    return (read_json(more / "mark.json") if is_own(more) else {}) or read_json(folder / "mark.json")


def write_mark(folder: Path, mark: dict[str, Any]) -> None:
    """Replace the mark of the journal in ``folder``. Raises ``OSError`` when no disk takes it."""
    more = overflow(folder)
    try:
        write_json(folder / "mark.json", mark)
    except OSError:
        with suppress(FileExistsError):
            more.mkdir(mode=0o700)
        if not is_own(more):
            raise
        write_json(more / "mark.json", mark)
    else:
        if is_own(more):
            with suppress(OSError):
                (more / "mark.json").unlink()


def folder_name(run_id: str) -> str:
    """The name of a new journal's folder."""
    return f"{_PREFIX}{time.strftime('%Y%m%d_%H%M%S')}-{run_id}"
