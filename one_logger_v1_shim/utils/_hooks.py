"""What the framework modules share: hooks on a fresh subclass, and the phases of a job that a callback reports.

Runs in the job's process.
"""

from __future__ import annotations

import copyreg
import functools
import inspect
import os
import types
import uuid
import weakref
from collections.abc import Mapping
from typing import Any, Callable, Optional

from .._job.ending import at_exit, not_at_exit
from .._journal.clock import now
from .._log import warn, warn_once
from .._v1.config import as_number
from ._callbacks import Method
from .core import OneLoggerUtils

#: a wrapt wrapper: ``(wrapped, instance, args, kwargs)``
Wrapper = Callable[[Callable[..., Any], Any, tuple[Any, ...], dict[str, Any]], Any]

# Hooked classes of this process by token: a copy of an instance gets the class of the original.
_living: weakref.WeakValueDictionary[str, type] = weakref.WeakValueDictionary()


def missing_extra(module: str, packages: str, extra: str) -> ImportError:
    """The ImportError of a framework module whose framework is not installed."""
    return ImportError(f"{module} needs {packages}, which is not installed: pip install 'one-logger-v1-shim[{extra}]'")


def fresh_subclass(
    cls: type,
    hooks: Mapping[str, Wrapper],
    namespace: Optional[Mapping[str, Any]] = None,
    rebuild: Optional[tuple[Callable[..., type], tuple[Any, ...]]] = None,
) -> type:
    """A subclass of ``cls`` whose methods run inside ``hooks``; ``cls`` itself stays as it was.

    Args:
        cls: the user's class. The subclass has its name, module and doc: NeMo writes them into its files.
        hooks: method name -> wrapper. A name that ``cls`` does not have is left out. Signatures survive.
        namespace: more attributes of the subclass.
        rebuild: how another process that unpickles an instance makes the class, ``(function, arguments)``; without it
            the instance becomes a plain ``cls`` there. (The subclass itself has no importable name.)
    """
    token = uuid.uuid4().hex

    def __reduce_ex__(self: Any, protocol: Any) -> Any:
        reduced = super(hooked, self).__reduce_ex__(protocol)  # type: ignore[arg-type]
        if isinstance(reduced, tuple) and reduced[0] is copyreg.__newobj__ and reduced[1][0] is hooked:  # type: ignore[attr-defined]
            return (_revive, (cls, token, rebuild, *reduced[1][1:]), *reduced[2:])
        return reduced

    def body(attributes: dict[str, Any]) -> None:
        attributes.update(__module__=cls.__module__, __qualname__=cls.__qualname__, __doc__=cls.__doc__)
        attributes.update(namespace or {})
        attributes["__reduce_ex__"] = __reduce_ex__

    hooked = types.new_class(cls.__name__, (cls,), {}, body)
    if hooks:
        wrap = _wrap_function_wrapper()
        for name, wrapper in hooks.items():
            if hasattr(cls, name):
                wrap(hooked, name, wrapper)
    _living[token] = hooked
    return hooked


def _wrap_function_wrapper() -> Callable[[type, str, Wrapper], object]:
    """wrapt's, or the same for a fresh subclass: where the worker has an environment of its own, wrapt is there."""
    try:
        import wrapt  # 40 ms that a rank without telemetry does not pay
    except ImportError:
        return _own_method
    return wrapt.wrap_function_wrapper


def _own_method(hooked: type, name: str, wrapper: Wrapper) -> None:
    """Give ``hooked`` a method ``name`` that runs its base's inside of ``wrapper``, with the base's signature."""
    static = inspect.getattr_static(hooked, name)

    if isinstance(static, staticmethod):

        @functools.wraps(static.__func__)
        def plain(*args: Any, **kwargs: Any) -> Any:
            return wrapper(getattr(super(hooked, hooked), name), None, args, kwargs)

        method: Any = staticmethod(plain)
    else:

        @functools.wraps(getattr(static, "__func__", static))
        def bound(self: Any, /, *args: Any, **kwargs: Any) -> Any:
            return wrapper(getattr(super(hooked, self), name), self, args, kwargs)

        method = classmethod(bound) if isinstance(static, classmethod) else bound
    setattr(hooked, name, method)


def _revive(
    cls: type, token: str, rebuild: Optional[tuple[Callable[..., type], tuple[Any, ...]]], *arguments: Any
) -> Any:
    hooked = _living.get(token)
    if hooked is None:
        hooked = rebuild[0](*rebuild[1]) if rebuild is not None else cls
    return hooked.__new__(hooked, *arguments)


