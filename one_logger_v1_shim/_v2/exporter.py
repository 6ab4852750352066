"""The v2 exporter whose rows are v1's: the only door from v2 to the delivery.

Two users: the shim itself, whose rows arrive ready-made as events, and applications that were written for v2's
callbacks and need v1's metric names, whose spans and events are translated (:mod:`.translation`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Optional

from nv_one_logger.api.config import OneLoggerConfig
from nv_one_logger.core.event import ErrorEvent, Event, TelemetryDataError
from nv_one_logger.core.span import Span
from nv_one_logger.exporter.exporter import BaseExporter
from overrides import override

from .. import _delivery
from .._log import warn_once
from .._v1.bookkeeping import Bookkeeping, TagList
from .._version import VERSION
from .row_event import RowEvent
from .translation import Translation

DEFAULT_ENTITY = "hwinf_dcm"
DEFAULT_HOST = "https://api.wandb.ai"
DEFAULT_TAGS = ("e2e_metrics_enabled",)
DEFAULT_SAVE_DIR = "./wandb"


@dataclass
class WandBConfig:
    """Where the rows go. ``api_key`` is never shown.

    What stands here as a documented default loses to the environment (``WANDB_ENTITY``, ``WANDB_PROJECT``,
    ``WANDB_DIR``, ``WANDB_API_KEY``, ``WANDB_BASE_URL`` ...); what was chosen wins over it.
    """

    entity: str = DEFAULT_ENTITY
    project: str = "e2e-tracking"
    run_name: Optional[str] = None
    host: str = DEFAULT_HOST
    api_key: str = field(default="", repr=False)
    tags: list[str] = field(default_factory=lambda: list(DEFAULT_TAGS))
    save_dir: str = DEFAULT_SAVE_DIR


_READY = BaseExporter._State.READY

FIELDS = tuple(one.name for one in fields(WandBConfig))


class _Thread(threading.local):
    muted = False


class V1CompatibleWandbExporterAdapter(BaseExporter):
    """v2 exporter that sends v1's rows to W&B.

    Args:
        one_logger_config: v2's configuration (project and metadata of an application that uses v2's callbacks).
        wandb_config: where the rows go.
        chosen: fields of ``wandb_config`` that somebody chose; by default those that differ from the documented
            default. They win over the environment.
        asynchronous: does a callback return before W&B has the row?
        translate: are the application's own v2 spans and events wanted as rows? The shim sends rows only.
    """

    def __init__(
        self,
        one_logger_config: OneLoggerConfig,
        wandb_config: WandBConfig,
        *,
        chosen: Optional[Mapping[str, Any]] = None,
        asynchronous: bool = True,
        translate: bool = True,
    ) -> None:
        super().__init__()
        values = {name: getattr(wandb_config, name) for name in FIELDS}
        documented = {one: getattr(WandBConfig(), one) for one in FIELDS}
        if chosen is None:
            chosen = {name: value for name, value in values.items() if value != documented[name]}
        default = {name: value for name, value in values.items() if name not in chosen}
        self._spec = _delivery.RunSpec(chosen=dict(chosen), default=default)
        self.wandb_config = wandb_config
        self.asynchronous = asynchronous
        self.bookkeeping = Bookkeeping(VERSION)
        self._translation = Translation(one_logger_config) if translate else None
        self.translates = translate
        self._tags = TagList()
        self._sink: Optional[_delivery.Sink] = None
        self._thread = _Thread()
        self._lock = threading.RLock()
        self._held = False
        self.tags_sent = False
        self.finished = False
        #: added to the recorder of a provider that the application configured
        self.attached = False

    # -- for the shim's connection -----------------------------------------------------------------------------

    def deliver(self, row: bytes) -> None:
        """Send a row (one line of JSON) without a detour through v2."""
        if self._sink is not None:
            self._sink.put(row)

    def hold(self) -> None:
        """Keep the run open when v2 closes its exporters: v1 code logs after ``on_app_end`` too."""
        self._held = True

    def mute(self, muted: bool) -> None:
        """No translation in this thread from now on: the shim forwards a v1 callback, and sends its rows itself."""
        self._thread.muted = muted

    def finish(self, exit_code: int = 0) -> None:
        """Drain and finish the W&B run. Idempotent, bounded, never raises."""
        self.finished = True
        if self._sink is not None:
            self._sink.finish(exit_code)

    def abandon(self) -> None:
        """In a forked child: never touch the parent's run."""
        if self._sink is not None:
            self._sink.abandon()

    # -- v2's interface ----------------------------------------------------------------------------------------

    @override
    def initialize(self) -> None:
        super().initialize()
        if self._sink is None:
            self._sink = _delivery.open_sink(self._spec, asynchronous=self.asynchronous)

    @override
    def export_start(self, span: Span) -> None:
        super().export_start(span)
        if self._translation is not None and not self._thread.muted:
            self._send(self._translation.start(span))

    @override
    def export_stop(self, span: Span) -> None:
        super().export_stop(span)
        if self._translation is not None and not self._thread.muted:
            self._send(self._translation.stop(span))

    @override
    def export_event(self, event: Event, span: Span) -> None:
        if self._state is not _READY:  # v2's check compares Enum members one by one, at every row
            super().export_event(event, span)
        if type(event) is RowEvent:
            self.deliver(event.row)
            event.taken = True
        elif self._translation is not None and not self._thread.muted:
            rows, tag = self._translation.event(event)
            if tag is not None and self._tags.add(tag):
                rows = [self._tags.row(), *rows]
            self._send(rows)

    @override
    def export_error(self, event: ErrorEvent, span: Span) -> None:
        super().export_error(event, span)  # v1 had no metric for errors

    @override
    def export_telemetry_data_error(self, error: TelemetryDataError) -> None:
        super().export_telemetry_data_error(error)
        warn_once("v2:telemetry", f"v2 reports: {error.attributes.to_json().get('error_message')}")

    @override
    def close(self) -> None:
        super().close()
        if not self._held:
            self.finish()

    def _send(self, rows: list[dict[str, Any]]) -> None:
        with self._lock:
            for row in rows:
                self.deliver(_delivery.encode(self.bookkeeping.complete(row, time.time())))


class V1CompatibleWandbExporterSync(V1CompatibleWandbExporterAdapter):
    """Each callback returns when its row has been given to W&B."""

    def __init__(
        self,
        one_logger_config: OneLoggerConfig,
        wandb_config: WandBConfig,
        *,
        chosen: Optional[Mapping[str, Any]] = None,
    ) -> None:
        super().__init__(one_logger_config, wandb_config, chosen=chosen, asynchronous=False)


class V1CompatibleWandbExporterAsync(V1CompatibleWandbExporterAdapter):
    """Callbacks return at once; rows follow in order."""

    def __init__(
        self,
        one_logger_config: OneLoggerConfig,
        wandb_config: WandBConfig,
        *,
        chosen: Optional[Mapping[str, Any]] = None,
    ) -> None:
        super().__init__(one_logger_config, wandb_config, chosen=chosen, asynchronous=True)


V1Exporter = V1CompatibleWandbExporterAdapter
