"""The framework tests run real jobs on the real frameworks; each job is run once and looked at by several tests."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.frameworks import jobs

NEEDED = {
    "test_lightning": ("lightning", "lightning"),
    "test_huggingface": ("transformers", "huggingface"),
    "test_distributed": ("lightning", "lightning"),
    "test_programs": ("lightning", "lightning"),
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


@pytest.fixture(scope="session")
def job(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., jobs.Result]:
    """``job(kind, torchrun=0, **settings)``: the job's result; the same job is run once per session."""
    done: dict[str, jobs.Result] = {}

    def run(kind: str, torchrun: int = 0, **settings: Any) -> jobs.Result:
        key = json.dumps([kind, torchrun, settings], sort_keys=True)
        if key not in done:
            done[key] = jobs.run(kind, tmp_path_factory.mktemp(kind), settings, torchrun)
        return done[key]

    return run
