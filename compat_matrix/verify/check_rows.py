"""One row for itself: whether its metrics are known, of the right type and unit, and belong together."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from one_logger_v1_shim._v1.metrics import EPOCH_MS, MSECS, SECONDS

from ..compare import BOOKKEEPING, TAG_KEYS, tag_row
from .beliefs import BOOL, INTEGER, METRICS, NUMBER, STRING, Metric, as_configured
from .findings import METADATA, REMARK, UNKNOWN, Finding, Words, finding
from .history import History, Row
from .row_kinds import MEGATRON_LM, ON_THE_CORE, ONE_LOGGER_UTILS, UTILS, RowKind, Sender, best

#: an instant in ms lies between these, one in s lies below the first (2001 to 2286)
_EPOCH_MS = (1e12, 1e13)
_EPOCH_S = (1e9, 1e10)
_SLACK_S = 2.0  # between an event and the row that says so
#: sent without a clock: 0 where there is nothing yet
_MAY_BE_0 = frozenset({
    "job_start_time", "first_logged_train_iterations_finish_time", "last_logged_train_iterations_finish_time",
    "first_saved_train_iterations_start_time",
})  # fmt: skip
APPLICATION = ("app_start_time", "app_finish_time")
#: ms between two readings of the clock for one row: v1 rounded app_last_log_time
AT_ONCE_MS = 2.0
#: what v1's core added to a row, or what any row may bring: no kind of row is told by them
FREE = BOOKKEEPING | set(TAG_KEYS)


@dataclass(frozen=True)
class Span:
    """When the first and the last row of a run were logged (ms since the epoch), where that is known."""

    first_ms: Optional[float]
    last_ms: Optional[float]


def own(row: Row) -> frozenset[str]:
    """The metrics of a row that its sender sent."""
    # a first row may be one that v1's core completed; Megatron-LM's own "user" or "cluster" is not known to exist
    return frozenset(row.values) - FREE


def sender_of(history: History) -> Sender:
    """Who sent it, told by what only one of them sends, else by whose kinds of rows its rows are."""
    names = frozenset(name for row in history.rows for name in row.values)
    versions = [str(row.values.get("one_logger_utils_version", "")) for row in history.rows]
    if "data_parallel_size" in names or any(version.endswith("-mlm") for version in versions):
        return MEGATRON_LM
    if names & {"is_baseline_run", "one_logger_utils_version"}:
        return ONE_LOGGER_UTILS
    rows = [own(row) for row in history.rows if own(row)]
    at_home = sum(any(kind.fits(row) for kind in UTILS if not kind.open) for row in rows)
    return ONE_LOGGER_UTILS if rows and at_home == len(rows) else ON_THE_CORE


def lightning(history: History) -> bool:
    """Whether the instants of the application are in seconds. Lightning callback 1.0.0 passed ``time.time()``."""
    values = [row.values[name] for row in history.rows for name in APPLICATION if name in row.values]
    return all(isinstance(value, float) and value < _EPOCH_S[1] for value in values)


def check_row(row: Row, sender: Sender, span: Span, by_lightning: bool) -> Iterator[Finding]:
    """All findings of one row. ``by_lightning``: :func:`lightning`."""
    for name, value in row.values.items():
        metric = METRICS.get(name)
        if metric is not None:
            if metric.type == BOOL and not sender.exact_flags:
                continue
            if value is not None or sender is not ON_THE_CORE:  # a program may send None for what it has not
                yield from _type(row, metric, value)
            yield from _magnitude(row, metric, value, span, by_lightning)
    yield from _tags(row)
    yield from _kind(row, sender.kinds)


def kind_of(row: Row, kinds: Sequence[RowKind]) -> Optional[RowKind]:
    """What the row is; None for tags, and for a row of which nothing is known."""
    return best(kinds, own(row)) if own(row) else None


# -- types and units -----------------------------------------------------------------------------------------------


def _type(row: Row, metric: Metric, value: Any) -> Iterator[Finding]:
    if value is None:
        if not metric.may_be_none:
            yield finding(row, metric.name, "type", metric.type, value)
        return
    if as_configured(metric.name) and isinstance(value, str) and _is_number_text(value):
        return
    if metric.type == BOOL:
        right = isinstance(value, bool)
    elif metric.type == INTEGER:
        right = isinstance(value, int) and not isinstance(value, bool)
    elif metric.type == NUMBER:
        right = isinstance(value, (int, float)) and not isinstance(value, bool)
    elif metric.type == STRING:
        right = isinstance(value, str)
    else:
        right = isinstance(value, list) and all(isinstance(one, str) for one in value)
    if not right:
        found = f"{_type_name(value)} ({value!r})" if isinstance(value, (int, float)) else _type_name(value)
        yield finding(row, metric.name, "type", metric.type, Words(found))


def _type_name(value: Any) -> str:
    return "None" if value is None else type(value).__name__


def _is_number_text(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _magnitude(row: Row, metric: Metric, value: Any, span: Span, by_lightning: bool) -> Iterator[Finding]:
    """Instants are told from their size; a duration is not longer than the run has been going on."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return
    if metric.unit == EPOCH_MS:
        in_s = _EPOCH_S[0] <= value < _EPOCH_S[1]
        if value == 0 and metric.name in _MAY_BE_0:
            return
        if in_s and metric.name in APPLICATION and by_lightning:
            what = f"{value!r}, s, as v1's Lightning callback sent it"
            yield finding(row, metric.name, "unit", "ms since the epoch", Words(what), REMARK)
        elif not _EPOCH_MS[0] <= value < _EPOCH_MS[1]:
            what = f"{value!r}{', s since the epoch?' if in_s else ''}"
            yield finding(row, metric.name, "unit", "ms since the epoch", Words(what))
        elif row.at_ms is not None and row.at_ms + AT_ONCE_MS < value <= (span.last_ms or 0):
            # one that the job gave by hand may lie beyond the run's end
            yield finding(row, metric.name, "order", f"not after {row.at_ms!r}, when the row was logged", value)
        return
    if metric.unit not in (SECONDS, MSECS) or metric.name == "limit_run":
        return
    if value < 0 and metric.name != "load_checkpoint_time":
        yield finding(row, metric.name, "unit", f"a duration in {metric.unit}", value)
    elif span.first_ms is not None and row.at_ms is not None and metric.name != "load_checkpoint_time":
        lived = (row.at_ms - span.first_ms) / 1000
        if value / (1000 if metric.unit == MSECS else 1) > lived + _SLACK_S:
            what = f"{metric.unit}, at most the {lived:.6g} s for which the run has been going on"
            yield finding(row, metric.name, "unit", what, value)


