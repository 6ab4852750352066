"""v1's ``one_logger_utils.pytorch_lightning``: the shim's module of that name."""

from one_logger_v1_shim import _noedit

_noedit.show("one_logger_utils.pytorch_lightning")
