"""A progress bar on stderr, where somebody looks: if it is a terminal, and only for what takes its time."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Callable, NamedTuple, Optional

_DELAY = 0.5  # seconds; what is done by then needs no bar
_EVERY = 0.1  # seconds between two drawings


class _Bar(NamedTuple):
    """How far it is, ``show(done)``, and that it is gone, ``end()``."""

    show: Callable[[int], None]
    end: Callable[[], None]


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """``with progress("reading", 1000) as advance: advance(10)``. The bar is gone at the end of the block."""
    done, due = 0, time.monotonic() + _DELAY
    bar: Optional[_Bar] = None
    is_seen = sys.stderr.isatty() and total > 0

    def advance(more: int) -> None:
        nonlocal done, due, bar
        done += more
        if is_seen and (now := time.monotonic()) >= due:
            due = now + _EVERY
            bar = bar or (_rich if importlib.util.find_spec("rich") else _plain)(label, total)
            bar.show(min(done, total))

    try:
        yield advance
    finally:
        if bar is not None:
            bar.end()


def _plain(label: str, total: int) -> _Bar:
    """Without rich: a percentage."""
    wiped = " " * (len(label) + len(": 100 %"))

    def draw(text: str) -> None:
        print(f"\r{text}", end="", file=sys.stderr, flush=True)

    return _Bar(lambda done: draw(f"{label}: {100 * done // total} %"), lambda: draw(f"{wiped}\r"))


def _rich(label: str, total: int) -> _Bar:
    """With rich: a bar and the time that is left."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    shown = Progress(*columns, console=Console(file=sys.stderr), transient=True)
    task = shown.add_task(label, total=total)
    shown.start()
    return _Bar(lambda done: shown.update(task, completed=done), shown.stop)
