"""The end of the process, and its forked children: what is called then, and with which exit code. In the job's process.

A run ends in W&B as the process ended. Python tells its exit handlers nothing of a ``SystemExit``, and hooks nobody
before it: three things are put together here.

- ``sys.exit`` notes what it was told, as wandb's own does.
- Before Python looks at what ended a script it flushes the standard streams, while no Python code runs any more and the
  ``SystemExit`` is still alive: that is when it is looked for (``raise SystemExit(7)``, ``quit(2)``).
- Whether the program's outermost frame returned tells whether it was caught.

A program that is started by ``-c`` or ``-m`` is not flushed for: there ``sys.exit`` counts, and a bare
``raise SystemExit(7)`` is taken for 0.
"""

from __future__ import annotations

import atexit
import gc
import opcode
import os
import sys
import threading
from contextlib import suppress
from types import FrameType
from typing import Any, Callable, NoReturn, Optional

from .. import _state
from .._log import warn


class _Program:
    """What is known of the main program's end."""

    outermost: Optional[FrameType] = None
    code: Optional[int] = None  # of the last SystemExit in the main thread


_program = _Program()


def watch() -> None:
    """Be called when this process ends, and in its forked children. More calls do nothing."""
    process = _state.process
    if process.hooked:
        return
    process.hooked = True
    atexit.register(_at_exit)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_in_child)
    with suppress(Exception):  # an interpreter that has none of it: the exit code is 0 or 1
        _watch_program()


def at_exit(function: Callable[[], None]) -> None:
    """Call ``function`` when the process ends; in a test when its block ends."""
    taker = _state.process.taker
    if taker is not None:
        taker.at_end.append(function)
    else:
        atexit.register(function)


def not_at_exit(function: Callable[[], None]) -> None:
    """Do not call it. Nothing happens if :func:`at_exit` has not been asked for it."""
    atexit.unregister(function)
    taker = _state.process.taker
    if taker is not None and function in taker.at_end:
        taker.at_end.remove(function)


def code_of(error: Optional[BaseException]) -> int:
    """The exit code of a process that ``error`` ends; None: it ends by itself."""
    if not isinstance(error, SystemExit):
        return 0 if error is None else 1
    code = error.code
    return 0 if code is None else int(code) if isinstance(code, int) else 1


def _at_exit() -> None:
    current = _state.process.current
    if current is not None:
        try:
            current.finish(exit_code())
        except Exception as error:
            warn(f"the run could not be finished at exit ({error!r}); rows are in the journal, `recover` sends them")


def _in_child() -> None:
    """A forked child: the parent's runs stay the parent's; the child may open one of its own."""
    before = _state.process
    process = _state.Process(forked=True, taker=before.taker)
    process.said, process.tags, process.hooked = before.said, before.tags, True
    _state.exchange(process)
    if before.current is not None:
        before.current.abandon()
    for one in before.offered:
        one.abandon()


def exit_code() -> int:
    """The exit code of this process, as far as Python tells; to be asked when it ends."""
    if _has_returned():
        return 0
    # set by the interpreter when an exception ends the program
    return 1 if getattr(sys, "last_type", None) else _program.code or 0


def _watch_program() -> None:
    main = threading.main_thread().ident
    frame = sys._current_frames().get(main) if main is not None else None
    while frame is not None and frame.f_back is not None:
        frame = frame.f_back
    _program.outermost = frame
    original = sys.exit

    def exit(status: Any = None, /) -> NoReturn:
        if threading.get_ident() == main:
            _program.code = code_of(_exit_with(status))
        original(status)

    exit.__doc__ = original.__doc__
    sys.exit = exit
    stream = sys.stderr
    flush = stream.flush

    def flush_and_look() -> None:
        if sys._getframe().f_back is None:  # Python itself calls, and no code of the program is running
            with suppress(Exception):
                _look_for_exit()
        flush()

    stream.flush = flush_and_look  # type: ignore[method-assign]


def _exit_with(status: Any) -> SystemExit:
    return SystemExit(*status) if isinstance(status, tuple) else SystemExit(status)


def _look_for_exit() -> None:
    """Note the code of the ``SystemExit`` that has ended the program."""
    if threading.current_thread() is not threading.main_thread() or _program.outermost is None or _has_returned():
        return
    alive = [one for one in gc.get_objects() if issubclass(type(one), SystemExit)]
    ours = [one for one in alive if one.__traceback__ is not None and one.__traceback__.tb_frame is _program.outermost]
    if ours or alive:
        _program.code = code_of((ours or alive)[-1])


def _has_returned() -> bool:
    """Whether the program's outermost frame has ended in the ordinary way: whatever was raised in it was caught."""
    frame = _program.outermost
    if frame is None or frame.f_lasti < 0:
        return False
    return opcode.opname[frame.f_code.co_code[frame.f_lasti]].startswith("RETURN_")
