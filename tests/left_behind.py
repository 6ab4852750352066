"""What a run of the tests, or of CI, has left behind: processes, and entries of its temp folder.

The run gets a temp folder of its own. Every process that it starts, directly or not, inherits the variables that name
it, so a process whose environment has one of them is the run's. Also a command, for ``.ci/run``:

    python -m tests.left_behind FOLDER     exit code 1 and one line for each thing that is left
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from one_logger_v1_shim._journal.process_table import stat

#: names the folder of the run where a test has set another ``TMPDIR``
VARIABLE = "LEFT_BEHIND_BY"

#: prefix of the folder of the last run that failed
KEPT = "failed-"

#: seconds in which processes may end by themselves: a worker finishes its run after the job
PATIENCE = 30.0

#: what other programs leave in a temp folder, and a test cannot keep them from it
_FOREIGN = re.compile(
    r"pytest-of-.*"  # pytest's own: it keeps the folders of failed tests
    r"|wandb-\d+-\d+-\d+|tmp\w+wandb-(artifacts|media)|wandb_gpu_stats-.*"  # of wandb processes that a test has killed
    r"|torchinductor_.*|torchelastic_.*"  # torch and torchrun
    r"|tmp\w+cacert\.pem"  # the ensurepip of 3.9, which runs pip from a zip file
    r"|uv-[\w-]+\.lock|hsperfdata_.*|\.?org\.chromium\..*"
)


@dataclass(frozen=True)
class Process:
    """A process of this run that is still there."""

    pid: int
    command: str


def processes(folder: Path) -> list[Process]:
    """Processes whose temp folder is ``folder`` or lies in it, without this one and its ancestors."""
    wanted = tuple(f"{name}={folder}".encode() for name in ("TMPDIR", VARIABLE))
    family = _ancestors()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) in family:
            continue
        try:
            environment = (entry / "environ").read_bytes().split(b"\0")
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:  # it has ended, or it is another user's
            continue
        if command and any(line.startswith(wanted) for line in environment):  # a zombie has no command
            found.append(Process(int(entry.name), command))
    return found


def _ancestors() -> set[int]:
    family, pid = set(), os.getpid()
    while pid > 0:
        family.add(pid)
        try:
            pid = int(stat(pid)[1])
        except OSError:
            break
    return family


def entries(folder: Path) -> list[str]:
    """Names in ``folder`` that are of this project's making."""
    return sorted(entry.name for entry in folder.iterdir() if not _FOREIGN.fullmatch(entry.name))


def left(folder: Path) -> list[str]:
    """One line for each thing that is left; waits for processes that are about to end, and ends those that stay."""
    deadline = time.monotonic() + PATIENCE
    running = processes(folder)
    while running and time.monotonic() < deadline:
        time.sleep(0.2)  # processes of other parents: nothing tells when they end
        running = processes(folder)
    for process in running:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    lines = [f"process {process.pid} is left: {process.command[:200]}" for process in running]
    return lines + [f"{folder / name} is left" for name in entries(folder)]


def keep(folder: Path) -> Path:
    """Keep the folder of a failed run, to be looked at, in place of the one before; returns where it is now."""
    for older in folder.parent.glob(f"{KEPT}*"):
        if older.stat().st_uid == os.getuid():
            shutil.rmtree(older, ignore_errors=True)
    return folder.rename(folder.with_name(f"{KEPT}{folder.name}"))


def main(arguments: list[str]) -> int:
    """0: nothing is left; 1: something is, each on a line; 2: the call is wrong."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print("usage: python -m tests.left_behind FOLDER", file=sys.stderr)
        return 2
    lines = left(Path(arguments[0]))
    for line in lines:
        print(line, file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
