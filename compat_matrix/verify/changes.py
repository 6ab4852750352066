"""``python -m compat_matrix changes``: does ``verify`` notice? Histories of recorded jobs with one thing changed.

A change is drawn by a seed: one value, one metric in all rows, one row, or all rows of a kind. What cannot be noticed
is not drawn: a change that changes nothing, another value of v1's bookkeeping, a time that another run could have had.
"""

from __future__ import annotations

import argparse
import copy
import functools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Optional

from ..compare import BOOKKEEPING, events_rows
from ..jobs import WIRE, all_jobs
from .beliefs import EPOCH_MS, METRICS
from .check_life import check
from .compared import compare
from .findings import only_in
from .history import history
from .numbers import is_number

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Change:
    """One history with one thing changed."""

    job: str
    what: str
    before: Rows
    after: Rows


#: of one value; None: there is nothing to change
ONE: dict[str, Callable[[Any], Any]] = {
    "x 1000": lambda value: value * 1000,
    "/ 1000": lambda value: value / 1000,
    "x 2": lambda value: value * 2,
    "/ 2": lambda value: value // 2 if isinstance(value, int) else value / 2,
    "+ 1": lambda value: value + 1,
    "- 1": lambda value: value - 1,
    "0": lambda value: 0,
    "NaN": lambda value: math.nan,
    "infinite": lambda value: math.inf,
    "negative": lambda value: -value,
    "a float": lambda value: float(value) if isinstance(value, int) else value,
    "a text": str,
    "None": lambda value: None,
}
_OF_BOOKKEEPING = ("x 1000", "/ 1000", "NaN", "a float", "a text", "None")
#: another run may have had such a time
_OF_TIMES = ("+ 1", "- 1", "a float")


def changed(value: Any, how: str, name: str) -> Any:
    """The value after a change; the same value if the change is none, or none that can be told."""
    metric = METRICS.get(name)
    if isinstance(value, bool):
        return {"0": not value, "a text": str(value), "None": None, "x 2": int(value)}.get(how, value)
    if isinstance(value, str):
        if name in BOOKKEEPING and how in ("x 2", "a text"):
            return value
        return {"x 2": value + "x", "a text": value[:-1], "0": 0, "None": None}.get(how, value)
    if isinstance(value, list):
        return {"x 2": [*value, "x"], "0": [], "a text": str(value), "None": None}.get(how, value)
    if not is_number(value):
        return value
    if name in BOOKKEEPING and how not in _OF_BOOKKEEPING:
        return value
    if metric is not None and metric.of_the_clock and how in _OF_TIMES and name not in BOOKKEEPING:
        return value
    if metric is not None and metric.unit == EPOCH_MS and how == "0" and name == "job_start_time":
        return value
    after = ONE[how](value)
    return value if after == value and how != "a float" else after  # 0.0 and 0, or -0.0


def _a_value(rng: Random, rows: Rows) -> str:
    at, how = rng.randrange(len(rows)), rng.choice(tuple(ONE))
    name = rng.choice(tuple(rows[at]))
    rows[at][name] = changed(rows[at][name], how, name)
    return f"row {at}: {name}: {how}"


def _a_metric(rng: Random, rows: Rows) -> str:
    name, how = rng.choice(_names(rows)), rng.choice(tuple(ONE))
    for row in rows:
        if name in row:
            row[name] = changed(row[name], how, name)
    return f"all rows: {name}: {how}"


def _per_interval(rng: Random, rows: Rows) -> str:
    name = rng.choice([one for one in _names(rows) if one.endswith(("_total", "_count", "train_samples"))] or ["none"])
    before = 0
    for row in rows:
        if is_number(row.get(name)):
            row[name], before = row[name] - before, row[name]
    return f"all rows: {name}: what was added only"


def _frozen(rng: Random, rows: Rows) -> str:
    name = rng.choice([one for one in _names(rows) if one not in BOOKKEEPING])
    values = [row[name] for row in rows if name in row]
    for row in rows:
        if name in row:
            row[name] = values[0]
    return f"all rows: {name}: the first value"


def _without(rng: Random, rows: Rows) -> str:
    at = rng.randrange(len(rows))
    name = rng.choice(tuple(rows[at]))
    del rows[at][name]
    return f"row {at}: without {name}"


