"""The training progress of v1 1.0.3: a step is an iteration, and has one batch or several (gradient accumulation).

Batches use samples and floating point operations, steps take time; each of the two has its rows. Runs in the job's
process.
"""

from __future__ import annotations

from typing import Any

from .._log import warn_once
from . import metrics as m
from .training import Training


class SteppedTraining(Training):
    """As :class:`.training.Training`; its rows are apart, and together at a save and at the end of the training."""

    batch_timer = m.TRAIN_BATCH

    def __init__(self, *arguments: Any, **given: Any) -> None:
        super().__init__(*arguments, **given)
        self._batches = 0

    def batch_end(self, now: float) -> bool:
        """Count one batch. True when its row is due: every ``log_every_n`` of this job's batches."""
        if self._timer.is_active(self.batch_timer):
            self._timer.stop(self.batch_timer, now)
        else:
            warn_once("unstarted:on_train_batch_end", "on_train_batch_end was called without its start")
        self._consume()
        self._batches += 1
        return bool(self._every) and self._batches % self._every == 0

    def batch_row(self) -> dict[str, Any]:
        """What the batches of this job have used, and their time."""
        watch = self._timer[self.batch_timer]
        row = {
            m.TRAIN_BATCH: self._batches,
            m.TRAIN_SAMPLES: self._samples,
            m.TRAIN_SAMPLES_END: self.samples_start + self._samples,
            m.TRAIN_BATCH_TIME_TOTAL: watch.total,
            m.TRAIN_BATCH_TIME_MSECS_AVG: watch.avg * 1000,
            m.TRAIN_BATCH_TIME_MSECS_MIN: watch.min * 1000,
        }
        if self._tokens is not None:
            row[m.TRAIN_TOKENS] = self._tokens
        return row

    def step_end(self, now: float) -> bool:
        """Count one iteration, whose timer has been stopped. True when its row is due."""
        return self._iteration_end(now)

    def step_row(self) -> dict[str, Any]:
        """The iterations of this job, their time, and the throughput by what the batches have used so far."""
        if self._throughput_enabled:
            self._measure_throughput()
        batches = self.batch_row().keys()
        return {name: value for name, value in super().row().items() if name not in batches}

    def row(self) -> dict[str, Any]:
        """Both."""
        return {**self.batch_row(), **self.step_row()}
