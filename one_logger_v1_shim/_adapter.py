"""``configure_v2_adapter``: a v1 dictionary configures an application that uses v2's callbacks.

Runs in the job's process.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from nv_one_logger.api.one_logger_provider import OneLoggerProvider
from nv_one_logger.exporter.exporter import Exporter
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider

from . import _state
from ._job.rows import offered
from ._log import warn_once
from ._v1.config import is_enabled
from ._v2.attach import begin, configure, join
from ._v2.beside import until_configured
from .config_adapter import ConfigAdapter
from .v1_compatible_wandb_exporter import V1CompatibleExporter

__all__ = ["configure_v2_adapter"]


def configure_v2_adapter(v1_config: Mapping[str, Any]) -> None:
    """Configure v2's ``TrainingTelemetryProvider`` from a v1 configuration, with the v1-compatible exporter.

    ``one_logger_async`` (default True) chooses the exporter. ``enable_for_current_rank`` (default False) says whether
    this rank records at all. Exporters of v2's own export configuration (file, environment, entry points) work, too.

    If the application also configures v2 (NeMo's callback does), before or after this call, v2 has the application's
    configuration and our exporter; values about the training that it does not have come from ``v1_config``.

    Raises:
        ValueError: a required key is missing or a value is bad.
    """

    config = ConfigAdapter.convert_to_v2_config(v1_config)
    ready = OneLoggerProvider.instance().one_logger_ready
    if not is_enabled(v1_config):
        if ready:
            return
        # No exporter, no warning that there is none, and no "Skipping execution of ..." line for each callback of each
        # of thousands of ranks.
        chatter = logging.getLogger(TrainingTelemetryProvider.__module__)
        chatter.disabled, before = True, chatter.disabled
        try:
            provider = begin(config)
            if provider is not None:
                provider.configure_provider()
                until_configured(lambda: True, lambda: None)
        finally:
            chatter.disabled = before
        return
    chosen = {"project": config.application_name}
    if v1_config.get("one_logger_run_name"):
        chosen["run_name"] = str(v1_config["one_logger_run_name"])
    asynchronous = bool(v1_config.get("one_logger_async", True))

    def make() -> Exporter:
        return V1CompatibleExporter(config, async_mode=asynchronous, config=chosen).exporter

    if not ready:
        configure(config, make)
    elif not _has_a_run():
        join(config, make())


def _has_a_run() -> bool:
    """Whether this process sends v1's rows already, which then are not sent a second time. Said in one line."""
    current = _state.process.current
    if offered() is None and (current is None or current.finished):
        return False
    who = "a v1-compatible exporter" if offered() is not None else "OneLogger or OneLoggerUtils"
    warn_once(
        "adapter:twice", f"configure_v2_adapter: {who} sends v1's rows in this process already, and is left alone"
    )
    return True
