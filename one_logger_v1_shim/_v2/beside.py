"""v2's provider is one per process: how the shim shares it with an application that configures it, too.

Whoever configures v2 himself keeps his configuration, whichever of the two comes first. Runs in the job's process.
Nothing of v2's is used here but public names.
"""

from __future__ import annotations

import inspect
from typing import Any, Callable

from nv_one_logger.api.config import OneLoggerConfig
from nv_one_logger.api.one_logger_provider import OneLoggerProvider
from nv_one_logger.core.event import Event
from nv_one_logger.core.span import Span, StandardSpanName
from nv_one_logger.exporter.exporter import Exporter
from nv_one_logger.training_telemetry.api.attributes import TrainingTelemetryAttributes
from nv_one_logger.training_telemetry.api.events import StandardTrainingJobEventName
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider

from .. import _state
from .._log import warn_once
from . import private
from .recording import SpanRecorder
from .translation import SPAN_NAMES

_BUILDERS = (
    *("with_base_config", "with_config_override", "with_exporter", "with_export_customization", "with_export_config"),
    "configure_provider",
)


def attach(recorder: Any, exporter: Exporter) -> None:
    """Let ``exporter`` hear what an existing recorder is told: what is open there now, and all that follows.

    An exporter belongs to a recorder from its constructor on, and v2 has no public way to add one. So the recorder's
    public methods are wrapped, in this object alone. What ``exporter`` raises goes no further.
    """
    exporter.initialize()
    _tell_what_is_open(recorder, exporter)
    start, stop, add, close = recorder.start, recorder.stop, recorder.event, recorder.close

    def started(*arguments: Any, **keywords: Any) -> Any:
        span = start(*arguments, **keywords)
        if span is not None:  # v2 is switched off, or has kept an error to itself
            _tell(exporter.export_start, span)
        return span

    def stopped(span: Span, *arguments: Any, **keywords: Any) -> None:
        active = span is not None and span.active
        stop(span, *arguments, **keywords)
        if active and not span.active:
            _tell(exporter.export_stop, span)

    def happened(span: Span, event: Event) -> Any:
        told = add(span, event)
        if told is not None:
            _tell(exporter.export_event, event, span)
        return told

    def closed() -> None:
        close()
        _tell(exporter.close)

    recorder.start, recorder.stop, recorder.event, recorder.close = started, stopped, happened, closed


def _tell_what_is_open(recorder: Any, exporter: Exporter) -> None:
    """The open spans whose names v1 had a metric for, and their events, in the order of their times."""
    by_name = getattr(recorder, "get_active_spans_by_name", None)
    spans = [span for name in SPAN_NAMES for span in by_name(name)] if by_name is not None else []
    told: list[tuple[float, Callable[..., None], tuple[Any, ...]]] = []
    for span in spans:
        told.append((span.start_event.timestamp.perf_counter_seconds, exporter.export_start, (span,)))
        for event in span.events[1:]:
            told.append((event.timestamp.perf_counter_seconds, exporter.export_event, (event, span)))
    for _, method, arguments in sorted(told, key=lambda one: one[0]):
        _tell(method, *arguments)


def tell_training(exporter: Exporter, config: OneLoggerConfig) -> None:
    """Tell ``exporter`` what ``config`` knows of the training: v2 reports it only for the configuration it has."""
    training: Any = config.telemetry_config
    if training is None:
        return
    names = inspect.signature(TrainingTelemetryAttributes.create).parameters
    values: dict[str, Any] = {name: getattr(training, name, None) for name in names}
    values["checkpoint_strategy"] = training.save_checkpoint_strategy
    attributes = TrainingTelemetryAttributes.create(**values)
    event = Event.create(StandardTrainingJobEventName.UPDATE_TRAINING_TELEMETRY_CONFIG, attributes)
    _tell(exporter.export_event, event, Span.create(StandardSpanName.APPLICATION))


def _tell(method: Callable[..., None], *arguments: Any) -> None:
    try:
        method(*arguments)
    except Exception as error:
        warn_once("v2:beside", f"v1 rows of this v2 program are incomplete, one could not be made: {error!r}")


def when_configured(joined: Callable[[], None]) -> None:
    """The application is about to configure the provider: call ``joined`` when it has."""
    provider: Any = TrainingTelemetryProvider.instance()
    own = provider.configure_provider

    def configure_provider() -> None:
        own()
        joined()

    provider.configure_provider = configure_provider


def until_configured(leave: Callable[[], bool], joined: Callable[[], None]) -> None:
    """The provider of this process is the shim's: let the application configure v2 all the same.

    The provider object that everybody has stays. Its public builder methods are wrapped, in this object alone: the
    first one that is called makes v2 forget what the shim has configured, and a new provider takes the application's
    configuration.

    Args:
        leave: called before; False: something of the application's would be lost, and v2 refuses the second
            configuration as it does without us.
        joined: called when the application's configuration stands.
    """
    provider: Any = TrainingTelemetryProvider.instance()

    def wrap(name: str) -> Callable[..., Any]:
        own = getattr(provider, name)

        def method(*arguments: Any, **keywords: Any) -> Any:
            now: Any = TrainingTelemetryProvider.instance()
            if now is provider:
                if not (leave() and private.forget_provider()):
                    return own(*arguments, **keywords)
                now = TrainingTelemetryProvider.instance()
                taker: Any = _state.process.taker
                if taker is not None and taker.hears_v2:
                    now.with_exporter(SpanRecorder(taker.spans))
            result = getattr(now, name)(*arguments, **keywords)
            if name == "configure_provider" and OneLoggerProvider.instance().one_logger_ready:
                joined()
            return provider if result is now else result  # the chain goes on here

        return method

    for name in _BUILDERS:
        setattr(provider, name, wrap(name))
