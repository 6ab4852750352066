"""The one off switch: every rank is a disabled rank, whatever its configuration says. Any process."""

from __future__ import annotations

import os

from ._variables import switch

OFF_SWITCH = "ONE_LOGGER_V1_DISABLED"


def switched_off() -> bool:
    """Whether it is on in this process."""
    return OFF_SWITCH in os.environ and switch(os.environ, OFF_SWITCH)
