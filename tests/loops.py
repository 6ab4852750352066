"""The three loops of testing: which tests belong to which, and a guard that keeps the fast loop fast.

    python -m pytest -m fast     while one types: no process, no wandb, nothing that takes long
    python -m pytest             before a commit: what is not marked ``ci``, in several processes
    python -m pytest -m ci       the rest, which ``.ci/run`` runs, too

A test is fast unless it is marked ``slow`` or ``ci``, uses a fixture of :data:`SLOW_FIXTURES`, or lies in a folder of
:data:`FOLDERS`. A fast test that is not fast fails, in all three loops. A test that runs away is ended.
"""

from __future__ import annotations

import faulthandler
import os
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

#: folders whose tests stay in one process: their modules share environments that take long to make
TOGETHER = ("isolated",)

#: fixtures whose users have wandb in their own process
SLOW_FIXTURES = ("fresh",)

#: seconds of CPU time that a fast test may take: no busy machine makes that more
LIMIT = 5.0

#: seconds after which a test is ended, on the busiest machine: far more than any takes, fixtures and all
ENDED_AFTER = {"fast": 120.0, "slow": 300.0, "ci": 600.0}

#: seconds more after which the process ends of a test that goes on all the same
GRACE = 30.0

#: what an older Python does not run -> the first Python that does, and why
NEWER = {
    "release": ((3, 11), "griffe, check-jsonschema and zizmor need it"),
    "matrix/test_plan.py": ((3, 11), "the grid is planned with tomllib"),
    "matrix/test_mutants.py": ((3, 11), "its list is read with tomllib"),
}

MARKERS = (
    "fast: given to each test that has neither of the other two markers (tests/loops.py)",
    "slow: starts a process, imports wandb or takes long; not in the fast loop",
    "ci: takes very long; in CI only",
    "everywhere: also run in isolated mode, with the oldest wandb in the worker (.ci/run isolated)",
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
        if item.config.pluginmanager.hasplugin("timeout") and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(ENDED_AFTER[_loop(item)]))


def _loop(item: pytest.Item) -> str:
    return next((name for name in ("ci", "slow") if item.get_closest_marker(name)), "fast")


def choose(config: pytest.Config) -> None:
    """The loop of the plain command, which names no test: what is not for CI only, in several processes."""
    option = config.option
    if hasattr(config, "workerinput"):  # a process of pytest-xdist starts none
        option.markexpr = config.workerinput["markexpr"]
        return
    if config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return
    if not (option.markexpr or option.keyword or getattr(option, "lf", False)):
        option.markexpr = "not ci"
    looks_on = option.usepdb or option.capture == "no"
    if getattr(option, "numprocesses", 0) is None and not looks_on:  # 0: there is no pytest-xdist
        option.numprocesses = processes()


def processes() -> int:
    """How many at a time: most tests that start a process wait for it."""
    return min(8, 2 * len(os.sched_getaffinity(0)))


def has_no_test(path: Path, expression: str) -> bool:
    """Has no test in ``path`` a part in the loop ``-m expression``? What it imports is then left alone."""
    marker = FOLDERS.get(_folder(path))
    return (expression == "fast" and marker is not None) or (expression == "not ci" and marker == "ci")


def not_here(python: tuple[int, ...] = sys.version_info[:2]) -> dict[Path, str]:
    """What that Python does not run, and one line about it."""

    def dotted(version: tuple[int, ...]) -> str:
        return ".".join(map(str, version))

    return {
        TESTS / name: f"not run on Python {dotted(python)}: tests/{name} ({dotted(first)}: {why})"
        for name, (first, why) in NEWER.items()
        if python < first
    }


def _folder(path: Path) -> str:
    """The folder of ``tests`` that ``path`` is, or lies in."""
    return path.relative_to(TESTS).parts[0] if path.is_relative_to(TESTS) and path != TESTS else ""


def together(nodeid: str) -> str:
    """What of a test's id says in which process it runs: its file, or its folder."""
    file = nodeid.partition("::")[0]
    folder = file.rpartition("/")[0]
    return folder if folder.rpartition("/")[2] in TOGETHER else file


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


class LastResort:
    """Ends the process of a test that its time limit (pytest-timeout) has not ended; says where the test was.

    The limit is an exception in the main thread: code may catch it, or be in a call that never returns.
    """

    def __init__(self) -> None:
        self._stderr = os.dup(2)  # pytest puts a file in its place while a test runs

    @contextmanager
    def watching(self, item: pytest.Item) -> Iterator[None]:
        marker = item.get_closest_marker("timeout")
        seconds = marker.args[0] if marker and marker.args else ENDED_AFTER[_loop(item)]
        faulthandler.dump_traceback_later(seconds + GRACE, exit=True, file=self._stderr)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
