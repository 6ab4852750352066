"""The v2 exporters that send v1's rows, under the names that v2's adapter documented. Runs in the job's process.

For applications on v2's callbacks that need v1's metric names: their spans and events are translated
(:mod:`one_logger_v1_shim._v2.translation`). The rows of v1's own classes bypass these exporters, but use the same run.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from typing import Any, Optional, Union

from nv_one_logger.api.config import OneLoggerConfig
from nv_one_logger.core.event import ErrorEvent, Event, TelemetryDataError
from nv_one_logger.core.span import Span
from nv_one_logger.exporter.exporter import BaseExporter
from overrides import override

from ._job import ending
from ._job.rows import Rows, offer
from ._journal import clock
from ._journal.destination import FIELDS, WandBConfig, specification
from ._log import warn_once
from ._v1.bookkeeping import TagList
from ._v1.config import bad_value
from ._v2.passing import Passing
from ._v2.translation import Translation

__all__ = [
    "V1CompatibleExporter",
    "V1CompatibleWandbExporterAdapter",
    "V1CompatibleWandbExporterAsync",
    "V1CompatibleWandbExporterSync",
    "WandBConfig",
]


class _Thread(threading.local):
    muted = False


class V1CompatibleWandbExporterAdapter(BaseExporter):
    """v2 exporter that sends v1's rows to W&B.

    Args:
        one_logger_config: v2's configuration (project and metadata of an application that uses v2's callbacks).
        wandb_config: where the rows go.
        chosen: fields of ``wandb_config`` that were chosen and win over the environment; by default those that differ
            from the documented default.
        asynchronous: whether a callback returns before W&B has the row.

    Attributes:
        rows: the W&B run that the rows go to.
    """

    #: how the shim knows its own among v2's exporters (:func:`one_logger_v1_shim._v2.attach.ours`)
    sends_v1_rows = True

    def __init__(
        self,
        one_logger_config: OneLoggerConfig,
        wandb_config: WandBConfig,
        *,
        chosen: Optional[Mapping[str, Any]] = None,
        asynchronous: bool = True,
    ) -> None:
        super().__init__()
        self.wandb_config = wandb_config
        self.asynchronous = asynchronous
        self.rows = Rows(specification(wandb_config, chosen), asynchronous)
        self.rows.exporter = self
        self._translation = Translation(one_logger_config)
        self._tags = TagList()
        self._thread = _Thread()
        self._held = False

    # -- for the shim -------------------------------------------------------------------------------

    def hold(self) -> None:
        """Keep the run open when v2 closes its exporters: v1 code also logs after ``on_app_end``."""
        self._held = True

    def prefer_config(self) -> None:
        """Take the run's names from this exporter's configuration: v2 has that of the application."""
        self._translation.prefers_config = True

    def mute(self, muted: bool) -> None:
        """Stop (or resume) translation in this thread: the shim forwards a v1 callback and sends its rows itself."""
        self._thread.muted = muted

    @property
    def finished(self) -> bool:
        """Whether the W&B run has been finished."""
        return self.rows.finished

    def finish(self, exit_code: int = 0) -> None:
        """Send the remaining rows and finish the W&B run. Idempotent, with a time limit, never raises."""
        self.rows.finish(exit_code)

    # -- v2's interface ----------------------------------------------------------------------------------------

    @override
    def initialize(self) -> None:
        super().initialize()
        ending.watch()
        self.rows.open(v2="job")
        offer(self.rows)

    @override
    def export_start(self, span: Span) -> None:
        super().export_start(span)
        if not self._thread.muted:
            self._send(self._translation.start(span))

    @override
    def export_stop(self, span: Span) -> None:
        super().export_stop(span)
        if not self._thread.muted:
            self._send(self._translation.stop(span))

    @override
    def export_event(self, event: Event, span: Span) -> None:
        super().export_event(event, span)
        if not self._thread.muted:
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
        if rows:
            now = clock.now()
            self.rows.put(b"\n".join(self.rows.encode(row, now) for row in rows))


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


class V1CompatibleExporter(Passing):
    """Makes the exporter, sync or async, with v1's settings, and is itself an exporter for v2.

    v2's export configuration makes an object of this class by its dotted name: ``(one_logger_config=, config=dict)``.

    Args:
        one_logger_config: v2's configuration.
        async_mode: sync (``False``) or async (``True``, the default) delivery.
        config: chosen values of :class:`WandBConfig`'s fields, and ``async_mode``.

    Raises:
        ValueError: ``config`` has an unknown key or a bad value.
    """

    def __init__(
        self,
        one_logger_config: OneLoggerConfig,
        async_mode: Optional[bool] = None,
        config: Optional[Mapping[str, Any]] = None,
    ) -> None:
        chosen = dict(config or {})
        for key, value in chosen.items():
            if key not in (*FIELDS, "async_mode"):
                raise ValueError(
                    f"V1CompatibleExporter: unknown key {key!r} in config; expected some of {[*FIELDS, 'async_mode']}"
                )
            expected: Any = list if key == "tags" else bool if key == "async_mode" else str
            if value is not None and not isinstance(value, expected):
                raise bad_value(key, value, f"a {expected.__name__}")
        mode = chosen.pop("async_mode", None)
        if async_mode is None:
            async_mode = True if mode is None else mode
        chosen = {key: value for key, value in chosen.items() if value is not None}
        application = one_logger_config.application_name
        documented = {"project": application, "run_name": f"{application}-run-{uuid.uuid4()}"}
        self._one_logger_config = one_logger_config
        self._exporter_config = WandBConfig(**{**documented, **chosen})
        kind = V1CompatibleWandbExporterAsync if async_mode else V1CompatibleWandbExporterSync
        self._exporter: Union[V1CompatibleWandbExporterAsync, V1CompatibleWandbExporterSync] = kind(
            one_logger_config, self._exporter_config, chosen=chosen
        )
        super().__init__(self._exporter)

    @property
    def exporter(self) -> Union[V1CompatibleWandbExporterAsync, V1CompatibleWandbExporterSync]:
        """The exporter itself."""
        return self._exporter

    @property
    def one_logger_config(self) -> OneLoggerConfig:
        """v2's configuration, as given."""
        return self._one_logger_config

    @property
    def exporter_config(self) -> WandBConfig:
        """Where the rows go, without the environment."""
        return self._exporter_config

    @property
    def is_async(self) -> bool:
        """Whether delivery is asynchronous."""
        return self._exporter.asynchronous
