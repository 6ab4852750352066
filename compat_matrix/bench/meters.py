"""What a lane reads about itself and its worker: memory, CPU time, and how often it was interrupted."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from one_logger_v1_shim._journal.process_table import stat


def rss() -> float:
    """Memory of this process in MiB; where there is no /proc its peak, which is as good for a growth."""
    try:
        return _rss(os.getpid())
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (2**20 if sys.platform == "darwin" else 2**10)


@dataclass(frozen=True)
class Use:
    """What some processes use."""

    mib: float
    cpu_s: float


def use(pids: Iterable[int]) -> Use:
    """Of those that are there: one may have ended since it was looked for, and without /proc there is none."""
    mib, seconds = 0.0, 0.0
    for pid in pids:
        try:
            one = _rss(pid), _cpu(pid)
        except OSError:
            continue
        mib, seconds = mib + one[0], seconds + one[1]
    return Use(mib, seconds)


def _rss(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _cpu(pid: int) -> float:
    return sum(map(int, stat(pid)[11:13])) / os.sysconf("SC_CLK_TCK")


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
