"""The library that ``scan`` and ``swap`` read Python with: the extra ``migrate``."""

from __future__ import annotations

import importlib.util
import sys


def has_libcst(command: str) -> bool:
    """Whether it is installed; if not, one line says how to install it."""
    if importlib.util.find_spec("libcst") is not None:
        return True
    needs = "needs libcst, which is not installed: python -m pip install 'one-logger-v1-shim[migrate]'"
    print(f"one_logger_v1_shim {command}: {needs}", file=sys.stderr)
    return False
