"""Runs one job in one cell: a process of its own, an empty working directory, and what W&B stored afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from ..compare import Difference, compare_runs
from ..jobs import HOME, Job, swapped_copy
from ..planner.plan import BARE, Cell
from ..reporting.results import FAILED, NOT_RUN, PASSED, Result
from ..wandb_file import StoredRun, read
from .server import Server

INSIDE = HOME / "inside"
#: the no-edit mode
RUN = ("-m", "one_logger_v1_shim", "run")
_TIMEOUT = 120
#: of the machine's environment, what would tell a job about another run, rank or tree
_FOREIGN = ("WANDB_", "SLURM_", "ONE_LOGGER", "COMPAT_MATRIX")
_FOREIGN_NAMES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "PYTHONSTARTUP", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV")

_running: set[subprocess.Popen[str]] = set()


@dataclass(frozen=True)
class Bench:
    """Where the jobs of a cell run."""

    cell: Cell
    python: str
    folder: Path
    #: the temp folder of the jobs; its path is short, since wandb makes sockets in it
    temporary: Path
    modules: frozenset[str] = frozenset()
    server: Optional[Server] = None
    #: the interpreter of the isolated environment, in which the worker runs
    isolated: Optional[str] = None


def run_job(bench: Bench, job: Job) -> Result:
    """Run it and compare."""
    result = Result(bench.cell.name, job.name, NOT_RUN)
    missing = [module for module in job.needs if module not in bench.modules]
    if missing:
        result.note = f"needs {', '.join(missing)}"
        return result
    if job.server and bench.cell.wandb_mode == "online" and not job.name.endswith("@sync"):
        result.note = f"its configuration names {job.server}, and a test sends nothing there"
        return result
    started = time.time()
    work = bench.folder / job.name.replace("/", "-")
    work.mkdir(parents=True)
    out = work.with_suffix(".json")
    environment = job_environment(bench, job)
    try:
        code, output = run_process(_command(bench, job, work, out), work, environment, _TIMEOUT)
        differences = [] if code == job.exit_code else [Difference("process", "exit code", job.exit_code, code)]
        if code is not None:
            differences += raised_differently(job, out) if job.is_golden else []
            differences += left_behind(work, output)
            stored = stored_runs(work)
            differences += _stored(bench, job, stored, (started * 1000, time.time() * 1000))
            if job.name.endswith("@readme") and "WANDB_MODE" not in environment and "offline-run" not in output:
                differences.append(Difference("output", "where the offline run is", "one line", output[-300:]))
            result.rows = sum(len(run.rows) for run in stored)
            if job.name.endswith("@sync"):
                differences += _synced(bench, job, work, environment, stored)
    except Exception as error:  # whatever it is: this cell of the report is red, the others go on
        differences, output = [Difference("matrix", type(error).__name__, "no error", str(error))], ""
    result.seconds = time.time() - started
    result.status = FAILED if differences else PASSED
    result.differences = [spell(difference) for difference in differences[:20]]
    result.output = output[-3000:] if differences else ""
    return result


def spell(difference: Difference) -> list[str]:
    """As a report has it."""
    return [difference.where, difference.metric, repr(difference.v1)[:500], repr(difference.ours)[:500]]


def job_environment(bench: Bench, job: Job) -> dict[str, str]:
    """The environment of a job: the machine's, without what would leak in, with what the cell says."""
    cell = bench.cell
    environment = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(_FOREIGN) and key not in _FOREIGN_NAMES and (key != "PYTHONPATH" or cell.python == "here")
    }
    home = bench.folder / "home"
    home.mkdir(exist_ok=True)
    # W&B keeps settings, keys and caches in the user's home
    environment.update(HOME=str(home), WANDB_MODE=cell.wandb_mode)
    environment["TMPDIR"] = str(bench.temporary)
    if bench.isolated is not None:
        environment["ONE_LOGGER_V1_PYTHON"] = bench.isolated
    if cell.wandb_mode == "online" and bench.server is not None:
        # The question here is what arrives, not how soon: the server shares the machine with the jobs.
        patience = {"ONE_LOGGER_V1_CONNECT_TIMEOUT": "60", "ONE_LOGGER_V1_INIT_TIMEOUT": "60"}
        environment.update(bench.server.environment(), **patience)
    if job.name.endswith("@readme") and cell.wandb_mode == "offline":
        del environment["WANDB_MODE"]  # no key and nothing else: as on a user's machine
    if job.name.endswith("@sync"):
        environment["WANDB_MODE"] = "offline"
    environment.update(job.environment)
    return environment


def _command(bench: Bench, job: Job, work: Path, out: Path) -> list[str]:
    swapped = bench.cell.imports == "swapped"
    if job.is_golden:
        names = "shim" if swapped else "v1"
        options = {"async": bench.cell.mode == "async", "names": names, "out": str(out)}
        recorded = [str(INSIDE / "recorded.py"), str(job.path), json.dumps(options)]
        return [bench.python, *([] if swapped else RUN), *recorded]
    script = job.path
    if swapped:
        script = swapped_copy(job.path, work.with_name(work.name + "-swapped"))
    under = [] if job.clock == "real" else [str(INSIDE / "program.py")]
    program = [*under, str(script), *job.arguments]
    if swapped:
        return [bench.python, *program]
    return [bench.python, *RUN, *program] if not under else [bench.python, *RUN, "--", bench.python, *program]


