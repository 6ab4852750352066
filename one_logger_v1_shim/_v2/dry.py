"""Which exporters v2 would have here, for ``doctor``: their classes are imported, none is made. Runs where v2 does."""

from __future__ import annotations

import importlib
import logging
import os
from pathlib import Path
from typing import Any

import yaml
from nv_one_logger.exporter.export_config_manager import ExporterConfigManager

from .._journal.outside import read

_MOST_ALIASES = 20  # of a YAML file


def exporters() -> list[tuple[str, str]]:
    """The class of each exporter of v2's export configuration, and: ``""``, ``off``, or why it cannot be used.

    What v2 only logs about the configuration, and goes on without it, stands there, too. Raises whatever v2 raises for
    one that it cannot read.
    """
    logger, said = logging.getLogger("nv_one_logger"), _Said()
    logger.handlers[:], logger.propagate = [said], False
    _look_for_aliases()
    manager: Any = ExporterConfigManager()  # type: ignore[no-untyped-call]
    found = [(str(one.class_name), _trouble(one)) for one in manager.generate_export_config()]
    return [*found, *(("v2's export configuration", text) for text in said.texts)]


class _Said(logging.Handler):
    """What v2 warns of while it reads its configuration."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts += record.getMessage().strip().splitlines()[:1]


def _look_for_aliases() -> None:
    """Raise ``ValueError`` for a YAML file in which few bytes stand for gigabytes."""
    named = os.environ.get("ONE_LOGGER_EXPORTER_CONFIG_PATH", "")
    for path in map(Path, (named, "one_logger_exporters_config.yaml", "one_logger_exporters_config.yml")):
        if path.suffix.lower() in (".yaml", ".yml") and path.is_file():
            tokens = yaml.scan(read(path, follow=True).decode())
            if sum(isinstance(one, yaml.AliasToken) for one in tokens) > _MOST_ALIASES:
                raise ValueError(f"{path} has more than {_MOST_ALIASES} aliases")


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
