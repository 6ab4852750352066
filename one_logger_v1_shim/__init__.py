"""NVIDIA OneLogger v1 on OneLogger v2: legacy code runs, W&B gets the rows that v1 sent.

This package is v1's ``one_logger``; :mod:`one_logger_v1_shim.utils` is v1's ``one_logger_utils``. The names of the
v2 adapter (``ConfigAdapter``, ``V1CompatibleExporter`` ...) are here too. Importing it imports neither wandb nor v2.

PYTEST_DONT_REWRITE: we have a pytest plugin, and pytest wants to rewrite the assertions of whoever has one; in the
no-edit mode this module is imported before pytest and pytest would warn that it can not.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._version import VERSION as __version__

if TYPE_CHECKING:
    from . import rankpulse
    from ._adapter import configure_v2_adapter
    from .config_adapter import ConfigAdapter
    from .core import OneLogger
    from .v1_compatible_wandb_exporter import (
        V1CompatibleExporter,
        V1CompatibleWandbExporterAdapter,
        V1CompatibleWandbExporterAsync,
        V1CompatibleWandbExporterSync,
        WandBConfig,
    )

__all__ = [
    "ConfigAdapter",
    "OneLogger",
    "V1CompatibleExporter",
    "V1CompatibleWandbExporterAdapter",
    "V1CompatibleWandbExporterAsync",
    "V1CompatibleWandbExporterSync",
    "WandBConfig",
    "__version__",
    "configure_v2_adapter",
    "rankpulse",
]

# name -> module that has it: a rank that is not enabled pays for what it uses
_HOMES = {
    "OneLogger": "core",
    "ConfigAdapter": "config_adapter",
    "configure_v2_adapter": "_adapter",
    "V1CompatibleExporter": "v1_compatible_wandb_exporter",
    "V1CompatibleWandbExporterAdapter": "v1_compatible_wandb_exporter",
    "V1CompatibleWandbExporterAsync": "v1_compatible_wandb_exporter",
    "V1CompatibleWandbExporterSync": "v1_compatible_wandb_exporter",
    "WandBConfig": "v1_compatible_wandb_exporter",
}


def __getattr__(name: str) -> Any:
    if name == "rankpulse":
        return importlib.import_module(".rankpulse", __name__)
    if name in _HOMES:
        value = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
