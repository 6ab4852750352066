"""Whether what W&B stored is what v1 sent. Tolerances: docs/v1.md."""

from __future__ import annotations

import hashlib
import itertools
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from .oracle.one_logger.core import SLURM as _SLURM
from .wandb_file import StoredRun

#: v1's core added these to rows by itself; the first row of a run has all that apply, every row the first one
LAST_LOG_TIME = "app_last_log_time"
FIRST_ROW = ("app_first_log_time", "one_logger_version", "job_start_time", "limit_run")
SLURM = (*_SLURM, "step_id")
BOOKKEEPING = frozenset((LAST_LOG_TIME, *FIRST_ROW, *SLURM))
TAG_KEYS = ("app_tag", "app_tag_id", "app_tag_count")

_MS_TOLERANCE = 2e-3
_TOLERANCE = 2e-6
_A_YEAR_AFTER_THE_EPOCH_MS = 3e10


@dataclass(frozen=True)
class Event:
    """What reaches W&B: a row, or a change of the list of tags (alone or with the row that follows it)."""

    kind: str  # "row" or "tags"
    value: Any
    at_ms: Optional[int] = None  # app_last_log_time, where it is known

    def spelled(self) -> list[Any]:
        """As it stands in ``expected.json``."""
        return [self.kind, self.value] if self.at_ms is None else [self.kind, self.value, self.at_ms]


@dataclass(frozen=True)
class ExpectedRun:
    """One W&B run that a job must leave. ``name`` None: any."""

    project: str
    name: Optional[str]
    events: tuple[Event, ...]
    #: what the first row has of SLURM, where the environment is known
    first_row: Optional[Mapping[str, Any]] = None
    #: exit codes that W&B may have, the job's own
    exit_codes: tuple[int, ...] = (0,)
    #: the rows as they stand in W&B, where a recorded job has them: with bookkeeping and the tags' three metrics
    rows: Optional[tuple[Mapping[str, Any], ...]] = None


@dataclass(frozen=True)
class Difference:
    """The first thing to look at when a job is red."""

    where: str
    metric: str
    v1: Any
    ours: Any

    def text(self) -> str:
        """One line."""
        return f"{self.where}: {self.metric}: v1 {self.v1!r}, here {self.ours!r}"


class Anything:
    """What no rule of v1's says how W&B has it: a callable, a picture, an array."""

    def __init__(self, shown: str) -> None:
        self._shown = shown

    def __repr__(self) -> str:
        return self._shown


class Absent:
    """A metric that is not there; None is a value."""

    def __repr__(self) -> str:
        return "(absent)"


ABSENT = Absent()


def events_of(emits: Iterable[Sequence[Any]], times_ms: Iterable[Optional[int]], tags: list[str]) -> list[Event]:
    """The events of one run from what v1 emitted. ``tags`` is the process's list; it grows.

    v1 sent its tags again with every batch; W&B needs them when the list changes, and once in each run.
    """
    events: list[Event] = []
    sent: Optional[list[str]] = None
    for emit, at in zip(emits, times_ms):
        if emit[0] == "log_app_tag":
            given = [emit[1]] if isinstance(emit[1], str) else emit[1]
            tags.extend(dict.fromkeys(tag for tag in given if tag not in tags))
            if tags != sent:
                sent = list(tags)
                events.append(Event("tags", sent, at))
        elif emit[0] == "log_metrics" and emit[1]:
            events.append(Event("row", emit[1], at))
    return events


