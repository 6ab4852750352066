"""Exceptions that the application's signal handlers raise while our code runs. Any process.

A handler runs between any two instructions of the main thread, ours included: a time limit by ``signal.alarm`` raises
where the job happens to be. So does what another thread sets (``PyThreadState_SetAsyncExc``: a trial that
``wandb.agent`` ends, time limits in threads). Such an exception is the application's and passes; our own trouble does
not.
"""

from __future__ import annotations

import sys
from types import CodeType, FrameType
from typing import Any, Optional

_PACKAGE = __name__.partition(".")[0]
_VARARGS = 4  # of inspect, which a script's own module may hide
_KNOWN = getattr(sys, "stdlib_module_names", frozenset({"subprocess", "threading", "time"})) | {"builtins", _PACKAGE}


def is_the_applications(error: BaseException) -> bool:
    """Whether ``error``, which came out of a value's methods, has to pass: a Ctrl-C does, and so does what
    :func:`raised_by_handler` says. A panic of Rust's is the value's own trouble, though it is no ``Exception``."""
    panic = type(error).__name__ == "PanicException"
    return not (isinstance(error, Exception) or panic) or raised_by_handler(error)


def raised_by_handler(error: BaseException) -> bool:
    """Whether a signal handler is among the frames that ``error`` came through, or another thread has set it."""
    signal: Any = sys.modules.get("_signal")  # a script's own signal.py may hide the other
    traceback = error.__traceback__
    if traceback is None:
        return False
    if _set_by_thread(error):
        return True
    numbers = signal.valid_signals() if signal is not None else ()
    codes = {_code(signal.getsignal(number)) for number in numbers} - {None}
    interrupted = None
    while traceback is not None:
        frame = traceback.tb_frame
        if frame.f_code in codes or _was_given(frame, interrupted):
            return True
        interrupted, traceback = frame, traceback.tb_next
    return False


def _was_given(frame: FrameType, interrupted: Optional[FrameType]) -> bool:
    """Whether ``frame`` is of a function that was called as a handler is: with a number and the frame that it
    interrupts. It may not be installed any more: one that is for once takes itself away."""
    if interrupted is None:
        return False
    code, known = frame.f_code, frame.f_locals
    given = [known.get(name) for name in code.co_varnames[: code.co_argcount]]
    if code.co_flags & _VARARGS:
        more = known.get(code.co_varnames[code.co_argcount + code.co_kwonlyargcount])
        given += more if isinstance(more, tuple) else ()
    return any(type(one) is int and two is interrupted for one, two in zip(given, given[1:]))


def _set_by_thread(error: BaseException) -> bool:
    """Python makes it of a class without arguments, in the frame where the thread happens to be: none of the
    application's, whose values may raise anything. The standard library's classes and ours are no such thing."""
    if error.args or (type(error) not in (Exception, TimeoutError) and _is_known(type(error).__module__)):
        return False
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    name = str(traceback.tb_frame.f_globals.get("__name__")) if traceback is not None else ""
    return _is_known(name)


def _is_known(module: str) -> bool:
    return module.partition(".")[0] in _KNOWN


def _code(handler: Any) -> Optional[CodeType]:
    """The code of a handler: a function, a method, a partial, an object that can be called."""
    handler = getattr(handler, "func", handler)
    handler = getattr(handler, "__func__", handler)
    code = getattr(handler, "__code__", None)
    if code is None and callable(handler):
        code = getattr(type(handler).__call__, "__code__", None)
    return code if isinstance(code, CodeType) else None
