"""``python -m compat_matrix record NAME...``: what a program must send, from the oracle, into its ``expected.json``.

The oracle (``oracle/``) reproduces every recorded job of v1. Programs that need a framework (``needs`` in their
``expected.json``) are recorded with the shim itself, since no v1 integration is public: their rows hold by
``tests/frameworks``, which checks them against docs/v1.md and what the framework reports, and here they hold every
Python and wandb to the same rows.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..compare import events_in, events_of
from ..jobs import HOME, PROGRAMS
from ..runner.execute import RUN, stored_runs

_INSIDE = HOME / "inside"


def record(name: str) -> dict[str, Any]:
    """What the program sends, as it stands in ``expected.json``."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "sent.json"
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("WANDB", "SLURM"))}
        environment.update(PYTHONPATH=str(HOME / "oracle"), COMPAT_MATRIX_ORACLE_OUT=str(out))
        done = subprocess.run(
            [sys.executable, str(_INSIDE / "program.py"), str(PROGRAMS / name / "train.py")],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode != 0:
            raise SystemExit(f"{name}: exit {done.returncode}\n{done.stderr}")
        sent = json.loads(out.read_text(encoding="utf-8")) if out.exists() else []
    tags: list[str] = []
    runs = []
    for core in sent:
        times = [round(at * 1000) for at in core["times"]]
        events = events_of(core["emits"], times, tags)
        if events:
            runs.append(
                {
                    "project": core["project"] or "e2e-tracking",
                    "name": core["name"],
                    "events": [event.spelled() for event in events],
                    "v1_refused": core["refused"],
                }
            )
    servers = {core["host"]: None for core in sent if core["host"]}
    return {"clock": "virtual", **({"server": next(iter(servers))} if servers else {}), "runs": runs}


def record_with_shim(name: str, needs: Sequence[str]) -> dict[str, Any]:
    """The same of a program that needs a framework. By the real clock, since the framework waits on it."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("WANDB", "SLURM"))}
        environment.update(WANDB_MODE="offline", HOME=folder)
        command = [sys.executable, *RUN, str(PROGRAMS / name / "train.py")]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        if done.returncode != 0:
            raise SystemExit(f"{name}: exit {done.returncode}\n{done.stderr}")
        runs = [
            {"project": run.project, "name": None, "events": [event.spelled()[:2] for event in events_in(run.rows)]}
            for run in stored_runs(Path(folder))
        ]
    return {"needs": list(needs), "clock": "real", "runs": runs}


def main(names: list[str]) -> int:
    """Record the named programs, or all that need no framework."""
    folders = [PROGRAMS / name for name in names] or sorted(path.parent for path in PROGRAMS.glob("*/train.py"))
    for folder in folders:
        path = folder / "expected.json"
        before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        needs = before.get("needs", [])
        if any(importlib.util.find_spec(module) is None for module in needs):
            print(f"{folder.name}: not run, needs {', '.join(needs)}", file=sys.stderr)
            continue
        expected = record_with_shim(folder.name, needs) if needs else record(folder.name)
        path.write_text(_spell(expected), encoding="utf-8")
        rows = [len(run["events"]) for run in expected["runs"]]
        print(f"{folder.name}: {len(rows)} run(s), {sum(rows)} events{'' if expected != before else ', unchanged'}")
    return 0


def _spell(expected: dict[str, Any]) -> str:
    """JSON with one event to a line: a change shows in a diff as the row that changed."""
    runs = []
    for run in expected["runs"]:
        head = json.dumps({key: value for key, value in run.items() if key != "events"}, ensure_ascii=False)
        events = ",\n   ".join(json.dumps(event, ensure_ascii=False) for event in run["events"])
        runs.append(f' {head[:-1]}, "events": [\n   {events}]}}')
    rest = json.dumps({key: value for key, value in expected.items() if key != "runs"})
    return f'{rest[:-1]}, "runs": [\n' + ",\n".join(runs) + "]}\n"
