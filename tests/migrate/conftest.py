"""The commands as fixtures."""

from __future__ import annotations

import pytest

from .trees import Commands


@pytest.fixture
def commands(capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(capsys)
