"""What a lane reads about itself: its memory, and how often it was interrupted."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path


def rss() -> float:
    """Memory of this process in MiB; where there is no /proc the peak, which is as good for a growth."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (OSError, ValueError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (2**20 if sys.platform == "darwin" else 2**10)


def interruptions() -> int:
    """How often the scheduler took this thread's core; always 0 where that is not counted for a thread."""
    try:
        return resource.getrusage(resource.RUSAGE_THREAD).ru_nivcsw
    except AttributeError:
        return 0


def p999(times: list[float]) -> float:
    """The 99.9th percentile."""
    return sorted(times)[min(len(times) - 1, int(len(times) * 0.999))]
