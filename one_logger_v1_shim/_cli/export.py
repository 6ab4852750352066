"""``export``: the rows of runs as one file for other tools."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .._journal.destination import told
from .._v1 import metrics as m
from . import _format as f
from ._online import add_places, default_place
from ._online import runs as find_runs
from ._places import NoRunError
from ._progress import progress
from ._sources import Run
from ._tables import NoPyarrowError, row_of, writer

_ENOUGH = 1000  # rows; who has not sent one of v1's by then is not of v1


def main(arguments: Sequence[str]) -> int:
    """Write the file; returns 0, or 2 when there are no rows or it can't be written."""
    parser = argparse.ArgumentParser(
        prog="python -m one_logger_v1_shim export",
        description="Writes the rows of all runs into one file, with the same columns for each of them.",
    )
    add_places(parser)
    parser.add_argument("file", type=Path, metavar="FILE", help="ends in .parquet (needs pyarrow), .csv or .jsonl")
    chosen = parser.parse_args(list(arguments))
    paths = chosen.places or [default_place()]
    write = writer(chosen.file.suffix)
    if write is None:
        return _refused(f"{chosen.file}: expected a name that ends in .parquet, .csv or .jsonl")
    notes: list[str] = []
    try:
        runs = find_runs(paths, notes)
    except NoRunError as error:
        return _refused(str(error))
    except OSError as error:
        return _refused(f"{error.filename} cannot be read ({error.strerror})")
    partial = chosen.file.with_name(f"{f.clean(chosen.file.name)}.{os.getpid()}.partial")
    rows = _Rows(runs)
    try:
        with progress("reading", sum(run.size for run in runs)) as advance:
            for run in runs:
                run.progress = advance
            count = write(partial, rows)
        if not count:
            return _refused(f"no v1 rows in {', '.join(map(str, paths))} ({len(runs)} runs looked at)")
        os.replace(partial, chosen.file)
    except NoPyarrowError as error:
        return _refused(str(error))
    except OSError as error:
        return _refused(f"{chosen.file} cannot be written ({error.strerror or error})")
    finally:
        if partial.exists():
            partial.unlink()
    for note in [*notes, *rows.notes]:
        print(f"note: {f.clean(note, 500)}", file=sys.stderr)
    print(f"{f.clean(chosen.file, 1000)}: {count:,} rows of {rows.runs} run{'s' * (rows.runs != 1)}")
    return 0


class _Rows:
    """The rows of all runs that are v1's, one after the other."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = runs
        self.runs = 0
        self.notes: list[str] = []

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for run in self._runs:
            try:
                yield from self._of(run)
            except OSError as error:
                self.notes.append(f"{run.name}: {error.strerror}")
            self.notes += [f"{run.path.name if run.state is None else run.name}: {note}" for note in run.notes]

    def _of(self, run: Run) -> Iterator[dict[str, Any]]:
        first: list[dict[str, Any]] = []
        known, step = False, 0
        for row in run.rows():
            if known:
                yield row_of(self._about(run), step, row)
                step += 1
                continue
            first.append(row)
            known = not m.UNITS.keys().isdisjoint(row)
            if known:
                self.runs += 1
                yield from (row_of(self._about(run), number, one) for number, one in enumerate(first))
                step, first = len(first), []
            elif len(first) >= _ENOUGH and not run.journal:
                break
        if not known:
            self.notes.append(f"{run.name}: no v1 rows, left out")

    @staticmethod
    def _about(run: Run) -> dict[str, Any]:
        return {
            "_run_id": told(run.about, "id"),
            **{f"_{name}": told(run.about, name) for name in ("project", "entity", "run_name")},
        }


def _refused(message: str) -> int:
    print(f"one_logger_v1_shim export: {f.clean(message, 1000)}", file=sys.stderr)
    return 2
