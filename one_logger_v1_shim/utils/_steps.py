"""``on_train_step_start`` and ``on_train_step_end``: of v1 1.0.3, where a step is an iteration.

They are no attributes of the class where another version's rows are sent: v1 1.0.2 had none, and programs ask for them.
Who calls them there all the same gets what they mean, by ``OneLoggerUtils.__getattr__``. Runs in the job's process.
"""

from __future__ import annotations

from typing import Any

from .._journal import clock
from .._log import warn_once
from .._v1.schema import check
from .._v1.wires import STEPS, VARIABLE
from ._callbacks import Callbacks, too_many


class Steps(Callbacks):
    """The two callbacks."""

    def on_train_step_start(self, set_barrier: bool = False, *extra: Any, **kwargs: Any) -> None:
        """A training iteration starts; nothing happens while one is running: its batches accumulate gradients."""
        _step(self, "on_train_step_start", set_barrier, extra, kwargs)

    def on_train_step_end(self, set_barrier: bool = False, *extra: Any, **kwargs: Any) -> None:
        """A training iteration ends, if one is running. Every ``log_every_n_train_iterations`` a row is sent."""
        _step(self, "on_train_step_end", set_barrier, extra, kwargs)


def _step(self: Callbacks, callback: str, set_barrier: bool, extra: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    # no method of `Steps`: both are bound to a OneLoggerUtils, which is none
    job, starts = self._job, callback.endswith("start")
    if job is None:
        return
    if extra:
        raise too_many(callback, extra)
    try:
        check(callback, kwargs)
        if job.wire != STEPS:
            _say_once(job.wire)
        if job.step_runs() is not (not starts):  # one that is running goes on, one that is not cannot end
            return
        if set_barrier:
            self.timer.wait()
        now = clock.now()
        if starts:
            job.on_train_step_start(now, clock.counter())
            if job.wire == STEPS and not self._finished:
                self._telemetry.batch_start(now)
            return
        began = job.training.step_began
        emits = job.on_train_step_end(now)
        if began is not None and not self._finished:
            self._telemetry.batch_start(*began)
        self._batch_end(now, emits)
    except Exception as error:
        self._fail(callback, error)


def _say_once(wire: str) -> None:
    warn_once(
        "wire:steps",
        f"on_train_step_start and on_train_step_end are of v1 {STEPS}, and rows of {wire} are sent: a step counts as "
        f"an iteration where no batch is reported; for the rows of {STEPS} set {VARIABLE}={STEPS}",
    )