# -- what stands in one row ----------------------------------------------------------------------------------------


def _tags(row: Row) -> Iterator[Finding]:
    there = [name for name in TAG_KEYS if name in row.values]
    if not there:
        return
    missing = [name for name in TAG_KEYS if name not in there]
    if missing:
        yield finding(row, missing[0], "row", f"in one row with {there[0]}", Words("absent"))
        return
    tags = row.values["app_tag"]
    if not isinstance(tags, list):
        return  # its type has been reported
    for name, value in tag_row(tags).items():
        if row.values[name] != value:
            what = "the md5 of each tag" if name == "app_tag_id" else f"{value!r}, the number of tags"
            yield finding(row, name, "relation", what, Words("another") if name == "app_tag_id" else row.values[name])


def _kind(row: Row, kinds: Sequence[RowKind]) -> Iterator[Finding]:
    names, own_program = own(row), not kinds
    if not names:
        return
    kind = best(kinds, names)
    known = {name for every in kinds for name in every.names}
    for name in sorted(names - METRICS.keys()):
        if own_program or (
            kind is not None and kind.open and not difflib.get_close_matches(name, kind.names - names, 1, 0.9)
        ):
            yield finding(row, name, METADATA, "a metric of v1, or metadata", row.values[name], UNKNOWN)
        else:
            yield finding(row, name, "name", f"a metric of v1{_like(name)}", row.values[name], UNKNOWN)
    if kind is None:
        return
    for name in sorted((names & METRICS.keys()) - kind.names):
        where = "" if name in known else ", or in a row that we do not know"
        yield finding(row, name, "row", f"not in a row of {kind.name!r}{where}", row.values[name])
    for name in sorted(kind.always - names):
        yield finding(row, name, "row", f"in each row of {kind.name!r}", Words("absent"))
    for part in kind.parts:
        if part & names and not part <= names:
            yield finding(row, min(part - names), "row", f"together with {min(part & names)}", Words("absent"))


def _like(name: str) -> str:
    close = difflib.get_close_matches(name, METRICS, 1, 0.75)
    return f" ({close[0]}?)" if close else ""
