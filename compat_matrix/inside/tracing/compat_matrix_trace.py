"""Looks at the calls of v1's two classes: what was given, what was raised. Nothing that is given is replaced.

Calls that the shim makes itself (``OneLoggerUtils`` uses ``OneLogger``) are not the program's, and not written down.
"""

from __future__ import annotations

import functools
import itertools
import json
import threading
from time import time
from typing import Any, Callable, Optional


class _Thread(threading.local):
    inside: Optional[int] = None  # the object whose call this thread is in
    raised: Optional[tuple[BaseException, int]] = None  # the last error, and the call that raised it


class Tracer:
    """Writes an event for each call, for each reading of a configuration's callable, for each error of a block."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._objects: dict[int, int] = {}
        self._keep: list[Any] = []  # an id is only an id as long as the object lives
        self._numbers = itertools.count()
        self._calls = itertools.count()
        self._thread = _Thread()
        self._core: Any = None
        self._blocks: set[Any] = set()

    def see(self, module: Any) -> None:
        """``module`` has just been loaded."""
        if module.__name__.endswith("._v1.config"):
            self._watch_readings(module.V1Config)
        elif module.__name__.endswith(".utils.core"):
            self._watch(module.OneLoggerUtils)
        else:
            self._core = module.OneLogger
            self._watch(module.OneLogger)

    def _event(self, event: str, **more: Any) -> None:
        self._write(json.dumps({"event": event, **more}))

    def _number(self, one: Any) -> int:
        if id(one) not in self._objects:
            self._keep.append(one)
            self._objects[id(one)] = next(self._numbers)
        return self._objects[id(one)]

    def _watch(self, cls: Any) -> None:
        for name, function in list(vars(cls).items()):
            if (
                callable(function)
                and (name == "__init__" or not name.startswith("_"))
                and not isinstance(function, type)
            ):
                setattr(cls, name, self._watched(cls.__name__, name, function))

    def _watched(self, cls: str, name: str, function: Any) -> Any:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            thread = self._thread
            if thread.inside is not None or not args:
                return function(*args, **kwargs)
            one, call = args[0], next(self._calls)
            number = thread.inside = self._number(one)
            try:
                given = {"args": plain(args[1:]), "kwargs": plain(kwargs)}  # now: the program may change them later
                self._event("call", call=call, object=number, **{"class": cls}, name=name, at=time(), **given)
                result = function(*args, **kwargs)
                if name == "get_context_manager":
                    self._watch_blocks(type(result))
                return result
            except BaseException as error:
                thread.raised = error, call
                self._event("raised", call=call, error=f"{type(error).__name__}: {error}")
                raise
            finally:
                thread.inside = None
                self._parts(one, number)

        return call

    def _parts(self, utils: Any, number: int) -> None:
        """The core that a ``OneLoggerUtils`` has made: the program may call it, too."""
        core = getattr(utils, "__dict__", {}).get("one_logger")
        if self._core is not None and isinstance(core, self._core) and id(core) not in self._objects:
            self._event("part", object=self._number(core), of=number)

    def _watch_readings(self, cls: Any) -> None:
        read = cls.read

        @functools.wraps(read)
        def reading(config: Any, key: str) -> Any:
            value = read(config, key)
            if config.is_callable(key) and self._thread.inside is not None:
                self._event("reading", object=self._thread.inside, key=key, value=plain(value))
            return value

        cls.read = reading

    def _watch_blocks(self, cls: Any) -> None:
        if cls in self._blocks:
            return
        self._blocks.add(cls)
        leave = cls.__exit__

        @functools.wraps(leave)
        def leaving(block: Any, kind: Any, error: Any, traceback: Any) -> Any:
            swallowed = leave(block, kind, error, traceback)
            if swallowed:
                known = self._thread.raised
                call = known[1] if known is not None and known[0] is error else None
                self._event("swallowed", call=call, error=f"{type(error).__name__}: {error}")
            return swallowed

        cls.__exit__ = leaving


def plain(value: Any, depth: int = 0) -> Any:
    """``value`` as JSON has it; what JSON has not: ``{"$other": its repr}``; callables: ``{"$callable": repr}``."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, float)):
        return _number(value)
    if isinstance(value, dict) and depth < 20:
        return {str(key): plain(one, depth + 1) for key, one in value.items()}
    if isinstance(value, (list, tuple)) and depth < 20:
        return [plain(one, depth + 1) for one in value]
    if callable(value):
        return {"$callable": _shown(value)}
    try:
        return _number(value.item())  # numpy and torch scalars
    except Exception:
        return {"$other": _shown(value)}


def _number(value: Any) -> Any:
    for kind in (bool, int, float):
        if isinstance(value, kind):
            try:
                json.dumps(kind(value))  # a whole number may be too long to be written
            except ValueError:
                break
            return kind(value)
    return {"$other": f"<{type(value).__name__}>"}


def _shown(value: Any) -> str:
    try:
        return repr(value)[:200]
    except Exception as error:
        return f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
