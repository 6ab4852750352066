"""Who delivers a journal: one process at a time, which holds a lock. Asked by the worker and by commands."""

from __future__ import annotations

import os
from pathlib import Path

from .outside import open_to_write

_held: list[int] = []


def lock(folder: Path) -> bool:
    """Become the only process that delivers the journal in ``folder``, until this process ends."""
    try:
        import fcntl

        descriptor = open_to_write(folder / "worker.lock", os.O_RDWR | os.O_CREAT)
    except (ImportError, OSError):
        return True  # a disk that takes no new file takes no lock either
    _held.append(descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def locked(folder: Path) -> bool:
    """Whether a process delivers the journal in ``folder`` now."""
    try:
        import fcntl

        descriptor = open_to_write(folder / "worker.lock", os.O_RDWR)
    except (ImportError, OSError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False
