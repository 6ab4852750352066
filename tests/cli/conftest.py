"""What the tests of commands share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.warm import Warm
from tests.isolated.places import thin


@pytest.fixture(scope="session")
def warm() -> Iterator[str]:
    """A Python that has wandb and v2 loaded, for all tests of this process."""
    with Warm() as python:
        yield python


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The interpreter of an environment without a package."""
    return thin(tmp_path_factory.mktemp("bare") / "venv")
