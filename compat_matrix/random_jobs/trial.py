"""Runs jobs through the real worker and W&B offline, and compares what is stored with what the oracle says."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Optional

from ..compare import Difference, ExpectedRun, compare_runs, events_of
from ..jobs import HOME, Job
from ..planner.plan import Cell
from ..runner.execute import (
    INSIDE,
    Bench,
    calls_differently,
    job_environment,
    left_behind,
    raised_differently,
    stored_runs,
)
from ..wandb_file import StoredRun

ORACLE = HOME / "oracle"
_LIMIT = 120.0  # seconds for one job
_CELL = Cell("here", "here", "here", "async", "swapped", "offline")

Recorded = dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """One job that ran. ``differences`` is empty when W&B has what v1 sends, and each call raised what v1 raised."""

    job: Recorded
    rows: int
    differences: list[Difference]
    output: str


class TrialTrouble(Exception):
    """The trials themselves cannot go on. The text is one line."""


def recorded(jobs: Sequence[Recorded], folder: Path) -> list[Recorded]:
    """The jobs with the oracle's ``expect``, and with the runs that v1 makes."""
    answers = _played(ORACLE / "record_jobs.py", jobs, folder)
    return [{**job, **answer} for job, answer in zip(jobs, answers)]


def rows_alone(jobs: Sequence[Recorded], folder: Path) -> Iterator[Trial]:
    """Each job's trial without the worker and W&B: the rows that the job's process hands on. Milliseconds a job."""
    for job, answer in zip(jobs, _played(INSIDE / "rows.py", jobs, folder)):
        wanted = expectation(job, folder)
        found = calls_differently(wanted, answer["raised"])
        runs = [_as_stored(run, wanted.exit_code) for run in answer["kept"] if run["rows"]]
        yield Trial(job, sum(len(run.rows) for run in runs), found + compare_runs(wanted.runs, runs), "")


def _as_stored(run: dict[str, Any], exit_code: int) -> StoredRun:
    """The run as W&B would have stored it."""
    rows = run["rows"]
    summary = {key: value for row in rows for key, value in row.items() if value is not None}
    code = 0 if run["finished"] else exit_code
    return StoredRun(
        Path(run["name"] or ""), project=run["project"], name=run["name"], rows=rows, summary=summary,
        steps=list(range(len(rows))), exit_code=code,
    )  # fmt: skip


def _played(script: Path, jobs: Sequence[Recorded], folder: Path) -> Iterator[dict[str, Any]]:
    """What a script of ``oracle`` or ``inside`` says of the jobs, one answer each."""
    asked, answered = folder / "jobs.jsonl", folder / "answered.jsonl"
    asked.write_text("".join(json.dumps(job) + "\n" for job in jobs), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(script.parent), str(INSIDE)))}
    command = [sys.executable, str(script), str(asked), str(answered)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise TrialTrouble(f"{script.name} failed: {(done.stderr.strip() or str(done.returncode)).splitlines()[-1]}")
    return map(json.loads, answered.read_text(encoding="utf-8").splitlines())


def expectation(job: Recorded, path: Path) -> Job:
    """What the job must leave in W&B."""
    emits: list[Any] = []
    times: list[Optional[int]] = []
    for number, expect in enumerate(job["expect"]):
        at = job["steps"][number - 1]["at"] if number else 0.0
        emits += expect["emits"]
        times += [round((job["t0"] + at) * 1000)] * len(expect["emits"])
    events = tuple(events_of(emits, times, []))
    # a run that was finished ended well, whatever became of the process
    failed = int("uncaught" in job and not any(emit[0] == "finish" for emit in emits))
    runs = [
        ExpectedRun(run["project"] or "e2e-tracking", run["name"], events, job["first_row"], (failed,))
        for run in (job["runs"] if events else ())
    ]
    raises = tuple(expect.get("raises") for expect in job["expect"])
    return Job(f"golden/{job['name']}", path, tuple(runs), raises, exit_code=int("uncaught" in job))


class Pool:
    """As many lines of fresh processes as there are cores. Use it as a context manager; it leaves no process behind."""

    def __init__(self, folder: Path, size: Optional[int] = None) -> None:
        self._folder = folder
        self._size = size or os.cpu_count() or 1
        self._counter = 0
        self._lock = threading.Lock()
        self._hosts: list[subprocess.Popen[bytes]] = []
        self._idle: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], traceback: Optional[TracebackType]
    ) -> None:
        for host in self._hosts:
            _end(host)

    def run(self, jobs: Iterable[Recorded]) -> Iterator[Trial]:
        """Each job's trial, in the order in which they end. Leaving early leaves the jobs that wait undone."""
        threads = ThreadPoolExecutor(self._size)
        try:
            for trial in as_completed([threads.submit(self._try, job) for job in jobs]):
                yield trial.result()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)

    def _host(self) -> subprocess.Popen[bytes]:
        home = self._folder
        bench = Bench(_CELL, sys.executable, home, home)
        environment = job_environment(bench, Job("golden/random", home, ()))
        host = subprocess.Popen(
            [sys.executable, str(INSIDE / "many.py")], env=environment, cwd=home, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=(home / "hosts.log").open("a"),
        )  # fmt: skip
        self._hosts.append(host)
        return host

    def _try(self, job: Recorded) -> Trial:
        with self._lock:
            host = self._idle.pop() if self._idle else self._host()
            self._counter += 1
            home = self._folder / f"{self._counter}-{job['name']}"
        work = home / "work"
        work.mkdir(parents=True)
        path, out, log = home / "job.json", home / "raised.json", home / "output.log"
        path.write_text(json.dumps(job), encoding="utf-8")
        options = json.dumps({"async": None, "names": "shim", "out": str(out)})
        task = {"job": str(path), "cwd": str(work), "log": str(log), "options": options}
        code = _ask(host, task)
        output = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        if code is None:
            _end(host)
        else:
            self._idle.append(host)
        wanted = expectation(job, path)
        found = [] if code == wanted.exit_code else [Difference("process", "exit code", wanted.exit_code, code)]
        runs = stored_runs(work)
        if code is not None:
            said = "" if "uncaught" in job else output  # a traceback is the job's own
            found += [*raised_differently(wanted, out), *left_behind(work, said), *compare_runs(wanted.runs, runs)]
        return Trial(job, sum(len(run.rows) for run in runs), found, output)


def _ask(host: subprocess.Popen[bytes], task: dict[str, str]) -> Optional[int]:
    """The exit code of one job; None: it did not end in time."""
    assert host.stdin is not None
    assert host.stdout is not None
    try:
        host.stdin.write(json.dumps(task).encode() + b"\n")
        host.stdin.flush()
    except OSError:
        raise TrialTrouble(
            "the process that starts the jobs has ended; is one_logger_v1_shim installed here?"
        ) from None
    deadline = time.monotonic() + _LIMIT
    answer = b""
    while not answer.endswith(b"\n"):
        ready, _, _ = select.select([host.stdout], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return None
        chunk = os.read(host.stdout.fileno(), 64)
        if not chunk:
            raise TrialTrouble("the process that starts the jobs has ended; is one_logger_v1_shim installed here?")
        answer += chunk
    return int(answer)


def _end(host: subprocess.Popen[bytes]) -> None:
    """End a host and the job that it may be running. Workers have sessions of their own, and end after their job."""
    for pipe in (host.stdin, host.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    try:
        host.wait(0.5)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(host.pid, signal.SIGKILL)
        host.wait()
