"""What an installer says, in short: a line now and then while it works, its last lines if it fails."""

from __future__ import annotations

import time
from collections import deque

_EVERY = 5.0  # seconds between lines
_LAST = 15  # lines that are shown of a failure
_WIDTH = 110  # characters


class Installing:
    """One command of an installer. Prints to standard output."""

    def __init__(self) -> None:
        self._began = self._printed = time.monotonic()
        self._last: deque[str] = deque(maxlen=_LAST)

    def hear(self, line: str) -> None:
        """One line of it."""
        line = line.rstrip()
        if not line:
            return
        self._last.append(line)
        now = time.monotonic()
        if now - self._printed >= _EVERY:
            self._printed = now
            print(f"  {now - self._began:.0f} s: {line.strip()[:_WIDTH]}", flush=True)

    def failed(self) -> None:
        """Its last lines."""
        for line in self._last:
            print(f"  {line}", flush=True)
