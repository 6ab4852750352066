"""The v1 adapter at the dotted path where v2 looks for it. Everything lives in :mod:`one_logger_v1_shim`."""

from one_logger_v1_shim import (
    ConfigAdapter,
    V1CompatibleExporter,
    V1CompatibleWandbExporterAdapter,
    V1CompatibleWandbExporterAsync,
    V1CompatibleWandbExporterSync,
    WandBConfig,
    configure_v2_adapter,
)

__all__ = [
    "ConfigAdapter",
    "V1CompatibleExporter",
    "V1CompatibleWandbExporterAdapter",
    "V1CompatibleWandbExporterAsync",
    "V1CompatibleWandbExporterSync",
    "WandBConfig",
    "configure_v2_adapter",
]
