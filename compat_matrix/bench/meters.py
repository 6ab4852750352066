"""What a lane reads about itself and its worker: memory, CPU time, and how often it was interrupted."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from typing import Union

from one_logger_v1_shim._journal.process_table import stat


def rss(process: Union[int, str] = "self") -> float:
    """Memory of a process in MiB; where there is no /proc the peak of this one, which is as good for a growth."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (OSError, ValueError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (2**20 if sys.platform == "darwin" else 2**10)


def cpu(process: int) -> float:
    """CPU time of a process in s. Raises ``OSError``: it is not there, or there is no /proc."""
    return sum(map(int, stat(process)[11:13])) / os.sysconf("SC_CLK_TCK")


def with_argument(text: str) -> list[int]:
    """The processes that have ``text`` as an argument of their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = path.read_bytes().split(b"\0")
        except OSError:
            continue  # it has ended
        if os.fsencode(text) in arguments:
            found.append(int(path.parent.name))
    return found


def interruptions() -> int:
    """How often the scheduler took this thread's core; always 0 where that is not counted for a thread."""
    try:
        return resource.getrusage(resource.RUSAGE_THREAD).ru_nivcsw
    except AttributeError:
        return 0


def p999(times: list[float]) -> float:
    """The 99.9th percentile."""
    return sorted(times)[min(len(times) - 1, int(len(times) * 0.999))]
