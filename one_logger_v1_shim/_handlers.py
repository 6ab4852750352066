"""Exceptions that the application's signal handlers raise while our code runs. Any process.

A handler runs between any two instructions of the main thread, ours included: a time limit by ``signal.alarm`` raises
where the job happens to be. Such an exception is the application's and passes; our own trouble does not.
"""

from __future__ import annotations

import sys
from types import CodeType
from typing import Any, Optional


def raised_by_handler(error: BaseException) -> bool:
    """Whether one of the installed signal handlers is among the frames that ``error`` came through."""
    signal: Any = sys.modules.get("signal")
    traceback = error.__traceback__
    if signal is None or traceback is None:
        return False
    codes = {_code(signal.getsignal(number)) for number in signal.valid_signals()} - {None}
    while codes and traceback is not None:
        if traceback.tb_frame.f_code in codes:
            return True
        traceback = traceback.tb_next
    return False


def _code(handler: Any) -> Optional[CodeType]:
    """The code of a handler: a function, a method, a partial, an object that can be called."""
    handler = getattr(handler, "func", handler)
    handler = getattr(handler, "__func__", handler)
    code = getattr(handler, "__code__", None)
    if code is None and callable(handler):
        code = getattr(type(handler).__call__, "__code__", None)
    return code if isinstance(code, CodeType) else None