def _without_everywhere(rng: Random, rows: Rows) -> str:
    name = rng.choice(_names(rows))
    for row in rows:
        row.pop(name, None)
    return f"all rows: without {name}"


def _renamed(rng: Random, rows: Rows) -> str:
    name, everywhere = rng.choice(_names(rows)), rng.random() < 0.5
    for number, row in enumerate(rows):
        if name in row:
            rows[number] = {(f"{one}s" if one == name else one): value for one, value in row.items()}
            if not everywhere:
                break
    return f"{'all rows' if everywhere else 'a row'}: another name for {name}"


def _row_gone(rng: Random, rows: Rows) -> str:
    at = rng.randrange(len(rows))
    del rows[at]
    return f"row {at} gone"


def _kind_gone(rng: Random, rows: Rows) -> str:
    names = set(rng.choice(rows)) - BOOKKEEPING
    rows[:] = [row for row in rows if set(row) - BOOKKEEPING != names]
    return f"all rows gone that have {', '.join(sorted(names)[:2])}"


def _row_twice(rng: Random, rows: Rows) -> str:
    at = rng.randrange(len(rows))
    if "app_tag" not in rows[at]:  # v1 sent an unchanged list of tags with each batch
        rows.insert(at, dict(rows[at]))
    return f"row {at} twice"


def _swapped(rng: Random, rows: Rows) -> str:
    at = rng.randrange(len(rows) - 1)
    if set(rows[at]) != set(rows[at + 1]):
        rows[at], rows[at + 1] = rows[at + 1], rows[at]
    return f"rows {at} and {at + 1} in each other's place"


KINDS: dict[Callable[[Random, Rows], str], int] = {
    _a_value: 8, _a_metric: 5, _per_interval: 1, _frozen: 2, _without: 3, _without_everywhere: 2, _renamed: 2,
    _row_gone: 2, _kind_gone: 1, _row_twice: 1, _swapped: 1,
}  # fmt: skip


def _names(rows: Rows) -> list[str]:
    return sorted({name for row in rows for name in row})


@functools.lru_cache(maxsize=1)
def recorded() -> dict[str, Rows]:
    """The rows of each recorded job and program that by the virtual clock is the same each time. Not to be changed.

    Without those of another v1 than 1.0.2, whose rules ``verify`` does not know.
    """
    found = {}
    for job in all_jobs():
        if "@" not in job.name and job.clock == "virtual" and WIRE not in job.environment:
            for number, run in enumerate(job.runs):
                rows = events_rows(run.events)
                if len(rows) > 2:
                    found[f"{job.name}{f'#{number}' if number else ''}"] = rows
    return found


def draw(count: int, seed: int) -> Iterator[Change]:
    """``count`` changes; the same seed draws the same ones."""
    histories, rng, drawn = recorded(), Random(seed), 0
    while drawn < count:
        job = rng.choice(tuple(histories))
        before, after = histories[job], copy.deepcopy(histories[job])
        what = rng.choices(tuple(KINDS), tuple(KINDS.values()))[0](rng, after)
        if after and repr(after) != repr(before):
            drawn += 1
            yield Change(job, what, before, after)


def notices(change: Change) -> bool:
    """Whether ``verify OLD NEW`` says that the new history is another one."""
    old, new = history("old", change.before), history("new", change.after)
    return bool(compare(old, new) or only_in(check(new), check(old)))


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """0: at least 95 of 100 changes are noticed."""
    parser = argparse.ArgumentParser(prog="python -m compat_matrix changes", description=__doc__)
    parser.add_argument("--changes", type=int, default=300, metavar="N", help="how many (default: 300)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="the same seed draws the same ones")
    options = parser.parse_args(arguments)
    missed = [change for change in draw(options.changes, options.seed) if not notices(change)]
    for change in missed:
        print(f"not noticed: {change.job}: {change.what}")
    by_kind = Counter(change.what.rpartition(": ")[2] for change in missed)
    share = 1 - len(missed) / options.changes if options.changes else 1.0
    kinds = ", ".join(f"{count} x {what}" for what, count in by_kind.most_common(5))
    noticed = options.changes - len(missed)
    print(f"{noticed} of {options.changes} changes noticed: {share:.1%}{f'; not: {kinds}' if kinds else ''}")
    return int(share < 0.95)
