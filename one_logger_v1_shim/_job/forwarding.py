"""Where v2 hears v1's calls: in the job's process, or in the worker's. Decided when the run is opened.

The rule, first match wins (the README has it as a table):

0. a test takes the run (:mod:`one_logger_v1_shim.testing`): ``job``, or ``none`` where it could not load v2;
1. the application has imported v2 in this process: ``job``;
2. ``ONE_LOGGER_V1_FORWARD`` says it;
3. inline delivery: ``job``, as there is no worker;
4. the worker has an interpreter of its own (``ONE_LOGGER_V1_PYTHON``, ``isolate``): ``worker``;
5. v2 can be imported here: ``job``; else ``worker``.
"""

from __future__ import annotations

import importlib.util
import os
import sys

from .._log import warn_once
from .._variables import choice
from . import capture
from .interpreter import find
from .open import delivery

JOB, WORKER, NONE = "job", "worker", "none"

# v2's modules; our own portion of its namespace package (nv_one_logger.training_telemetry.v1_adapter) is none of them
_V2 = ("nv_one_logger.api", "nv_one_logger.core", "nv_one_logger.training_telemetry.api")


def where() -> str:
    """``job`` or ``worker``; in a test ``job`` or ``none``."""
    return decide()[0]


def decide() -> tuple[str, str]:
    """What :func:`where` gives, and why."""
    if capture.active is not None:
        return (JOB if capture.active.hears_v2 else NONE), "a test takes the run"
    if any(name in sys.modules for name in _V2):
        return JOB, "the application has imported v2"
    asked = choice(os.environ, "ONE_LOGGER_V1_FORWARD")
    if asked in (JOB, WORKER):
        return asked, f"ONE_LOGGER_V1_FORWARD={asked}"
    if asked:
        warn_once("forward", f"ONE_LOGGER_V1_FORWARD={asked!r}; expected job or worker; it is ignored")
    if delivery() == "inline":
        return JOB, "inline delivery has no worker"
    interpreter = find(os.environ)
    if interpreter is not None and interpreter.isolated:
        return WORKER, f"the worker has an interpreter of its own ({interpreter.origin})"
    if is_installed():
        return JOB, "v2 is installed here"
    return WORKER, "v2 is not installed here"


def is_installed() -> bool:
    """Whether v2 is here, as far as can be told without importing it."""
    try:
        return all(importlib.util.find_spec(name) is not None for name in (_V2[0], _V2[2]))
    except (ImportError, ValueError, AttributeError):
        return False
