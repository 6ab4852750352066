"""``python -m one_logger_v1_shim COMMAND``.

A command may be called in a folder that somebody else has filled: nothing is imported from the working directory, which
``-m``, ``-c`` and an empty entry in ``PYTHONPATH`` put on the path. ``python -P`` says the same, since Python 3.11.
"""

from __future__ import annotations

import os
import sys


def leave_working_directory() -> None:
    """Take the working directory off ``sys.path``, unless ``PYTHONPATH`` has it in full."""
    try:
        here = os.getcwd()
    except OSError:  # it was removed
        here = ""
    named = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if os.path.isabs(entry)]
    asked = {here, os.path.realpath(here)} - {form for one in named for form in (one, os.path.abspath(one))}
    sys.path[:] = [one for one in sys.path if one and os.path.isabs(one) and one not in asked]


if __name__ == "__main__":
    leave_working_directory()

import importlib  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from typing import Optional  # noqa: E402

COMMANDS = {
    "run": "run a program written for v1, unedited",
    "isolate": "make an environment with wandb and v2 for the worker; the job's own stays as it is",
    "show": "a run as people want to see it: phases, progress, throughput, checkpoints",
    "goodput": "of the time that a training has cost, how much became progress that was kept?",
    "export": "the rows of runs as Parquet, CSV or JSON lines",
    "recover": "send what a killed job has left in its journal",
    "scan": "every use of v1 in a source tree, and whether it works as it stands",
    "swap": "swap v1's import paths for the shim's, and nothing else",
    "doctor": "will a job that runs here log? versions, W&B, disk, leftovers",
}


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run one command; returns its exit code."""
    if arguments is None:
        leave_working_directory()
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help"):
        print("usage: python -m one_logger_v1_shim COMMAND [...]\n")
        for name, what in COMMANDS.items():
            print(f"  {name:8} {what}")
        return 0 if given else 2
    if given[0] == "--version":
        from ._version import VERSION

        print(VERSION)
        return 0
    if given[0] not in COMMANDS:
        known = ", ".join(COMMANDS)
        print(f"one_logger_v1_shim: unknown command {given[0]!r}; expected one of: {known}", file=sys.stderr)
        return 2
    command = importlib.import_module(f"._cli.{given[0]}", __package__)
    try:
        return int(command.main(given[1:]))
    except KeyboardInterrupt:  # Ctrl-C: nothing of it is a fault of ours
        return 130


if __name__ == "__main__":
    sys.exit(main())
