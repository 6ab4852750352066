"""A progress bar on stderr, where somebody looks: if it is a terminal, and only for what takes its time."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Callable, Optional, Union

_DELAY = 0.5  # seconds; what is done by then needs no bar
_EVERY = 0.1  # seconds between two drawings


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """``with progress("reading", 1000) as advance: advance(10)``. The bar is gone at the end of the block."""
    if not sys.stderr.isatty() or total <= 0:
        yield _nothing
        return
    bar = _Bar(label, total)
    try:
        yield bar.advance
    finally:
        bar.end()


def _nothing(_: int) -> None:
    return


class _Bar:
    def __init__(self, label: str, total: int) -> None:
        self._label, self._total, self._done = label, total, 0
        self._next = time.monotonic() + _DELAY
        self._drawn: Optional[Union[_Plain, _Rich]] = None

    def advance(self, more: int) -> None:
        """So much more is done."""
        self._done += more
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _EVERY
        if self._drawn is None:
            rich = importlib.util.find_spec("rich") is not None
            self._drawn = (_Rich if rich else _Plain)(self._label, self._total)
        self._drawn.show(min(self._done, self._total))

    def end(self) -> None:
        if self._drawn is not None:
            self._drawn.end()


class _Plain:
    """Without rich: a percentage."""

    def __init__(self, label: str, total: int) -> None:
        self._label, self._total, self._width = label, total, 0

    def show(self, done: int) -> None:
        text = f"{self._label}: {100 * done // self._total} %"
        self._width = max(self._width, len(text))
        print(f"\r{text}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        print(f"\r{' ' * self._width}\r", end="", file=sys.stderr, flush=True)


class _Rich:
    """With rich: a bar and the time that is left."""

    def __init__(self, label: str, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        self._shown = Progress(*columns, console=Console(file=sys.stderr), transient=True)
        self._task = self._shown.add_task(label, total=total)
        self._shown.start()

    def show(self, done: int) -> None:
        self._shown.update(self._task, completed=done)

    def end(self) -> None:
        self._shown.stop()
