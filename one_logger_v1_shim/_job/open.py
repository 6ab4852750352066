"""Chooses the sink of a run: a worker, this process, the journal alone, or nobody. Runs in the job's process."""

from __future__ import annotations

import os
import sys
from typing import Any, Optional

from .._journal.destination import RunSpec, mode
from .._log import warn_once
from .._variables import VARIABLES, choice
from . import capture
from .environment import INSIDE
from .interpreter import VARIABLE, find, is_frozen
from .sink import Dropping, Sink


def open_sink(spec: RunSpec, *, asynchronous: bool, v2: str = "", v2_values: Optional[dict[str, Any]] = None) -> Sink:
    """The sink of a new run; returns at once and never raises an ``Exception``: on trouble it degrades, in one line.

    Args:
        spec: where the run goes.
        asynchronous: does ``put`` return before W&B has the row?
        v2: where v2 hears v1's calls: ``job``, ``worker`` or ``none``.
        v2_values: v2's configuration for the worker, if it hears them there.
    """
    if capture.active is not None:  # a test: nothing in the environment counts
        return capture.active.open_sink(spec, asynchronous)
    if os.environ.get(capture.STARTED_BY_TEST):
        warn_once("delivery:test", "this process was started by a test that captures OneLogger rows; its own run "
                  "is not logged")  # fmt: skip
        return Dropping(asynchronous)
    if mode(os.environ) == "disabled" and v2 != "worker":
        return Dropping(asynchronous)
    if os.environ.get(INSIDE):
        # wandb, v2 or one of its exporters has loaded us inside of a worker: another one would start another ...
        warn_once("delivery:inside", "a OneLogger run inside of the W&B process is not logged")
        return Dropping(asynchronous)
    try:
        sink = _open(spec, asynchronous, v2, v2_values)
    except Exception as error:
        warn_once("delivery:open", f"rows are not logged, no way to deliver them could be set up: {error!r}")
        return Dropping(asynchronous)
    _finish_with_child(sink)
    return sink


def delivery() -> str:
    """``worker`` or ``inline``, as ``ONE_LOGGER_V1_DELIVERY`` says."""
    how = choice(os.environ, "ONE_LOGGER_V1_DELIVERY")
    words = VARIABLES["ONE_LOGGER_V1_DELIVERY"].words
    if how not in words:
        warn_once("delivery", f"ONE_LOGGER_V1_DELIVERY={how!r}; expected {' or '.join(words)}; worker is used")
        return "worker"
    return how


def _open(spec: RunSpec, asynchronous: bool, v2: str, v2_values: Optional[dict[str, Any]]) -> Sink:
    from .worker_sink import WorkerSink

    interpreter = find(os.environ)
    if delivery() == "inline" or interpreter is None:
        found = _inline(spec, asynchronous)
        if found is not None:
            return found
    if interpreter is None:
        what = "a frozen program" if is_frozen() else f"no Python interpreter ({sys.executable or 'without a name'})"
        warn_once("delivery:interpreter", f"this process is {what}, no W&B process is started from it; "
                  f"set {VARIABLE} to a Python that has wandb")  # fmt: skip
    return WorkerSink(spec, asynchronous, interpreter, v2, v2_values)


def _inline(spec: RunSpec, asynchronous: bool) -> Optional[Sink]:
    """The run in this process; None where its wandb can't keep it apart from the user's runs."""
    from .._worker import inline

    reason = inline.impossible(spec)
    if reason is None:
        return inline.InlineSink(spec, asynchronous)
    warn_once("delivery:inline", f"inline delivery is not possible ({reason})")
    return None


def _finish_with_child(sink: Sink) -> None:
    """A child of ``multiprocessing`` ends without ``atexit``; it has finalizers of its own."""
    process, util = sys.modules.get("multiprocessing.process"), sys.modules.get("multiprocessing.util")
    if process is not None and util is not None and process.parent_process() is not None:
        # they are called in a `finally`: what ends the process, if anything, is being raised
        util.Finalize(None, lambda: sink.finish(1 if sys.exc_info()[0] else 0), exitpriority=0)
