"""``python replay.py CALLS.json``: makes the calls of a traced process on the oracle; prints what v1 would have done.

Runs in a process of its own with this folder on the path: its ``one_logger`` is the oracle's.
"""

import json
import sys
import time

_now = [0.0]
time.time = lambda: _now[0]

from one_logger import core  # noqa: E402
from one_logger_utils import OneLoggerUtils  # noqa: E402


def _callable(values):
    items = list(values) or [None]
    return lambda: items.pop(0) if len(items) > 1 else items[0]


def _config(given, readings):
    """A configuration: its callables give what the program's gave."""
    if not isinstance(given, dict):
        return given
    return {
        key: _callable(readings.get(key, ())) if isinstance(value, dict) and set(value) == {"$callable"} else value
        for key, value in given.items()
    }


class _Replay:
    def __init__(self, events):
        self._objects = {}
        self.refused = []
        self._readings = {}
        for event in events:
            if event["event"] == "reading":
                self._readings.setdefault(event["object"], {}).setdefault(event["key"], []).append(event["value"])
        for event in events:
            if event["event"] == "call":
                self._call(event)
            elif event["event"] == "part":
                # None: v1's constructor has raised, or this rank is disabled
                self._objects[event["object"]] = getattr(self._objects.get(event["of"]), "one_logger", None)

    def _call(self, event):
        _now[0] = event["at"]
        before = sum(len(one.refused) for one in core.CORES)
        args, kwargs = event["args"], event["kwargs"]
        try:
            if event["name"] == "__init__":
                readings = self._readings.get(event["object"], {})
                cls = OneLoggerUtils if event["class"] == "OneLoggerUtils" else core.OneLogger
                args = [_config(one, readings) for one in args]
                self._objects[event["object"]] = cls(*args, **{k: _config(v, readings) for k, v in kwargs.items()})
            elif self._objects.get(event["object"]) is not None:
                getattr(self._objects[event["object"]], event["name"])(*args, **kwargs)
        except Exception as error:
            self.refused.append([event["call"], f"{type(error).__name__}: {error}"])
        notes = [note for one in core.CORES for note in one.refused][before:]
        self.refused += [[event["call"], note] for note in notes]


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        replay = _Replay(json.load(file))
    json.dump({"refused": replay.refused, "cores": core.dump()}, sys.stdout)


main()
