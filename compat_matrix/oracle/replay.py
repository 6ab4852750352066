"""``python replay.py CALLS.json``: makes the calls of a traced program on the oracle; prints what v1 would have done.

Runs in a process of its own with this folder on the path: its ``one_logger`` is the oracle's.
"""

import json
import sys
import time

_now = [0.0]
time.time = lambda: _now[0]

from one_logger import core  # noqa: E402
from one_logger_utils import OneLoggerUtils  # noqa: E402


def _decode(value):
    if isinstance(value, dict) and set(value) == {"$sequence"}:
        items = list(value["$sequence"])
        return lambda: items.pop(0) if len(items) > 1 else items[0]
    if isinstance(value, dict):
        return {key: _decode(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_decode(one) for one in value]
    return value


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        calls = json.load(file)
    objects, refused = {}, []
    for number, call in enumerate(calls):
        _now[0] = call["at"]
        before = sum(len(one.refused) for one in core.CORES)
        try:
            arguments, keywords = _decode(call["args"]), _decode(call["kwargs"])
            if call["call"] == "__init__":
                cls = OneLoggerUtils if call["class"] == "OneLoggerUtils" else core.OneLogger
                objects[call["object"]] = cls(*arguments, **keywords)
            elif call["object"] in objects:
                getattr(objects[call["object"]], call["call"])(*arguments, **keywords)
        except Exception as error:
            refused.append([number, f"{type(error).__name__}: {error}"])
        notes = [note for one in core.CORES for note in one.refused][before:]
        refused += [[number, note] for note in notes]
    json.dump({"refused": refused, "cores": core.dump()}, sys.stdout)


main()
