"""Whether a process is still there. Asked by the job about its worker, and by the worker about its job.

``/proc`` is believed where it shows a process, and where it shows this one: a container may have that of the machine,
in which the same numbers are those of others (bubblewrap, ``unshare --pid``).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional

from .system import answers

_MOST = 16 * 1024 * 1024  # bytes of an environment


def started(pid: int) -> Optional[str]:
    """When the process began, as a text that only compares; None when it can't be told or there is none."""
    try:
        return stat(pid)[19]
    except (OSError, IndexError):
        return None


def is_running(pid: int, began: Optional[str] = None) -> bool:
    """Whether there is a process ``pid`` that is no zombie and began at ``began`` (:func:`started`; None: any)."""
    try:
        words = stat(pid)
    except OSError:
        return answers(pid)
    return words[0] != "Z" and (began is None or words[19] == began)


def has_gone(pid: int) -> bool:
    """Whether there is certainly no process ``pid`` any more, or only what its parent has not looked at yet.

    For who hears of it by other means as well: what ``/proc`` does not show (``hidepid``, another user since, another
    namespace, restored from an image with another start) may be alive.
    """
    try:
        return stat(pid)[0] == "Z"
    except (OSError, IndexError):
        return not answers(pid)


def stat(pid: int) -> list[str]:
    """What the system says about the process, from its state on. Its name before that may be any bytes.

    Raises ``OSError``: there is no such process, or no ``/proc`` of ours.
    """
    _must_be_ours()
    return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].decode("ascii", "replace").split()


def variable(pid: int, name: str) -> Optional[str]:
    """The value of a variable in the environment with which the process was started; None: it has none, or is not ours.

    A process id, and what a command line says, can be anybody's.
    """
    try:
        _must_be_ours()
        with open(f"/proc/{pid}/environ", "rb") as file:
            words = file.read(_MOST).split(b"\0")
    except OSError:
        return None
    before = os.fsencode(f"{name}=")
    return next((os.fsdecode(word[len(before) :]) for word in words if word.startswith(before)), None)


def _must_be_ours() -> None:
    if os.readlink("/proc/self") != str(os.getpid()):
        raise OSError(0, "/proc shows the processes of another namespace")