def run_process(
    command: Sequence[str], cwd: Path, environment: Mapping[str, str], timeout: float
) -> tuple[Optional[int], str]:
    """Exit code (None: it had to be killed) and output of a process and of what it leaves behind."""
    log = cwd.with_name(cwd.name + ".log")
    with log.open("w+", encoding="utf-8", errors="replace") as out:
        process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            text=True, start_new_session=True,
        )  # fmt: skip
        _running.add(process)
        try:
            code: Optional[int] = process.wait(timeout)
        except subprocess.TimeoutExpired:
            kill(process)
            code = None
        finally:
            _running.discard(process)
        out.seek(0)
        return code, out.read()


def kill(process: subprocess.Popen[str]) -> None:
    """End a job that we started, and its own children."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def kill_all() -> None:
    """After Ctrl-C."""
    for process in list(_running):
        kill(process)


def stored_runs(work: Path, patience: float = 5.0) -> list[StoredRun]:
    """The runs that lie below a job's working directory. W&B 0.20.1 may still write when the job has ended."""
    deadline = time.monotonic() + patience
    while True:
        runs = [read(path) for path in sorted(work.glob("wandb/*run-*/run-*.wandb"))]
        if all(run.exit_code is not None for run in runs) or time.monotonic() > deadline:
            return runs
        time.sleep(0.1)


def raised_differently(job: Job, out: Path) -> list[Difference]:
    """Calls of a recorded job that raised what v1 did not, or did not raise what v1 did."""
    if not out.exists():
        return [Difference("job", "calls", len(job.raises), "none: it broke off")]
    return calls_differently(job, json.loads(out.read_text(encoding="utf-8")))


def calls_differently(job: Job, results: Sequence[Mapping[str, Any]]) -> list[Difference]:
    """The same of what each call raised, in order."""
    found = []
    for number, (want, got) in enumerate(zip(job.raises, results)):
        raised = got["raises"]
        if bool(want) != bool(raised) or (want and not raised.startswith(want)):
            found.append(Difference(f"call {number} {got['call']}", "raises", want, raised))
    return found


def left_behind(work: Path, output: str) -> list[Difference]:
    """What a job has left in its working directory beside W&B's folder, and tracebacks in its output."""
    found = []
    left = sorted(entry.name for entry in work.iterdir() if entry.name != "wandb")
    if left:
        found.append(Difference("working directory", "files", [], left))
    if "Traceback (most recent call last)" in output:
        found.append(Difference("output", "traceback", "none", output[-600:]))
    return found


def _stored(bench: Bench, job: Job, stored: Sequence[StoredRun], life_ms: tuple[float, float]) -> list[Difference]:
    if bench.cell.wandb_mode == "disabled":
        names = [str(run.path.name) for run in stored]
        return [Difference("disabled", "files of runs", [], names)] if names else []
    life = life_ms if job.clock == "real" else None
    found = compare_runs(job.runs, stored, life)
    if bench.cell.wandb_mode == "online" and bench.server is not None and not job.name.endswith("@sync"):
        found += compare_runs(job.runs, bench.server.runs(stored), life)
    return found


def _synced(
    bench: Bench, job: Job, work: Path, environment: Mapping[str, str], stored: Sequence[StoredRun]
) -> list[Difference]:
    """``wandb sync`` twice, as people do; then the server has each step once."""
    assert bench.server is not None
    command = [str(Path(bench.python).with_name("wandb")), "sync", *(str(run.path.parent) for run in stored)]
    for _ in range(2):
        code, output = run_process(command, work, {**environment, "WANDB_MODE": "online"}, _TIMEOUT)
        if code != 0:
            return [Difference("wandb sync", "exit code", 0, f"{code}: {output[-600:]}")]
    return compare_runs(job.runs, bench.server.runs(stored))


def identify(python: str, environment: Mapping[str, str], cwd: Path) -> dict[str, Any]:
    """What the interpreter and its packages really are."""
    names = ["torch", "lightning", "pytorch_lightning", "transformers"]
    command = [python, str(INSIDE / "identity.py"), *names]
    done = subprocess.run(
        command, cwd=cwd, env=dict(environment), capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{python}: {done.stderr.strip()[-300:]}")
    identity: dict[str, Any] = json.loads(done.stdout)
    return identity


def mistaken(cell: Cell, identity: Mapping[str, Any], shim: Optional[str]) -> list[str]:
    """In what the environment is not what the cell names."""
    wrong = []
    if cell.python != "here":
        for what, named in (("python", cell.python), ("wandb", cell.wandb), ("wrapt", cell.wrapt)):
            real = str(identity[what])
            if named not in ("newest", "pinned") and real != named and not real.startswith(named + "."):
                wrong.append(f"{what} is {real}, the cell names {named}")
        if not str(identity["shim_place"]).startswith(str(identity["prefix"])):
            wrong.append(f"the shim comes from {identity['shim_place']}, not from the environment")
        if cell.consumer == BARE and (identity["wandb"] or identity["v2"]):
            wrong.append(f"a bare environment has wandb {identity['wandb']} and v2 {identity['v2']}")
    if shim is not None and identity["shim"] != shim:
        wrong.append(f"the shim is {identity['shim']}, the wheel is {shim}")
    if identity["tree"] is not None and cell.python != "here":
        wrong.append(f"the source tree is importable: {identity['tree']}")
    if identity["implementation"] != "CPython":
        wrong.append(f"{identity['implementation']} is not CPython")
    return wrong


if sys.platform == "win32":
    raise ImportError("compat_matrix runs on POSIX systems")
