"""For the tests of programs that use OneLogger: the rows and v2's spans of a block of code, in memory.

No process is started, no file written and no connection opened; wandb is not imported. The pytest fixture
``one_logger_capture`` is :func:`capture` around a test; pytest knows it where this package is installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ._testing.block import Block
from ._testing.runs import Run
from ._testing.spans import Span, SpanEvent

__all__ = ["Capture", "Run", "Span", "SpanEvent", "capture"]


class Capture:
    """What was logged in a block so far. :func:`capture` and the fixture ``one_logger_capture`` make it.

    It stays valid after the block. The lists are copies: later rows are not added to them.
    """

    def __init__(self, block: Block) -> None:
        self._block = block

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows that W&B would have received, in order, with the types of JSON (tuples are lists, keys are str).

        Units are v1's (docs/dictionary.md): instants are ms since the epoch, durations s or ms.
        """
        return list(self._block.rows)

    @property
    def runs(self) -> list[Run]:
        """The runs that W&B would have, in the order in which they were opened."""
        return list(self._block.runs)

    @property
    def spans(self) -> list[Span]:
        """v2's spans, in the order of their starts.

        Raises:
            RuntimeError: v2 cannot be used here; the text says why. Rows are still captured.
        """
        if self._block.no_spans is not None:
            raise RuntimeError(
                f"no spans: v2 (nv_one_logger) cannot be used here ({self._block.no_spans}); rows do not need it"
            ) from self._block.no_spans
        return list(self._block.spans)

    def __repr__(self) -> str:
        return f"<Capture of {len(self._block.rows)} rows in {len(self._block.runs)} runs>"


@contextmanager
def capture() -> Iterator[Capture]:
    """``with capture() as captured:``: ``captured.rows`` has the rows of all loggers that are made inside the block.

    For OneLogger and v2 the block is like a new process: nothing is configured, no tag is known, each warning is logged
    again, and variables of W&B and of this package are ignored, except ``ONE_LOGGER_V1_DISABLED`` (there are no rows)
    and ``ONE_LOGGER_V1_WIRE`` (whose rows they are). At its end, runs that the program has not finished are finished,
    and everything is restored. Later rows are dropped, with one warning.
    Loggers that were made outside work as before, but send v2 nothing during the block. All threads of the process
    log into the block; forked children log into their own copy of it; processes that are started log nothing.

    Blocks nest: only the inner one gets its rows.

    Raises:
        RuntimeError: a thread begins a block while another thread's is open, or a block ends before an inner one.
    """
    block = Block()
    block.begin()
    try:
        yield Capture(block)
    finally:
        block.end()
