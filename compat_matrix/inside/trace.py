"""``python trace.py OUT.json SCRIPT [ARGS]``: runs a program as ``__main__`` and writes down its v1 calls.

By the real clock, with the program's own arguments. Calls that the shim makes itself (``OneLoggerUtils`` uses
``OneLogger``) are not the program's, and not written down; nor are those of child processes.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import sys
import threading
import time
from typing import Any

_calls: list[dict[str, Any]] = []
_objects: dict[int, int] = {}
_keep: list[Any] = []  # an id is only an id as long as the object lives
_inside = threading.local()


def watch(cls: Any) -> None:
    """Write down calls of the public methods of ``cls``."""
    for name, function in list(vars(cls).items()):
        if callable(function) and (name == "__init__" or not name.startswith("_")) and not isinstance(function, type):
            setattr(cls, name, _watched(cls.__name__, name, function))


def _watched(cls: str, name: str, function: Any) -> Any:
    @functools.wraps(function)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if getattr(_inside, "a_call", False):
            return function(self, *args, **kwargs)
        if id(self) not in _objects:
            _objects[id(self)] = len(_objects)
            _keep.append(self)
        entry = {"class": cls, "object": _objects[id(self)], "call": name, "at": time.time(), "raised": None}
        args, kwargs = _recording(args), _recording(kwargs)
        entry["args"], entry["kwargs"] = args, kwargs
        _calls.append(entry)
        _inside.a_call = True
        try:
            return function(self, *args, **kwargs)
        except BaseException as error:
            entry["raised"] = f"{type(error).__name__}: {error}"
            raise
        finally:
            _inside.a_call = False
            entry["args"], entry["kwargs"] = _plain(args), _plain(kwargs)

    return call


class Reading:
    """A callable of a configuration: passes on what it gives and remembers it."""

    def __init__(self, function: Any) -> None:
        self._function = function
        self.given: list[Any] = []

    def __call__(self) -> Any:
        value = self._function()
        self.given.append(value)
        return value


def _recording(value: Any) -> Any:
    """The same arguments; the callables of a configuration write down what they give."""
    if isinstance(value, dict) and any(map(callable, value.values())):
        return {k: Reading(v) if callable(v) else v for k, v in value.items()}
    if isinstance(value, dict):
        return {k: _recording(v) for k, v in value.items()}
    return tuple(map(_recording, value)) if isinstance(value, tuple) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Reading):
        return value  # spelled at the end: it goes on being read
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    item = getattr(value, "item", None)  # numpy and torch scalars
    try:
        return _plain(item()) if callable(item) else {"$repr": repr(value)[:200]}
    except Exception:
        return {"$repr": repr(value)[:200]}


def _spell(value: Any) -> Any:
    if isinstance(value, Reading):
        return {"$sequence": [_plain(one) for one in value.given] or [None]}
    return repr(value)


def main() -> None:
    """Run the program."""
    out, script = sys.argv[1], os.path.abspath(sys.argv[2])
    sys.argv[:] = sys.argv[2:]
    sys.path[0] = os.path.dirname(script)
    from one_logger_v1_shim.core import OneLogger
    from one_logger_v1_shim.utils.core import OneLoggerUtils

    watch(OneLogger)
    watch(OneLoggerUtils)

    def write() -> None:
        with open(out, "w", encoding="utf-8") as file:
            json.dump(_calls, file, default=_spell)

    atexit.register(write)
    with open(script, encoding="utf-8") as source:
        code = compile(source.read(), script, "exec", dont_inherit=True)
    main_module = sys.modules["__main__"].__dict__
    main_module["__file__"] = script
    exec(code, main_module)


if __name__ == "__main__":
    main()
