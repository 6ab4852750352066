"""Plays one recorded job on its own clock: ``play.py GOLDEN [--v2]``.

Imports our package and the standard library only. ``--v2``: the job uses v2 itself.
"""

from __future__ import annotations

import json
import sys
import time


def decode(value):
    if isinstance(value, dict) and set(value) == {"$callable"}:
        return lambda: value["$callable"]
    if isinstance(value, dict) and set(value) == {"$sequence"}:
        items = list(value["$sequence"])
        return lambda: items.pop(0) if len(items) > 1 else items[0]
    return value


def main(path, *options):
    if "--v2" in options:
        import nv_one_logger.training_telemetry.api.callbacks  # noqa: F401
    with open(path) as file:
        job = json.load(file)
    now = [job["t0"]]
    time.time = lambda: now[0]
    time.perf_counter = lambda: now[0] - job["t0"] + 1000.0
    if job.get("target", "OneLoggerUtils") == "OneLoggerUtils":
        from one_logger_v1_shim.utils import OneLoggerUtils as Target
    else:
        from one_logger_v1_shim import OneLogger as Target
    target = Target({key: decode(value) for key, value in job["config"].items()})
    for step in job["steps"]:
        now[0] = job["t0"] + step["at"]
        arguments = [decode(value) for value in step.get("args", [])]
        getattr(target, step["call"])(
            *arguments, **{key: decode(value) for key, value in step.get("kwargs", {}).items()}
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
    places = {
        name.partition(".")[0]
        for name, module in list(sys.modules.items())
        if "site-packages" in (getattr(module, "__file__", None) or "") and not name.startswith("_distutils_hack")
    }
    print(json.dumps(sorted(places)))
