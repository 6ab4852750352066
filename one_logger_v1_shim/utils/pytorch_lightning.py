"""v1's ``one_logger_utils.pytorch_lightning``: a job whose loop is Lightning's.

Works with ``lightning.pytorch`` and with ``pytorch_lightning`` (extra: ``lightning``). :func:`hook_trainer_cls` uses
the package of its class. The classes here use the package of their arguments, else the one that the program has
imported, else the one that is installed. Importing this module imports neither. Runs in the job's process.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable, Optional

from ._async_saves import AsyncSaves
from ._hooks import fresh_subclass, missing_extra
from ._lightning import LightningEvents, family_of, installed, load, merge, usual_family

__all__ = ["AugmentedAsyncCheckpointIO", "OneLoggerPTLTrainer", "TimeEventCallback", "hook_trainer_cls"]

if not installed():
    raise missing_extra(__name__, "lightning or pytorch_lightning", "lightning")

if TYPE_CHECKING:
    AugmentedAsyncCheckpointIO: Any
    OneLoggerPTLTrainer: Any
    TimeEventCallback: Any

_made: dict[tuple[str, str], type] = {}


def hook_trainer_cls(
    cls: type,
    callback_config: Optional[Mapping[str, Any]] = None,
    one_logger_callback_utils: Optional[LightningEvents] = None,
) -> tuple[type, Any]:
    """A subclass of the trainer class ``cls`` that reports to OneLogger, and the callback that it reports through.

    Args:
        cls: ``lightning.pytorch.Trainer``, ``pytorch_lightning.Trainer`` or a subclass; it stays as it was.
        callback_config: v1's configuration; without a true ``enable_for_current_rank`` nothing is logged.
        one_logger_callback_utils: a callback to use instead of a new one.

    Returns:
        ``(hooked class, TimeEventCallback)``. The class takes ``cls``'s arguments. Its trainers have the callback, so
        you need not add it to ``callbacks``; if you do, it still runs once.
    """
    callback = one_logger_callback_utils
    if callback is None:
        callback = _make("TimeEventCallback", family_of(cls) or usual_family())(callback_config)
    return _hook(cls, callback, callback.enabled), callback


def _hook(cls: type, callback: Any, logs: bool) -> type:
    """``logs``: in a spawned worker the callback learns only later whether it does."""
    if getattr(cls, "time_event_callback", None) is callback:
        return cls
    namespace: dict[str, Any] = {"time_event_callback": callback}
    if not hasattr(cls, "augmented_async_checkpoint_io"):
        namespace["augmented_async_checkpoint_io"] = property(_async_io)
    rebuild = (_hook, (cls, callback, logs))
    if not logs:
        return fresh_subclass(cls, {}, namespace, rebuild)

    def construct(wrapped: Any, trainer: Any, args: Any, kwargs: Any) -> None:
        wrapped(*args, **kwargs)
        callback._take_place(trainer)

    def fit(wrapped: Any, trainer: Any, args: Any, kwargs: Any) -> Any:
        with callback.around_fit(trainer):
            return wrapped(*args, **kwargs)

    def save_checkpoint(wrapped: Any, trainer: Any, args: Any, kwargs: Any) -> Any:
        with callback.around_save(trainer):
            return wrapped(*args, **kwargs)

    hooks = {"__init__": construct, "fit": fit, "save_checkpoint": save_checkpoint}
    return fresh_subclass(cls, hooks, namespace, rebuild)


def _async_io(trainer: Any) -> Optional[AsyncSaves]:
    """The trainer's checkpoint IO, if it is an ``AugmentedAsyncCheckpointIO``."""
    io = getattr(getattr(trainer, "strategy", None), "checkpoint_io", None)
    return io if isinstance(io, AsyncSaves) else None


def _make_callback(family: str) -> type:
    class TimeEventCallback(LightningEvents, load(family).Callback):  # type: ignore[misc]
        """Reports a Lightning job to OneLogger: ``TimeEventCallback(callback_config)`` among the trainer's callbacks.

        ``logtimeevent`` is the ``OneLoggerUtils`` that it reports to, ``callback_config`` its argument. By itself it
        does not see saves of checkpoints: use :func:`hook_trainer_cls` or :class:`OneLoggerPTLTrainer` for that.
        """

        def __init__(self, callback_config: Optional[Mapping[str, Any]] = None) -> None:
            super().__init__(callback_config)

        def __reduce__(self) -> tuple[Any, ...]:
            return (_revive, ("TimeEventCallback", family), self.__getstate__())

    return TimeEventCallback


