"""``ConfigAdapter``: a v1 configuration as v2's configuration object.

Its name and that of its method are those of the adapter that v2 once documented. The table that it follows is
:mod:`one_logger_v1_shim._conversion`. Runs in the job's process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ._conversion import REQUIRED, TABLE, V2Values, convert, core_values, disabled_values
from ._v1.config import V1Config, is_enabled

if TYPE_CHECKING:
    from nv_one_logger.api.config import OneLoggerConfig

__all__ = ["TABLE", "ConfigAdapter", "V2Values", "convert", "core_values"]


class ConfigAdapter:
    """Converts the dictionary that v1 took into the configuration that v2 takes."""

    @staticmethod
    def convert_to_v2_config(v1_config: Mapping[str, Any]) -> OneLoggerConfig:
        """The v2 configuration of a v1 dictionary, with its ``TrainingTelemetryConfig`` in ``telemetry_config``.

        One value is returned, as in the adapter that v2 documents; drafts of 2025 returned two.
        Callables stay callables. The dictionary is neither changed nor kept. Values that real consumers pass and
        v2 refuses (``world_size="8"``, ``-1``, ``None``) are converted.

        Raises:
            ValueError: a required key is missing, or a value is bad. The text names the key, the value and what was
                expected. The configuration of a rank that is not enabled is not validated.
            ImportError: v2 is not installed.
        """
        from ._v2.config import build

        if not isinstance(v1_config, Mapping):
            raise ValueError(f"OneLogger v1 config: {v1_config!r} ({type(v1_config).__name__}); expected a dict")
        config = dict(v1_config)
        if not is_enabled(config):
            return build(disabled_values(config), config.get)
        missing = [row.key for row in TABLE if row.default is REQUIRED and row.key not in config]
        if missing:
            raise ValueError(f"OneLogger v1 config: missing required keys {missing}")
        return build(convert(V1Config(config)), lambda key: config[key]())
