"""What not every operating system has, by name: macOS has no ``/proc``, and Windows less. Both processes.

All else here asks for it in this way or behind a guard (``tests/machines/test_platforms.py``).
"""

from __future__ import annotations

import os
import sys
from typing import Optional

#: the signal that ends a process at once: SIGKILL, on Windows SIGTERM. Numbers: a script's own ``signal.py`` may hide
#: Python's.
KILL = 9 if hasattr(os, "fork") else 15

_STILL_THERE = 0x102  # WAIT_TIMEOUT
_SYNCHRONIZE = 0x00100000


def without() -> list[str]:
    """What a worker beside a job needs and this system lacks, in words: a process of its own, and a socket to it."""
    try:
        import _socket
    except ImportError:
        return ["sockets"]
    lacking = [] if hasattr(_socket, "AF_UNIX") and hasattr(_socket, "socketpair") else ["Unix sockets"]
    return lacking if hasattr(os, "fork") else [*lacking, "fork"]


def described() -> str:
    """The operating system and the machine. ``platform`` is not asked: a script may have one of its own."""
    name = {"darwin": "macOS", "win32": "Windows", "linux": "Linux"}.get(sys.platform, sys.platform)
    machine = os.uname().machine if hasattr(os, "uname") else os.environ.get("PROCESSOR_ARCHITECTURE", "")
    return f"{name} {machine}".strip()


def is_mine(user: int, *others: int) -> bool:
    """Whether the owner ``user`` of a file is this user, or one of ``others``; where there are no numbers, yes."""
    mine = user_number()
    return mine is None or user in (mine, *others)


def user_number() -> Optional[int]:
    """The number of this user; None where users have none."""
    return os.getuid() if hasattr(os, "getuid") else None


def answers(pid: int) -> bool:
    """Whether the system knows the process ``pid``, as far as it tells this user. The number may come from a file."""
    if not 0 < pid < 2**31:
        return False
    if not hasattr(os, "fork"):
        return _answers_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _answers_windows(pid: int) -> bool:
    """The same there, where ``os.kill(pid, 0)`` would interrupt the process."""
    try:
        import ctypes

        kernel = ctypes.windll.kernel32  # type: ignore[attr-defined]
    except (ImportError, AttributeError):
        return True
    handle = kernel.OpenProcess(_SYNCHRONIZE, False, pid)
    if not handle:
        return False
    try:
        return bool(kernel.WaitForSingleObject(handle, 0) == _STILL_THERE)
    finally:
        kernel.CloseHandle(handle)
