"""``ConfigAdapter`` at v2's dotted path; see :mod:`one_logger_v1_shim.config_adapter`."""

from one_logger_v1_shim.config_adapter import ConfigAdapter

__all__ = ["ConfigAdapter"]
