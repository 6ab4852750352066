"""Jobs in processes of their own, and what they leave behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional

from compat_matrix.wandb_file import StoredRun, read
from one_logger_v1_shim._journal.process_table import stat
from tests.support import clean_environment

#: what every job begins with; ``wait_for`` and ``say_so`` let a test step in at a known place
BEGIN = """
import json, os, signal, sys, threading, time
from one_logger_v1_shim import OneLogger

def one_logger(asynchronous=True):
    return OneLogger({"project": "delivery", "name": "job", "async": asynchronous})

def log(one, count, start=0):
    for i in range(start, start + count):
        one.log_metrics({"i": i})

def say_so(name):
    open(name, "w").close()

def wait_for(name):
    limit = time.monotonic() + 60
    while not os.path.exists(name) and time.monotonic() < limit:
        time.sleep(0.02)
"""


#: how wandb is started in a printed command
WANDB = r"wandb|\S+/bin/python -m wandb"

# Short, and long enough for a slow machine to bring wandb up.
LIMITS = {
    "ONE_LOGGER_V1_CONNECT_TIMEOUT": "2",
    "ONE_LOGGER_V1_INIT_TIMEOUT": "6",
    "ONE_LOGGER_V1_SYNC_TIMEOUT": "40",
    "ONE_LOGGER_V1_FINISH_TIMEOUT": "60",
    "ONE_LOGGER_V1_DRAIN_TIMEOUT": "8",
}


@dataclass
class Result:
    """What a job did."""

    home: Path
    code: int
    out: str
    err: str
    seconds: float

    @property
    def lines(self) -> list[str]:
        """What the log said, but for its patience: how long W&B takes to come up is the machine's affair."""
        return [line for line in self.err.splitlines() if not line.startswith("waiting for W&B: ")]

    def runs(self) -> list[StoredRun]:
        return stored(self.home)

    def values(self) -> list[int]:
        """``i`` of all rows that W&B has in its files, in their order."""
        return [row["i"] for run in self.runs() for row in run.rows if "i" in row]


class Job:
    """A job that runs; :meth:`end` waits for it, and for what it started."""

    def __init__(
        self,
        code: str,
        home: Path,
        env: Optional[Mapping[str, Optional[str]]] = None,
        options: tuple[str, ...] = (),
        begin: str = "",
        command: Optional[list[str]] = None,
    ) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        (home / "job.py").write_text(begin + BEGIN + code)
        self._out, self._err = (home / "job.out").open("w"), (home / "job.err").open("w")
        self._began = time.monotonic()
        wanted = {"WANDB_MODE": "offline", **LIMITS, **(env or {})}  # None: the variable is not set
        self.process = subprocess.Popen(
            command or [sys.executable, *options, "job.py"],
            cwd=home,
            env=clean_environment(home, {key: value for key, value in wanted.items() if value is not None}),
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=self._err,
            start_new_session=True,
        )

    def wait_for(self, name: str) -> None:
        """Until the job has said so."""
        until(lambda: (self.home / name).exists() or self.process.poll() is not None, f"{name} in {self.home}")

    def go_on(self, name: str) -> None:
        (self.home / name).touch()

    def worker(self) -> int:
        """The process number of the worker."""
        return until(lambda: next(iter(processes(self.home, "_worker/start.py")), None), "a worker")

    def service(self) -> int:
        """The process number of wandb's own process, which belongs to the worker."""
        return until(lambda: next(iter(children(self.worker())), None), "wandb's process")

    def taken(self, rows: int) -> None:
        """Until the worker has taken that many rows."""
        until(lambda: mark(self.home).get("rows", 0) >= rows, f"{rows} rows in {mark(self.home)}")

    def end(self, timeout: float = 90) -> Result:
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            code = self.process.wait()
            code = 9999
        seconds = time.monotonic() - self._began
        self._out.close()
        self._err.close()
        gone(self.home)
        return Result(
            self.home, code, (self.home / "job.out").read_text(), (self.home / "job.err").read_text(), seconds
        )


def run(
    code: str,
    home: Path,
    env: Optional[Mapping[str, Optional[str]]] = None,
    options: tuple[str, ...] = (),
    begin: str = "",
    command: Optional[list[str]] = None,
) -> Result:
    """Run a job. ``begin``: its very first lines; ``command``: in place of this interpreter and ``job.py``."""
    return Job(code, home, env, options, begin, command).end()


def until(asked: Callable[[], Any], what: str, limit: float = 60) -> Any:
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        found = asked()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {limit:g} s: {what}")


def processes(home: Path, word: str) -> list[int]:
    """Processes with ``word`` and something below ``home`` in their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().decode("utf-8", "replace")
        except OSError:
            continue
        if word in command and f"{home}{os.sep}" in command:
            found.append(int(entry.parent.name))
    return found


def children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = stat(int(entry.name))
        except OSError:
            continue
        if int(words[1]) == pid and words[0] != "Z":
            found.append(int(entry.name))
    return found


def gone(home: Path, limit: float = 60) -> None:
    """Until no worker of a job in ``home`` is left, and nothing that wandb started for it."""
    for _ in range(3):  # while a process becomes another program its command line reads as empty
        until(lambda: not processes(home, "_worker/start.py"), f"the worker in {home} is gone", limit)
        time.sleep(0.1)
    pids = [pid for pid, _ in mark(home).get("processes", [])]
    until(lambda: not any(map(alive, pids)), f"wandb's processes {pids} are gone", limit)


def alive(pid: int) -> bool:
    try:
        return stat(pid)[0] != "Z"
    except OSError:
        return False


def journals(home: Path) -> list[Path]:
    return sorted(path.parent for path in home.rglob("one-logger-*/run.json"))


def mark(home: Path) -> dict[str, Any]:
    for folder in journals(home):
        try:
            found: dict[str, Any] = json.loads((folder / "mark.json").read_text())
        except (OSError, ValueError):
            continue
        return found
    return {}


def journal_lines(home: Path) -> Iterator[str]:
    for path in sorted(home.rglob("one-logger-*/rows-*.jsonl"), key=lambda one: one.name):
        yield from (line for line in path.read_text().splitlines() if line.startswith("{"))


def journal_values(home: Path) -> list[int]:
    rows = [json.loads(line) for line in journal_lines(home)]
    return [row["i"] for row in rows if "i" in row]


def stored(home: Path) -> list[StoredRun]:
    """All W&B runs of ours below ``home``, in the order in which they were begun."""
    records = [json.loads((journal / "run.json").read_text()) for journal in journals(home)]
    created = {record["id"]: record["created"] for record in records}

    def begun(path: Path) -> tuple[float, str]:
        """By the journal: two workers may bring their runs up in another order. A run that is not ours has none."""
        name = path.parent.name.partition("run-")[2]
        second, known = name[:15], name[16:].partition("-")[0]
        return created.get(known) or time.mktime(time.strptime(second, "%Y%m%d_%H%M%S")), name

    found = [path for path in home.rglob("*.wandb") if path.is_file() and not path.parent.is_symlink()]
    return [read(path) for path in sorted(found, key=begun)]
