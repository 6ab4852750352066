"""Where rows go: what the rest of the package sees of a W&B run. Runs in the job's process."""

from __future__ import annotations

from typing import Protocol


class Sink(Protocol):
    """One W&B run. Nothing here raises an ``Exception``."""

    asynchronous: bool

    def put(self, row: bytes, before: bytes = b"") -> None:
        """One row, as :func:`.encode.encode` gives it; ``before``: the line of calls that stands before it.

        Async: returns at once. Sync: returns when W&B's ``run.log`` has it, or after a bounded wait.
        """

    def call(self, line: bytes) -> None:
        """One line of v1 calls for v2 (:mod:`one_logger_v1_shim._journal.lines`)."""

    def finish(self, exit_code: int = 0) -> None:
        """Drain and finish the run; idempotent, bounded by ``ONE_LOGGER_V1_FINISH_TIMEOUT`` seconds (default 30)."""

    def abandon(self) -> None:
        """In a forked child: become a no-op and leave the run to the parent."""


class Dropping:
    """Nobody wants the rows (``WANDB_MODE=disabled``), or nothing can take them."""

    def __init__(self, asynchronous: bool) -> None:
        self.asynchronous = asynchronous

    def put(self, row: bytes, before: bytes = b"") -> None:
        """Drop the row."""

    def call(self, line: bytes) -> None:
        """Drop the calls."""

    def finish(self, exit_code: int = 0) -> None:
        """Nothing to finish."""

    def abandon(self) -> None:
        """Nothing to leave."""
