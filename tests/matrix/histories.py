"""Histories for the tests of ``verify``: those of the recorded jobs, and the same with one thing changed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, Optional

from compat_matrix.compare import FIRST_ROW
from compat_matrix.jobs import GOLDENS, golden
from compat_matrix.verify.history import History, history
from tests.matrix.made import stored_run
from tests.support import golden_names

Rows = list[dict[str, Any]]
#: changes the rows in place, something in row ``at``; the number of the row to be named, None if nothing was to change
Change = Callable[[Rows, int], Optional[int]]

LOGGED = "app_last_log_time"


def rows_of(name: str) -> Rows:
    """The rows that W&B stores of a recorded job."""
    job = golden(GOLDENS / f"{name}.json")
    return [] if not job.runs else copy.deepcopy(stored_run("p", None, job.runs[0].events).rows)


def recorded(name: str) -> History:
    """The history of a recorded job."""
    return history(name, rows_of(name))


def names() -> list[str]:
    """Of 1.0.2: `verify` knows what it has seen of other versions, and has no belief about the rest."""
    return golden_names()


def changed(name: str, change: Change) -> Iterator[tuple[int, int, Rows]]:
    """Each row in which ``change`` finds something to change: that row, the row to be named, all rows afterwards."""
    original = rows_of(name)
    for at in range(len(original)):
        rows = copy.deepcopy(original)
        named = change(rows, at)
        if named is not None:
            yield at, named, rows


def is_named(change: Change, named: int, found: Optional[int]) -> bool:
    """Is it the right row? Of two that have changed places either one is."""
    return found in ((named, named + 1) if change is swapped_rows else (named,))


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def instant_in_seconds(rows: Rows, at: int) -> Optional[int]:
    for name, value in rows[at].items():
        if name.endswith("_time") and name not in (LOGGED, "app_first_log_time") and _number(value) and value > 1e12:
            rows[at][name] = value / 1000
            return at
    return None


def total_in_ms(rows: Rows, at: int) -> Optional[int]:
    for name, value in rows[at].items():
        if name.endswith(("time_total", "sync_time_max", "checkpoint_time")) and _number(value) and value > 0:
            rows[at][name] = value * 1000
            return at
    return None


def average_in_s(rows: Rows, at: int) -> Optional[int]:
    for name, value in rows[at].items():
        if name.endswith("msecs_avg") and _number(value) and value > 0:
            rows[at][name] = value / 1000
            return at
    return None


def another_name(rows: Rows, at: int) -> Optional[int]:
    own = [
        name
        for name in rows[at]
        if name.startswith(("train", "save", "app_m", "app_b", "app_f", "app_t", "valid", "is_"))
    ]
    if not own or at == 0:
        return None
    rows[at] = {(f"{name}s" if name == own[-1] else name): value for name, value in rows[at].items()}
    return at


def off_by_one(rows: Rows, at: int) -> Optional[int]:
    for name in ("train_iterations_save_checkpoint_end", "train_iterations_end", "save_checkpoint_sync_count",
                 "save_checkpoint_async_count"):  # fmt: skip
        if name in rows[at]:
            rows[at][name] -= 1
            return at
    return None


def missing_row(rows: Rows, at: int) -> Optional[int]:
    if at == len(rows) - 1:
        return None  # the job may have been killed there
    gone = rows.pop(at)
    if at == 0:
        rows[0] = {**{name: value for name, value in gone.items() if name in FIRST_ROW}, **rows[0]}
    return at


def another_cadence(rows: Rows, at: int) -> Optional[int]:
    """One iteration later than it is due, and all else as it is then."""
    row, size = rows[at], next((row["global_batch_size"] for row in rows if "global_batch_size" in row), 0)
    periodic = "train_iterations_time_total" in row and "train_tflop" not in row and row["train_iterations"] > 0
    if not periodic or (at + 1 < len(rows) and "train_iterations_save_checkpoint_end" in rows[at + 1]):
        return None
    for name, more in (("train_iterations", 1), ("train_samples", size)):
        row[name] += more
        row[f"{name}_end"] += more
    if "train_tokens" in row:
        row["train_tokens"] = row["train_tokens"] // (row["train_samples"] - size) * row["train_samples"]
    row["train_iterations_time_msecs_avg"] = 1000 * row["train_iterations_time_total"] / row["train_iterations"]
    return at


def another_type(rows: Rows, at: int) -> Optional[int]:
    for name, value in rows[at].items():
        if name.startswith(("train", "is_", "save")) and not isinstance(value, str):
            rows[at][name] = int(value) if isinstance(value, bool) else str(value)
            return at
    return None


def swapped_rows(rows: Rows, at: int) -> Optional[int]:
    """Two rows have changed places; each place keeps the time at which its row was logged."""
    if at + 1 >= len(rows) or at == 0:
        return None
    first, second = rows[at], rows[at + 1]
    first[LOGGED], second[LOGGED] = second[LOGGED], first[LOGGED]
    rows[at], rows[at + 1] = second, first
    return at


def shrinking_total(rows: Rows, at: int) -> Optional[int]:
    """The total of the last window only, as a library sends it that does not accumulate; the average goes with it."""
    for total in ("train_iterations_time_total", "validation_iterations_time_total", "save_checkpoint_sync_time_total"):
        before = next((row[total] for row in reversed(rows[:at]) if row.get(total)), 0)
        now = rows[at].get(total, 0)
        if before and now and now - before < before and now > before:
            rows[at][total] = now - before
            return at
    return None


def metric_left_out(rows: Rows, at: int) -> Optional[int]:
    own = [name for name in rows[at] if name.startswith(("train", "save", "valid", "load"))]
    if len(own) < 2:
        return None
    del rows[at][own[1]]
    return at


def row_twice(rows: Rows, at: int) -> Optional[int]:
    if at == 0 or "app_last_log_time" not in rows[at] or rows[at].keys() <= {"app_start_time", LOGGED}:
        return None
    rows.insert(at + 1, dict(rows[at]))
    return at + 1


def another_hash(rows: Rows, at: int) -> Optional[int]:
    if not rows[at].get("app_tag_id"):
        return None
    rows[at]["app_tag_id"] = [one[::-1] for one in rows[at]["app_tag_id"]]
    return at


CHANGES: tuple[Change, ...] = (
    instant_in_seconds, total_in_ms, average_in_s, another_name, off_by_one, missing_row, another_cadence, another_type,
    swapped_rows, shrinking_total, metric_left_out, row_twice, another_hash,
)  # fmt: skip
