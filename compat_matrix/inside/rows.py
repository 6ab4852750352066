"""``python rows.py JOBS.jsonl OUT.jsonl``: the rows that the shim hands on for many recorded jobs, in one process.

Both files are JSON lines, one job each; OUT has, per job, its runs (project, name, rows, whether it was finished) and
what each call raised. No worker and no W&B: each job runs in a block of :mod:`one_logger_v1_shim.testing`.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from clock import VirtualClock
from recorded import replay

from one_logger_v1_shim import OneLogger, testing
from one_logger_v1_shim.utils import OneLoggerUtils


def kept(job: dict[str, Any], clock: VirtualClock) -> dict[str, Any]:
    """The runs of one job, and the results of its calls."""
    clock.now = job["t0"]
    before = dict(os.environ)
    os.environ.update(job.get("environment", {}))
    try:
        with testing.capture() as captured:
            raised = replay(job, OneLogger if job.get("target") == "OneLogger" else OneLoggerUtils, clock)
            finished = [run.finished for run in captured.runs]
    finally:
        os.environ.clear()
        os.environ.update(before)
    runs = [
        {"project": run.project, "name": run.name, "rows": run.rows, "finished": done}
        for run, done in zip(captured.runs, finished)
    ]
    return {"raised": raised, "kept": runs}


def main() -> None:
    """All jobs, one after the other."""
    clock = VirtualClock()
    clock.install()
    with open(sys.argv[1], encoding="utf-8") as jobs, open(sys.argv[2], "w", encoding="utf-8") as out:
        for line in jobs:
            out.write(json.dumps(kept(json.loads(line), clock)) + "\n")
            out.flush()


if __name__ == "__main__":
    main()
