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

    Valid after the block, too. The lists are copies: what is logged later does not join them.
    """

    def __init__(self, block: Block) -> None:
        self._block = block

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows as W&B would have got them, in order: what v1 sent, as JSON has it (tuples are lists, keys are str).

        Instants are ms since the epoch, durations s or ms as the metric's name says.
        """
        return list(self._block.rows)

    @property
    def runs(self) -> list[Run]:
        """What would have been W&B runs, in the order in which they were opened."""
        return list(self._block.runs)

    @property
    def spans(self) -> list[Span]:
        """v2's spans, in the order of their starts.

        Raises:
            RuntimeError: v2 cannot be used here, and why. There are rows all the same.
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
    """``with capture() as captured:``: what loggers that are made inside of the block log is in ``captured.rows``.

    The block is a process that is new, to OneLogger and to v2: nothing is configured, no tag is known, each warning is
    logged again, and no environment variable of W&B or of this package counts, except ``ONE_LOGGER_V1_DISABLED`` (there
    are no rows) and ``ONE_LOGGER_V1_WIRE`` (whose rows they are). Its end is the end of that process: what the program
    has not finished is finished. Then everything is as it was. Rows that come later are dropped, with one warning.
    Loggers that were made outside go on as before, but tell v2 nothing meanwhile. All threads of the process
    log into the block; forked children log into their own copy of it, and started processes nothing at all.

    Blocks nest: the inner one has its rows for itself.

    Raises:
        RuntimeError: a thread begins a block while another thread's is open, or a block ends before an inner one.
    """
    block = Block()
    block.begin()
    try:
        yield Capture(block)
    finally:
        block.end()
