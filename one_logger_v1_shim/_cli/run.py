"""``run``: a program written for v1, not a character changed."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

USAGE = """usage: python -m one_logger_v1_shim run SCRIPT [ARGS ...]
       python -m one_logger_v1_shim run -m MODULE [ARGS ...]
       python -m one_logger_v1_shim run -- COMMAND [ARGS ...]

Runs a program with ONE_LOGGER_V1_SHIM=1: in it and in its child processes
`import one_logger` and `import one_logger_utils` give the shim, unless
something else on the path provides them."""


def main(arguments: Sequence[str]) -> int:
    """Replace this process by the program; returns an exit code only when that fails."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if arguments else 2
    if arguments[0] == "--":
        command = list(arguments[1:])
        if not command:
            print(USAGE, file=sys.stderr)
            return 2
        found = shutil.which(command[0])
        if found is None:
            print(f"one_logger_v1_shim run: command not found: {command[0]}", file=sys.stderr)
            return 127
        command[0] = found
    elif arguments[0] == "-m":
        if len(arguments) < 2:
            print(USAGE, file=sys.stderr)
            return 2
        command = [sys.executable, *arguments]
    else:
        script = Path(arguments[0])
        if not script.exists():
            print(f"one_logger_v1_shim run: no such file: {script}", file=sys.stderr)
            return 2
        command = [sys.executable, *arguments]
    sys.stdout.flush()
    sys.stderr.flush()
    # exec and not runpy: signals, exit code, multiprocessing and atexit are the program's own
    return os.execve(command[0], command, environment())


def environment() -> dict[str, str]:
    """This environment with the no-edit mode on, also where no ``.pth`` file turns it on."""
    package = Path(__file__).resolve().parent.parent
    environ = {**os.environ, "ONE_LOGGER_V1_SHIM": "1"}
    if not (package.parent / "one_logger_v1_shim.pth").exists():
        entries = [str(package / "_startup"), environ.get("PYTHONPATH", "")]
        environ["PYTHONPATH"] = os.pathsep.join(entry for entry in entries if entry)
    return environ
