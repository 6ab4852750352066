"""v2 in this process, as the tests of its room need it: an unconfigured provider, and exporters that keep in memory."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import Any, Optional

import pytest
from nv_one_logger.api.config import LoggerConfig, OneLoggerConfig
from nv_one_logger.api.one_logger_provider import OneLoggerProvider
from nv_one_logger.core.event import ErrorEvent, Event, TelemetryDataError
from nv_one_logger.core.span import Span
from nv_one_logger.core.time import TracingTimestamp
from nv_one_logger.exporter.exporter import BaseExporter
from nv_one_logger.training_telemetry.api import callbacks as v2
from nv_one_logger.training_telemetry.api.config import TrainingTelemetryConfig
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider
from overrides import override

from one_logger_v1_shim import _state

T0 = 1_700_000_000.0


def reading(seconds: float) -> tuple[float, float]:
    """The clock, ``seconds`` after the job began."""
    return T0 + seconds, 1000.0 + seconds


def stamp(seconds: float) -> TracingTimestamp:
    """The same as v2 keeps it."""
    return TracingTimestamp(*reading(seconds))


def in_thread(work: Callable[[], None]) -> None:
    """``work`` in a thread of its own; v2 keeps the innermost span per thread."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


class Heard(BaseExporter):
    """Keeps what it hears, in order. ``start, span, parent, s``; ``stop, span, s``; ``event, name, span, s``.

    Exporters that v2's export configuration made are found in ``made``, by the order in which they were made.
    """

    made: list[Heard] = []

    def __init__(self, fails: str = "") -> None:
        super().__init__()
        self.fails = fails
        self.told: list[tuple[Any, ...]] = []
        self.attributes: list[dict[str, Any]] = []
        self.ids: list[Any] = []
        self.initialisations = self.closings = 0
        Heard.made.append(self)

    @override
    def initialize(self) -> None:
        super().initialize()
        self.initialisations += 1
        if self.fails == "initialize":
            raise RuntimeError("an exporter that cannot be initialised")

    @override
    def export_start(self, span: Span) -> None:
        super().export_start(span)
        parent: Optional[Span] = span.parent_span
        at = span.start_event.timestamp.seconds_since_epoch - T0
        self.told.append(("start", span.name_str, parent.name_str if parent else None, at))
        self.attributes.append(dict(span.attributes.to_json()))
        self.ids.append(span.id)

    @override
    def export_stop(self, span: Span) -> None:
        super().export_stop(span)
        assert span.stop_event is not None
        self.told.append(("stop", span.name_str, span.stop_event.timestamp.seconds_since_epoch - T0))

    @override
    def export_event(self, event: Event, span: Span) -> None:
        super().export_event(event, span)
        self.told.append(("event", event.name_str, span.name_str, event.timestamp.seconds_since_epoch - T0))
        self.attributes.append(dict(event.attributes.to_json()))

    @override
    def export_error(self, event: ErrorEvent, span: Span) -> None:
        super().export_error(event, span)
        self.told.append(("error", event.error_message, span.name_str))

    @override
    def export_telemetry_data_error(self, error: TelemetryDataError) -> None:
        super().export_telemetry_data_error(error)
        self.told.append(("telemetry_data_error",))

    @override
    def close(self) -> None:
        super().close()
        self.closings += 1

    def take(self) -> list[tuple[Any, ...]]:
        taken, self.told = self.told, []
        return taken

    def spans(self) -> list[tuple[Any, ...]]:
        """What was told, without the events."""
        return [one for one in self.take() if one[0] != "event"]

    def events(self, name: str) -> list[dict[str, Any]]:
        """The attributes of all events of this name."""
        with_attributes = [one for one in self.told if one[0] in ("start", "event")]
        assert len(with_attributes) == len(self.attributes), "ask before take()"
        return [found for one, found in zip(with_attributes, self.attributes) if one[:2] == ("event", name)]


TRAINING: dict[str, Any] = {
    "perf_tag_or_fn": "tag",
    "global_batch_size_or_fn": 8,
    "log_every_n_train_iterations": 2,
}


def train_to_the_end() -> None:
    """A training of four iterations by v2's own callbacks, to the end of the application."""
    v2.on_train_start(train_iterations_start=0, train_samples_start=0)
    for _ in range(4):
        v2.on_training_single_iteration_start()
        v2.on_training_single_iteration_end()
    v2.on_train_end()
    v2.on_app_end()


def v2_config(training: Optional[dict[str, Any]] = TRAINING, **base: Any) -> OneLoggerConfig:
    """A configuration as an application writes it; ``training=None``: it knows nothing about training."""
    return OneLoggerConfig(
        application_name="app",
        session_tag_or_fn="session",
        world_size_or_fn=2,
        logger_config=LoggerConfig(log_file_path_for_info=os.devnull, log_file_path_for_err=os.devnull),
        telemetry_config=None if training is None else TrainingTelemetryConfig(**training),
        **base,
    )


def configured(*exporters: Any, training: Optional[dict[str, Any]] = TRAINING, customization: Any = None) -> Any:
    """The recorder of a provider with these exporters."""
    provider = TrainingTelemetryProvider.instance().with_base_config(v2_config(training))
    for exporter in exporters:
        provider = provider.with_exporter(exporter)
    if customization is not None:
        provider = provider.with_export_customization(*customization)
    provider.configure_provider()
    return OneLoggerProvider.instance().recorder


@pytest.fixture
def no_provider(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """v2's singletons and the shim's process as they are when one begins; an empty working directory."""
    from nv_one_logger.core.internal.singleton import SingletonMeta

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Heard, "made", [])
    new = _state.Process()
    new.hooked = _state.process.hooked
    before = _state.exchange(new)
    SingletonMeta._instances.clear()
    yield
    SingletonMeta._instances.clear()
    before.hooked = _state.exchange(before).hooked
