"""``python recorded.py JOB.json OPTIONS``: makes the calls of a recorded job, at the times at which they were made.

``OPTIONS`` is JSON: ``async`` (bool or null: as recorded), ``names`` ("shim" or "v1": under which names it is
imported), ``out`` (where to write what each call raised).
"""

from __future__ import annotations

import functools
import importlib
import json
import operator
import os
import sys
from typing import Any

from clock import VirtualClock

_MODULES = {
    ("shim", "OneLogger"): "one_logger_v1_shim",
    ("shim", "OneLoggerUtils"): "one_logger_v1_shim.utils",
    ("v1", "OneLogger"): "one_logger",
    ("v1", "OneLoggerUtils"): "one_logger_utils",
}


def decode(value: Any) -> Any:
    """The golden's spelling of callables."""
    if isinstance(value, dict) and set(value) == {"$callable"}:
        constant = value["$callable"]
        return lambda: constant
    if isinstance(value, dict) and set(value) == {"$sequence"}:
        items = list(value["$sequence"])
        return lambda: items.pop(0) if len(items) > 1 else items[0]
    return value


def replay(job: dict[str, Any], cls: Any, clock: VirtualClock, asynchronous: Any = None) -> list[dict[str, Any]]:
    """Make the calls; per call what it raised, ``None`` if nothing."""
    config = {key: decode(value) for key, value in job["config"].items()}
    switch = "async" if cls.__name__ == "OneLogger" else "one_logger_async"
    if asynchronous is not None and switch in config:
        config[switch] = asynchronous
    made: list[Any] = []
    results = [attempt("__init__", lambda: made.append(cls(config=config)))]
    for step in job["steps"]:
        clock.now = job["t0"] + step["at"]
        kwargs = {key: decode(value) for key, value in step.get("kwargs", {}).items()}

        results.append(attempt(step["call"], functools.partial(made_call, made, step, kwargs)))
    return results


def made_call(made: list[Any], step: dict[str, Any], kwargs: dict[str, Any]) -> None:
    """Make the call of one step on the object in ``made``. ``one_logger.log_metrics``: of its core.

    ``guarded``: an exception in a ``with get_context_manager():`` block, in which ``args`` have been logged before.
    """
    target = made[0]
    if step["call"] == "guarded":
        with target.get_context_manager():
            target.log_metrics(*step.get("args", []))
            raise ZeroDivisionError("of the job")
    else:
        operator.attrgetter(step["call"])(target)(*step.get("args", []), **kwargs)


def attempt(name: str, call: Any) -> dict[str, Any]:
    """Call it."""
    try:
        call()
    except Exception as error:
        return {"call": name, "raises": f"{type(error).__name__}: {error}"}
    return {"call": name, "raises": None}


def main() -> None:
    """Replay one job in this process."""
    options = json.loads(sys.argv[2])
    del sys.path[0]  # this folder
    with open(sys.argv[1], encoding="utf-8") as file:
        job = json.load(file)
    os.environ.update(job.get("environment", {}))
    target = job.get("target", "OneLoggerUtils")
    cls = getattr(importlib.import_module(_MODULES[options["names"], target]), target)
    clock = VirtualClock(job["t0"])
    clock.install()
    results = replay(job, cls, clock, options["async"])
    with open(options["out"], "w", encoding="utf-8") as out:
        json.dump(results, out)
    if "uncaught" in job:
        raise RuntimeError(job["uncaught"])


if __name__ == "__main__":
    main()
