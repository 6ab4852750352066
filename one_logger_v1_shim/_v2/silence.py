"""What v2 logs about calls of ours does not reach the job's log. Runs where v2 does.

v2 logs by loggers named after its modules. Each gets a filter that looks at who has called v2, and only when v2 has
something to say: records about the application's own v2 calls pass untouched.
"""

from __future__ import annotations

import logging
import sys
from types import FrameType
from typing import Optional

from .._log import warn_once

_V2 = "nv_one_logger"
# Nobody else's code calls v2 below these: a frame of theirs means that the call is ours.
_OURS = ("one_logger_v1_shim._v2.", "one_logger_v1_shim._adapter")
# ... but here, where the application's own calls pass through.
_PASSING = (__name__, "one_logger_v1_shim._v2.beside", "one_logger_v1_shim._v2.passing")
_MOST_FRAMES = 200
_NO_TROUBLE = (
    "The parent of span",  # v1 knew no nesting of phases: a validation that was cut short is no error of the job's
    "No exporters were provided",  # v2 with the worker, and no export configuration: nobody wants to hear it
)


class _OursStayHere(logging.Filter):
    """Takes the records that v2 makes while we call it."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not _is_ours(sys._getframe(1)):
            return True
        if record.levelno >= logging.WARNING:
            text = record.getMessage().partition("\n")[0]
            if not text.startswith(_NO_TROUBLE):
                warn_once(f"v2:log:{record.name}:{record.lineno}", f"v2 reports: {text}; v1 rows are not affected")
        return False


_FILTER = _OursStayHere()


def install() -> None:
    """Put the filter on the loggers of v2's modules that are loaded; to be called again when more may be."""
    for name in list(sys.modules):
        if name == _V2 or name.startswith(f"{_V2}."):
            one = logging.getLogger(name)
            if _FILTER not in one.filters:
                one.addFilter(_FILTER)


def _is_ours(frame: Optional[FrameType]) -> bool:
    """Whether v2 is called by this package, nearer to the call than ``_MOST_FRAMES``."""
    for _ in range(_MOST_FRAMES):
        if frame is None:
            return False
        name = str(frame.f_globals.get("__name__"))
        if name.startswith(_OURS) and name not in _PASSING:
            return True
        frame = frame.f_back
    return False
