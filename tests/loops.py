"""The three loops of testing: which tests belong to which, and a guard that keeps the fast loop fast.

``fast``: no process is started and wandb is not imported. ``slow``: only in CI. Neither: before a commit as well.

    python -m pytest -m fast          while one types
    python -m pytest -m "not slow"    before a commit
    python -m pytest                  what CI runs

A test is fast unless it is marked ``process`` (or ``slow``), uses a fixture of :data:`OF_A_PROCESS`, or lies in a
folder of :data:`FOLDERS`. A fast test that starts a process or imports wandb fails, in all three loops.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Optional

import pytest

TESTS = Path(__file__).resolve().parent

#: all tests below these start processes; a test there that does not may be marked ``fast``
FOLDERS = ("delivery", "frameworks", "isolated")

#: fixtures whose users have wandb in their own process
OF_A_PROCESS = ("fresh",)

MARKERS = (
    "process: starts a process or imports wandb; not in the fast loop",
    "slow: takes long; in CI only",
    "fast: starts no process and does not import wandb (given to each test that has neither of the other two markers)",
)

_STARTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.system"}


def assign(items: list[pytest.Item]) -> None:
    """Mark the tests that are fast."""
    for item in items:
        if item.get_closest_marker("fast") is None and not _starts_processes(item):
            item.add_marker(pytest.mark.fast)


def _starts_processes(item: pytest.Item) -> bool:
    if any(item.get_closest_marker(name) for name in ("process", "slow")):
        return True
    if not set(OF_A_PROCESS).isdisjoint(getattr(item, "fixturenames", ())):
        return True
    inside = item.path.relative_to(TESTS).parts if item.path.is_relative_to(TESTS) else ()
    return inside[:1] != () and inside[0] in FOLDERS


class Guard:
    """Hears of every process that this one starts and of every import of wandb. Made once: audit hooks stay."""

    def __init__(self) -> None:
        self._others: Optional[set[int]] = None
        self._seen: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        others = self._others
        if others is None or threading.get_ident() in others:
            return
        if event == "import":
            if arguments[0] == "wandb":
                self._seen.append("imports wandb")
        elif event in _STARTS:
            self._seen.append(f"starts a process ({event}: {str(arguments[:1])[:80]})")

    @contextmanager
    def watching(self) -> Iterator[list[str]]:
        """Gives a list of what no fast test may do and the block did; what other tests' threads do does not count."""
        main = threading.main_thread().ident
        self._seen = seen = []
        self._others = {thread.ident for thread in threading.enumerate() if thread.ident and thread.ident != main}
        try:
            yield seen
        finally:
            self._others = None


GUARD = Guard()
