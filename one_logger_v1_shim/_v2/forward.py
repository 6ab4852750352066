"""v1's calls and rows into v2's recorder. Runs where v2 does: in the job's process, or in the worker's.

v2's recorder is called without the decorators of its callbacks, which cost more than the recording. Nothing that it
raises leaves this module: telemetry trouble is not the job's.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from nv_one_logger.core.attributes import Attributes
from nv_one_logger.core.event import Event
from nv_one_logger.core.span import Span, StandardSpanName
from nv_one_logger.training_telemetry.api.training_recorder import TrainingRecorder
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider

from .._job.calls import Read, Reading
from .._log import warn_once
from ..config_adapter import V2Values
from . import private
from .clock import Clock
from .config import training as training_config
from .exporter import V1Exporter
from .iterations import MOST_EVENTS
from .spans import Spans

#: name of the event that carries a v1 row, and of its one attribute: the row as JSON text, because v2's attributes keep
#: no None, no dict and no list of mixed types
ROW_EVENT = "one_logger_v1.log_metrics"
ROW_ATTRIBUTE = "row"


class Forward:
    """A listener (:class:`one_logger_v1_shim._job.calls.Listener`) that tells v2.

    Args:
        recorder: v2's.
        exporter: ours, if it is among the recorder's exporters: it is not to translate what the shim itself reports.
        owned: did the shim configure the provider?
    """

    def __init__(self, recorder: TrainingRecorder, exporter: Optional[V1Exporter], owned: bool) -> None:
        self._recorder = recorder
        self._exporter = exporter
        self._owned = owned
        self._custom = type(recorder).event is not TrainingRecorder.event
        self._dead = False  # in a forked child
        self._clock = Clock()
        self._application: Optional[Span] = None
        self._foreign = False  # the APPLICATION span is the application's own
        self._refused = False  # v2 has refused what is known about the training, and every call that needs it
        # v2 knows one application per process; a later run's rows go on without it
        self._ended = private.is_closed(recorder)
        self._spans = Spans(recorder, self._clock, self._heard)

    def _heard(self) -> bool:
        """Whether anybody listens to v2 but our own exporter, which has its rows by another way."""
        exporter = self._exporter
        found = private.exporters(self._recorder)
        if found is None or (exporter is not None and exporter.translates):
            return True
        if len(found) == 1:  # the usual case, asked at every row
            return found[0] is not exporter
        return bool(found)

    # -- rows --------------------------------------------------------------------------------------------------

    def before_row(self, at: Reading) -> bytes:
        """Nothing stands before a row in the journal."""
        return b""

    def row(self, at: Reading, row: bytes) -> None:
        """Tell v2 of a row: an event on the open application span. Rows alone open no span of somebody else's."""
        if self._dead:
            return
        if self._application is None:
            self.open(at)
        span, recorder = self._application, self._recorder
        if span is None or not (self._custom or self._heard()):
            return
        # Ours is open until app_end; an application may stop its own at any time.
        if not self._spans.enabled() or (self._foreign and not span.active):
            return
        event = Event(ROW_EVENT, self._clock.stamp(at), Attributes({ROW_ATTRIBUTE: row.decode("ascii")}))
        try:
            recorder.event(span, event)
        except Exception as error:
            warn_once("v2:row", f"v2 could not record a row ({error!r}); rows go on without it")
        if len(span.events) > MOST_EVENTS:
            del span.events[1:-1]

    # -- the application ---------------------------------------------------------------------------------------

    def open(self, at: Reading, given_ms: Any = None) -> None:
        """Open v2's APPLICATION span, the carrier of our rows, in a provider that is ours.

        In one that the application configured it may be about to call v2's own ``on_app_start``, which refuses a
        second one: there only v1's callbacks open it.
        """
        self._open(at, given_ms, asked=False)

    def _open(self, at: Reading, given_ms: Any = None, asked: bool = True) -> None:
        if self._dead or self._ended or self._application is not None or not self._spans.enabled():
            return
        recorder = self._recorder
        active = recorder.get_active_spans_by_name(StandardSpanName.APPLICATION)
        self._foreign = bool(active)  # the application's own: we add events to it and never end it
        if not active and (self._owned or asked):
            self._guard("on_app_start", recorder.on_app_start, self._clock.stamp(at, given_ms))
            active = recorder.get_active_spans_by_name(StandardSpanName.APPLICATION)
        if active:
            self._application = active[0]

    def app_start(self, at: Reading, given_ms: Any = None) -> None:
        self._open(at, given_ms)

    def app_end(self, at: Reading, given_ms: Any = None) -> None:
        """v2 stops all spans and closes its exporters."""
        if self._dead or self._ended:
            return
        self._guard("on_app_end", self._spans.settle, at)
        if self._application is not None and not self._foreign:
            self._ended = True
            self._application = None
            self._guard("on_app_end", self._recorder.on_app_end, self._clock.stamp(at, given_ms))

    def training(self, at: Reading, values: dict[str, Any], read: Read) -> None:
        """Tell v2 about training, if nobody has (a core ``OneLogger`` came first, or the application left it open)."""
        provider = TrainingTelemetryProvider.instance()
        if self._dead or self._ended or provider.config.telemetry_config is not None:
            return
        try:
            config = training_config(V2Values({}, values.get("fields"), values.get("callables") or []), read)
        except Exception as error:
            self._refused = True
            warn_once("v2:training", f"v2 is told nothing of the training ({error!r}); v1 rows are not affected")
            return
        if self._application is not None:
            self._guard("training config", provider.set_training_telemetry_config, config)
        else:
            private.set_training_config(config)

    def close(self, at: Reading) -> None:
        """The run is finished. Somebody else's recorder goes on without us."""
        self.app_end(at)
        self._ended = True

    def abandon(self) -> None:
        self._dead = True

    # -- calls -------------------------------------------------------------------------------------------------

    def phase_start(self, at: Reading, phase: str, given_ms: Any = None) -> None:
        self._forward(self._spans.start, at, phase, given_ms)

    def phase_end(self, at: Reading, phase: str, given_ms: Any = None) -> None:
        self._forward(self._spans.stop, at, phase, given_ms)

    def train_start(self, at: Reading, iterations: int, samples: int) -> None:
        self._forward(self._spans.train_start, at, iterations, samples)

    def train_end(self, at: Reading) -> None:
        self._forward(self._spans.stop, at, "train")

    def batch_start(self, at: Reading) -> None:
        self._forward(self._spans.batch_start, at)

    def batch_end(self, at: Reading) -> None:
        self._forward(self._spans.batch_end, at)

    def save_start(self, at: Reading, step: int) -> None:
        self._forward(self._spans.save_start, at, step)

    def save_end(self, at: Reading, step: int) -> None:
        self._forward(self._spans.save_end, at, step)

    def save_success(self, at: Reading, step: int) -> None:
        self._forward(self._spans.save_success, at, step)

    def _forward(self, method: Callable[..., None], at: Reading, *arguments: Any) -> None:
        if self._dead or self._ended:
            return
        if self._application is None:
            self._open(at)
        if self._spans.enabled():
            self._guard(method.__name__, method, at, *arguments)

    def _guard(self, what: str, function: Callable[..., Any], *arguments: Any) -> None:
        """Call v2. What it then tells our exporter is not translated: v1 rows are sent by v1's own arithmetic."""
        exporter = self._exporter
        if exporter is not None:
            exporter.mute(True)
        try:
            function(*arguments)
        except Exception as error:
            if not self._refused:
                warn_once(f"v2:{what}", f"v2 could not record {what} ({error!r}); v1 rows are not affected")
        finally:
            if exporter is not None:
                exporter.mute(False)
