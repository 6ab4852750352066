"""``one_logger_utils`` of the oracle."""

from .core import OneLoggerUtils

__all__ = ["OneLoggerUtils"]
