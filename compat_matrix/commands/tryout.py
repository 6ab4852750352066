"""``python -m compat_matrix try SCRIPT [-- ARGS]``: your own legacy program, untouched.

It runs in the no-edit mode with W&B offline, started as Python starts it. Afterwards: which v1 calls it and its child
processes made, which rows came out, whether they are the rows that v1 would have sent for these calls, and what v1
would have refused. Nothing is left of the run, unless ``--keep FOLDER`` says where W&B's files are to stay.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

from ..compare import BOOKKEEPING
from ..runner.execute import INSIDE
from ..wandb_file import StoredRun
from . import tried
from .tried import Process

_SHOWN = 60
_PATIENCE = 15.0  # seconds for W&B's files of a job that has ended
_USAGE = "python -m compat_matrix try [--keep FOLDER] (SCRIPT | -m MODULE) [-- ARGS ...]"


def main(arguments: list[str]) -> int:
    """The program's exit code, or 1 if its rows differ from v1's, or nobody can tell."""
    parser = argparse.ArgumentParser(
        prog="python -m compat_matrix try", usage=_USAGE, description="Run your own legacy program, untouched."
    )
    parser.add_argument("--keep", metavar="FOLDER", type=Path, help="W&B's files stay in FOLDER, which is new or empty")
    parser.add_argument("-m", dest="module", metavar="MODULE", help="a module, as `python -m MODULE`")
    parser.add_argument("script", metavar="SCRIPT", nargs="?", help="a file, a folder or a zip file, as for Python")
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    options = parser.parse_args(own)
    if (options.script is None) == (options.module is None):
        parser.error("expected a SCRIPT or -m MODULE")
    if options.script is not None and not Path(options.script).exists():
        print(f"no such file: {options.script}", file=sys.stderr)
        return 2
    program = ["-m", options.module] if options.module else [options.script]
    program += arguments[len(own) + 1 :]
    if options.keep is None:
        with tempfile.TemporaryDirectory(prefix="compat_matrix-try-") as folder:
            return _try(program, Path(folder))
    if options.keep.exists() and any(options.keep.iterdir()):
        print(f"--keep {options.keep}: expected a new or an empty folder", file=sys.stderr)
        return 2
    options.keep.mkdir(parents=True, exist_ok=True)
    return _try(program, options.keep.resolve())


def _try(program: Sequence[str], folder: Path) -> int:
    started = time.time()
    pid, code = _run(program, folder)
    life_ms = (started * 1000, time.time() * 1000)
    found = tried.processes(folder)
    own = [process for process in found if process.pid == pid]
    killed = not own or not own[-1].has_ended
    stored = tried.runs(found, folder, _PATIENCE)
    for process in found:
        tried.ask_the_oracle(process)
    print(f"\n{program[1] if program[0] == '-m' else program[0]}: {_exit(code)}")
    _print_calls(found)
    _print_rows(stored)
    _print_refused(found)
    print("\ncompared with what v1 sends for these calls (times only for plausibility):")
    if killed and any(process.events for process in found):
        print("  no verdict: the program did not come to its end (a signal, os._exit); it has made the rows above")
        return _shell(code) or 1
    if not any(process.of_kind("call") for process in found):
        print("  nothing was compared: no v1 call was made")
        return _shell(code)
    expected = []
    for process in found:
        codes = (0, code) if process in own and code >= 0 else tuple(range(256))
        expected += tried.expected_runs(process, codes)
    differences = list(tried.differences(expected, stored, life_ms))
    for difference in differences[:20]:
        print(f"  {difference.text()}")
    if not differences:
        print("  the same rows, in the same order")
    return _shell(code) or (1 if differences else 0)


def _exit(code: int) -> str:
    return f"exit {code}" if code >= 0 else f"ended by {signal.Signals(-code).name}"


def _shell(code: int) -> int:
    return code if code >= 0 else 128 - code


def _run(program: Sequence[str], folder: Path) -> tuple[int, int]:
    """Run it; its process's number, and its exit code (negative: the signal that ended it).

    Ctrl-C is the program's, and so is a signal that this command is sent. With a terminal the program is in our group,
    and hears the terminal itself; without one it has a group of its own, and we pass on what we hear.
    """
    entries = [str(INSIDE / "tracing"), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "WANDB_MODE": "offline",
        "WANDB_DIR": str(folder),
        "PYTHONPATH": os.pathsep.join(filter(None, entries)),
        "COMPAT_MATRIX_TRACE": str(folder),
    }
    environment.pop("ONE_LOGGER_V1_DELIVERY", None)  # the journal says which runs are ours
    command = [sys.executable, "-m", "one_logger_v1_shim", "run", *program]
    apart = not sys.stdin.isatty()
    process: Optional[subprocess.Popen[bytes]] = None
    early: list[int] = []

    def pass_on(number: int, _frame: Any) -> None:
        if process is None:
            early.append(number)
        elif apart:
            os.killpg(process.pid, number)
        elif number != signal.SIGINT:
            process.send_signal(number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, pass_on) for number in numbers]
    try:
        process = subprocess.Popen(command, env=environment, start_new_session=apart)
        for number in early:
            pass_on(number, None)
        return process.pid, process.wait()
    finally:
        for number, handler in zip(numbers, before):
            signal.signal(number, handler)


def _print_calls(found: Sequence[Process]) -> None:
    print("\nv1 calls:")
    calls = [(process, call) for process in found for call in process.of_kind("call")]
    for (where, cls, number, name), count in Counter(
        (_where(found, process), call["class"], call["object"], call["name"]) for process, call in calls
    ).items():
        print(f"  {count:6} x {cls}#{number}.{name}{where}")
    if not calls:
        print("  none")
    for process in found:
        by_number = {call["call"]: call for call in process.of_kind("call")}
        for event in process.of_kind("raised"):
            print(f"  raised: {_spelled(by_number[event['call']])}: {event['error']}")


def _where(found: Sequence[Process], process: Process) -> str:
    return "" if process.pid == found[0].pid else f" (process {process.pid})"


def _print_rows(stored: Sequence[StoredRun]) -> None:
    print("\nrows:")
    for run in stored:
        print(f"  project {run.project!r}, run {run.name!r}: {len(run.rows)} rows")
        for number, row in enumerate(run.rows[:_SHOWN]):
            said_by_v1 = {key: value for key, value in row.items() if key not in BOOKKEEPING}
            print(f"    {number:5}  {_shorten(json.dumps(said_by_v1, ensure_ascii=False, sort_keys=True))}")
        if len(run.rows) > _SHOWN:
            print(f"    and {len(run.rows) - _SHOWN} more")
    if not stored:
        print("  none")


def _print_refused(found: Sequence[Process]) -> None:
    swallowed = [event for process in found for event in process.of_kind("swallowed")]
    if swallowed:
        print("\nwhat a `with get_context_manager()` block swallowed, as v1's did:")
        for text, count in Counter(event["error"] for event in swallowed).items():
            print(f"  {count:6} x {text}")
    print("\nwhat v1 would have refused:")
    refused = 0
    for process in found:
        by_number = {call["call"]: call for call in process.of_kind("call")}
        in_a_block = {event["call"] for event in process.of_kind("swallowed")}
        for number, what in process.said["refused"]:
            if number not in in_a_block:
                print(f"  {_spelled(by_number[number], 70)}: {what}")
                refused += 1
    if not refused:
        print("  nothing")


def _spelled(call: dict[str, Any], width: int = 150) -> str:
    given = [json.dumps(value) for value in call["args"]]
    given += [f"{key}={json.dumps(value)}" for key, value in call["kwargs"].items()]
    return _shorten(f"{call['class']}.{call['name']}({', '.join(given)})", width)


def _shorten(text: str, width: int = 150) -> str:
    return text if len(text) <= width else text[: width - 4] + " ..."
