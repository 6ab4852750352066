"""Opening files whose content, and whose kind, nobody vouches for."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

_MOST_JSON = 4 * 1024 * 1024  # bytes of run.json and mark.json that are read


def open_regular(path: Path) -> BinaryIO:
    """Open an ordinary file for reading; ``OSError`` for anything else.

    A symlink is not followed (it may lead out of the folder), and a FIFO or device would never end.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not an ordinary file", str(path))
    return os.fdopen(descriptor, "rb")


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in ``path``; empty when there is none, or it is damaged."""
    try:
        with open_regular(path) as file:
            content = json.loads(file.read(_MOST_JSON))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def alive(pid: Any) -> bool:
    """Is there a process of that number on this machine?"""
    if isinstance(pid, bool) or not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True
