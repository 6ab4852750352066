"""NVIDIA OneLogger v1 on OneLogger v2: legacy code runs, W&B gets the rows that v1 sent.

This package is v1's ``one_logger``; :mod:`one_logger_v1_shim.utils` is v1's ``one_logger_utils``. The names of the
v2 adapter (``ConfigAdapter``, ``V1CompatibleExporter`` ...) are here too, for who asks for them: ``import *`` and
``dir`` give v1's. Importing it imports neither wandb nor v2, and nothing of the standard library: in the no-edit mode
it is imported before the program starts.

PYTEST_DONT_REWRITE: we have a pytest plugin, and pytest wants to rewrite the assertions of whoever has one; in the
no-edit mode this module is imported before pytest and pytest would warn that it cannot.
"""

import sys as _sys

if _sys.version_info < (3, 9):  # noqa: UP036
    _TOO_OLD = "one_logger_v1_shim needs Python 3.9 or newer; this is %d.%d" % _sys.version_info[:2]  # noqa: UP031
    if _sys.argv[:1] == ["-m"]:  # a command
        _sys.exit(_TOO_OLD)
    raise ImportError(_TOO_OLD)  # consumers' guards catch it

TYPE_CHECKING = False  # typing's own would import typing
if TYPE_CHECKING:
    from typing import Any

    from . import core as core
    from . import rankpulse as rankpulse
    from . import utils as utils
    from ._adapter import configure_v2_adapter as configure_v2_adapter
    from .config_adapter import ConfigAdapter as ConfigAdapter
    from .core import OneLogger as OneLogger
    from .v1_compatible_wandb_exporter import V1CompatibleExporter as V1CompatibleExporter
    from .v1_compatible_wandb_exporter import V1CompatibleWandbExporterAdapter as V1CompatibleWandbExporterAdapter
    from .v1_compatible_wandb_exporter import V1CompatibleWandbExporterAsync as V1CompatibleWandbExporterAsync
    from .v1_compatible_wandb_exporter import V1CompatibleWandbExporterSync as V1CompatibleWandbExporterSync
    from .v1_compatible_wandb_exporter import WandBConfig as WandBConfig

    __version__: str

__all__ = ["OneLogger", "rankpulse"]

# name of the v2 adapter -> module that has it
ADAPTER = {
    "ConfigAdapter": "config_adapter",
    "configure_v2_adapter": "_adapter",
    "V1CompatibleExporter": "v1_compatible_wandb_exporter",
    "V1CompatibleWandbExporterAdapter": "v1_compatible_wandb_exporter",
    "V1CompatibleWandbExporterAsync": "v1_compatible_wandb_exporter",
    "V1CompatibleWandbExporterSync": "v1_compatible_wandb_exporter",
    "WandBConfig": "v1_compatible_wandb_exporter",
}


def __getattr__(name: str) -> "Any":
    """Load what is asked for: a rank that is not enabled pays for what it uses."""
    if name in ("core", "rankpulse", "utils"):
        return getattr(__import__(f"{__name__}.{name}"), name)
    if name == "__version__":
        from ._version import VERSION

        value: Any = VERSION
    elif name == "OneLogger" or name in ADAPTER:
        home = ADAPTER.get(name, "core")
        value = getattr(__import__(f"{__name__}.{home}", fromlist=[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> "list[str]":
    return sorted({*__all__, "core", *(name for name in globals() if name.startswith("__"))})
