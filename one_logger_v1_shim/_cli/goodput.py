"""``goodput``: how much of the time that a training has cost, over all its attempts, became progress that was kept."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .._goodput.document import document
from .._goodput.training import Training, add_up
from .._goodput.trainings import DEFAULT_KEYS, KEYS, group
from . import _format as f
from ._attempts import Reader
from ._progress import progress
from ._sources import NoRunError, Run, find_all
from ._trainings import report

_REFRESH = 2.0  # seconds between two looks, and more for runs that take long to read
_SHARE = 10.0  # reading may take one part in so many of the time


class _Refused(Exception):
    """There is nothing to show; the message is one line."""


def main(arguments: Sequence[str]) -> int:
    """Show all trainings; returns 0, or 2 when there is none or something can't be written."""
    chosen = _parser().parse_args(list(arguments))
    paths = chosen.dir or [Path(os.environ.get("WANDB_DIR") or ".")]
    keys = chosen.group_by
    reader = Reader()
    try:
        if chosen.watch:
            return _watch(reader, paths, keys, chosen.app_tag)
        trainings, notes = _read(reader, paths, keys, chosen.app_tag)
        if chosen.html is not None:
            _write_page(trainings, notes, chosen.html)
        if chosen.json:
            print(json.dumps(document(trainings, notes), indent=2))
        elif chosen.html is None:
            _print(trainings, notes)
        else:
            print(f"{f.clean(chosen.html, 1000)}: {len(trainings)} training{'s' * (len(trainings) > 1)}")
        sys.stdout.flush()
    except _Refused as error:
        print(f"one_logger_v1_shim goodput: {f.clean(error, 1000)}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m one_logger_v1_shim goodput",
        description="Of the time that a training has cost, over all its attempts, how much became progress that was "
        "kept, and what did the rest go into?",
    )
    parser.add_argument(
        "dir",
        nargs="*",
        type=Path,
        metavar="DIR",
        help="journals, W&B run folders, .wandb files, or folders that have such below them (default: WANDB_DIR or the "
        "working directory)",
    )
    parser.add_argument("--app-tag", metavar="TAG", help="only trainings with this tag")
    parser.add_argument(
        "--group-by",
        metavar="KEYS",
        type=_keys,
        default=DEFAULT_KEYS,
        help=f"runs that agree in these are attempts of one training (default: {','.join(DEFAULT_KEYS)}; also: "
        f"{', '.join(key for key in KEYS if key not in DEFAULT_KEYS)})",
    )
    parser.add_argument("--html", metavar="FILE", type=Path, help="write one self-contained page with charts")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print a JSON document of a stable form")
    form.add_argument("--watch", action="store_true", help="look again and again, until Ctrl-C")
    return parser


def _keys(text: str) -> tuple[str, ...]:
    keys = tuple(key.strip() for key in text.split(",") if key.strip())
    unknown = [key for key in keys if key not in KEYS]
    if unknown or not keys:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown) or 'nothing'}; expected some of {', '.join(KEYS)}")
    return keys


def _read(reader: Reader, paths: Sequence[Path], keys: Sequence[str], tag: Any) -> tuple[list[Training], list[str]]:
    try:
        runs = list({os.path.realpath(run.path): run for path in paths for run in find_all(path)}.values())
    except NoRunError as error:
        raise _Refused(str(error)) from error
    except OSError as error:
        raise _Refused(f"{error.filename} can not be read ({error.strerror})") from error
    attempts, notes = [], []
    with progress("reading", sum(map(_size, runs))) as advance:
        for found, note in reader.read(runs, advance):
            attempts += found
            notes += [note] if note else []
    if tag is not None:
        attempts = [one for one in attempts if tag in one.rows.tags]
    if not attempts:
        wanted = "" if tag is None else f" with app_tag {tag!r}"
        more = f": {notes[0]}" if notes else ""
        raise _Refused(f"no v1 rows{wanted} in {', '.join(map(str, paths))} ({len(runs)} runs looked at){more}")
    return [add_up(some, keys) for some in group(attempts, keys)], notes


def _size(run: Run) -> int:
    try:
        return run.size
    except OSError:
        return 0


def _print(trainings: list[Training], notes: list[str]) -> None:
    from ._text import write

    write(report(trainings, notes), sys.stdout)


def _write_page(trainings: list[Training], notes: list[str], path: Path) -> None:
    from ._html import NoPlotlyError, page, save

    try:
        save(page(report(trainings, notes)), path)
    except NoPlotlyError as error:
        raise _Refused(str(error)) from error
    except (OSError, ValueError) as error:
        raise _Refused(f"{path} can not be written ({getattr(error, 'strerror', None) or error})") from error


def _watch(reader: Reader, paths: Sequence[Path], keys: Sequence[str], tag: Any) -> int:
    """Until Ctrl-C. A run that has not changed is not read again."""
    try:
        while True:
            began = time.monotonic()
            trainings, notes = _read(reader, paths, keys, tag)
            if sys.stdout.isatty():
                sys.stdout.write("\x1b[H\x1b[2J\x1b[3J")  # home, and an empty screen
            _print(trainings, notes)
            sys.stdout.flush()
            time.sleep(max(_REFRESH, _SHARE * (time.monotonic() - began)))
    except KeyboardInterrupt:
        return 0
