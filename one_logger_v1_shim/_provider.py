"""The process's one connection to the v2 provider: the only module that talks to it.

v2 is configured once per process and belongs to whoever comes first. A v1 face therefore *attaches*: to the provider
that it configures itself, to that of an earlier v1 face, or to one that the application configured.

v2's recorder is called without the decorators of its callbacks (they cost more than the recording), under one lock
(two threads that record at once make v2 raise), and never lets an error out: telemetry trouble is not the job's.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable, Optional

from nv_one_logger.api.config import OneLoggerConfig
from nv_one_logger.api.one_logger_provider import OneLoggerProvider
from nv_one_logger.core.attributes import Attributes
from nv_one_logger.core.event import Event
from nv_one_logger.core.internal.singleton import SingletonMeta
from nv_one_logger.core.span import Span, StandardSpanName
from nv_one_logger.exporter.export_config_manager import ExporterConfigManager
from nv_one_logger.exporter.exporter import Exporter
from nv_one_logger.recorder.default_recorder import DefaultRecorder, _ExporterState
from nv_one_logger.training_telemetry.api.training_recorder import TrainingRecorder
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider

from . import _delivery
from ._clock import Clock
from ._log import logger, warn_once
from ._spans import Spans
from ._v1.bookkeeping import TagList
from .v1_compatible_wandb_exporter import ROW_ATTRIBUTE, ROW_EVENT, V1Exporter, v1_exporter_of

if TYPE_CHECKING:
    from nv_one_logger.training_telemetry.api.config import TrainingTelemetryConfig

# Events of a span that were exported are dropped from it beyond this number: v2 formats all of them each time that
# a child span stops, so that a job would get slower with every row (0.4 us per row and iteration, without bound).
_MOST_EVENTS = 8


def _undecorated(function: Callable[..., Any]) -> Callable[..., Any]:
    return getattr(function, "__wrapped__", function)


_record_event = _undecorated(DefaultRecorder.event)


class Connection:
    """v1's rows and phases on their way into v2. One per process; made by :func:`attach`."""

    def __init__(self, recorder: TrainingRecorder, exporter: V1Exporter, owned: bool) -> None:
        self._lock = threading.RLock()
        self._recorder = recorder
        self._exporter = exporter
        #: did we configure the provider?
        self._owned = owned
        self._users = 0
        self._dead = False  # in a forked child
        self._clock = Clock()
        self._application: Optional[Span] = None
        self._ended = False
        self.spans = Spans(recorder, self._clock)

    # -- rows --------------------------------------------------------------------------------------------------

    def log_metrics(self, row: Mapping[str, Any], now: float) -> None:
        """Send one row: an event on an open span, from which our exporter takes it. ``now``: ``time.time()``.

        A row that v2 can't carry (nothing is open, v2 is closed or has disabled itself) goes to the exporter
        directly: v1 code logs before ``on_app_start`` and after ``on_app_end``.
        """
        if self._dead:
            return
        with self._lock:
            text = _delivery.encode(self._exporter.bookkeeping.complete(row, now))
            span = self._application
            if span is not None and not self._ended:
                taken = self._exporter.rows_taken
                try:
                    event = Event(ROW_EVENT, self._clock.stamp(now), Attributes({ROW_ATTRIBUTE: text}))
                    _record_event(self._recorder, span, event)
                    if len(span.events) > _MOST_EVENTS:
                        del span.events[1:-1]
                except Exception as error:
                    warn_once("v2:row", f"v2 could not record a row ({error!r}); rows go on without it")
                if self._exporter.rows_taken != taken:
                    return
            self._exporter.deliver(text)

    def log_app_tag(self, tag: Any, now: float) -> None:
        """Add to the process's list of tags; a row when the list is new to this run."""
        if self._dead:
            return
        with self._lock:
            if tags.add(tag) or not self._exporter.tags_sent:
                self._exporter.tags_sent = True
                self.log_metrics(tags.row(), now)

    # -- the application ---------------------------------------------------------------------------------------

    def open(self, now: float, given_ms: Any = None) -> None:
        """Open v2's APPLICATION span, the carrier of our rows, unless the application did so itself."""
        if self._dead or self._ended or self._application is not None:
            return
        with self._lock:
            if not self.spans.enabled():
                return
            active = self._recorder.get_active_spans_by_name(StandardSpanName.APPLICATION)
            if active:
                self._application = active[0]  # the application's own: we add events to it and never end it
                self.spans.foreign_application = True
            elif self._owned or given_ms is not None:
                self._guard("on_app_start", self._recorder.on_app_start, self._clock.stamp(now, given_ms))
                active = self._recorder.get_active_spans_by_name(StandardSpanName.APPLICATION)
                self._application = active[0] if active else None

    def end(self, now: float, given_ms: Any = None) -> None:
        """v1's ``on_app_end``: v2 stops all spans and closes its exporters; ours stays open for late rows."""
        if self._dead or self._ended:
            return
        with self._lock:
            self._guard("on_app_end", self.spans.settle, now)
            if self._application is not None and not self.spans.foreign_application:
                self._ended = True
                self._guard("on_app_end", self._recorder.on_app_end, self._clock.stamp(now, given_ms))

    def training(self, config: Optional[TrainingTelemetryConfig]) -> None:
        """Tell v2 about training, if nobody has (a core ``OneLogger`` came first, or the application left it open)."""
        provider = TrainingTelemetryProvider.instance()
        if config is None or self._dead or self._ended:
            return
        with self._lock:
            if provider.config.telemetry_config is not None:
                return
            if self._application is not None:
                self._guard("training config", provider.set_training_telemetry_config, config)
            else:
                # v2's setter raises without an APPLICATION span, and yet sets it
                provider._mutable_config().telemetry_config = config

    def forward(self, method: str, now: float, *arguments: Any) -> None:
        """Forward a v1 callback: ``method`` is one of :class:`~one_logger_v1_shim._spans.Spans`."""
        if self._dead or self._ended:
            return
        with self._lock:
            if self.spans.enabled():
                self._guard(method, getattr(self.spans, method), now, *arguments)

    def _guard(self, what: str, function: Callable[..., Any], *arguments: Any) -> None:
        """Call v2. What it then tells our exporter is not translated: v1 rows are sent by v1's own arithmetic."""
        self._exporter.mute(True)
        try:
            function(*arguments)
        except Exception as error:
            warn_once(f"v2:{what}", f"v2 could not record {what} ({error!r}); v1 rows are not affected")
        finally:
            self._exporter.mute(False)

    # -- life --------------------------------------------------------------------------------------------------

    def join(self) -> None:
        """One more v1 face uses this connection."""
        self._users += 1

    def leave(self) -> None:
        """A v1 face has finished; the run is finished with the last of them."""
        self._users -= 1
        if self._users <= 0:
            self.finish(0)

    def finish(self, exit_code: int) -> None:
        """End v2's application if we began it, and finish the W&B run. Idempotent, bounded."""
        global _connection
        if self._dead:
            return
        with self._lock:
            self.end(time.time())
            if not self._ended:  # somebody else's recorder goes on without us
                if self._exporter.attached and self._exporter in self._recorder._exporters:
                    self._recorder._exporters.remove(self._exporter)
                self._ended = True
            if _connection is self:
                _connection = None
        self._exporter.finish(exit_code)

    def abandon(self) -> None:
        """In a forked child: the run belongs to the parent."""
        self._dead = True
        self._exporter.abandon()


