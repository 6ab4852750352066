"""v1's ``one_logger``, as the no-edit mode shows it: ``core`` and ``rankpulse`` are the shim's own modules."""

from one_logger_v1_shim.core import OneLogger

from . import core as core
from . import rankpulse

__all__ = ["OneLogger", "rankpulse"]

__version__ = "1.0.2"


def __getattr__(name: str) -> object:
    """The names of the v2 adapter, which v1 had not: only if somebody asks for one."""
    import one_logger_v1_shim

    if name in one_logger_v1_shim.ADAPTER:
        return getattr(one_logger_v1_shim, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
