"""Reads runs into attempts: what a run's rows say about its time, and how it ended."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Callable, Optional

from .._goodput import trainings as t
from .._goodput.rows import AttemptRows
from .._journal.destination import told
from .._journal.records import RunRecord
from .._v1 import metrics as m
from ._left import job_runs
from ._sources import Run

_QUIET = 180.0  # seconds; a W&B run without an end that was written to since then counts as running
_VERSION, _FIRST = m.ONE_LOGGER_UTILS_VERSION, m.APP_FIRST_LOG_TIME  # each row is asked for them
_ENOUGH = 1000  # rows; who has not sent one of v1's by then is not of v1


def attempts_of(run: Run) -> tuple[list[t.Attempt], Optional[str]]:
    """The attempts in a run, nearly always one; and a line about it if there is none.

    Raises:
        OSError: it can't be read.
    """
    attempts = Attempts()
    wait = 0 if run.journal else _ENOUGH
    for row in run.rows():
        attempts.take(row)
        if wait:
            wait -= 1
            if not wait and attempts.has_none_of_v1():
                break
    if attempts.has_none_of_v1():
        damage = "".join(f"; {note}" for note in run.notes)
        return [], f"{run.name}: no v1 rows, left out{damage}"
    found = attempts.found(run)
    return found, None if found else f"{run.name}: its rows have no times, left out"


class Attempts:
    """The attempts in one run's rows: one, and one more for each further construction of v1's logger, or process."""

    def __init__(self) -> None:
        self._all = [AttemptRows()]
        self._now = self._all[-1]
        #: how those before the newest ended
        self._ended: list[str] = []

    def take(self, row: dict[str, Any]) -> None:
        """One row."""
        if (_VERSION in row or _FIRST in row) and self._now.is_new_attempt(row):
            is_first = _FIRST in row
            before, self._now = self._now, AttemptRows()
            self._all.append(self._now)
            self._ended.append(t.KILLED if is_first and before.app_finish is None else t.FINISHED)
            if not is_first:  # the same process: it sends its tags, and what SLURM says of the job, once
                self._now.tags, self._now.identity = list(before.tags), dict(before.identity)
        self._now.take(row)

    def has_none_of_v1(self) -> bool:
        """Whether no row of v1's has come."""
        return not any(one.v1_rows for one in self._all)

    def found(self, run: Run) -> list[t.Attempt]:
        """Those whose rows have times. ``run`` has been read to its end."""
        for rows in self._all:
            rows.settle()
        about = {name: told(run.about, name) for name in (t.PROJECT, t.RUN_NAME, t.ENTITY, t.RUN_ID)}
        about[t.FOLDER] = str(run.path if run.journal else run.path.parent)
        ended, code = _ended(run, self._now)
        attempts = [t.Attempt(rows, about, how) for rows, how in zip(self._all, [*self._ended, ended])]
        attempts[-1].exit_code = code
        name = run.path.name if run.state is None else run.name
        attempts[-1].notes.extend(note if note.startswith(name) else f"{name}: {note}" for note in run.notes)
        return [one for one in attempts if one.rows.begin is not None]


def _ended(run: Run, rows: AttemptRows) -> tuple[str, Optional[int]]:
    """How the job ended: as it said itself, else as its worker noted when the job had gone, or as W&B says."""
    if run.state in ("finished", "failed"):
        return (t.FINISHED, 0) if run.state == "finished" else (t.FAILED, None)
    if run.exit_code is not None:
        return (t.FAILED if run.exit_code else t.FINISHED), run.exit_code
    if _alive(run):
        return t.RUNNING, None
    mark = run.about.get("mark")
    code = mark.get("exit_code") if isinstance(mark, dict) else None
    if rows.app_finish is None:
        return (t.FINISHED if code == 0 else t.KILLED), code
    return (t.FAILED if code else t.FINISHED), code


def _alive(run: Run) -> bool:
    if run.state is not None:
        return run.state in ("running", "pending")
    if run.journal:
        return job_runs(run.path, RunRecord.read(run.path)) is not None
    try:
        return time.time() - run.path.stat().st_mtime < _QUIET
    except OSError:
        return False


class Reader:
    """Reads runs, those that have not changed only once."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[Any, ...], list[t.Attempt], Optional[str]]] = {}

    def read(
        self, runs: Sequence[Run], progress: Callable[[int], None]
    ) -> Iterator[tuple[list[t.Attempt], Optional[str]]]:
        """As :func:`attempts_of`, for each run; ``progress`` hears of bytes."""
        for run in runs:
            now = (run.path, run.size, _alive(run))
            known = self._known.get(run.path)
            if known is None or known[0] != now:
                run.progress = progress
                try:
                    found, note = attempts_of(run)
                except OSError as error:
                    found, note = [], f"{run.name}: {error.strerror}, left out"
                known = self._known[run.path] = (now, found, note)
            else:
                progress(run.size)
            yield known[1], known[2]
