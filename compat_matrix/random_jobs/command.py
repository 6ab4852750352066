"""``python -m compat_matrix random``: jobs nobody wrote, the oracle's rows against ours."""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Callable

from ..compare import Difference
from . import sequences
from .shrink import shrink
from .trial import Pool, Recorded, Trial, TrialTrouble, recorded, rows_alone

TryAll = Callable[[Sequence[Recorded]], Iterable[Trial]]

_SHOWN = 5  # failures that are shrunk


def main(arguments: Sequence[str]) -> int:
    """0: every job is equal to v1; 1: some are not; 2: bad arguments, or no job could be run."""
    parser = argparse.ArgumentParser(
        prog="python -m compat_matrix random",
        description="Random v1 jobs, accidents included: what the oracle says against what W&B stored.",
    )
    parser.add_argument("--jobs", type=_positive, default=100, metavar="N", help="how many (default: 100)")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="S", help="the same seed makes the same jobs (default: 0)"
    )
    parser.add_argument("--only", type=int, metavar="K", help="only job K of the seed")
    parser.add_argument("--processes", type=_positive, metavar="P", help="at once (default: one per core)")
    parser.add_argument(
        "--rows",
        action="store_true",
        help="only the rows that the job's process hands on: no worker, no W&B, thousands of jobs a minute",
    )
    parser.add_argument("--no-shrink", action="store_true", help="print a failing job as it is")
    options = parser.parse_args(list(arguments))
    folder = Path(tempfile.mkdtemp(prefix="compat_matrix-random-"))
    try:
        return _run(options, folder)
    except TrialTrouble as trouble:
        print(f"random: {trouble}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("random: interrupted", file=sys.stderr)
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return value


def _run(options: argparse.Namespace, folder: Path) -> int:
    started = time.monotonic()
    numbers = range(options.jobs) if options.only is None else [options.only]
    jobs = recorded([sequences.make(options.seed, number) for number in numbers], folder)
    failed: list[Trial] = []
    done = rows = 0
    with contextlib.nullcontext() if options.rows else Pool(folder, options.processes) as pool:
        try_all = pool.run if pool is not None else functools.partial(rows_alone, folder=folder)
        for trial in try_all(jobs):
            done, rows = done + 1, rows + trial.rows
            if trial.differences:
                failed.append(trial)
                print(f"{trial.job['name']}: {trial.differences[0].text()}", flush=True)
            if sys.stderr.isatty():
                print(f"\r{done} of {len(jobs)}", end="", file=sys.stderr, flush=True)
        for trial in failed[:_SHOWN]:
            _show(trial, try_all, folder, not options.no_shrink)
    where = "handed on" if options.rows else "in W&B"
    accidents = sum(any("raises" in expect for expect in job["expect"]) for job in jobs)
    print(
        f"seed {options.seed}: {done - len(failed)} of {done} random jobs equal to the oracle, {rows} rows {where}, "
        f"{accidents} jobs with a call that v1 refused, {time.monotonic() - started:.0f} s"
    )
    return 1 if failed else 0


def _show(trial: Trial, try_all: TryAll, folder: Path, small: bool) -> None:
    """The failure as small as it gets, and as a golden file."""
    last = trial

    def differs(job: Recorded) -> list[Difference]:
        nonlocal last
        bare = {key: value for key, value in job.items() if key not in ("expect", "runs", "first_row")}
        (tried,) = try_all(recorded([bare], folder))
        if tried.differences:
            last = tried
        return tried.differences

    if small:
        try:
            smallest = shrink(trial.job, differs, tell=_tell)
        except AssertionError:
            print(f"\n{trial.job['name']} differed once, and not again:")
        else:
            differs(smallest)
    print(f"\n{trial.job['name']}, as small as it gets; save it as compat_matrix/goldens/{trial.job['name']}.json:")
    print(golden_text(last.job))
    for difference in last.differences[:3]:
        print(f"  {difference.text()}")


def _tell(trials: int, job: Recorded) -> None:
    """A terminal is told of each trial, a log of every tenth."""
    text = f"making {job['name']} small: trial {trials}, {len(job['steps'])} calls"
    if sys.stderr.isatty():
        print(f"\r{text}  ", end="", file=sys.stderr, flush=True)
    elif trials % 10 == 1:
        print(text, file=sys.stderr, flush=True)


def golden_text(job: Recorded) -> str:
    """The job as a file of ``goldens/``."""
    return json.dumps({key: value for key, value in job.items() if key != "runs"}, indent=1, ensure_ascii=False)
