"""``configure_v2_adapter``: an application that uses v2's callbacks, configured by a v1 dictionary."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from nv_one_logger.api.one_logger_provider import OneLoggerProvider
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider

from ._log import warn_once
from ._v1.config import is_enabled
from ._v2.attach import configure
from .config_adapter import ConfigAdapter
from .v1_compatible_wandb_exporter import V1CompatibleExporter

__all__ = ["configure_v2_adapter"]


def configure_v2_adapter(v1_config: Mapping[str, Any]) -> None:
    """Configure v2's ``TrainingTelemetryProvider`` from a v1 configuration, with the v1-compatible exporter.

    ``one_logger_async`` (default True) chooses the exporter, ``enable_for_current_rank`` (default False) whether this
    rank records at all. Exporters of v2's own export configuration (file, environment, entry points) work beside ours.

    Raises:
        ValueError: a required key is missing or a value is bad.
    """

    config = ConfigAdapter.convert_to_v2_config(v1_config)
    if OneLoggerProvider.instance().one_logger_ready:
        if is_enabled(v1_config):
            warn_once(
                "adapter:twice", "configure_v2_adapter: v2 is configured in this process already and left as it is"
            )
        return
    if not is_enabled(v1_config):
        # No exporter, no warning that there is none, and no "Skipping execution of ..." line for each callback of each
        # of thousands of ranks.
        chatter = logging.getLogger(TrainingTelemetryProvider.__module__)
        chatter.disabled, before = True, chatter.disabled
        try:
            TrainingTelemetryProvider.instance().with_base_config(config).configure_provider()
        finally:
            chatter.disabled = before
        return
    chosen = {"project": config.application_name}
    if v1_config.get("one_logger_run_name"):
        chosen["run_name"] = str(v1_config["one_logger_run_name"])
    asynchronous = bool(v1_config.get("one_logger_async", True))
    configure(config, lambda: V1CompatibleExporter(config, async_mode=asynchronous, config=chosen).exporter)
