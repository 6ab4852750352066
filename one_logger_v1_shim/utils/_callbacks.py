"""How a v1 callback runs: barrier, clock, v1's arithmetic, one call with its rows. Runs in the job's process."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar

from .._handlers import raised_by_handler
from .._journal import clock
from .._journal.calls import milliseconds
from .._log import warn_once
from .._v1.bookkeeping import ROW, Emit
from .._v1.config import as_number
from .._v1.timer import NamedTimer

if TYPE_CHECKING:
    from ..core import OneLogger

_SAVES = frozenset(("on_save_checkpoint_start", "on_save_checkpoint_end", "on_save_checkpoint_success"))
#: those whose instants (ms) may be given by hand, beside the application
_PHASES = ("model_init", "dataloader_init", "optimizer_init", "load_checkpoint")
_STARTS = frozenset(f"on_{phase}_start" for phase in ("app", *_PHASES))

#: v1's callback -> its call (:class:`one_logger_v1_shim._journal.calls.Call`), and the phase that is an argument of it
CALLS: dict[str, tuple[str, tuple[str, ...]]] = {
    **{f"on_{name}": (name, ()) for name in ("app_start", "app_end", "train_start", "train_end")},
    **{
        f"on_{phase}_{end}": (f"phase_{end}", (phase,))
        for phase in (*_PHASES, "validation", "validation_batch", "test")
        for end in ("start", "end")
    },
    **{name: (name.replace("on_save_checkpoint", "save"), ()) for name in _SAVES},
}

Method = TypeVar("Method", bound=Callable[..., None])


def reported(method: Method) -> Method:
    """A callback of ``OneLoggerUtils``; ``method`` says what it takes, and does what is to be done beside.

    On a rank that does not log it returns None and ignores any arguments, as v1's did.
    """
    name = method.__name__

    @functools.wraps(method)
    def callback(self: Any, *args: Any, **kwargs: Any) -> None:
        if self._job is not None:
            method(self, *args, **kwargs)  # raises TypeError for what it does not take
            self._call(name, args[0] if args else kwargs.pop("set_barrier", False), kwargs)

    return callback  # type: ignore[return-value]


def too_many(callback: str, extra: tuple[Any, ...]) -> TypeError:
    """What Python says of positional arguments beyond ``set_barrier``."""
    return TypeError(f"{callback}() takes from 1 to 2 positional arguments but {2 + len(extra)} were given")


class Callbacks:
    """What all callbacks of ``OneLoggerUtils`` share.

    ``_job`` (:class:`one_logger_v1_shim._v1.job.Job`) is None on a rank that does not log, ``_telemetry`` (the
    process's :class:`one_logger_v1_shim._job.telemetry.Telemetry`) where the core object is not ours. They are not
    Optional: callbacks run on an enabled rank only.
    """

    _job: Any
    _telemetry: Any
    _core: Optional[OneLogger]
    one_logger: Optional[OneLogger]
    timer: NamedTimer
    quiet: bool

    @property
    def _finished(self) -> bool:
        return self._core is None or self._core._finished

    def _call(self, callback: str, set_barrier: bool, kwargs: dict[str, Any]) -> None:
        """Barrier, clock, arithmetic, and what all that did to the journal. ``callback``: v1's name of it."""
        job = self._job
        name, phase = CALLS[callback]
        try:
            if callback in _SAVES:
                job.check_checkpoints()
            if set_barrier and callback != "on_save_checkpoint_success":
                self.timer.wait()
            now = clock.now()
            emits = job.run(callback, now, kwargs)
            arguments = phase + self._arguments(callback, emits, kwargs)
            self._send(name, now, arguments, emits, rows_first=callback not in _STARTS)  # they are of what has begun
        except Exception as error:
            self._fail(callback, error)

    def _arguments(self, callback: str, emits: list[Emit], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """What the journal has of a callback beside its name, its phase and its clock readings."""
        if callback in _SAVES:
            return (_whole(kwargs["global_step"]),)
        if callback == "on_train_start":
            training = self._job.training
            return max(0, _whole(training.iterations_start)), max(0, _whole(training.samples_start))
        if callback == "on_train_end":
            return ()
        # the instant (ms) of the row, which is its first metric; of a phase without one the row is about its batches
        with_instant = emits and callback != "on_validation_end"
        return (milliseconds(next(iter(emits[0][1].values()))) if with_instant else None,)

    def _send(
        self, name: str, now: float, arguments: tuple[Any, ...], emits: list[Emit], rows_first: bool = True
    ) -> None:
        """The call and its rows in one step; the rows by way of the core object, if it is not ours."""
        telemetry = self._telemetry
        if telemetry is not None and self.one_logger is self._core:
            if not self._finished:
                telemetry.call(name, now, arguments, emits, rows_first)
            return
        self._emit(emits)
        if telemetry is not None:
            telemetry.call(name, now, arguments)

    def _batch_end(self, now: float, emits: list[Emit]) -> None:
        core = self._core
        if core is not None and core is self.one_logger and not core._finished:
            self._telemetry.batch_end(now, emits)
        else:
            self._send("batch_end", now, (), emits)

    def _emit(self, emits: list[Emit]) -> None:
        core = self.one_logger
        if core is not None:
            for kind, value in emits:
                if kind == ROW:
                    core.log_metrics(value)
                else:
                    core.log_app_tag(value)

    def _fail(self, callback: str, error: Exception) -> None:
        if not self.quiet or raised_by_handler(error):
            raise error
        self._job = None
        warn_once("quiet", f"OneLoggerUtils.{callback} failed ({error!r}); telemetry stops here (quiet=True)")


def _whole(value: Any) -> int:
    """``value`` as v2 takes a step; 0 for what is no number."""
    number = as_number(value)
    return int(number) if number is not None and number == number and abs(number) != float("inf") else 0
