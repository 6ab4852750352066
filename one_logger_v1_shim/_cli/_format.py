"""Values as text. What comes out has no control character, is one line and is not long."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any, Optional

from .._goodput.values import decoded, number
from .._journal.secret import hidden
from .._v1.metrics import COUNT, EPOCH_MS, MSECS, SECONDS

__all__ = [
    "by_unit", "clean", "count", "decoded", "duration", "instant", "large", "measured", "number", "percent",
    "sparkline", "value",
]  # fmt: skip

_MOST = 200  # characters
_LONGEST_SECRET = 1000
_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII_BLOCKS = "_.-~=+*#"


def clean(text: object, most: int = _MOST) -> str:
    """``text`` on one line, without anything that a terminal would obey, and without what is secret."""
    given = text if isinstance(text, str) else str(text)
    cut = hidden(given[: most + _LONGEST_SECRET])[:most]
    said = "".join(
        char if char.isprintable() else " " if char in "\t\r\n" else "\N{REPLACEMENT CHARACTER}" for char in cut
    )
    return said + (f"... ({len(given):,} characters)" if len(given) > most else "")


def value(given: Any) -> str:
    """Any JSON value."""
    if isinstance(given, str):
        return clean(given)
    if isinstance(given, float) and given.is_integer() and abs(given) < 1e15:
        return count(given)
    try:
        return clean(json.dumps(given, ensure_ascii=False))
    except (ValueError, RecursionError):
        return clean(type(given).__name__)


def by_unit(given: Any, unit: Optional[str]) -> str:
    """A metric's value; what has not the type that the unit asks for is shown as it is."""
    found = number(given)
    if found is None or unit is None:
        return value(given)
    if unit == EPOCH_MS:
        return instant(found)
    if unit == SECONDS:
        return duration(found)
    if unit == MSECS:
        return f"{measured(found)} ms"
    if unit == COUNT:
        return count(found)
    return value(given)


def count(given: float) -> str:
    """12,345; a count that is no whole number as it is."""
    return f"{given:,.0f}" if given == int(given) and abs(given) < 1e18 else f"{given:,.6g}"


def large(given: float) -> str:
    """835.3 B (10^9), 1.2 M; a count that is small enough to read as it is."""
    for size, letter in ((1e15, "Q"), (1e12, "T"), (1e9, "B"), (1e6, "M")):
        if abs(given) >= size:
            return f"{given / size:,.1f} {letter}"
    return count(given)


def measured(given: float) -> str:
    """Four digits are enough to read."""
    if given == 0 or 1e-3 <= abs(given) < 1e7:
        digits = 3 - math.floor(math.log10(abs(given))) if given else 0
        return f"{given:,.{max(0, min(6, digits))}f}"
    return f"{given:.3e}"


def percent(share: float) -> str:
    """A share as per cent."""
    return f"{100 * share:.1f} %" if abs(share) < 1e6 else "? %"


def duration(seconds: float) -> str:
    """Seconds, in the units in which people say it."""
    if not math.isfinite(seconds):
        return "?"
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 0.9995:
        return f"{measured(seconds * 1000)} ms"
    if seconds < 59.95:
        return f"{seconds:.2f} s"
    whole = round(seconds)
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    if days:
        return f"{days:,} d {hours} h {minutes} min"
    return f"{hours} h {minutes} min {left} s" if hours else f"{minutes} min {left} s"


def instant(ms: Optional[float]) -> str:
    """Milliseconds since the epoch as UTC."""
    if ms is None:
        return "?"
    try:
        moment = datetime.fromtimestamp(ms / 1000, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return f"{ms:g} ms since the epoch"
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def sparkline(values: Sequence[float], width: int = 40, ascii_only: bool = False) -> str:
    """A plot one character high; empty for fewer than two values."""
    if len(values) < 2:
        return ""
    blocks = _ASCII_BLOCKS if ascii_only else _BLOCKS
    if len(values) > width:
        edges = [round(i * len(values) / width) for i in range(width + 1)]
        values = [sum(values[a:b]) / (b - a) for a, b in zip(edges, edges[1:])]
    low, high = min(values), max(values)
    if not (high > low and math.isfinite(high - low) and all(map(math.isfinite, values))):
        return blocks[3] * len(values)
    return "".join(blocks[round((one - low) / (high - low) * (len(blocks) - 1))] for one in values)
