"""``one_logger`` of the oracle."""

from . import rankpulse
from .core import OneLogger

__all__ = ["OneLogger", "rankpulse"]
