"""``python record_jobs.py JOBS.json OUT.json``: what v1 sends for each call of jobs that have no ``expect`` yet.

Both files are JSON lines, one job each; OUT has, per job, its ``expect``, the project and name of its run, and what
its first row has of SLURM. Runs in a process of its own with this folder and ``inside/`` on the path: its
``one_logger`` is the oracle's.
"""

import functools
import json
import os
import sys

from clock import VirtualClock
from one_logger import core
from one_logger_utils import OneLoggerUtils
from one_logger_utils.core import VERSION
from recorded import attempt, decode, made_call


def record(job, clock):
    """The calls of one job, one after the other."""
    core.CORES.clear()
    os.environ["ONE_LOGGER_V1_WIRE"] = job.get("environment", {}).get("ONE_LOGGER_V1_WIRE", VERSION)
    clock.now = job["t0"]
    cls = core.OneLogger if job.get("target") == "OneLogger" else OneLoggerUtils
    config = {key: decode(value) for key, value in job["config"].items()}
    made, expect, sent = [], [], 0
    construction = {"at": 0, "call": "__init__"}
    for step in [construction, *job["steps"]]:
        clock.now = job["t0"] + step["at"]
        kwargs = {key: decode(value) for key, value in step.get("kwargs", {}).items()}
        if step is construction:
            result = attempt("__init__", lambda: made.append(cls(config=config)))
        else:
            result = attempt(step["call"], functools.partial(made_call, made, step, kwargs))
        emits = [emit for one in core.CORES for emit in one.emits]
        entry = {"call": step["call"], "emits": emits[sent:]}
        if result["raises"]:
            entry["raises"] = result["raises"].partition(":")[0]
        expect.append(entry)
        sent = len(emits)
        if not made:
            break
    runs = [{"project": one.project, "name": one.name} for one in core.CORES]
    return {"expect": expect, "runs": runs, "first_row": core.first_row(job.get("environment", {}))}


def main():
    clock = VirtualClock()
    clock.install()
    with open(sys.argv[1], encoding="utf-8") as jobs, open(sys.argv[2], "w", encoding="utf-8") as out:
        for line in jobs:
            out.write(json.dumps(record(json.loads(line), clock)) + "\n")


if __name__ == "__main__":
    main()
