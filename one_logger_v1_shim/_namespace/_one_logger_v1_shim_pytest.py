"""The pytest plugin of one-logger-v1-shim: one fixture.

pytest loads it in every session, so it lies outside of the package, which is imported when a test asks for the fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from one_logger_v1_shim.testing import Capture


@pytest.fixture
def one_logger_capture() -> Iterator[Capture]:
    """OneLogger rows and v2 spans of a test, in memory: `.rows`, `.spans`, `.runs` (one_logger_v1_shim.testing)."""
    from one_logger_v1_shim.testing import capture

    with capture() as captured:
        yield captured
