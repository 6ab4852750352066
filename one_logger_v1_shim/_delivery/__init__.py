"""How does a row get to disk and to W&B? The only room that knows W&B's words.

A row comes in as one line of JSON (:func:`encode`), goes into the journal, and from there to a W&B run: in a worker
process of its own, or, with ``ONE_LOGGER_V1_DELIVERY=inline``, in the job's process. Importing this is cheap.
"""

from __future__ import annotations

from typing import Protocol

from ._encode import encode
from ._spec import RunSpec

__all__ = ["RunSpec", "Sink", "encode", "open_sink"]


class Sink(Protocol):
    """One W&B run, as the rest of the package sees it. Nothing here raises an ``Exception``."""

    asynchronous: bool

    def put(self, row: bytes) -> None:
        """One row, as :func:`encode` gives it.

        Async: returns at once. Sync: returns when W&B's ``run.log`` has it, or after a bounded wait.
        """

    def finish(self, exit_code: int = 0) -> None:
        """Drain and finish the run; idempotent, bounded by ``ONE_LOGGER_V1_FINISH_TIMEOUT`` seconds (default 30)."""

    def abandon(self) -> None:
        """In a forked child: become a no-op and leave the run to the parent."""


def open_sink(spec: RunSpec, *, asynchronous: bool) -> Sink:
    """The sink of a new run; returns at once and never raises an ``Exception``: on trouble it degrades, in one line."""
    from ._open import open_sink as open_it

    return open_it(spec, asynchronous=asynchronous)
