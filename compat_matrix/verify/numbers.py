"""Numbers as a history has them: what counts as one, and when two are the same."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Optional, Union

if TYPE_CHECKING:
    from typing_extensions import TypeGuard

Number = Union[int, float]

#: beyond it a number is none: 1e400 is infinite, and an integer of 400 digits is no float; products of three are finite
_MOST = 1e100
#: relative, and absolute: sums of seconds that were added in another order, decimals that an export has cut off
_TOLERANCE = 1e-6
#: ms between two readings of the clock for one row: v1 rounded ``app_last_log_time``
AT_ONCE_MS = 2.0
_INSTANT_MS = 1e11


def is_number(value: Any) -> TypeGuard[Number]:
    """Whether it is a number to calculate with: no bool, not NaN, not infinite."""
    kind = type(value)
    return (kind is float or kind is int) and -_MOST < value < _MOST


def as_number(value: Any) -> Optional[Number]:
    """The number that it is, or the text of which it is: sizes from the environment came as texts."""
    if is_number(value):
        number: Number = value
        return number
    if isinstance(value, str) and len(value) < 40:
        for read in (int, float):
            try:
                number = read(value)
            except ValueError:
                continue
            return number if is_number(number) else None
    return None


def close(a: Number, b: Number) -> bool:
    """Whether two results of v1's arithmetic are one: integers exactly, instants within 2 ms, others within 1e-6."""
    if isinstance(a, int) and isinstance(b, int):
        return a == b
    if abs(a) > _INSTANT_MS:
        return abs(a - b) <= max(AT_ONCE_MS, 1e-9 * abs(a) if abs(a) > 1e13 else 0.0)
    return math.isclose(a, b, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)


def windows(total_s: Any, average_ms: Any) -> Optional[int]:
    """How many windows a timer has measured: total (s) / average (ms). None if that is no whole number."""
    if not is_number(total_s) or not is_number(average_ms) or average_ms <= 0 or total_s <= 0:
        return None
    count = 1000 * total_s / average_ms
    if not count < 1e7:
        return None
    whole = round(count)
    return whole if whole >= 1 and abs(count - whole) <= 1e-3 + 1e-7 * count else None
