"""How a v1 callback runs: barrier, clock, v1's arithmetic, one call with its rows. Runs in the job's process."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar

from .._handlers import raised_by_handler
from .._journal.calls import milliseconds
from .._log import warn_once
from .._v1.bookkeeping import ROW, Emit
from .._v1.config import as_number
from .._v1.schema import check
from .._v1.timer import NamedTimer

if TYPE_CHECKING:
    from ..core import OneLogger

    Run = Callable[[float, dict[str, Any]], list[Emit]]


_Method = TypeVar("_Method", bound=Callable[..., None])


def on_enabled_rank(method: _Method) -> _Method:
    """A callback that on a rank that does not log returns None and ignores any arguments, as v1's did."""

    @functools.wraps(method)
    def callback(self: Any, *args: Any, **kwargs: Any) -> None:
        if self._job is not None:
            method(self, *args, **kwargs)

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

    def _phase_start(self, callback: str, phase: str, set_barrier: bool, kwargs: dict[str, Any]) -> None:
        job = self._job
        self._call(
            callback, set_barrier, kwargs,
            lambda now, given: job.phase_start(callback, phase, now, given),
            "app_start" if phase == "app_run" else "phase_start",
            lambda: () if phase == "app_run" else (phase,), with_instant=True, rows_first=False,
        )  # fmt: skip

    def _phase_end(self, callback: str, phase: str, set_barrier: bool, kwargs: dict[str, Any]) -> None:
        job = self._job
        self._call(
            callback, set_barrier, kwargs,
            lambda now, given: job.phase_end(callback, phase, now, given),
            "app_end" if phase == "app_run" else "phase_end",
            lambda: () if phase == "app_run" else (phase,), with_instant=True,
        )  # fmt: skip

    def _call(
        self,
        callback: str,
        set_barrier: bool,
        kwargs: dict[str, Any],
        run: Run,
        name: str,
        arguments: Callable[[], tuple[Any, ...]] = tuple,
        *,
        with_instant: bool = False,
        rows_first: bool = True,
        allowed: Optional[Callable[[], None]] = None,
    ) -> None:
        """Barrier, clock, arithmetic, and what all that did to the journal.

        Args:
            callback: v1's name of it, for messages.
            set_barrier: is the barrier to be called first?
            kwargs: what v1's arithmetic checks and takes.
            run: v1's arithmetic: the clock (s) and ``kwargs`` in, rows and tags out.
            name: of the call (:class:`one_logger_v1_shim._journal.calls.Call`).
            arguments: of the call, asked after the arithmetic.
            with_instant: is the instant of the row (ms) an argument, too?
            rows_first: does v2 hear of the rows before the call?
            allowed: raises before the barrier is called.
        """
        try:
            if allowed is not None:
                allowed()
            if set_barrier:
                self.timer.wait()
            now = time.time()
            emits = run(now, kwargs)
            more = (milliseconds(_instant(emits)),) if with_instant else ()
            self._send(name, now, (*arguments(), *more), emits, rows_first)
        except Exception as error:
            self._fail(callback, error)

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


def _instant(emits: list[Emit]) -> Any:
    """The instant (ms) of a phase's row, which is its first metric; None where v1 sent no row."""
    return next(iter(emits[0][1].values())) if emits else None


def whole(value: Any) -> int:
    """``value`` as v2 takes a step; 0 for what is no number."""
    number = as_number(value)
    return int(number) if number is not None and number == number and abs(number) != float("inf") else 0


def count(value: Any) -> int:
    """``value`` as v2 takes a count; 0 for what is no number, or less than 0."""
    return max(0, whole(value))


def nothing(callback: str) -> Callable[[float, dict[str, Any]], list[Emit]]:
    """The arithmetic of a callback that has no metric in v1: its arguments are checked."""

    def run(now: float, given: dict[str, Any]) -> list[Emit]:
        check(callback, given)
        return []

    return run
