"""The three loops of testing: which tests belong to which, and a guard that keeps the fast loop fast.

    python -m pytest -m fast         while one types: no process is started, wandb is not imported, no test takes long
    python -m pytest -m "not ci"     before a commit
    python -m pytest                 everything, as CI does

A test is fast unless it is marked ``slow`` or ``ci``, uses a fixture of :data:`SLOW_FIXTURES`, or lies in a folder of
:data:`SLOW_FOLDERS`. A fast test that is not fast fails, in all three loops.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

TESTS = Path(__file__).resolve().parent

#: all tests below these start processes, or import a training framework
SLOW_FOLDERS = ("delivery", "frameworks", "isolated")

#: fixtures whose users have wandb in their own process
SLOW_FIXTURES = ("fresh",)

#: seconds of CPU time that a fast test may take: no busy machine makes that more
LIMIT = 2.0

MARKERS = (
    "fast: given to each test that has neither of the other two markers (tests/loops.py)",
    "slow: starts a process, imports wandb or takes long; not in the fast loop",
    "ci: takes very long; in CI only",
)

_STARTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.system"}


def assign(items: list[pytest.Item]) -> None:
    """Mark the tests that are fast."""
    for item in items:
        slow = any(item.get_closest_marker(name) for name in ("slow", "ci")) or in_slow_folder(item.path)
        if not slow and set(SLOW_FIXTURES).isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.fast)


def in_slow_folder(path: Path) -> bool:
    """Is ``path`` one of :data:`SLOW_FOLDERS`, or in one? The fast loop has no need to import what is there."""
    return path.is_relative_to(TESTS) and path.relative_to(TESTS).parts[:1] in [(name,) for name in SLOW_FOLDERS]


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
    def watching(self) -> Iterator[Callable[[], list[str]]]:
        """Gives what the block has done so far and no fast test may do. What other tests' threads do does not count."""
        main = threading.main_thread().ident
        self._seen = seen = []
        self._others = {thread.ident for thread in threading.enumerate() if thread.ident and thread.ident != main}
        began = time.process_time()

        def findings() -> list[str]:
            took = time.process_time() - began
            return [*dict.fromkeys(seen), *([f"takes {took:.1f} s of CPU time"] if took > LIMIT else [])]

        try:
            yield findings
        finally:
            self._others = None


GUARD = Guard()
