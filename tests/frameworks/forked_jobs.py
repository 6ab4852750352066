"""``python forked_jobs.py MODULE ...``: imports a training framework once; each job is a process forked from this one.

Reads a line of JSON for each job: its ``number``, ``arguments`` (the script first), ``cwd``, ``environment`` and
``output``. Answers with a line ``[number, exit code]`` for each that has ended; jobs run beside each other. The import
takes seven seconds of CPU time, a fork none. ONE_LOGGER_V1_SHIM in a job's environment is the no-edit mode there.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import sys
import tempfile
from contextlib import suppress
from typing import Any, Optional


def serve() -> Optional[str]:
    """Fork a process for each line; returns the source of the job's script there, and None here at the end."""
    lines, answers = os.fdopen(os.dup(0), "rb", buffering=0), os.fdopen(os.dup(1), "w")
    running: dict[int, int] = {}
    while True:
        if select.select([lines], [], [], 0.05)[0]:
            line = lines.readline()
            if not line:
                break
            task = json.loads(line)
            pid = os.fork()
            if pid == 0:
                return become(task)
            running[pid] = task["number"]
        while running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            print(json.dumps([running.pop(pid), os.waitstatus_to_exitcode(status)]), file=answers, flush=True)
    for pid in running:  # nobody waits for them any more
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    return None


def become(task: dict[str, Any]) -> str:
    """Be the job: its session, folder, environment, output and arguments, as ``python SCRIPT`` has them."""
    os.setsid()
    os.chdir(task["cwd"])
    os.environ.clear()
    os.environ.update(task["environment"])
    tempfile.tempdir = None
    nothing, output = (
        os.open(os.devnull, os.O_RDONLY),
        os.open(task["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
    )
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    script = task["arguments"][0]
    sys.argv[:] = task["arguments"]
    sys.path[0] = os.path.dirname(script)
    sys.modules["__main__"].__file__ = script
    if os.environ.get("ONE_LOGGER_V1_SHIM"):
        importlib.import_module("one_logger_v1_shim._noedit").install()
    with open(script, encoding="utf-8") as source:
        return source.read()


for _module in sys.argv[1:]:
    importlib.import_module(_module)
_source = serve()
if _source is not None:  # at the top, as in a script: an error ends this process as it ends an interpreter
    exec(compile(_source, sys.argv[0], "exec", dont_inherit=True))
