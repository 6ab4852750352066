"""The clock that limits are measured by. Both processes.

Tests freeze or step ``time.monotonic`` (freezegun puts its own in place of every reference that a module has); none of
them replaces this one.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Callable


def _made() -> Callable[[], float]:
    try:
        return partial(time.clock_gettime, time.CLOCK_MONOTONIC)
    except AttributeError:  # Windows
        return lambda: time.monotonic()


#: seconds, from an unknown beginning
monotonic = _made()
