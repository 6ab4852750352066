"""Chooses the sink of a run."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from .._log import warn_once
from ._spec import RunSpec, mode

if TYPE_CHECKING:
    from . import Sink


def open_sink(spec: RunSpec, *, asynchronous: bool) -> Sink:
    """See :func:`one_logger_v1_shim._delivery.open_sink`."""
    if mode(os.environ) == "disabled":
        return Dropping(asynchronous)
    how = os.environ.get("ONE_LOGGER_V1_DELIVERY", "worker").strip().lower()
    if how not in ("worker", "inline"):
        warn_once("delivery", f"ONE_LOGGER_V1_DELIVERY={how!r}; expected worker or inline; worker is used")
        how = "worker"
    sink: Sink
    try:
        if how == "inline":
            from ._inline import InlineSink

            sink = InlineSink(spec, asynchronous)
        else:
            from ._worker_sink import WorkerSink

            sink = WorkerSink(spec, asynchronous)
    except Exception as error:
        warn_once("delivery:open", f"rows are not logged, no way to deliver them could be set up: {error!r}")
        return Dropping(asynchronous)
    _finish_with_child(sink)
    return sink


def _finish_with_child(sink: Sink) -> None:
    """A child of ``multiprocessing`` ends without ``atexit``; it has finalizers of its own."""
    process, util = sys.modules.get("multiprocessing.process"), sys.modules.get("multiprocessing.util")
    if process is not None and util is not None and process.parent_process() is not None:
        # they are called in a `finally`: what ends the process, if anything, is being raised
        util.Finalize(None, lambda: sink.finish(1 if sys.exc_info()[0] else 0), exitpriority=0)


class Dropping:
    """``WANDB_MODE=disabled``: the user wants no run."""

    def __init__(self, asynchronous: bool) -> None:
        self.asynchronous = asynchronous

    def put(self, row: bytes) -> None:
        """Drop the row."""

    def finish(self, exit_code: int = 0) -> None:
        """Nothing to finish."""

    def abandon(self) -> None:
        """Nothing to leave."""
