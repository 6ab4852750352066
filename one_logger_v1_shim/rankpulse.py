"""v1's ``one_logger.rankpulse``: GPU pulse data. Accepted, so that callers run; nothing is collected.

Runs in the job's process.
"""

from __future__ import annotations

from ._log import warn_once
from ._off import switched_off

__all__ = ["start", "stop"]


def start(interval_seconds: int = 15, twindow_seconds: int = 300, enable_gpu_debug_info: bool = False) -> None:
    """Accepted and ignored; one line says so. ``interval_seconds`` and ``twindow_seconds`` are seconds."""
    if not switched_off():
        warn_once("rankpulse", "rankpulse: GPU pulse data is not collected by one-logger-v1-shim")


def stop(timeout_seconds: float = 3.0) -> None:
    """Accepted and ignored. ``timeout_seconds`` is seconds."""
