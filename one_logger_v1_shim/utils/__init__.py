"""v1's ``one_logger_utils``.

The framework modules (``pytorch_lightning``, ``nemo``, ``huggingface``) are imported by name.
Runs in the job's process.
"""

from __future__ import annotations

from .core import (
    CHECKPOINT_CALLBACK_ARGS,
    MINIMAL_SCHEMA_CALLBACK_ARGS,
    THROUGHPUT_CALLBACK_ARGS,
    VERSION,
    OneLoggerUtils,
)

__all__ = [
    "CHECKPOINT_CALLBACK_ARGS",
    "MINIMAL_SCHEMA_CALLBACK_ARGS",
    "THROUGHPUT_CALLBACK_ARGS",
    "VERSION",
    "OneLoggerUtils",
]
