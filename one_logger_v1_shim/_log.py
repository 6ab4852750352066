"""The package's one logger, and the rule that a month-long job hears of each kind of trouble once."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress

logger = logging.getLogger("one_logger_v1_shim")

_said: set[str] = set()
_lock = threading.Lock()


def warn_once(key: str, message: str) -> None:
    """Log ``message`` as a warning, the first time that ``key`` is used in this process.

    ``key`` names the kind of trouble (``"repr:loss"``), not the occurrence, so that a bad value in every
    iteration is one line in the log and not a million.
    """
    with _lock:
        if key in _said:
            return
        _said.add(key)
    warn(message)


def warn(message: str) -> None:
    """Log ``message`` as a warning, on one line. Raises no ``Exception``: an application's log handler may."""
    with suppress(Exception):
        logger.warning("%s", message if message.isprintable() else "".join(map(_printable, message)))


def _printable(character: str) -> str:
    """A folder's name may have a line's end in it; a text from elsewhere, what a terminal would obey."""
    return character if character.isprintable() else ascii(character)[1:-1]


def renew() -> None:
    """In a forked child: another thread of the parent may have held the lock."""
    global _lock
    _lock = threading.Lock()


def exchange_said(new: set[str]) -> set[str]:
    """Put other keys in place of those that were used, which are returned."""
    with _lock:
        before = set(_said)
        _said.clear()
        _said.update(new)
        return before


def forget() -> None:
    """Let every warning be said again (a new run in the same process; tests)."""
    with _lock:
        _said.clear()
