"""Chooses the sink of a run: a worker, the journal alone, a test, or nobody. Runs in the job's process."""

from __future__ import annotations

import os
import sys
from typing import Any, Optional, Protocol

from .. import _state
from .._journal.destination import RunSpec, mode
from .._journal.interpreter import VARIABLE, find, is_frozen
from .._journal.system import described, without
from .._journal.words import INSIDE
from .._log import warn_once
from .._off import switched_off
from .._variables import GONE
from .wandb_here import environment_as_wandb_has_it

#: set while a test takes the runs of this process. A process that inherits it logs nothing: it has no way back into the
#: test, and a test is not to start workers, write files or upload rows.
STARTED_BY_TEST = "ONE_LOGGER_V1_STARTED_BY_TEST"


class Sink(Protocol):
    """One W&B run. Nothing here raises an ``Exception``."""

    def put(self, data: bytes) -> None:
        """What one call of v1 did, as lines of a journal (:mod:`one_logger_v1_shim._journal.calls`).

        Async: returns at once. Sync: returns when W&B's ``run.log`` has its rows, or after a bounded wait.
        """

    def end(self, exit_code: int) -> None:
        """The run has ended; idempotent, returns at once."""

    def wait(self) -> None:
        """Wait until W&B has the run; bounded by ``ONE_LOGGER_V1_FINISH_TIMEOUT`` seconds (default 30)."""

    def abandon(self) -> None:
        """In a forked child: become a no-op and leave the run to the parent."""


def open_sink(
    spec: RunSpec, *, asynchronous: bool, v2: str, v2_values: Optional[dict[str, Any]] = None
) -> Optional[Sink]:
    """The sink of a new run; None: nobody wants its rows, or nothing can take them.

    Returns at once and never raises an ``Exception``: on trouble it degrades, in one line.

    Args:
        spec: where the run goes.
        asynchronous: does ``put`` return before W&B has the row?
        v2: where v2 hears v1's calls: ``job``, ``worker`` or ``none``.
        v2_values: v2's configuration for the worker, if it hears them there.
    """
    if switched_off():  # an exporter of v2's: v1's own classes have made none
        return None
    taker = _state.process.taker
    if taker is not None:  # a test: nothing in the environment counts
        return taker.open_sink(spec, asynchronous)
    if os.environ.get(STARTED_BY_TEST):
        warn_once("delivery:test", "this process was started by a test that captures OneLogger rows; its own run "
                  f"is not logged ({STARTED_BY_TEST} is set)")  # fmt: skip
        return None
    if os.environ.get(INSIDE):
        # wandb, v2 or one of its exporters has loaded us inside of a worker: another one would start another ...
        warn_once("delivery:inside", f"a OneLogger run inside of the W&B process is not logged ({INSIDE} is set here); "
                  "start a separate program that should log without this variable")  # fmt: skip
        return None
    for name, instead in GONE.items():
        if os.environ.get(name):
            warn_once(f"gone:{name}", f"{name} has no effect any more: {instead}")
    if mode(environment_as_wandb_has_it(spec)) == "disabled" and v2 != "worker":
        return None
    try:
        sink = _open(spec, asynchronous, v2, v2_values)
    except Exception as error:
        warn_once(
            "delivery:open",
            f"no row of this run is kept or sent: no journal could be made ({error!r}); the job goes on; "
            "set WANDB_DIR or TMPDIR to a folder that can be written",
        )
        return None
    _finish_with_child(sink)
    return sink


def _open(spec: RunSpec, asynchronous: bool, v2: str, v2_values: Optional[dict[str, Any]]) -> Sink:
    from .worker_sink import WorkerSink

    interpreter = find(os.environ)
    lacking = without()
    if lacking:
        interpreter = None
        warn_once("delivery:platform", f"no W&B process is started on {described()}, which has no "
                  f"{' and no '.join(lacking)}; rows are kept in the journal until `recover` sends them")  # fmt: skip
    elif interpreter is None:
        what = "a frozen program" if is_frozen() else f"no Python interpreter ({sys.executable or 'without a name'})"
        warn_once("delivery:interpreter", f"this process is {what}, no W&B process is started from it and rows "
                  f"are in the journal only; set {VARIABLE} to a Python with wandb; `recover` sends them")  # fmt: skip
    return WorkerSink(spec, asynchronous, interpreter, v2, v2_values)


def _finish_with_child(sink: Sink) -> None:
    """A child of ``multiprocessing`` ends without ``atexit``; it has finalizers of its own."""
    process, util = sys.modules.get("multiprocessing.process"), sys.modules.get("multiprocessing.util")
    if process is not None and util is not None and process.parent_process() is not None:

        def finish() -> None:
            # it is called in a `finally`: what ends the process, if anything, is being raised
            sink.end(1 if sys.exc_info()[0] else 0)
            sink.wait()

        util.Finalize(None, finish, exitpriority=0)
