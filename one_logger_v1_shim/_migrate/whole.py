"""Files that are written whole or not at all, also if the process is ended meanwhile."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from pathlib import Path
from typing import Optional

from .._journal.system import answers

_TEMPORARY = re.compile(r"\.one_logger_v1_swap\.(\d{1,9})\.[0-9a-f]{16}\.tmp")


def write_whole(path: Path, data: bytes, same_as: Optional[Path] = None) -> None:
    """Replace the file, or write none of it. Mode, owner and extended attributes stay. Raises ``OSError``.

    ``same_as``: a file with these bytes already, of which ``path`` becomes another name (a hard link).
    """
    temporary = path.with_name(f".one_logger_v1_swap.{os.getpid()}.{secrets.token_hex(8)}.tmp")
    try:
        if same_as is not None:
            os.link(same_as, temporary)
        else:
            _write_new(temporary, data, path)
        os.replace(temporary, path)
    finally:
        # The name was chosen before there was a file: wherever a signal arrives, none is left.
        temporary.unlink(missing_ok=True)


def _write_new(temporary: Path, data: bytes, like: Path) -> None:
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)  # the umask has its say
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileNotFoundError):
        _like(like, temporary)


def _like(path: Path, other: Path) -> None:
    status = path.lstat()
    other.chmod(stat.S_IMODE(status.st_mode))
    own = other.stat()
    if (own.st_uid, own.st_gid) != (status.st_uid, status.st_gid) and hasattr(os, "chown"):
        try:
            os.chown(other, status.st_uid, status.st_gid)
            other.chmod(stat.S_IMODE(status.st_mode))
        except PermissionError:
            pass  # somebody else's file in our folder: it becomes ours, as with any editor
    if hasattr(os, "listxattr"):
        for attribute in os.listxattr(path):
            with contextlib.suppress(OSError):
                os.setxattr(other, attribute, os.getxattr(path, attribute))


def sweep(folder: Path) -> None:
    """Remove what a process that was killed has left in the folder while it wrote."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            match = _TEMPORARY.fullmatch(name)
            if match is not None and not answers(int(match[1])):
                (folder / name).unlink()
