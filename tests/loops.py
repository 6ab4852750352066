"""The three loops of testing: which tests belong to which, and a guard that keeps the fast loop fast.

    python -m pytest -m fast              while one types: no process, no wandb, nothing that takes long
    python -m pytest -m "not ci" -n 2     before a commit
    python -m pytest                      everything, as CI does

A test is fast unless it is marked ``slow`` or ``ci``, uses a fixture of :data:`SLOW_FIXTURES`, or lies in a folder of
:data:`FOLDERS`. A fast test that is not fast fails, in all three loops.
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

#: markers of all tests below these: they start processes, import a training framework, make whole environments
FOLDERS = {"delivery": "slow", "frameworks": "ci", "isolated": "ci", "machines": "ci"}

#: fixtures whose users have wandb in their own process
SLOW_FIXTURES = ("fresh",)

#: seconds of CPU time that a fast test may take: no busy machine makes that more
LIMIT = 5.0

MARKERS = (
    "fast: given to each test that has neither of the other two markers (tests/loops.py)",
    "slow: starts a process, imports wandb or takes long; not in the fast loop",
    "ci: takes very long; in CI only",
)

_STARTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.system"}


def assign(items: list[pytest.Item]) -> None:
    """Mark the tests of the folders, and those that are fast."""
    for item in items:
        folder = FOLDERS.get(_folder(item.path))
        if folder is not None:
            item.add_marker(folder)
        marked = any(item.get_closest_marker(name) for name in ("slow", "ci"))
        if not marked and set(SLOW_FIXTURES).isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker("fast")


def has_no_test(path: Path, expression: str) -> bool:
    """Has no test in ``path`` a part in the loop ``-m expression``? What it imports is then left alone."""
    marker = FOLDERS.get(_folder(path))
    return (expression == "fast" and marker is not None) or (expression == "not ci" and marker == "ci")


def _folder(path: Path) -> str:
    """The folder of ``tests`` that ``path`` is, or lies in."""
    return path.relative_to(TESTS).parts[0] if path.is_relative_to(TESTS) and path != TESTS else ""


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
