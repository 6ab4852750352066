"""v1's calls and rows into v2's recorder. Runs where v2 does: in the worker's process, or in the job's.

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

from .._conversion import V2Values
from .._journal.calls import Reading
from .._log import warn_once
from . import private
from .clock import Clock
from .config import Read
from .config import training as training_config
from .spans import Spans, trim

#: name of the event that carries a v1 row, and of its one attribute: the row as JSON text, because v2's attributes keep
#: no None, no dict and no list of mixed types
ROW_EVENT = "one_logger_v1.log_metrics"
ROW_ATTRIBUTE = "row"


class Forward:
    """Tells v2 of v1's calls, in their order, one at a time.

    Args:
        recorder: v2's.
        exporter: ours, if it is among the recorder's exporters: it is not to translate what the shim itself reports.
        owned: did the shim configure the provider?
    """

    def __init__(self, recorder: TrainingRecorder, exporter: Any, owned: bool) -> None:
        self._recorder = recorder
        self._exporter = exporter
        self._owned = owned
        self._clock = Clock()
        self._application: Optional[Span] = None
        self._foreign = False  # the APPLICATION span is the application's own
        self._refused = False  # v2 has refused what is known about the training, and every call that needs it
        # v2 knows one application per process; a later run's rows go on without it
        self._ended = private.is_closed(recorder)
        self._spans = Spans(recorder, self._clock)

    def hear(self, name: str, at: Reading, arguments: tuple[Any, ...], read: Read) -> None:
        """One call (:class:`one_logger_v1_shim._journal.calls.Call`); ``read`` gives the values of callables."""
        if name == "row":
            self._row(at, *arguments)
        elif name in ("open", "app_start"):
            self._open(at, _first(arguments), asked=name == "app_start")
        elif name == "training":
            self._training(_first(arguments) or {}, read)
        elif name == "app_end":
            self._end(at, _first(arguments))
        elif name == "close":  # somebody else's recorder goes on without us
            self._end(at)
            self._ended = True
        elif name in Spans.CALLS:
            self._tell(name, at, arguments)
        else:
            warn_once(f"v2:{name}", f"the journal has a call {name!r}, which this version does not know")

    # -- rows --------------------------------------------------------------------------------------------------

    def _row(self, at: Reading, row: bytes) -> None:
        """An event on the open application span. Rows alone open no span of somebody else's."""
        if self._application is None:
            self._open(at)
        span = self._application
        # Ours is open until app_end; an application may stop its own at any time.
        if span is None or not self._spans.enabled() or (self._foreign and not span.active):
            return
        event = Event(ROW_EVENT, self._clock.stamp(at), Attributes({ROW_ATTRIBUTE: row.decode("ascii")}))
        self._guard("row", self._recorder.event, span, event)
        trim(span)

    # -- the application ---------------------------------------------------------------------------------------

    def _open(self, at: Reading, given_ms: Any = None, asked: bool = False) -> None:
        """Open v2's APPLICATION span, the carrier of our rows, in a provider that is ours.

        In one that the application configured it may be about to call v2's own ``on_app_start``, which refuses a
        second one: there only v1's callbacks (``asked``) open it.
        """
        if self._ended or self._application is not None or not self._spans.enabled():
            return
        recorder = self._recorder
        active = recorder.get_active_spans_by_name(StandardSpanName.APPLICATION)
        self._foreign = bool(active)  # the application's own: we add events to it and never end it
        if not active and (self._owned or asked):
            self._guard("on_app_start", recorder.on_app_start, self._clock.stamp(at, given_ms))
            active = recorder.get_active_spans_by_name(StandardSpanName.APPLICATION)
        if active:
            self._application = active[0]

    def _end(self, at: Reading, given_ms: Any = None) -> None:
        """v2 stops all spans and closes its exporters."""
        if self._ended:
            return
        self._guard("on_app_end", self._spans.settle, at)
        if self._application is not None and not self._foreign:
            self._ended = True
            self._application = None
            self._guard("on_app_end", self._recorder.on_app_end, self._clock.stamp(at, given_ms))

    def _training(self, values: dict[str, Any], read: Read) -> None:
        """Tell v2 about training, if nobody has (a core ``OneLogger`` came first, or the application left it open)."""
        provider = TrainingTelemetryProvider.instance()
        if self._ended or provider.config.telemetry_config is not None:
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

    # -- the other calls ---------------------------------------------------------------------------------------

    def _tell(self, name: str, at: Reading, arguments: tuple[Any, ...]) -> None:
        if self._ended:
            return
        if self._application is None:
            self._open(at, asked=True)
        if self._spans.enabled():
            self._guard(name, getattr(self._spans, name), at, *arguments)

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


def _first(arguments: tuple[Any, ...]) -> Any:
    return arguments[0] if arguments else None
