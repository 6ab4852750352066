"""The framework tests run real jobs on the real frameworks; each job is run once and looked at by several tests.

The jobs that a module names in its ``JOBS`` are started when its first test asks for one, two at a time, in processes
forked from one that has imported the framework.
"""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.frameworks import jobs

NEEDED = {
    "test_lightning": ("lightning", "lightning"),
    "test_huggingface": ("transformers", "huggingface"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say which tests did not run for want of an extra."""
    for item in items:
        package, extra = NEEDED.get(Path(str(item.fspath)).stem, ("", ""))
        if package and not _installed(package):
            reason = f"NOT RUN: {package} is not installed (pip install 'one-logger-v1-shim[{extra}]')"
            item.add_marker(pytest.mark.skip(reason=reason))


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None and importlib.util.find_spec("torch") is not None


class Runner:
    """``job(kind, **settings)``: the job's result (:func:`jobs.run`); the same job is run once per session."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders
        self._pool = ThreadPoolExecutor(max_workers=2)
        self._started: dict[str, Future[jobs.Result]] = {}
        self._forks: dict[tuple[str, ...], jobs.Forks] = {}
        self._lock = threading.Lock()

    def start(self, kind: str, **settings: Any) -> Future[jobs.Result]:
        key = json.dumps([kind, settings], sort_keys=True)
        if key not in self._started:
            folder = self._folders.mktemp(kind)
            self._started[key] = self._pool.submit(jobs.run, self._forks_with, kind, folder, settings)
        return self._started[key]

    def __call__(self, kind: str, **settings: Any) -> jobs.Result:
        return self.start(kind, **settings).result()

    def _forks_with(self, modules: tuple[str, ...]) -> jobs.Forks:
        with self._lock:
            if modules not in self._forks:
                self._forks[modules] = jobs.Forks(modules)
            return self._forks[modules]

    def close(self) -> None:
        for job in self._started.values():
            job.cancel()
        self._pool.shutdown(wait=True)
        for forks in self._forks.values():
            forks.close()


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    runner = Runner(tmp_path_factory)
    yield runner
    runner.close()


@pytest.fixture(scope="module")
def job(runner: Runner, request: pytest.FixtureRequest) -> Callable[..., jobs.Result]:
    """See :class:`Runner`."""
    own = [item for item in request.session.items if getattr(item, "module", None) is request.module]
    if len([item for item in own if "job" in getattr(item, "fixturenames", ())]) > 3:  # not for a few tests
        for kind, settings in getattr(request.module, "JOBS", ()):
            runner.start(kind, **settings)
    return runner
