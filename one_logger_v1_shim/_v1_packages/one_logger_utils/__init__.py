"""v1's ``one_logger_utils``, as the no-edit mode shows it: its submodules are the shim's own modules."""

from one_logger_v1_shim.utils import (
    CHECKPOINT_CALLBACK_ARGS,
    MINIMAL_SCHEMA_CALLBACK_ARGS,
    THROUGHPUT_CALLBACK_ARGS,
    VERSION,
    OneLoggerUtils,
)

from . import core as core

__all__ = [
    "CHECKPOINT_CALLBACK_ARGS",
    "MINIMAL_SCHEMA_CALLBACK_ARGS",
    "THROUGHPUT_CALLBACK_ARGS",
    "VERSION",
    "OneLoggerUtils",
]

__version__ = VERSION
