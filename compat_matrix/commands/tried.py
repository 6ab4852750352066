"""What a program that was tried has left: its v1 calls, process by process, its W&B runs, what v1 would have sent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from one_logger_v1_shim._journal.locks import locked

from ..compare import Anything, Difference, ExpectedRun, compare_run, events_of
from ..jobs import HOME
from ..wandb_file import StoredRun, read


@dataclass
class Process:
    """One Python that the program was, or has started (one that replaces itself counts again)."""

    pid: int
    events: list[dict[str, Any]]
    #: what the second oracle says: ``{"refused": [[call, why]], "cores": [...]}``
    said: dict[str, Any] = field(default_factory=lambda: {"refused": [], "cores": []})

    def of_kind(self, *kinds: str) -> list[dict[str, Any]]:
        """Its events of these kinds, in order."""
        return [event for event in self.events if event["event"] in kinds]

    @property
    def has_ended(self) -> bool:
        """Has Python come to its end there? Not after ``os._exit`` or a signal."""
        return bool(self.of_kind("end"))


def processes(folder: Path) -> list[Process]:
    """All that have written something, in order of their beginning."""
    found = []
    for path in sorted(folder.glob("calls-*.jsonl"), key=lambda path: int(path.stem.split("-")[2])):
        lines = path.read_text(encoding="utf-8").splitlines()
        found.append(Process(int(path.stem.split("-")[1]), [event for line in lines if (event := _event(line))]))
    return found


def _event(line: str) -> Optional[dict[str, Any]]:
    try:
        event: dict[str, Any] = json.loads(line)
    except ValueError:  # the last line of a process that was killed
        return None
    return event


def ask_the_oracle(process: Process) -> None:
    """Make the process's calls on the oracle: ``process.said``."""
    if not process.of_kind("call"):
        return
    oracle = HOME / "oracle"
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(process.events, file)
        file.flush()
        command = [sys.executable, str(oracle / "replay.py"), file.name]
        environment = {**os.environ, "PYTHONPATH": str(oracle)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    process.said = json.loads(done.stdout)


def expected_runs(process: Process, exit_codes: tuple[int, ...]) -> list[ExpectedRun]:
    """The runs that this process must have left. As long as one is open, a second object joins it."""
    groups: list[list[dict[str, Any]]] = []
    for core in sorted(process.said["cores"], key=lambda core: float(core["began"])):
        if groups and any(_end(one) > core["began"] for one in groups[-1]):
            groups[-1].append(core)
        else:
            groups.append([core])
    tags: list[str] = []
    found = []
    for group in groups:
        emits = [pair for core in group for pair in zip(core["times"], core["emits"])]
        emits.sort(key=lambda pair: float(pair[0]))
        events = events_of([_known(emit) for _, emit in emits], [None] * len(emits), tags)
        if events:
            project = group[0]["project"] or "e2e-tracking"
            found.append(ExpectedRun(project, group[0]["name"], tuple(events), exit_codes=exit_codes))
    return found


def _end(core: dict[str, Any]) -> float:
    times = [at for emit, at in zip(core["emits"], core["times"]) if emit == ["finish"]]
    return float(times[0]) if times else float("inf")


def _known(value: Any) -> Any:
    if isinstance(value, dict) and set(value) in ({"$other"}, {"$callable"}):
        return Anything(next(iter(value.values())))
    if isinstance(value, dict):
        return {key: _known(one) for key, one in value.items()}
    return [_known(one) for one in value] if isinstance(value, list) else value


def runs(found: Sequence[Process], folder: Path, patience: float) -> list[StoredRun]:
    """The runs of the shim; the program's own are not looked at. A run that W&B has not got is its journal's."""
    paths = [event["path"] for process in found for event in process.of_kind("journal")]
    journals = [Path(os.fsdecode(bytes.fromhex(path))) for path in paths]
    deadline = time.monotonic() + patience
    return [run for journal in dict.fromkeys(journals) if (run := _run(journal, folder, deadline)) is not None]


def _run(journal: Path, folder: Path, deadline: float) -> Optional[StoredRun]:
    run_id = journal.name.rpartition("-")[2]
    while True:
        files = [*journal.parent.glob(f"*run-*-{run_id}/run-{run_id}.wandb"), *folder.rglob(f"run-{run_id}.wandb")]
        stored = read(files[0]) if files else None
        whole = stored is not None and stored.exit_code is not None
        if (whole and not locked(journal)) or time.monotonic() > deadline:  # the worker has left the folder, too
            break
        time.sleep(0.1)
    kept = _of_journal(journal, run_id)
    if stored is None or (kept is not None and len(kept.rows) > len(stored.rows)):
        return kept  # killed before W&B had them
    return stored


def _of_journal(journal: Path, run_id: str) -> Optional[StoredRun]:
    try:
        record = json.loads((journal / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    destination = {**record.get("default", {}), **record.get("chosen", {})}
    run = StoredRun(journal, run_id, project=destination.get("project") or "", name=destination.get("run_name") or "")
    for path in sorted(journal.glob("rows-*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = _event(line) if line.startswith("{") else None
            if row is not None:
                run.rows.append(row)
    run.damage.append("W&B has no whole run; these are the rows of the journal")
    return run


def differences(
    expected: Sequence[ExpectedRun], stored: Sequence[StoredRun], life_ms: tuple[float, float]
) -> Iterator[Difference]:
    """Each expected run against the stored one that is most like it."""
    left = list(stored)
    pairs: list[tuple[ExpectedRun, StoredRun]] = []
    for want in expected:
        best = min(left, key=lambda run: len(compare_run(want, run, life_ms)), default=None)
        if best is not None:
            left.remove(best)
            pairs.append((want, best))
    left = [run for run in left if run.rows]  # an object that sends nothing has opened a run
    if len(pairs) < len(expected) or left:
        names = [f"{run.project}/{run.name} ({len(run.rows)} rows)" for run in stored]
        yield Difference("runs", "number of W&B runs", len(expected), f"{len(stored)} {names}")
    for want, got in pairs:
        yield from compare_run(want, got, life_ms)