tags = TagList()
_connection: Optional[Connection] = None
_attach_lock = threading.RLock()
_hooked = False


def attach(
    config: OneLoggerConfig,
    make_exporter: Callable[[], V1Exporter],
    now: float,
    app_start_ms: Any = None,
    describe: str = "",
) -> Connection:
    """The process's connection, made on first use.

    Args:
        config: v2's configuration, used if nobody has configured the provider yet.
        make_exporter: makes our exporter, if the provider has none of ours yet.
        now: ``time.time()``.
        app_start_ms: when the application started (ms since the epoch), if the v1 configuration says so.
        describe: project and run name, for the warning that a second face joins another's run.
    """
    global _connection
    with _attach_lock:
        _hook()
        if _connection is None:
            _connection = _connect(config, make_exporter)
            _connection.described = describe  # type: ignore[attr-defined]
        elif describe and describe != _connection.described:  # type: ignore[attr-defined]
            warn_once(
                f"second:{describe}",
                f"this process has a OneLogger run already; {describe} joins it: one process, one run",
            )
        _connection.join()
        _connection.open(now, app_start_ms if _connection._owned else None)
        _connection.training(config.telemetry_config)  # type: ignore[arg-type]
        return _connection


def _connect(config: OneLoggerConfig, make_exporter: Callable[[], V1Exporter]) -> Connection:
    owned = not OneLoggerProvider.instance().one_logger_ready
    if owned:
        configure(config, make_exporter)
    recorder = OneLoggerProvider.instance().recorder
    if not isinstance(recorder, TrainingRecorder):
        raise RuntimeError(f"the v2 provider has a {type(recorder).__name__}; expected a TrainingRecorder")
    exporter = next(filter(None, map(v1_exporter_of, recorder._exporters)), None)
    if exporter is None or exporter.finished:
        exporter = make_exporter()
        exporter.initialize()
        if not recorder._closed:
            # v2 has no call for this; both attributes are what its constructor fills
            recorder._exporters.append(exporter)
            recorder._exporter_state[exporter] = _ExporterState()
            exporter.attached = True
    exporter.hold()
    connection = Connection(recorder, exporter, owned)
    if recorder._closed:
        connection._ended = True  # v2 knows one application per process; a later run's rows go on without it
    return connection


