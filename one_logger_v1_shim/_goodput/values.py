"""Values as they stand in rows: JSON values, or JSON text (``bytes``) that nobody has decoded yet."""

from __future__ import annotations

import json
import math
from typing import Any, Optional

#: what numbers are in rows; bool is none of them
PLAIN = frozenset({float, int, bytes})
_MOST = 1e17  # us: 3,000 years


def decoded(value: Any) -> Any:
    """The value; ``bytes`` are JSON text that was not decoded yet."""
    if not isinstance(value, bytes):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value.decode("utf-8", "replace")


def number(value: Any) -> Optional[float]:
    """A finite number, also one that is not decoded yet, or None for anything else."""
    if type(value) not in PLAIN:
        return None
    try:
        found = float(value)
    except (OverflowError, ValueError):
        return None
    return found if math.isfinite(found) else None


def from_ms(value: Any) -> Optional[int]:
    """Microseconds of a number of ms; None for what is no number."""
    return _whole(value, 1000)


def from_seconds(value: Any) -> Optional[int]:
    """Microseconds of a number of s; None for what is no number."""
    return _whole(value, 1_000_000)


def _whole(value: Any, times: int) -> Optional[int]:
    if type(value) not in PLAIN:
        return None
    try:
        found = float(value) * times
        return round(found) if abs(found) < _MOST else None
    except (OverflowError, ValueError):
        return None
