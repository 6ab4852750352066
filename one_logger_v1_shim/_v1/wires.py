"""The versions of ``OneLoggerUtils`` whose rows can be sent, and which of them a process sends.

Runs in the job's process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Optional

from .._log import warn_once

#: the reference; what the others do otherwise stands where it is done, in this folder
DEFAULT = "1.0.2"
#: progress stands in the rows of iterations only, and the time of a checkpoint load is ms
OLDEST = "1.0.0"
#: an iteration is a step (``on_train_step_*``), which may have several batches, and each of the two has rows
STEPS = "1.0.3"
WIRES = (OLDEST, DEFAULT, STEPS)

VARIABLE = "ONE_LOGGER_V1_WIRE"

#: callbacks of :data:`STEPS` only
STEP_CALLBACKS = ("on_train_step_start", "on_train_step_end")


def named(environ: Mapping[str, str]) -> Optional[str]:
    """The wire that the environment names: the default if it names none; None: what it names is no wire."""
    asked = environ.get(VARIABLE, "").strip() or DEFAULT
    return asked if asked in WIRES else None


def chosen(environ: Mapping[str, str]) -> str:
    """The wire that the environment names, else the default; a name that is none is said once."""
    found = named(environ)
    if found is None:
        warn_once("wire:named", f"{VARIABLE}={environ[VARIABLE]!r}; expected {expected()}; {DEFAULT} is used")
    return found or DEFAULT


def expected() -> str:
    """The names of all wires, for messages."""
    return f"{', '.join(WIRES[:-1])} or {WIRES[-1]}"