def _make_io(family: str) -> type:
    class AugmentedAsyncCheckpointIO(AsyncSaves, load(family).plugins.io.AsyncCheckpointIO):  # type: ignore[misc]
        """Saves checkpoints in a thread; ``collect_finished_saves()`` returns the steps whose saves have succeeded.

        ``checkpoint_io`` does the saving (default: the strategy's own). An error of a save is raised by the next save,
        or by ``teardown()``, which waits for all of them.
        """

        def __init__(self, checkpoint_io: Any = None) -> None:
            super().__init__(checkpoint_io)

        def __reduce__(self) -> tuple[Any, ...]:
            return (_revive, ("AugmentedAsyncCheckpointIO", family), self.__getstate__())

    return AugmentedAsyncCheckpointIO


def _make_trainer(family: str) -> type:
    trainer_cls: Any = load(family).Trainer

    class OneLoggerPTLTrainer(trainer_cls):  # type: ignore[misc]
        """A Trainer that reports to OneLogger.

        Args:
            trainer_config: the Trainer's arguments (a dict or an OmegaConf ``DictConfig``); its ``callbacks`` and
                ``plugins`` are kept beside ours.
            callback_config: v1's configuration; with ``{}`` nothing is logged. With ``save_checkpoint_strategy``
                ``"async"`` checkpoints are saved in a thread, on all ranks alike.

        Attributes:
            time_event_callback: the ``TimeEventCallback``.
            augmented_async_checkpoint_io: the ``AugmentedAsyncCheckpointIO``, or None.
        """

        def __new__(cls, trainer_config: Any = None, callback_config: Any = None) -> Any:
            wanted = _family_of_config(trainer_config)
            if cls is _make("OneLoggerPTLTrainer", family) and wanted != family:
                return _make("OneLoggerPTLTrainer", wanted)(trainer_config, callback_config)
            return super().__new__(cls)

        def __init__(self, trainer_config: Any, callback_config: Optional[Mapping[str, Any]] = None) -> None:
            self.time_event_callback = _make("TimeEventCallback", family)(callback_config)
            self.augmented_async_checkpoint_io = None
            arguments = dict(trainer_config or {})
            arguments["callbacks"] = merge(self.time_event_callback, arguments.get("callbacks"))
            if (callback_config or {}).get("save_checkpoint_strategy") == "async":
                self.augmented_async_checkpoint_io = _add_async_io(arguments, family)
            super().__init__(**arguments)

        @functools.wraps(trainer_cls.fit)
        def fit(self, *args: Any, **kwargs: Any) -> None:
            with self.time_event_callback.around_fit(self):
                super().fit(*args, **kwargs)

        def save_checkpoint(
            self, filepath: Any, weights_only: Optional[bool] = False, storage_options: Optional[Any] = None
        ) -> None:
            with self.time_event_callback.around_save(self):
                super().save_checkpoint(filepath, weights_only, storage_options)

        def __reduce__(self) -> tuple[Any, ...]:
            return (_revive, ("OneLoggerPTLTrainer", family), self.__dict__)

    return OneLoggerPTLTrainer


def _family_of_config(trainer_config: Any) -> str:
    """The family of the objects in a trainer's configuration."""
    values = dict(trainer_config or {})
    for value in (values.get("strategy"), *merge(None, values.get("callbacks")), *merge(None, values.get("plugins"))):
        family = family_of(value)
        if family is not None:
            return family
    return usual_family()


def _add_async_io(arguments: dict[str, Any], family: str) -> Any:
    """Give a trainer's arguments an asynchronous checkpoint IO, around the one that they have."""
    module = load(family)
    kind = _make("AugmentedAsyncCheckpointIO", family)
    plain = module.plugins.io.CheckpointIO
    strategy: Any = arguments.get("strategy")
    if getattr(strategy, "_checkpoint_io", None) is not None:
        # Lightning refuses an IO in both places.
        strategy.checkpoint_io = _wrapped(strategy._checkpoint_io, kind, module)
        return strategy.checkpoint_io
    plugins = [one for one in merge(None, arguments.get("plugins")) if one is not None]
    own = next((one for one in plugins if isinstance(one, plain)), None)
    io = _wrapped(own, kind, module)
    arguments["plugins"] = [*(one for one in plugins if one is not own), io]
    return io


def _wrapped(own: Any, kind: type, module: Any) -> Any:
    if isinstance(own, kind):
        return own
    if isinstance(own, module.plugins.io.AsyncCheckpointIO):
        own = own.checkpoint_io  # asynchronous twice over would report a save before it is written
    return kind(own)


_makers: dict[str, Callable[[str], type]] = {
    "AugmentedAsyncCheckpointIO": _make_io,
    "OneLoggerPTLTrainer": _make_trainer,
    "TimeEventCallback": _make_callback,
}


def _make(name: str, family: str) -> type:
    if (name, family) not in _made:
        made = _makers[name](family)
        made.__module__, made.__qualname__ = __name__, name
        _made[name, family] = made
    return _made[name, family]


def _revive(name: str, family: str) -> Any:
    kind = _make(name, family)
    return object.__new__(kind)


def __getattr__(name: str) -> Any:
    if name in _makers:
        return _make(name, usual_family())
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
