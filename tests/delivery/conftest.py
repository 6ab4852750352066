"""Fixtures: a server, and jobs that run beside each other (most of a job's time is wandb coming up)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.delivery.server import Server


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.stop()


Scenario = Callable[[Path], Any]


@pytest.fixture(scope="module")
def outcome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    """Runs those of the module's ``SCENARIOS`` (name -> function of a folder) that are asked for, several at a time."""
    scenarios: dict[str, Scenario] = request.module.SCENARIOS
    wanted = {
        name
        for item in request.session.items
        if getattr(item, "module", None) is request.module
        for name in [getattr(item, "callspec", None) and item.callspec.params.get("name")]  # type: ignore[attr-defined]
        if name
    }
    names = [name for name in scenarios if name in wanted] if wanted else list(scenarios)
    folder = tmp_path_factory.mktemp("jobs")
    with ThreadPoolExecutor(max(3, (os.cpu_count() or 2) + 1)) as pool:
        running: dict[str, Future[Any]] = {
            name: pool.submit(scenarios[name], folder / name.replace(" ", "_")) for name in names
        }

        def result(name: str) -> Any:
            if name not in running:
                running[name] = pool.submit(scenarios[name], folder / name.replace(" ", "_"))
            return running[name].result(300)

        yield result
        for future in running.values():
            future.cancel()
