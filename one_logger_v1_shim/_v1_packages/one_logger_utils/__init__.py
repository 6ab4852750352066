"""v1's ``one_logger_utils``, as the no-edit mode shows it: its submodules are the shim's own modules."""

from one_logger_v1_shim import utils as _shown
from one_logger_v1_shim.utils import *  # noqa: F403

from . import core as core

__all__ = _shown.__all__
__version__ = _shown.VERSION
