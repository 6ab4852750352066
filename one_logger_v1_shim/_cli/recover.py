"""``recover``: send what a job that was killed, or whose W&B process was, has left in its journal."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ._left import Left, examine, find, shown, somebodys
from ._progress import progress
from ._sending import send
from ._stored import damaged


def main(arguments: Sequence[str]) -> int:
    """Returns 0 when nothing is left to do, 1 when something is, 2 for a folder without journals."""
    parser = argparse.ArgumentParser(
        prog="python -m one_logger_v1_shim recover",
        description="Sends the rows of runs that did not finish, from the journal that each job keeps, to W&B.",
    )
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        help="a journal (one-logger-*) or the folder that holds wandb/; default: here, WANDB_DIR, the temp directory",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be sent, and send nothing")
    given = parser.parse_args(list(arguments))
    journals = find(given.folder)
    if not journals:
        where = given.folder if given.folder is not None else "here, in WANDB_DIR or in the temp directory"
        print(f"no journal of this user: {shown(where, 1000)}")
        return 2 if given.folder is not None else 0
    # the journal of a run that keeps none goes when the run has ended, which may be now
    lefts = [left for left in map(examine, journals) if os.path.lexists(left.folder / "run.json")]
    finished = sum(1 for left in lefts if left.finished)
    if finished:
        print(f"{finished} of {len(lefts)} runs finished: nothing to send for them")
    return max([_one(left, given.dry_run) for left in lefts if not left.finished], default=0)


def _one(left: Left, dry: bool) -> int:
    name = shown(left.folder, 1000)
    if left.damaged:
        print(f"{name}: left alone: {shown(left.damaged, 1000)}", flush=True)
        return 1
    print(f"{name}: run {left.run_id}, {left.rows} rows, W&B has {left.stored} of them on disk")
    for path in left.files:
        place = damaged(path)
        if place is not None:
            print(f"  {shown(path.name)} is damaged at byte {place}: rows after it are sent once more from the journal")
    if left.busy:
        print(f"  left alone: {shown(left.busy)}")
        return 1
    owner = somebodys(left.folder)
    if owner:
        print(f"  it belongs to {owner}; what is written there now belongs to this user")
    if dry:
        print(f"  would send {left.rows - left.stored} rows" if left.stored < left.rows else "  would mark or sync it")
        return 1
    try:
        for line in _sent(left):
            print(f"  {line}", flush=True)
    except Exception as error:  # of this journal; the others are sent
        left.state = "failed"
        print(f"  not sent: {shown(repr(error), 1000)}", flush=True)
    return 0 if left.state == "finished" and not left.unsent else 1


def _sent(left: Left) -> Iterator[str]:
    """The lines of ``send``; the bar is gone before the first of them."""
    reached = left.stored
    with progress("sending rows", left.rows) as advance:
        advance(reached)

        def stored(rows: int) -> None:
            nonlocal reached
            advance(max(0, rows - reached))
            reached = max(reached, rows)

        lines = send(left, stored)
        first = next(lines, None)
    if first is not None:
        yield first
    yield from lines
