"""Which exporters v2 would have here, for ``doctor``: their classes are imported, none is made. Runs where v2 does."""

from __future__ import annotations

import importlib
import logging
from typing import Any

from nv_one_logger.exporter.export_config_manager import ExporterConfigManager


def exporters() -> list[tuple[str, str]]:
    """The class of each exporter of v2's export configuration, and: ``""``, ``off``, or why it cannot be used.

    Raises whatever v2 raises for a configuration that it cannot read.
    """
    logging.getLogger("nv_one_logger").setLevel(logging.CRITICAL + 1)
    manager: Any = ExporterConfigManager()  # type: ignore[no-untyped-call]
    return [(str(one.class_name), _trouble(one)) for one in manager.generate_export_config()]


def _trouble(config: Any) -> str:
    if not config.enabled:
        return "off"
    module, _, name = str(config.class_name).rpartition(".")
    try:
        getattr(importlib.import_module(module), name)
    except Exception as error:
        lines = str(error).strip().splitlines()
        return ": ".join([type(error).__name__, *lines[:1]])
    return ""
