"""The package's one logger, and the rule that a month-long job hears of each kind of trouble once. Any process."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from . import _state

logger = logging.getLogger("one_logger_v1_shim")


class _Blocks(threading.local):
    depth = 0


_blocks = _Blocks()


def warn_once(key: str, message: str) -> None:
    """Log ``message`` as a warning, the first time that ``key`` is used in this process.

    ``key`` names the kind of trouble (``"repr:loss"``), not the occurrence, so that a bad value in every
    iteration is one line in the log and not a million.
    """
    mine = object()
    if _state.process.said.setdefault(key, mine) is mine:  # one step, also among threads
        warn(message)


def warn(message: str) -> None:
    """Log ``message`` as a warning, on one line. Raises no ``Exception``: an application's log handler may.

    While this thread holds the process's lock, or is in a block of :func:`later`, the line waits: a handler of the
    application may log a row, or wait for a thread that does. Who gives the lock back calls :func:`speak`.
    """
    process = _state.process
    if process.holds_lock() or _blocks.depth:
        process.unsaid.append(message)
        return
    with suppress(Exception):
        logger.warning("%s", message if message.isprintable() else "".join(map(_printable, message)))


def off(error: BaseException) -> str:
    """What is said where a logger cannot be made, and the job runs on without it."""
    return (
        f"OneLogger is off: no row of it is kept or sent, as it could not be set up ({error!r}); the job goes on; "
        "`python -m one_logger_v1_shim doctor` says what to repair"
    )


def speak() -> None:
    """Log the lines that had to wait for the process's lock."""
    process = _state.process
    while process.unsaid and not process.holds_lock() and not _blocks.depth:  # else an outer frame will do it
        try:
            message = process.unsaid.pop(0)
        except IndexError:  # another thread was faster
            return
        warn(message)


@contextmanager
def later() -> Iterator[None]:
    """What this thread logs inside of the block is logged after it."""
    _blocks.depth += 1
    try:
        yield
    finally:
        _blocks.depth -= 1
        speak()


def _printable(character: str) -> str:
    """A folder's name may have a line's end in it; a text from elsewhere, what a terminal would obey."""
    return character if character.isprintable() else ascii(character)[1:-1]


def forget() -> None:
    """Let every warning be said again (a new run in the same process; tests)."""
    _state.process.said.clear()