def same(v1: Any, ours: Any) -> bool:
    """Equal within the tolerances (docs/v1.md, "How rows are compared")."""
    if isinstance(v1, Anything):
        return not isinstance(ours, Absent)
    if isinstance(v1, bool) or isinstance(ours, bool):
        return isinstance(v1, bool) and isinstance(ours, bool) and v1 == ours
    if isinstance(v1, (int, float)) and isinstance(ours, (int, float)):
        if v1 == ours or (v1 != v1 and ours != ours):
            return True
        if max(abs(v1), abs(ours)) > 1e300:  # too large for what follows; W&B has no such whole number
            return (
                isinstance(v1, int) and abs(v1) > sys.float_info.max and ours == math.copysign(math.inf, v1 > 0 or -1)
            )
        if abs(v1) > 1e9:
            return abs(v1 - ours) <= max(_MS_TOLERANCE, 0.0 if abs(v1) < 1e13 else _TOLERANCE * abs(v1))
        return math.isclose(v1, ours, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    if isinstance(v1, (list, tuple)) and isinstance(ours, (list, tuple)):
        return len(v1) == len(ours) and all(map(same, v1, ours))
    if isinstance(v1, dict) and isinstance(ours, dict):
        return v1.keys() == ours.keys() and all(same(v1[key], ours[key]) for key in v1)
    return type(v1) is type(ours) and bool(v1 == ours)


def plausible(metric: str, v1: Any, ours: Any, life_ms: tuple[float, float]) -> bool:
    """For a real clock: a time stamp lies within the run's life, a duration (s or ms) is not longer than it."""
    if not isinstance(v1, (int, float)) or not isinstance(ours, (int, float)) or isinstance(ours, bool):
        return same(v1, ours)
    if v1 > _A_YEAR_AFTER_THE_EPOCH_MS:
        return life_ms[0] - 1 <= ours <= life_ms[1] + 1
    return ours >= 0 and ("throughput" in metric or ours <= life_ms[1] - life_ms[0])


def is_clock(metric: str) -> bool:
    """Whether this metric depends on the clock. v1 names them so."""
    return "time" in metric or "throughput" in metric


def compare_runs(
    expected: Sequence[ExpectedRun], stored: Sequence[StoredRun], life_ms: Optional[tuple[float, float]] = None
) -> list[Difference]:
    """Differences; empty when every expected run is there, exactly. ``life_ms``: the job ran by the real clock."""
    if len(expected) != len(stored):
        names = [f"{run.project}/{run.name} ({len(run.rows)} rows)" for run in stored]
        return [Difference("runs", "number of W&B runs", len(expected), f"{len(stored)} {names}")]
    if not expected:
        return []
    attempts = (
        list(itertools.chain.from_iterable(map(compare_run, expected, order, itertools.repeat(life_ms))))
        for order in itertools.permutations(stored)
    )
    return min(attempts, key=len)


def compare_run(
    expected: ExpectedRun, stored: StoredRun, life_ms: Optional[tuple[float, float]] = None
) -> list[Difference]:
    """Differences of one run: its identity, its rows in order, its summary, its configuration."""
    found = [Difference("file", "intact", "yes", damage) for damage in stored.damage]
    for what, v1, ours in (
        ("project", expected.project, stored.project),
        ("name", expected.name, stored.name if expected.name is not None else None),
        ("finished", *_exit(expected.exit_codes, stored.exit_code)),
        ("steps", list(range(len(stored.rows))), stored.steps),
    ):
        if v1 != ours:
            found.append(Difference("run", what, v1, ours))
    foreign = {key: value for key, value in stored.config.items() if key != "_wandb"}
    if foreign:
        found.append(Difference("run config", "keys", {}, foreign))
    found += _bookkeeping(stored.rows, expected.first_row)
    found += _rows(expected.events, events_in(stored.rows), life_ms)
    if expected.rows is not None:
        found += _whole_rows(expected.rows, stored.rows)
    found += _summary(stored)
    return found


def _exit(wanted: tuple[int, ...], stored: Any) -> tuple[Any, Any]:
    return (stored, stored) if stored in wanted else (wanted[0], stored)


def events_in(rows: Sequence[dict[str, Any]]) -> list[Event]:
    """The events that stored rows are."""
    events = []
    for row in rows:
        at = row.get(LAST_LOG_TIME)
        if "app_tag" in row:
            triple = {key: row.get(key) for key in TAG_KEYS}
            tags = row["app_tag"]
            events.append(Event("tags", tags if triple == tag_row(tags) else triple, at))
        own = {*TAG_KEYS, LAST_LOG_TIME, *(FIRST_ROW if "app_first_log_time" in row else ())}
        rest = {key: value for key, value in row.items() if key not in own}
        if rest.keys() - BOOKKEEPING:
            events.append(Event("row", rest, at))
    return events


def tag_row(tags: Any) -> dict[str, Any]:
    """The three metrics of a list of tags."""
    if not isinstance(tags, list):
        return {}
    ids = [hashlib.md5(str(tag).encode(), usedforsecurity=False).hexdigest() for tag in tags]
    return {"app_tag": tags, "app_tag_id": ids, "app_tag_count": len(tags)}


def events_rows(events: Iterable[Event]) -> list[dict[str, Any]]:
    """The rows that W&B stores of a run's events, with v1's bookkeeping outside of SLURM."""
    rows: list[dict[str, Any]] = []
    for event in events:
        row = dict(tag_row(event.value) if event.kind == "tags" else event.value)
        if event.at_ms is not None:
            row[LAST_LOG_TIME] = event.at_ms
        rows.append(row)
    if rows:
        first = {"app_first_log_time": rows[0].get(LAST_LOG_TIME), "one_logger_version": "0", "job_start_time": 0,
                 "limit_run": 0}  # fmt: skip
        rows[0] = {**{name: value for name, value in first.items() if value is not None}, **rows[0]}
    return rows


def _rows(v1: Sequence[Event], ours: Sequence[Event], life_ms: Optional[tuple[float, float]]) -> Iterable[Difference]:
    for n, (want, got) in enumerate(itertools.zip_longest(v1, ours)):
        where = f"row {n}"
        if want is None:
            yield Difference(where, got.kind, ABSENT, got.value)
        elif got is None or want.kind != got.kind:
            yield Difference(where, want.kind, want.value, ABSENT if got is None else {got.kind: got.value})
            return  # what follows is shifted, and would only repeat it
        elif want.kind == "tags":
            if want.value != got.value:
                yield Difference(where, "app_tag", want.value, got.value)
        else:
            # a job's own "cluster" or "user" is its own; the bookkeeping is looked at elsewhere
            theirs = (key for key in got.value if key not in BOOKKEEPING)
            for key in dict.fromkeys((*want.value, *theirs)):
                a, b = want.value.get(key, ABSENT), got.value.get(key, ABSENT)
                free = life_ms is not None and is_clock(key) and a is not ABSENT and b is not ABSENT
                if not (plausible(key, a, b, life_ms or (0, 0)) if free else same(a, b)):
                    yield Difference(where, key, a, b)
        if want and got and want.at_ms is not None and life_ms is None and want.at_ms != got.at_ms:
            yield Difference(where, LAST_LOG_TIME, want.at_ms, got.at_ms)


def _whole_rows(v1: Sequence[Mapping[str, Any]], ours: Sequence[Mapping[str, Any]]) -> Iterable[Difference]:
    for n, (want, got) in enumerate(itertools.zip_longest(_together(v1), _together(ours), fillvalue={})):
        for key in dict.fromkeys((*want, *got)):
            a, b = want.get(key, ABSENT), got.get(key, ABSENT)
            free = key == "one_logger_version" and isinstance(a, str) and isinstance(b, str)
            if not free and not same(a, b):
                yield Difference(f"stored row {n}", key, a, b)


def _together(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Tags may be sent alone, or with the row that follows in the same call."""
    found: list[dict[str, Any]] = []
    alone = False
    for row in rows:
        if alone and row.get(LAST_LOG_TIME) == found[-1].get(LAST_LOG_TIME):
            found[-1].update(row)
        else:
            found.append(dict(row))
        alone = "app_tag" in row and not row.keys() - BOOKKEEPING - set(TAG_KEYS)
    return found


def _bookkeeping(rows: Sequence[dict[str, Any]], first_row: Optional[Mapping[str, Any]]) -> Iterable[Difference]:
    for n, row in enumerate(rows):
        if not isinstance(row.get(LAST_LOG_TIME), int):
            yield Difference(f"stored row {n}", LAST_LOG_TIME, "int ms", row.get(LAST_LOG_TIME, ABSENT))
        there = [key for key in FIRST_ROW if key in row]
        if n == 0 and len(there) < len(FIRST_ROW):
            yield Difference("stored row 0", "fields of the first row", list(FIRST_ROW), there)
        for key in ("job_start_time", "limit_run", *SLURM) if n == 0 and first_row is not None else ():
            want, got = first_row.get(key, ABSENT), row.get(key, ABSENT)  # type: ignore[union-attr]
            if type(want) is not type(got) or want != got:
                yield Difference("stored row 0", key, want, got)
        if n > 0 and "app_first_log_time" in row:
            yield Difference(f"stored row {n}", "app_first_log_time", ABSENT, row["app_first_log_time"])


def _summary(stored: StoredRun) -> Iterable[Difference]:
    last: dict[str, Any] = {}
    for row in stored.rows:
        last.update({key: value for key, value in row.items() if value is not None})
    for key, value in last.items():
        if not same(value, stored.summary.get(key, ABSENT)):
            yield Difference("summary", key, value, stored.summary.get(key, ABSENT))
