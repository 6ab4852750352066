"""``python many.py``: makes the calls of many recorded jobs, each one in a fresh process.

Reads a line of JSON for each job: ``job`` (its file), ``cwd``, ``log`` (the job's standard output and error), ``out``
and ``options`` as for ``recorded.py``. Answers with the exit code, a line each. The process of a job is forked
from this one, which has imported the shim and v2 and used neither: that takes a tenth of an interpreter's time.
"""

from __future__ import annotations

import importlib
import json
import os
import sys

import recorded

#: what a job imports anyway
_MODULES = (
    "one_logger_v1_shim.core",
    "one_logger_v1_shim.utils",
    "one_logger_v1_shim.v1_compatible_wandb_exporter",
    "nv_one_logger.training_telemetry.api.training_telemetry_provider",
)


def main() -> None:
    """Fork a process for each line; returns in that process too, so that it ends as an interpreter ends."""
    for name in _MODULES:
        importlib.import_module(name)
    with open(os.dup(0), encoding="utf-8") as lines, open(os.dup(1), "w", encoding="utf-8") as answers:
        for line in iter(lines.readline, ""):
            task = json.loads(line)
            pid = os.fork()
            if pid == 0:
                become(task)
                return
            _, status = os.waitpid(pid, 0)
            print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


def become(task: dict[str, str]) -> None:
    """Be the job: its folder, its output, its arguments, its calls."""
    os.chdir(task["cwd"])
    nothing, log = os.open(os.devnull, os.O_RDONLY), os.open(task["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.argv[1:] = [task["job"], task["options"]]
    recorded.main()


if __name__ == "__main__":
    main()
