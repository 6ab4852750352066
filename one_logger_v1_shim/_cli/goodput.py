"""``goodput``: how much of the time that a training has cost, over all its attempts, became progress that was kept."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from .._goodput.document import document
from .._goodput.training import Training, add_up
from .._goodput.trainings import DEFAULT_KEYS, KEYS, group
from . import _format as f
from . import _periods
from ._attempts import Reader
from ._html import page, save
from ._model import Report
from ._online import add_places, default_place
from ._online import runs as find_runs
from ._places import NoRunError
from ._progress import progress
from ._prometheus import textfile
from ._text import write
from ._trainings import page_report, report

_REFRESH = 2.0  # seconds between two looks, and more for runs that take long to read
_SHARE = 10.0  # reading may take one part in so many of the time


class _Refused(Exception):
    """There is nothing to show; the message is one line."""


def main(arguments: Sequence[str]) -> int:
    """Show all trainings; returns 0, or 2 when there is none or something can't be written."""
    parser = _parser()
    chosen = parser.parse_args(list(arguments))
    _periods.take_times(parser, chosen)
    paths = chosen.places or [default_place()]
    reader = Reader()
    try:
        if chosen.watch:
            return _watch(reader, paths, chosen)
        trainings, notes = _read(reader, paths, chosen)
        if chosen.html is not None:
            _write(chosen.html, page(_with_periods(page_report(trainings, notes, chosen.details), trainings, chosen)))
        if chosen.prometheus is not None:
            _write(chosen.prometheus, textfile(trainings))
        if chosen.json:
            some = _periods.chosen_periods(trainings, chosen)
            more = {} if some is None else {"periods": _periods.as_json(some)}
            print(json.dumps({**document(trainings, notes), **more}, indent=2))
        elif chosen.html is None and chosen.prometheus is None:
            write(_with_periods(report(trainings, notes, chosen.details), trainings, chosen), sys.stdout)
        else:
            many = f"{len(trainings)} training{'s' * (len(trainings) > 1)}"
            for path in filter(None, (chosen.html, chosen.prometheus)):
                print(f"{f.clean(path, 1000)}: {many}")
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
    add_places(parser)
    parser.add_argument("--app-tag", metavar="TAG", help="only trainings with this tag")
    parser.add_argument(
        "--group-by",
        metavar="KEYS",
        type=_keys,
        default=DEFAULT_KEYS,
        help=f"runs that agree in these are attempts of one training (default: {','.join(DEFAULT_KEYS)}; also: "
        f"{', '.join(key for key in KEYS if key not in DEFAULT_KEYS)})",
    )
    _periods.add_options(parser)
    parser.add_argument(
        "--details",
        metavar="NUMBERS",
        type=_numbers,
        help="of many trainings show these in full, too: numbers of the table (1,3), or all",
    )
    parser.add_argument("--html", metavar="FILE", type=Path, help="write one self-contained page with charts")
    parser.add_argument(
        "--prometheus",
        metavar="FILE",
        type=Path,
        help="write a file for the textfile collector of Prometheus' node exporter",
    )
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


def _numbers(text: str) -> Collection[int]:
    if text == "all":
        return range(1, 1_000_000_000)
    words = text.split(",")
    if not all(word.strip().isascii() and word.strip().isdigit() and len(word) < 10 for word in words):
        raise argparse.ArgumentTypeError(f"{text!r}: expected numbers of the table such as 1,3, or all")
    return {int(word) for word in words}


def _read(reader: Reader, paths: Sequence[Path], chosen: argparse.Namespace) -> tuple[list[Training], list[str]]:
    notes: list[str] = []
    try:
        runs = find_runs(paths, notes, chosen.app_tag)
    except NoRunError as error:
        raise _Refused(str(error)) from error
    except OSError as error:
        raise _Refused(f"{error.filename} cannot be read ({error.strerror})") from error
    attempts = []
    with progress("reading", sum(run.size for run in runs)) as advance:
        for found, note in reader.read(runs, advance):
            attempts += found
            notes += [note] if note else []
    if chosen.app_tag is not None:
        attempts = [one for one in attempts if chosen.app_tag in one.rows.tags]
    trainings = [add_up(some, chosen.group_by) for some in group(attempts, chosen.group_by)]
    trainings = [
        one
        for one in trainings
        if (chosen.since is None or one.end >= chosen.since) and (chosen.until is None or one.begin < chosen.until)
    ]
    if not trainings:
        wanted = "" if chosen.app_tag is None else f" with app_tag {chosen.app_tag!r}"
        wanted += "" if chosen.since is None and chosen.until is None else " in that time"
        more = f": {notes[0]}" if notes else ""
        raise _Refused(f"no v1 rows{wanted} in {', '.join(map(str, paths))} ({len(runs)} runs looked at){more}")
    return trainings, notes


def _with_periods(shown: Report, trainings: Sequence[Training], chosen: argparse.Namespace) -> Report:
    some = _periods.chosen_periods(trainings, chosen)
    if some is not None:
        shown.sections.insert(1, _periods.section(some, chosen.per, chosen.tz))
    return shown


def _write(path: Path, text: str) -> None:
    try:
        save(text, path)
    except (OSError, ValueError) as error:
        raise _Refused(f"{path} cannot be written ({getattr(error, 'strerror', None) or error})") from error


def _watch(reader: Reader, paths: Sequence[Path], chosen: argparse.Namespace) -> int:
    """Until Ctrl-C, also where there is no run yet. A run that has not changed is not read again."""
    screen = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    said = ""
    try:
        if screen:
            sys.stdout.write("\x1b[?1049h")  # the other screen: what stood here before comes back
        while True:
            began = time.monotonic()
            try:
                trainings, notes = _read(reader, paths, chosen)
                shown, waits = _with_periods(report(trainings, notes, chosen.details), trainings, chosen), ""
            except _Refused as error:
                shown, waits = None, f"waiting: {f.clean(error, 1000)}"
            if screen:
                sys.stdout.write("\x1b[H\x1b[2J")  # home, and an empty screen
            if shown is not None:
                write(shown, sys.stdout)
            elif screen or waits != said:
                print(waits)
            said = waits
            sys.stdout.flush()
            time.sleep(max(_REFRESH, _SHARE * (time.monotonic() - began)))
    except KeyboardInterrupt:
        return 0
    finally:
        if screen:
            sys.stdout.write("\x1b[?1049l")
            sys.stdout.flush()
