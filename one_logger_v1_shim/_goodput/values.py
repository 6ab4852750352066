"""Values as they stand in rows: JSON values, or JSON text (``bytes``) that nobody has decoded yet."""

from __future__ import annotations

import json
import math
from typing import Any, Optional


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
    if isinstance(value, bool) or not isinstance(value, (float, int, bytes)):
        return None
    try:
        found = float(value)
    except (OverflowError, ValueError):
        return None
    return found if math.isfinite(found) else None


def from_ms(value: Any) -> Optional[int]:
    """Microseconds of a number of ms; None for what is no number."""
    found = number(value)
    return None if found is None or abs(found) > 1e16 else round(found * 1000)


def from_seconds(value: Any) -> Optional[int]:
    """Microseconds of a number of s; None for what is no number."""
    found = number(value)
    return None if found is None or abs(found) > 1e13 else round(found * 1_000_000)
