"""The clocks. Both processes.

What rows say is read through the module ``time``, where an application's test may have put another clock: a frozen one,
one that has nothing left to give, one that gives no number. Then the machine's own is read, and no row is lost.

Limits are measured by :data:`monotonic`, which no test replaces (freezegun puts its own in place of every reference
that a module has).
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any, Callable

from .._handlers import raised_by_handler


def _made(name: str, usual: Callable[[], float]) -> Callable[[], float]:
    try:
        return partial(time.clock_gettime, getattr(time, name))
    except AttributeError:  # Windows
        return lambda: usual()


#: seconds, from an unknown beginning
monotonic = _made("CLOCK_MONOTONIC", time.monotonic)
_machines = _made("CLOCK_REALTIME", time.time)  # since the epoch


def now() -> float:
    """``time.time()``: seconds since the epoch."""
    try:
        found = time.time()
        return found if -1e12 < found < 1e12 and type(found) is float else _number(found)
    except Exception as error:
        if raised_by_handler(error):
            raise
        return _machines()


def counter() -> float:
    """``time.perf_counter()``: seconds, from an unknown beginning."""
    try:
        found = time.perf_counter()
        return found if -1e12 < found < 1e12 and type(found) is float else _number(found)
    except Exception as error:
        if raised_by_handler(error):
            raise
        return monotonic()


def _number(found: Any) -> float:
    """An int, a ``Decimal``, a number of numpy's as float. Raises an ``Exception`` for what is no time."""
    number = float(found)
    if -1e12 < number < 1e12:  # 31,000 years
        return number
    raise ValueError(found)
