"""v1's checkpoint metrics. A save is start, end and success, the last two in either order; async ones interleave.

"Productive" is what a successful checkpoint keeps: it is frozen when the save starts and reported when it succeeds.
"""

from __future__ import annotations

from typing import Any, Optional

from .._log import warn_once
from . import metrics as m
from .config import V1Config, as_number
from .timer import NamedTimer

_MOST_OPEN = 1024


class _Save:
    """One save, from its start until both its end and its success have been reported."""

    __slots__ = ("finish_ms", "productive", "succeeded", "sync_total")

    def __init__(self, productive: dict[str, Any]) -> None:
        self.productive = productive
        self.succeeded = False
        self.finish_ms: Optional[float] = None
        self.sync_total: float = 0.0


class Checkpoints:
    """The rows of save attempts. Steps are whatever the caller calls ``global_step``; times come from the timer."""

    def __init__(self, config: V1Config, timer: NamedTimer) -> None:
        self._config = config
        self._timer = timer
        self._saves: dict[Any, _Save] = {}
        self._succeeded: set[Any] = set()
        self._attempts = 0
        self._ends = 0
        self._successes = 0
        self._newest: Any = None
        self._first_reported = False

    def start(self, step: Any, train: dict[str, Any]) -> dict[str, Any]:
        """A save begins; ``train`` is the training progress that it keeps if it succeeds."""
        step = _plain(step)
        self._attempts += 1
        productive = {
            m.TRAIN_ITERATIONS_PRODUCTIVE_END: train[m.TRAIN_ITERATIONS_END],
            m.TRAIN_SAMPLES_PRODUCTIVE_END: train[m.TRAIN_SAMPLES_END],
            m.TRAIN_ITERATIONS_TIME_TOTAL_PRODUCTIVE: train[m.TRAIN_ITERATIONS_TIME_TOTAL],
            m.VALIDATION_ITERATIONS_TIME_TOTAL_PRODUCTIVE: self._timer["validation_iterations"].total,
        }
        if m.TRAIN_TFLOP_END in train:
            productive[m.TRAIN_TFLOP_PRODUCTIVE_END] = train[m.TRAIN_TFLOP_END]
        # v1 kept what it knew of a step: at a second save of it (Lightning's save_last) its success has come already.
        self._saves.pop(step, None)
        save = self._saves[step] = _Save(productive)
        save.succeeded = step in self._succeeded
        if len(self._saves) > _MOST_OPEN:  # saves whose success nobody ever reports
            del self._saves[next(iter(self._saves))]
        return {
            m.TRAIN_ITERATIONS_SAVE_CHECKPOINT_END: train[m.TRAIN_ITERATIONS_END],
            m.SAVE_CHECKPOINT_COUNT: self._attempts,
        }

    def end(self, step: Any) -> dict[str, Any]:
        """The window that blocks training is over; closes the report of a save whose success came first."""
        step = _plain(step)
        watch = self._timer["save_checkpoint"]
        self._ends += 1
        row: dict[str, Any] = {}
        save = self._saves.get(step)
        if save is not None:
            save.finish_ms = watch.finish * 1000
            save.sync_total = watch.total
            if save.succeeded:
                row[m.SAVE_CHECKPOINT_SYNC_TIME_TOTAL_PRODUCTIVE] = save.sync_total
                row.update(self._successful_window(save.finish_ms))
                del self._saves[step]
        row[m.SAVE_CHECKPOINT_SYNC_TIME_TOTAL] = watch.total
        row[m.SAVE_CHECKPOINT_SYNC_TIME_MIN] = watch.min
        row[m.SAVE_CHECKPOINT_SYNC_TIME_MAX] = watch.max
        row[m.SAVE_CHECKPOINT_SYNC_COUNT] = self._ends
        return row

    def success(self, step: Any) -> dict[str, Any]:
        """The checkpoint is safe. An older one than the newest success adds no productive metrics."""
        step = _plain(step)
        row: dict[str, Any] = {}
        save = self._saves.get(step)
        if save is None or save.succeeded:
            warn_once("unstarted:on_save_checkpoint_success", f"on_save_checkpoint_success(global_step={step!r}) "
                      "was called without a save of that step; only its count is logged")  # fmt: skip
        else:
            save.succeeded = True
            self._succeeded.add(step)
            ended = save.finish_ms is not None
            if save.finish_ms is not None:
                row.update(self._successful_window(save.finish_ms))
                del self._saves[step]
            if self._newest is None or _is_newer(step, self._newest):
                self._newest = step
                row.update(save.productive)
                if ended:
                    row[m.SAVE_CHECKPOINT_SYNC_TIME_TOTAL_PRODUCTIVE] = save.sync_total
        if self._config.read("save_checkpoint_strategy") == "async":
            self._successes += 1
            row[m.SAVE_CHECKPOINT_ASYNC_COUNT] = self._successes
        return row

    def _successful_window(self, finish_ms: float) -> dict[str, Any]:
        row = {m.LAST_SUCCESSFUL_SAVE_CHECKPOINT_SYNC_FINISH_TIME: finish_ms}
        if self._first_reported:
            return row
        self._first_reported = True
        return {
            m.FIRST_SAVED_TRAIN_ITERATIONS_START_TIME: self._timer["app_train_loop"].start * 1000,
            m.FIRST_SUCCESSFUL_SAVE_CHECKPOINT_SYNC_FINISH_TIME: finish_ms,
            **row,
        }


def _is_newer(step: Any, newest: Any) -> bool:
    try:
        return bool(step > newest)
    except TypeError:  # steps of different kinds: nothing says that it is older
        return True


def _plain(step: Any) -> Any:
    """``step`` as a key: tensors of the same step are different keys, and a list is none at all."""
    number = as_number(step)
    if number is not None:
        return number
    try:
        hash(step)
    except TypeError:
        return repr(step)
    return step
