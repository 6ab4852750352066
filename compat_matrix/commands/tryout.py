"""``python -m compat_matrix try SCRIPT [-- ARGS]``: your own legacy program, untouched.

It runs in the no-edit mode with W&B offline. Afterwards: which v1 calls it made, which rows came out, whether they are
the rows that v1 would have sent for these calls, and what v1 would have refused. Nothing is left of the run, unless
``--keep FOLDER`` says where W&B's files are to stay.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..compare import BOOKKEEPING, ExpectedRun, compare_runs, events_of
from ..jobs import HOME
from ..runner.execute import INSIDE, stored_runs

_SHOWN = 60
_USAGE = "python -m compat_matrix try [--keep FOLDER] SCRIPT [-- ARGS ...]"


def main(arguments: list[str]) -> int:
    """The program's exit code, or 1 if its rows differ from v1's."""
    parser = argparse.ArgumentParser(
        prog="python -m compat_matrix try", usage=_USAGE, description="Run your own legacy program, untouched."
    )
    parser.add_argument("--keep", metavar="FOLDER", type=Path, help="W&B's files stay in FOLDER, which is new or empty")
    parser.add_argument("script", metavar="SCRIPT", type=Path)
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    options = parser.parse_args(own)
    if not options.script.is_file():
        print(f"no such file: {options.script}", file=sys.stderr)
        return 2
    given = arguments[len(own) + 1 :]
    if options.keep is None:
        with tempfile.TemporaryDirectory(prefix="compat_matrix-try-") as folder:
            return _try(options.script, given, Path(folder))
    if options.keep.exists() and any(options.keep.iterdir()):
        print(f"--keep {options.keep}: expected a new or an empty folder", file=sys.stderr)
        return 2
    options.keep.mkdir(parents=True, exist_ok=True)
    return _try(options.script, given, options.keep.resolve())


def _try(script: Path, arguments: Sequence[str], folder: Path) -> int:
    started = time.time()
    code = _run(script, arguments, folder)
    life_ms = (started * 1000, time.time() * 1000)
    calls = _calls(folder)
    runs = stored_runs(folder)
    print(f"\n{script}: exit {code}")
    _print_calls(calls)
    print("\nrows:")
    for run in runs:
        print(f"  project {run.project!r}, run {run.name!r}: {len(run.rows)} rows")
        for number, row in enumerate(run.rows[:_SHOWN]):
            said_by_v1 = {key: value for key, value in row.items() if key not in BOOKKEEPING}
            print(f"    {number:5}  {_shorten(json.dumps(said_by_v1, ensure_ascii=False, sort_keys=True))}")
        if len(run.rows) > _SHOWN:
            print(f"    and {len(run.rows) - _SHOWN} more")
    if not runs:
        print("  none")
    said = _oracle(folder)
    tags: list[str] = []
    expected = [
        ExpectedRun(core["project"] or "e2e-tracking", core["name"], tuple(events))
        for core in said["cores"]
        if (events := events_of(core["emits"], [None] * len(core["emits"]), tags))
    ]
    print("\nwhat v1 would have refused:")
    for number, what in said["refused"]:
        print(f"  {_spelled(calls[number], 70)}: {what}")
    if not said["refused"]:
        print("  nothing")
    differences = compare_runs(expected, runs, life_ms)
    print("\ncompared with what v1 sends for these calls (times only for plausibility):")
    for difference in differences[:20]:
        print(f"  {difference.text()}")
    if not differences:
        print("  the same rows, in the same order")
    return code or (1 if differences else 0)


def _run(script: Path, arguments: Sequence[str], folder: Path) -> int:
    trace = [str(INSIDE / "trace.py"), str(folder / "calls.json"), str(script.resolve()), *arguments]
    command = [sys.executable, "-m", "one_logger_v1_shim", "run", "--", sys.executable, *trace]
    environment = {**os.environ, "WANDB_MODE": "offline", "WANDB_DIR": str(folder)}
    return subprocess.run(command, env=environment, check=False).returncode


def _calls(folder: Path) -> list[dict[str, Any]]:
    path = folder / "calls.json"
    calls: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return calls


def _oracle(folder: Path) -> dict[str, Any]:
    if not (folder / "calls.json").exists():
        return {"cores": [], "refused": []}
    oracle = HOME / "oracle"
    command = [sys.executable, str(oracle / "replay.py"), str(folder / "calls.json")]
    environment = {**os.environ, "PYTHONPATH": str(oracle)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def _print_calls(calls: Sequence[dict[str, Any]]) -> None:
    print("\nv1 calls:")
    counted = Counter((call["class"], call["object"], call["call"]) for call in calls)
    for (cls, number, name), count in counted.items():
        print(f"  {count:6} x {cls}#{number}.{name}")
    if not calls:
        print("  none (calls of child processes are not seen here, their rows are)")
    for call in calls:
        if call["raised"]:
            print(f"  raised: {_spelled(call)}: {call['raised']}")


def _spelled(call: dict[str, Any], width: int = 150) -> str:
    given = [json.dumps(value) for value in call["args"]]
    given += [f"{key}={json.dumps(value)}" for key, value in call["kwargs"].items()]
    return _shorten(f"{call['class']}.{call['call']}({', '.join(given)})", width)


def _shorten(text: str, width: int = 150) -> str:
    return text if len(text) <= width else text[: width - 4] + " ..."