def around(start: Callable[[], Any], end: Callable[[], Any]) -> Wrapper:
    """A wrapper that calls ``start`` before the method and ``end`` after it, also when the method raises."""

    def wrapper(wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        start()
        try:
            return wrapped(*args, **kwargs)
        finally:
            end()

    return wrapper


def _passed_on(method: Method) -> Method:
    """The callback of ``OneLoggerUtils``; ``method`` has its signature, and does what is to be done beside."""
    name = method.__name__

    @functools.wraps(method)
    def callback(self: Any, *args: Any, **kwargs: Any) -> None:
        if self.enabled:
            method(self, *args, **kwargs)
        getattr(self.logtimeevent, name)(*args, **kwargs)

    return callback  # type: ignore[return-value]


class JobCallback:
    """The part of ``TimeEventCallback`` that does not depend on the framework.

    Args:
        callback_config: v1's configuration (see :class:`~one_logger_v1_shim.utils.core.OneLoggerUtils`).

    Attributes:
        callback_config: the configuration as it was given.
        logtimeevent: the ``OneLoggerUtils`` that everything is reported to.
    """

    def __init__(self, callback_config: Optional[Mapping[str, Any]] = None) -> None:
        self.callback_config: Mapping[str, Any] = callback_config if callback_config is not None else {}
        self._open()

    def _open(self) -> None:
        self.logtimeevent = OneLoggerUtils(self.callback_config)
        self._pid = os.getpid()
        self._app = ""  # "", "started", "ended", "finished"
        self._app_finish_ms: Optional[float] = None
        if self.enabled:
            at_exit(self._at_exit)

    @property
    def enabled(self) -> bool:
        """Whether this rank logs."""
        return getattr(self.logtimeevent, "one_logger", None) is not None

    @property
    def saves(self) -> bool:
        """Whether checkpoints are reported. v1 raised AssertionError at the first save of a job without them."""
        if self._app == "finished":
            warn_once("framework:late", "the run was finished when training ended; what comes after is not logged")
            return False
        return self.enabled and bool(self.logtimeevent.mode & OneLoggerUtils.O_CKPT)

    # -- the phases of the job --------------------------------------------------------------------------------

    def _start_app(self, **kwargs: Any) -> None:
        """Report ``on_app_start`` once per job."""
        if self._app == "" and self.enabled:
            self._app = "started"
            self.logtimeevent.on_app_start(**kwargs)

    def _start_train(self, step: Any) -> None:
        """Report the start of a training loop at the optimizer step ``step``."""
        start = {"train_iterations_start": step}
        batch = self.callback_config.get("global_batch_size")
        number = as_number(batch() if callable(batch) else batch)
        if number is not None:
            start["train_samples_start"] = step * number
        self.logtimeevent.on_train_start(**start)

    def _end_train(self) -> None:
        """Report the end of a training loop that something has cut short."""
        if self.enabled and self.logtimeevent.timer.is_active("app_train_loop"):
            self.logtimeevent.on_train_end()

    def _close(self, failed: bool = False) -> None:
        """End the application and finish the run: v1's teardown. More calls do nothing.

        ``failed``: an exception ends the job; W&B shows the run as failed.
        """
        if not self.enabled or self._app == "finished":
            return
        not_at_exit(self._at_exit)
        try:
            if self._app == "started":
                self._app = "ended"
                self.logtimeevent.on_app_end(app_finish_time=now() * 1000)
        finally:
            self._app = "finished"
            telemetry = self.logtimeevent._telemetry
            if failed and telemetry is not None and telemetry.users <= 1:
                telemetry.finish(1)
            self.logtimeevent.finish()

    def _at_exit(self) -> None:
        if self._pid != os.getpid():
            return
        try:
            self._end_train()
            if self._app == "started":
                self._app = "ended"
                self.logtimeevent.on_app_end(app_finish_time=self._app_finish_ms or now() * 1000)
            # Telemetry finishes the run: its own exit handler runs after this one and knows the exit code.
        except Exception as error:
            warn(f"the end of the job could not be reported at exit: {error!r}")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_pid": -1}

    # -- v1's callbacks that consumers call on the callback itself ---------------------------------------------

    @_passed_on
    def on_app_start(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """``app_start_time``: ms."""
        self._app = self._app or "started"

    @_passed_on
    def on_app_end(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """``app_finish_time``: ms."""
        if self._app != "finished":
            self._app = "ended"

    @_passed_on
    def on_model_init_start(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """``app_model_init_start_time``: ms."""

    @_passed_on
    def on_model_init_end(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """``app_model_init_finish_time``: ms."""

    @_passed_on
    def on_dataloader_init_start(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """``app_build_dataiters_start_time`` is accepted and ignored, as v1 did."""

    @_passed_on
    def on_dataloader_init_end(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """``app_build_dataiters_finish_time``: ms."""

    @_passed_on
    def on_optimizer_init_start(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """``app_build_optimizer_start_time``: ms."""

    @_passed_on
    def on_optimizer_init_end(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """``app_build_optimizer_finish_time``: ms."""

    @_passed_on
    def on_load_checkpoint_start(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """``load_checkpoint_start_time``: ms."""

    @_passed_on
    def on_load_checkpoint_end(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """``load_checkpoint_finish_time``: ms."""

    @_passed_on
    def on_save_checkpoint_start(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """``global_step``: required."""

    @_passed_on
    def on_save_checkpoint_end(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """``global_step``: required."""

    @_passed_on
    def on_save_checkpoint_success(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """``global_step``: required."""
