"""v1's ``one_logger_utils.nemo``: hooks for a NeMo model class. NeMo itself is not needed.

The model reports to the trainer's ``time_event_callback``: ``OneLoggerPTLTrainer`` and the trainers of
``hook_trainer_cls`` have one. Runs in the job's process.
"""

from __future__ import annotations

from typing import Any, Optional

from .._log import warn_once
from .._off import switched_off
from ._hooks import around, fresh_subclass
from .core import OneLoggerUtils

__all__ = ["OneLoggerNemoModel", "get_hooked_model", "hook_model_cls"]


def hook_model_cls(model_cls: type, trainer: Any) -> type:
    """A subclass of ``model_cls`` that reports how long its data loaders, optimizers and pretrained weights take.

    ``setup_training_data`` is v1's dataloader init, ``configure_optimizers`` its optimizer init and
    ``maybe_init_from_pretrained_checkpoint`` its checkpoint load; a method that the class does not have is left out.
    The end of a phase is also reported if the method raises. ``model_cls`` is not changed; on a rank that does not log,
    it is returned itself.
    """
    events = _events(trainer)
    if events is None:
        return model_cls
    return fresh_subclass(
        model_cls,
        {
            "setup_training_data": around(events.on_dataloader_init_start, events.on_dataloader_init_end),
            "configure_optimizers": around(events.on_optimizer_init_start, events.on_optimizer_init_end),
            "maybe_init_from_pretrained_checkpoint": around(
                events.on_load_checkpoint_start, events.on_load_checkpoint_end
            ),
        },
    )


def get_hooked_model(model_class: type, cfg: Any, trainer: Any) -> Any:
    """``model_class(cfg=cfg, trainer=trainer)`` with the hooks of :func:`hook_model_cls`; reports it as model init."""
    events = _events(trainer)
    if events is None:
        return model_class(cfg=cfg, trainer=trainer)
    hooked = hook_model_cls(model_class, trainer)
    events.on_model_init_start()
    try:
        return hooked(cfg=cfg, trainer=trainer)
    finally:
        events.on_model_init_end()


class OneLoggerNemoModel:
    """:func:`get_hooked_model` under the name of v1's sample code: calling the class returns the model."""

    def __new__(cls, model_class: type, trainer: Any, cfg: Any) -> Any:
        """``model_class(cfg=cfg, trainer=trainer)``, hooked."""
        return get_hooked_model(model_class=model_class, cfg=cfg, trainer=trainer)


def _events(trainer: Any) -> Optional[OneLoggerUtils]:
    """What the model reports to; None on a rank that does not log."""
    if switched_off():
        return None
    callback = getattr(trainer, "time_event_callback", None)
    if callback is None:  # the user's own trainer, with a TimeEventCallback among its callbacks
        own = getattr(trainer, "callbacks", None)
        callbacks = own if isinstance(own, (list, tuple)) else [own]
        callback = next((one for one in callbacks if hasattr(one, "logtimeevent")), None)
    if callback is None:
        warn_once(
            "nemo:trainer",
            f"{type(trainer).__name__} has no time_event_callback: the model's phases are not logged. "
            "Make the trainer with OneLoggerPTLTrainer or hook_trainer_cls",
        )
        return None
    return callback.logtimeevent if callback.logtimeevent.one_logger is not None else None
