"""The v2 exporter whose rows are v1's.

Two users: the shim itself, whose provider has one beside the exporters of v2's export configuration (the rows of the v1
faces do not come this way), and applications that were written for v2's callbacks and need v1's metric names, whose
spans and events are translated (:mod:`.translation`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any, Optional

from nv_one_logger.api.config import OneLoggerConfig
from nv_one_logger.core.event import ErrorEvent, Event, TelemetryDataError
from nv_one_logger.core.span import Span
from nv_one_logger.exporter.exporter import BaseExporter
from overrides import override

from .._job import telemetry
from .._job.forwarding import JOB
from .._job.rows import Rows, offer
from .._journal.destination import FIELDS, WandBConfig, specification
from .._log import warn_once
from .._v1.bookkeeping import TagList
from .translation import Translation


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
        translate: are the application's own v2 spans and events wanted as rows? The shim's own exporter has none.
        rows: the run, if it exists already.

    Attributes:
        rows: the W&B run that the rows go to.
        translates: see ``translate``.
    """

    def __init__(
        self,
        one_logger_config: OneLoggerConfig,
        wandb_config: WandBConfig,
        *,
        chosen: Optional[Mapping[str, Any]] = None,
        asynchronous: bool = True,
        translate: bool = True,
        rows: Optional[Rows] = None,
    ) -> None:
        super().__init__()
        self.wandb_config = wandb_config
        self.asynchronous = asynchronous
        self.rows = rows if rows is not None else Rows(specification(wandb_config, chosen), asynchronous)
        self.rows.exporter = self
        self._translation = Translation(one_logger_config) if translate else None
        self.translates = translate
        self._tags = TagList()
        self._thread = _Thread()
        self._lock = threading.RLock()
        self._held = False

    @classmethod
    def of(cls, rows: Rows, one_logger_config: OneLoggerConfig) -> V1CompatibleWandbExporterAdapter:
        """The shim's own exporter, for the run of a v1 face: it translates nothing."""
        known = {key: value for key, value in {**rows.spec.default, **rows.spec.chosen}.items() if key in FIELDS}
        return cls(one_logger_config, WandBConfig(**known), asynchronous=rows.asynchronous, translate=False, rows=rows)

    # -- for the shim's listener -------------------------------------------------------------------------------

    def hold(self) -> None:
        """Keep the run open when v2 closes its exporters: v1 code logs after ``on_app_end`` too."""
        self._held = True

    def mute(self, muted: bool) -> None:
        """No translation in this thread from now on: the shim forwards a v1 callback, and sends its rows itself."""
        self._thread.muted = muted

    @property
    def finished(self) -> bool:
        """Whether the W&B run has been finished."""
        return self.rows.finished

    def finish(self, exit_code: int = 0) -> None:
        """Drain and finish the W&B run. Idempotent, bounded, never raises."""
        self.rows.finish(exit_code)

    # -- v2's interface ----------------------------------------------------------------------------------------

    @override
    def initialize(self) -> None:
        super().initialize()
        telemetry.hook()
        self.rows.open(v2=JOB)
        offer(self.rows)

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
        super().export_event(event, span)
        if self._translation is not None and not self._thread.muted:
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
                self.rows.put(self.rows.encode(row, time.time()))


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
