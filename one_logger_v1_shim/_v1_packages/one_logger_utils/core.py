"""v1's ``one_logger_utils.core``: the shim's module of that name."""

from one_logger_v1_shim import _noedit

_noedit.show("one_logger_utils.core")
