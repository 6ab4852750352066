"""Chooses the sink of a run."""

from __future__ import annotations

import os

from .._log import warn_once
from . import Sink
from ._spec import RunSpec, mode


def open_sink(spec: RunSpec, *, asynchronous: bool) -> Sink:
    """See :func:`one_logger_v1_shim._delivery.open_sink`."""
    if mode(os.environ) == "disabled":
        return Dropping(asynchronous)
    how = os.environ.get("ONE_LOGGER_V1_DELIVERY", "worker").strip().lower()
    if how not in ("worker", "inline"):
        warn_once("delivery", f"ONE_LOGGER_V1_DELIVERY={how!r}; expected worker or inline; worker is used")
        how = "worker"
    try:
        if how == "inline":
            from ._inline import InlineSink

            return InlineSink(spec, asynchronous)
        from ._worker_sink import WorkerSink

        return WorkerSink(spec, asynchronous)
    except Exception as error:
        warn_once("delivery:open", f"rows are not logged, no way to deliver them could be set up: {error!r}")
        return Dropping(asynchronous)


class Dropping:
    """``WANDB_MODE=disabled``: the user wants no run."""

    def __init__(self, asynchronous: bool) -> None:
        self.asynchronous = asynchronous

    def put(self, text: str) -> None:
        """Drop the row."""

    def finish(self, exit_code: int = 0) -> None:
        """Nothing to finish."""

    def abandon(self) -> None:
        """Nothing to leave."""