def configure(config: OneLoggerConfig, make_exporter: Callable[[], V1Exporter]) -> None:
    """Configure the provider with the exporters of v2's own export configuration, and ours beside them."""
    exporters: list[Exporter] = []
    try:
        manager: Any = ExporterConfigManager()  # type: ignore[no-untyped-call]
        exporters = manager.create_exporters_from_config(manager.generate_export_config(), config)
    except Exception as error:
        warn_once("v2:export_config", f"v2's exporter configuration could not be read: {error!r}")
    if not any(map(v1_exporter_of, exporters)):
        exporters.append(make_exporter())
    try:
        _configure_with(config, exporters)
    except Exception as error:
        # An exporter that can't be initialised leaves a half-built provider behind, under both error strategies.
        ours = [one for one in exporters if v1_exporter_of(one) is not None]
        warn_once("v2:configure", f"v2's other exporters are left out, one could not be initialised: {error!r}")
        SingletonMeta._instances.pop(TrainingTelemetryProvider, None)
        SingletonMeta._instances.pop(OneLoggerProvider, None)
        _configure_with(config, ours)


def _configure_with(config: OneLoggerConfig, exporters: list[Exporter]) -> None:
    provider = TrainingTelemetryProvider.instance().with_base_config(config)
    for exporter in exporters:
        provider = provider.with_exporter(exporter)
    provider.configure_provider()


def _hook() -> None:
    global _hooked
    if not _hooked:
        _hooked = True
        atexit.register(_at_exit)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_in_child)


def _at_exit() -> None:
    if _connection is not None:
        try:
            # set by the interpreter when an exception ends the program
            _connection.finish(1 if getattr(sys, "last_type", None) else 0)
        except Exception as error:
            logger.warning("the run could not be finished at exit: %r", error)


def _in_child() -> None:
    if _connection is not None:
        _connection.abandon()
