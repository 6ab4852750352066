"""How a v1 callback runs: barrier, clock, v1's arithmetic, rows, v2."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Callable, Optional

from .._log import warn_once
from .._v1.job import ROW, Emit, Job
from .._v1.schema import check
from .._v1.timer import NamedTimer

if TYPE_CHECKING:
    from .._v2.connection import Connection
    from ..core import OneLogger

    Run = Callable[[float, dict[str, Any]], list[Emit]]
    Forward = Callable[[Connection, float, dict[str, Any], list[Emit]], None]


class Callbacks:
    """What all callbacks of ``OneLoggerUtils`` share. ``_job`` is None on a rank that does not log."""

    _job: Optional[Job]
    _connection: Optional[Connection]
    one_logger: Optional[OneLogger]
    timer: NamedTimer
    quiet: bool

    def _phase_start(self, callback: str, phase: str, set_barrier: bool, kwargs: dict[str, Any]) -> None:
        job = self._job
        assert job is not None

        def forward(connection: Connection, now: float, given: dict[str, Any], emits: list[Emit]) -> None:
            instant = next(iter(emits[0][1].values()))
            if phase == "app_run":
                connection.open(now, instant, asked=True)
            else:
                connection.forward("start", now, phase, instant)

        self._call(
            callback, set_barrier, kwargs,
            lambda now, given: job.phase_start(callback, phase, now, given), forward, first=True,
        )  # fmt: skip

    def _phase_end(self, callback: str, phase: str, set_barrier: bool, kwargs: dict[str, Any]) -> None:
        job = self._job
        assert job is not None

        def forward(connection: Connection, now: float, given: dict[str, Any], emits: list[Emit]) -> None:
            instant = next(iter(emits[0][1].values())) if emits else None
            if phase == "app_run":
                connection.end(now, instant)
            else:
                connection.forward("stop", now, phase, instant)

        self._call(
            callback, set_barrier, kwargs,
            lambda now, given: job.phase_end(callback, phase, now, given), forward,
        )  # fmt: skip

    def _forward_train_start(
        self, connection: Connection, now: float, given: dict[str, Any], emits: list[Emit]
    ) -> None:
        job = self._job
        if job is not None:
            connection.forward("train_start", now, job.training.iterations_start, job.training.samples_start)

    def _call(
        self,
        callback: str,
        set_barrier: bool,
        kwargs: dict[str, Any],
        run: Callable[[float, dict[str, Any]], list[Emit]],
        forward: Callable[[Connection, float, dict[str, Any], list[Emit]], None],
        first: bool = False,
    ) -> None:
        """Barrier, clock, arithmetic, rows, v2. ``first``: v2 before the rows, which then have a span to stand on."""
        try:
            if set_barrier:
                self.timer.wait()
            now = time.time()
            emits = run(now, kwargs)
            connection = self._connection
            if connection is not None and first:
                forward(connection, now, kwargs, emits)
            self._emit(emits)
            if connection is not None and not first:
                forward(connection, now, kwargs, emits)
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


def start(phase: str) -> Callable[..., None]:
    def forward(connection: Connection, now: float, given: dict[str, Any], emits: list[Emit]) -> None:
        connection.forward("start", now, phase)

    return forward


def stop(phase: str) -> Callable[..., None]:
    def forward(connection: Connection, now: float, given: dict[str, Any], emits: list[Emit]) -> None:
        connection.forward("stop", now, phase)

    return forward


def save(method: str) -> Callable[..., None]:
    def forward(connection: Connection, now: float, given: dict[str, Any], emits: list[Emit]) -> None:
        connection.forward(method, now, given["global_step"])

    return forward


def nothing(callback: str) -> Callable[[float, dict[str, Any]], list[Emit]]:
    def run(now: float, given: dict[str, Any]) -> list[Emit]:
        check(callback, given)
        return []

    return run
