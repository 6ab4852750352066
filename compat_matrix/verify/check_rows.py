"""One row for itself: whether its metrics are known, of the right type and unit, and belong together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from ..compare import tag_row
from .beliefs import (
    BOOL,
    CONFIGURED,
    COUNT,
    EPOCH_MS,
    INTEGER,
    MSECS,
    NUMBER,
    SECONDS,
    STRING,
    TFLOP,
    TFLOPS_PER_GPU,
    Metric,
)
from .findings import REMARK, Finding, Words, finding
from .history import History, Life, Row
from .numbers import AT_ONCE_MS, as_number, is_number
from .row_kinds import ON_THE_CORE, Sender
from .shapes import Shape

#: an instant in ms lies between these, one in s lies below the first (2001 to 2286)
_EPOCH_MS = (1e12, 1e13)
_EPOCH_S = (1e9, 1e10)
_YEARS_MS = 10 * 365 * 86_400_000.0
_SLACK_S = 2.0  # between an event and the row that says so
#: sent without a clock: 0 where there is nothing yet
_MAY_BE_0 = frozenset({
    "job_start_time", "first_logged_train_iterations_finish_time", "last_logged_train_iterations_finish_time",
    "first_saved_train_iterations_start_time",
})  # fmt: skip
APPLICATION = ("app_start_time", "app_finish_time")
#: counts that are as whole as the sizes of the configuration from which v1 made them
_BY_HAND = ("train_samples_start", "train_iterations_start")
_SIZES = ("global_batch_size", "model_seq_length", *_BY_HAND)
_OF_SIZES = frozenset({
    "train_samples_end", "train_samples", "train_samples_productive_end", "train_tokens", "train_iterations_end",
    "train_iterations_productive_end", "train_iterations_save_checkpoint_end",
})  # fmt: skip
#: may be negative: the job's own instants, and SLURM's end that is not known
_ANY_SIGN = frozenset({"load_checkpoint_time", "limit_run"})


def lightning(history: History) -> bool:
    """Whether the instants of the application are in seconds. Lightning callback 1.0.0 passed ``time.time()``."""
    values = [row.values[name] for row in history.rows for name in APPLICATION if name in row.values]
    return all(isinstance(value, float) and value < _EPOCH_S[1] for value in values)


def check_row(
    row: Row, shape: Shape, sender: Sender, lived: Life, by_lightning: bool, latest: Mapping[str, Any]
) -> Iterator[Finding]:
    """All findings of one row.

    ``lived``: of the history; ``by_lightning``: :func:`lightning`; ``latest``: the values of the rows before it.
    """
    lived_s = math.inf
    if lived[0] is not None and row.at_ms is not None:
        lived_s = (row.at_ms - lived[0]) / 1000 + _SLACK_S
    for name, metric in shape.known:
        value = row.values[name]
        if _is_usual(metric, value, row.at_ms, lived_s):
            continue
        if metric.type == BOOL and not sender.exact_flags:
            continue
        if value is None and sender is ON_THE_CORE:
            continue  # a program may send None for what it has not
        yield from _type(row, metric, value, latest)
        yield from _magnitude(row, metric, value, lived, by_lightning, lived_s)
    if shape.has_tags and isinstance(row.values["app_tag"], list):  # another type has been told
        for name, value in tag_row(row.values["app_tag"]).items():
            if name in row.values and row.values[name] != value:
                what = "the md5 of each tag" if name == "app_tag_id" else f"{value!r}, the number of tags"
                told = Words("another") if name == "app_tag_id" else row.values[name]
                yield finding(row, name, "relation", what, told)
    for fault in shape.faults:
        found = row.values[fault.metric] if fault.found is None else Words(fault.found)
        yield finding(row, fault.metric, fault.kind, fault.expected, found, fault.weight)


def _is_usual(metric: Metric, value: Any, at_ms: Optional[float], lived_s: float) -> bool:
    """Whether nothing is to be said of a value: nearly always, and so it has to be quick."""
    kind, unit = type(value), metric.unit
    if unit == EPOCH_MS:
        return (
            at_ms is not None
            and (kind is float or kind is int)
            and (kind is int or metric.type == NUMBER)
            and _EPOCH_MS[0] <= value < _EPOCH_MS[1]
            and at_ms - _YEARS_MS < value <= at_ms
        )
    if kind is int and unit == COUNT:
        return bool(0 <= value < 1e18)
    if kind is float and metric.type == NUMBER:
        seconds = value / 1000 if unit == MSECS else value
        return bool(0 <= seconds <= lived_s if unit in (SECONDS, MSECS) else 0 <= value < 1e18)
    return kind is str and metric.type == STRING


def _type(row: Row, metric: Metric, value: Any, latest: Mapping[str, Any]) -> Iterator[Finding]:
    if value is None:
        if not metric.may_be_none:
            yield finding(row, metric.name, "type", metric.type, value)
        return
    kind = metric.type
    if kind == BOOL:
        right = isinstance(value, bool)
    elif kind == INTEGER:
        right = is_number(value) and (isinstance(value, int) or _of_a_float(metric.name, row, latest))
    elif kind == NUMBER:
        right = is_number(value)
    elif kind == CONFIGURED:
        right = as_number(value) is not None
    elif kind == STRING:
        right = isinstance(value, str)
    else:
        right = isinstance(value, list) and all(isinstance(one, str) for one in value)
    if not right:
        yield finding(row, metric.name, "type", metric.type, Words(_called(value)))


def _of_a_float(name: str, row: Row, latest: Mapping[str, Any]) -> bool:
    """Whether a count was made from a size that the job gave as a float: then v1 sent one, too."""
    if name in _BY_HAND:
        return True
    return name in _OF_SIZES and any(isinstance(row.values.get(size, latest.get(size)), float) for size in _SIZES)


def _called(value: Any) -> str:
    if value is None:
        return "None"
    kind = type(value).__name__
    if not isinstance(value, (int, float)):
        return kind
    text = repr(value) if isinstance(value, (bool, float)) or abs(value) < 1e100 else "of more than 100 digits"
    return f"{kind} ({text})"


def _magnitude(
    row: Row, metric: Metric, value: Any, lived: Life, by_lightning: bool, lived_s: float
) -> Iterator[Finding]:
    """Instants are told from their size; a duration is not longer than the run has been going on."""
    if not is_number(value):
        return
    name, unit = metric.name, metric.unit
    if unit == EPOCH_MS:
        in_s = _EPOCH_S[0] <= value < _EPOCH_S[1]
        if value == 0 and name in _MAY_BE_0:
            return
        if in_s and name in APPLICATION and by_lightning:
            what = f"{value!r}, s, as v1's Lightning callback sent it"
            yield finding(row, name, "unit", "ms since the epoch", Words(what), REMARK)
        elif not _EPOCH_MS[0] <= value < _EPOCH_MS[1]:
            what = f"{value!r}{', s since the epoch?' if in_s else ''}"
            yield finding(row, name, "unit", "ms since the epoch", Words(what))
        elif row.at_ms is not None and abs(row.at_ms - value) > _YEARS_MS and name != "job_start_time":
            yield finding(row, name, "unit", "ms since the epoch, within ten years of the run", value)
        elif row.at_ms is not None and row.at_ms + AT_ONCE_MS < value <= (lived[1] or 0):
            # one that the job gave by hand may lie beyond the run's end
            yield finding(row, name, "order", f"not after {row.at_ms!r}, when the row was logged", value)
        return
    if name in _ANY_SIGN:
        return
    if value < 0 and unit in (SECONDS, MSECS, TFLOP, TFLOPS_PER_GPU):
        yield finding(row, name, "unit", f"{unit}, 0 or more", value)
    elif value < 0 and metric.type == INTEGER and name not in _BY_HAND:
        yield finding(row, name, "unit", "a count, 0 or more", value)
    elif unit in (SECONDS, MSECS) and value / (1000 if unit == MSECS else 1) > lived_s:
        what = f"{unit}, at most the {lived_s - _SLACK_S:.6g} s for which the run has been going on"
        yield finding(row, name, "unit", what, value)
