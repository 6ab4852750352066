"""v1's ``one_logger_utils.huggingface``: a job whose loop is ``transformers.Trainer``'s (extra: ``huggingface``).

Runs in the job's process.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Optional

from ._hooks import JobCallback, fresh_subclass, missing_extra

try:
    _trainer_callback: Any = importlib.import_module("transformers.trainer_callback")
except ImportError as error:
    raise missing_extra(__name__, "transformers", "huggingface") from error

__all__ = ["TimeEventCallback", "hook_trainer_cls"]


class TimeEventCallback(JobCallback, _trainer_callback.TrainerCallback):  # type: ignore[misc]
    """Reports a ``transformers.Trainer`` job to OneLogger: ``TimeEventCallback(callback_config)``.

    The application starts when this object is made. It ends with :meth:`on_app_end`, else with the process; the run is
    finished when the process exits. One v1 iteration is one optimizer step, with any ``gradient_accumulation_steps``.
    Pass it to :func:`hook_trainer_cls`: as a plain callback of a trainer it sees no evaluation and no checkpoint.
    """

    def __init__(self, callback_config: Optional[Mapping[str, Any]] = None) -> None:
        super().__init__(callback_config)
        self._in_step = False
        self._evaluating = False
        self._start_app()

    # -- transformers' events ----------------------------------------------------------------------------------

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The loop starts, at ``state.global_step``, which is not 0 after a resume."""
        # auto_find_batch_size begins again in the same loop
        if not self.enabled or self.logtimeevent.timer.is_active("app_train_loop"):
            return
        self._start_train(state.global_step)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The loop ends."""
        self._end_train()

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The first batch of an optimizer step begins."""
        # A step that was given up goes on in the next one: v1's timer forgets its history if it is started twice.
        if not self._in_step:
            self._in_step = True
            if self.logtimeevent._steps:
                self.logtimeevent.on_train_step_start()
            self.logtimeevent.on_train_batch_start()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The optimizer has stepped."""
        self._in_step = False
        self.logtimeevent.on_train_batch_end()
        if self.logtimeevent._steps:
            self.logtimeevent.on_train_step_end()


def hook_trainer_cls(trainer_cls: type, one_logger_callback_utils: TimeEventCallback) -> type:
    """A subclass of ``trainer_cls`` (``transformers.Trainer`` or a subclass of it) that reports to OneLogger.

    Its trainers have ``one_logger_callback_utils`` once among their callbacks, and report evaluations and checkpoints.
    ``trainer_cls`` is not changed; on a rank that does not log, it is returned itself.
    """
    callback = one_logger_callback_utils
    if not callback.enabled or getattr(trainer_cls, "one_logger_callback_utils", None) is callback:
        return trainer_cls

    def construct(wrapped: Any, trainer: Any, args: Any, kwargs: Any) -> None:
        wrapped(*args, **kwargs)
        _take_place(trainer, callback)

    def train(wrapped: Any, trainer: Any, args: Any, kwargs: Any) -> Any:
        _take_place(trainer, callback)
        try:
            return wrapped(*args, **kwargs)
        finally:
            callback._end_train()  # an exception or Ctrl-C; after a full loop there is nothing to end

    def evaluate(wrapped: Any, trainer: Any, args: Any, kwargs: Any) -> Any:
        if callback._evaluating:  # a dict of datasets: one evaluation inside the other
            return wrapped(*args, **kwargs)
        callback._evaluating = True
        callback.logtimeevent.on_validation_start()
        try:
            return wrapped(*args, **kwargs)
        finally:
            callback._evaluating = False
            callback.logtimeevent.on_validation_end()

    def prediction_step(wrapped: Any, trainer: Any, args: Any, kwargs: Any) -> Any:
        if not callback._evaluating:  # predict() uses it too
            return wrapped(*args, **kwargs)
        callback.logtimeevent.on_validation_batch_start()
        try:
            return wrapped(*args, **kwargs)
        finally:
            callback.logtimeevent.on_validation_batch_end()

    def save_checkpoint(wrapped: Any, trainer: Any, args: Any, kwargs: Any) -> Any:
        if not callback.saves:
            return wrapped(*args, **kwargs)
        step = trainer.state.global_step
        callback.logtimeevent.on_save_checkpoint_start(global_step=step)
        try:
            result = wrapped(*args, **kwargs)
        finally:
            callback.logtimeevent.on_save_checkpoint_end(global_step=step)
        callback.logtimeevent.on_save_checkpoint_success(global_step=step)
        return result

    hooks = {
        "__init__": construct,
        "train": train,
        "evaluate": evaluate,
        "prediction_step": prediction_step,
        "_save_checkpoint": save_checkpoint,
    }
    return fresh_subclass(trainer_cls, hooks, {"one_logger_callback_utils": callback})


def _take_place(trainer: Any, callback: TimeEventCallback) -> None:
    """Make ``callback`` stand among the trainer's callbacks once."""
    handler = trainer.callback_handler
    if sum(one is callback for one in handler.callbacks) != 1:
        handler.callbacks = [*(one for one in handler.callbacks if one is not callback), callback]
