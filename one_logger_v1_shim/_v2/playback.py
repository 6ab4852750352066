"""v1's calls from a journal, played to a v2 provider of this process. Runs in the worker's process.

v2 hears what it would have heard in the job: the same calls in the same order, with the job's clock readings. v2 gives
some events no time of their own, and reads the clock: for the length of a call that clock is the job's.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from typing import Any, Optional

from nv_one_logger.api.one_logger_provider import OneLoggerProvider
from nv_one_logger.core.event import ErrorEvent, Event, TelemetryDataError
from nv_one_logger.core.span import Span
from nv_one_logger.exporter.exporter import Exporter
from nv_one_logger.exporter.file_exporter import FileExporter
from overrides import override

from .._job.calls import Listener, Reading
from .._log import warn_once
from ..config_adapter import V2Values
from . import private
from .attach import configure_with, configured_exporters, ours
from .config import build
from .forward import Forward

#: calls of a journal: those of :class:`one_logger_v1_shim._job.calls.Listener`
_CALLS = frozenset(
    name for name in vars(Listener) if not name.startswith("_") and name not in ("before_row", "abandon")
)


class Playback:
    """A provider of this process, and the calls that are played to it.

    Args:
        values: ``V2Values`` as the journal has them.
        run_id: makes the spans' ids the same in each worker of a run.
        resumed: an earlier worker has played a part; exporters have heard it.
    """

    def __init__(self, values: dict[str, Any], run_id: str, resumed: bool) -> None:
        self._told: dict[str, Any] = {}
        self._muted: list[_Muted] = []
        v2_values = V2Values(**values)
        config = build(v2_values, self._told.get)
        exporters = [one for one in configured_exporters(config) if ours(one) is None]
        if resumed:
            exporters = [self._closed_ears(one) for one in exporters]
        self._clock = _Clock()
        self._ids = _Ids(run_id)
        for module, name, value in (
            (private.module_clock(), "time", self._clock),
            (private.module_ids(), "uuid", self._ids),
        ):
            if module is not None:
                setattr(module, name, value)
        configure_with(config, exporters)
        self._forward = Forward(OneLoggerProvider.instance().recorder, None, True)

    def _closed_ears(self, exporter: Exporter) -> Exporter:
        """``exporter``, deaf to what it has heard from an earlier worker."""
        if isinstance(exporter, FileExporter):
            return exporter  # it begins its file anew, and needs all of it
        muted = _Muted(exporter)
        self._muted.append(muted)
        return muted

    def play(self, name: str, arguments: list[Any], heard: bool) -> None:
        """Play one call. ``heard``: exporters have heard it from an earlier worker."""
        for one in self._muted:
            one.muted = heard
        if name == "value":
            key, value = arguments
            self._told[key] = value
        elif name in _CALLS:
            at, *rest = arguments
            if name == "training":
                rest.append(self._told.get)
            self._clock.at = (float(at[0]), float(at[1]))
            try:
                getattr(self._forward, name)(self._clock.at, *rest)
            except Exception as error:
                warn_once(f"v2:{name}", f"v2 could not record {name} ({error!r}); v1 rows are not affected")
        else:
            warn_once(f"v2:{name}", f"the journal has a call {name!r}, which this version does not know")

    def close(self, at: Reading) -> None:
        """The job has ended: v2's application ends, if it has not, at ``at``; exporters are closed."""
        for one in self._muted:
            one.muted = False
        self.play("close", [at], heard=False)
        self._clock.at = None


class _Clock:
    """Stands for the module ``time`` in v2: the job's clock during a call."""

    at: Optional[Reading] = None

    def time(self) -> float:
        return self.at[0] if self.at is not None else time.time()

    def perf_counter(self) -> float:
        return self.at[1] if self.at is not None else time.perf_counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


class _Ids:
    """Stands for the module ``uuid`` in v2: the n-th span of a run has the same id in each worker."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._count = 0

    def uuid4(self) -> uuid.UUID:
        self._count += 1
        digest = hashlib.sha256(f"{self._run_id}:{self._count}".encode()).digest()
        return uuid.UUID(bytes=digest[:16], version=4)

    def __getattr__(self, name: str) -> Any:
        return getattr(uuid, name)


class _Muted(Exporter):
    """An exporter that hears only what an earlier worker has not told it."""

    def __init__(self, inner: Exporter) -> None:
        self._inner = inner
        self.muted = True

    @override
    def initialize(self) -> None:
        self._inner.initialize()

    @override
    def export_start(self, span: Span) -> None:
        if not self.muted:
            self._inner.export_start(span)

    @override
    def export_stop(self, span: Span) -> None:
        if not self.muted:
            self._inner.export_stop(span)

    @override
    def export_event(self, event: Event, span: Span) -> None:
        if not self.muted:
            self._inner.export_event(event, span)

    @override
    def export_error(self, event: ErrorEvent, span: Span) -> None:
        if not self.muted:
            self._inner.export_error(event, span)

    @override
    def export_telemetry_data_error(self, error: TelemetryDataError) -> None:
        if not self.muted:
            self._inner.export_telemetry_data_error(error)

    @override
    def close(self) -> None:
        if not self.muted:
            self._inner.close()
