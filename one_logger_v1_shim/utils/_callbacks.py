"""How a v1 callback runs: barrier, clock, v1's arithmetic, rows, v2."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Callable, Optional

from .._log import warn_once
from .._v1.job import ROW, Emit, Job
from .._v1.schema import check
from .._v1.timer import NamedTimer

if TYPE_CHECKING:
    from .._job.telemetry import Telemetry
    from ..core import OneLogger

    Run = Callable[[float, dict[str, Any]], list[Emit]]
    #: telemetry, the clock (s), what v1 emitted
    Forward = Callable[[Telemetry, float, list[Emit]], None]


class Callbacks:
    """What all callbacks of ``OneLoggerUtils`` share. ``_job`` is None on a rank that does not log."""

    _job: Optional[Job]
    _telemetry: Optional[Telemetry]
    one_logger: Optional[OneLogger]
    timer: NamedTimer
    quiet: bool

    def _phase_start(self, callback: str, phase: str, set_barrier: bool, kwargs: dict[str, Any]) -> None:
        job = self._job
        assert job is not None

        def forward(telemetry: Telemetry, now: float, emits: list[Emit]) -> None:
            if phase == "app_run":
                telemetry.app_start(now, _instant(emits))
            else:
                telemetry.phase_start(now, phase, _instant(emits))

        self._call(
            callback, set_barrier, kwargs,
            lambda now, given: job.phase_start(callback, phase, now, given), forward, v2_first=True,
        )  # fmt: skip

    def _phase_end(self, callback: str, phase: str, set_barrier: bool, kwargs: dict[str, Any]) -> None:
        job = self._job
        assert job is not None

        def forward(telemetry: Telemetry, now: float, emits: list[Emit]) -> None:
            if phase == "app_run":
                telemetry.app_end(now, _instant(emits))
            else:
                telemetry.phase_end(now, phase, _instant(emits))

        self._call(
            callback, set_barrier, kwargs,
            lambda now, given: job.phase_end(callback, phase, now, given), forward,
        )  # fmt: skip

    def _call(
        self,
        callback: str,
        set_barrier: bool,
        kwargs: dict[str, Any],
        run: Run,
        forward: Forward,
        v2_first: bool = False,
        allowed: Optional[Callable[[], None]] = None,
    ) -> None:
        """Barrier, clock, arithmetic, rows, v2.

        ``v2_first``: v2 before the rows, so that their span is open. ``allowed``: raises before the barrier is called.
        """
        try:
            if allowed is not None:
                allowed()
            if set_barrier:
                self.timer.wait()
            now = time.time()
            emits = run(now, kwargs)
            telemetry = self._telemetry
            if telemetry is not None and v2_first:
                forward(telemetry, now, emits)
            self._emit(emits)
            if telemetry is not None and not v2_first:
                forward(telemetry, now, emits)
        except Exception as error:
            self._fail(callback, error)

    def _emit(self, emits: list[Emit]) -> None:
        core = self.one_logger
        if core is None:
            return
        for kind, value in emits:
            if kind == ROW:
                core.log_metrics(value)
            else:
                core.log_app_tag(value)

    def _fail(self, callback: str, error: Exception) -> None:
        if not self.quiet:
            raise error
        self._job = None
        warn_once("quiet", f"OneLoggerUtils.{callback} failed ({error!r}); telemetry stops here (quiet=True)")


def _instant(emits: list[Emit]) -> Any:
    """The instant (ms) of a phase's row, which is its first metric; None where v1 sent no row."""
    return next(iter(emits[0][1].values())) if emits else None


def nothing(callback: str) -> Callable[[float, dict[str, Any]], list[Emit]]:
    """The arithmetic of a callback that has no metric in v1: its arguments are checked."""

    def run(now: float, given: dict[str, Any]) -> list[Emit]:
        check(callback, given)
        return []

    return run
