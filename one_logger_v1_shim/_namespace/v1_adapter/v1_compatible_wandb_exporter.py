"""The exporters at the dotted path by which v2's export configuration builds them."""

from one_logger_v1_shim.v1_compatible_wandb_exporter import (
    V1CompatibleExporter,
    V1CompatibleWandbExporterAdapter,
    V1CompatibleWandbExporterAsync,
    V1CompatibleWandbExporterSync,
    WandBConfig,
)

__all__ = [
    "V1CompatibleExporter",
    "V1CompatibleWandbExporterAdapter",
    "V1CompatibleWandbExporterAsync",
    "V1CompatibleWandbExporterSync",
    "WandBConfig",
]
