"""The process's one connection to v2: v1's rows and phases on their way into its recorder.

v2's recorder is called without the decorators of its callbacks (they cost more than the recording), under one lock
(two threads that record at once make v2 raise), and never lets an error out: telemetry trouble is not the job's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable, Optional

from nv_one_logger.core.span import Span, StandardSpanName
from nv_one_logger.training_telemetry.api.training_recorder import TrainingRecorder
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider

from .. import _delivery
from .._log import warn_once
from .._v1.bookkeeping import TagList
from .clock import Clock
from .exporter import V1Exporter
from .iterations import MOST_EVENTS
from .row_event import RowEvent
from .spans import Spans

if TYPE_CHECKING:
    from nv_one_logger.training_telemetry.api.config import TrainingTelemetryConfig

#: the process's tags, whichever run they are sent to
tags = TagList()


class Connection:
    """v1's rows and phases on their way into v2. One at a time per process; :func:`~.attach.attach` makes it.

    Args:
        recorder: v2's.
        exporter: ours, among the recorder's exporters.
        owned: did the shim configure the provider?
        described: project and run name, for messages.
    """

    def __init__(self, recorder: TrainingRecorder, exporter: V1Exporter, owned: bool, described: str) -> None:
        self._lock = threading.RLock()
        self._recorder = recorder
        self._exporter = exporter
        self._alone = [exporter]
        self._owned = owned
        self.described = described
        self._users = 0
        self._dead = False  # in a forked child
        self._clock = Clock()
        self._application: Optional[Span] = None
        self._foreign = False  # the APPLICATION span is the application's own
        self._exported = False  # v2's own recorder, and it exports the events of that span
        # v2 knows one application per process; a later run's rows go on without it
        self._ended = bool(recorder._closed)
        self.spans = Spans(recorder, self._clock, self._heard)

    # -- rows --------------------------------------------------------------------------------------------------

    def log_metrics(self, row: Mapping[str, Any], now: float) -> None:
        """Send one row: an event on an open span, from which our exporter takes it. ``now``: ``time.time()``.

        A row that v2 can't carry (nothing is open, v2 is closed or has disabled itself) goes to the exporter
        directly: v1 code logs before ``on_app_start`` and after ``on_app_end``.
        """
        if self._dead:
            return
        with self._lock:
            encoded = _delivery.encode(self._exporter.bookkeeping.complete(row, now))
            if self._application is None:
                self.open(now)
            span, recorder = self._application, self._recorder
            # Ours is open as long as the recorder is; an application may stop its own at any time.
            if span is not None and not recorder._closed and (not self._foreign or span.id in recorder._spans):
                event = RowEvent(encoded, self._clock.read(now))
                try:
                    events = span.events
                    if self._exported:  # what `recorder.event` does, without its questions at every event
                        events.append(event)
                        for exporter in recorder._exporters:
                            recorder._execute_export(exporter, exporter.export_event, event, span)
                    else:
                        recorder.event(span, event)
                    if len(events) > MOST_EVENTS:
                        del events[1:-1]
                except Exception as error:
                    warn_once("v2:row", f"v2 could not record a row ({error!r}); rows go on without it")
                if event.taken:
                    return
            self._exporter.deliver(encoded)

    def log_app_tag(self, tag: Any, now: float) -> None:
        """Add to the process's list of tags; a row when the list is new to this run."""
        if self._dead:
            return
        with self._lock:
            if tags.add(tag) or not self._exporter.tags_sent:
                self._exporter.tags_sent = True
                self.log_metrics(tags.row(), now)

    # -- the application ---------------------------------------------------------------------------------------

    def _heard(self) -> bool:
        return self._exporter.translates or self._recorder._exporters != self._alone

    @property
    def finished(self) -> bool:
        """Has the run been finished? Then a new face needs a new connection."""
        return self._exporter.finished

    def open(self, now: float, given_ms: Any = None, asked: bool = False) -> None:
        """Open v2's APPLICATION span, the carrier of our rows, unless the application did so itself.

        ``asked``: a v1 callback was called. Rows alone open no span in a provider that is not ours: the application
        may be about to call v2's own ``on_app_start``, which refuses a second one.
        """
        if self._dead or self._ended or self._application is not None:
            return
        with self._lock:
            if not self.spans.enabled():
                return
            recorder = self._recorder
            active = recorder.get_active_spans_by_name(StandardSpanName.APPLICATION)
            self._foreign = bool(active)  # the application's own: we add events to it and never end it
            if not active and (self._owned or asked):
                self._guard("on_app_start", recorder.on_app_start, self._clock.stamp(now, given_ms))
                active = recorder.get_active_spans_by_name(StandardSpanName.APPLICATION)
            if active:
                self._application = active[0]
                v2s_own = type(recorder).event is TrainingRecorder.event
                self._exported = v2s_own and recorder._should_export_span(active[0])

    def end(self, now: float, given_ms: Any = None) -> None:
        """v1's ``on_app_end``: v2 stops all spans and closes its exporters; ours stays open for late rows."""
        if self._dead or self._ended:
            return
        with self._lock:
            self._guard("on_app_end", self.spans.settle, now)
            if self._application is not None and not self._foreign:
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
            if self._application is None:
                self.open(now, asked=True)
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
        if self._dead:
            return
        with self._lock:
            self.end(time.time())
            if not self._ended:  # somebody else's recorder goes on without us
                if self._exporter.attached and self._exporter in self._recorder._exporters:
                    self._recorder._exporters.remove(self._exporter)
                self._ended = True
        self._exporter.finish(exit_code)

    def abandon(self) -> None:
        """In a forked child: the run belongs to the parent."""
        self._dead = True
        self._exporter.abandon()
