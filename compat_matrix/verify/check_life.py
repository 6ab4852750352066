"""The rows of one run, one after the other: order, relations, cadence, growth."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Optional

from ..compare import BOOKKEEPING
from .beliefs import METRICS, RELATIONS, WHOLE_COUNTS, Relation
from .cadence import cadence
from .check_rows import AT_ONCE_MS, Span, check_row, kind_of, lightning, own, sender_of
from .findings import REMARK, Finding, Words, finding, shown
from .history import History, Row
from .row_kinds import ONE_LOGGER_UTILS, RowKind, Sender

_TOLERANCE = 2e-6


@dataclass
class _Life:
    """What the rows so far have said."""

    sender: Sender
    #: latest value of each metric
    latest: dict[str, Any] = field(default_factory=dict)
    #: rows of each kind
    seen: Counter[str] = field(default_factory=Counter)
    #: rows of a kind that have begun something which has not ended
    open: Counter[str] = field(default_factory=Counter)
    before: str = ""
    #: load_checkpoint_time so far
    loaded_s: float = 0.0


def check(history: History) -> list[Finding]:
    """Everything in which the history is not what we believe v1 to be, in the order of its rows."""
    sender = sender_of(history)
    first_ms = next((row.at_ms for row in history.rows if row.at_ms is not None), None)
    span = Span(first_ms, max((row.at_ms for row in history.rows if row.at_ms is not None), default=None))
    life = _Life(sender)
    by_lightning = lightning(history)
    found: list[Finding] = []
    named = [(row, kind_of(row, sender.kinds)) for row in history.rows]
    found += _first_row(history, sender)
    for row, kind in named:
        found += check_row(row, sender, span, by_lightning)
        if kind is not None and not _at_home(row, kind):
            kind = None  # what it lacks or has too much has been said; no more follows from a row like this
        found += _growth(row, life)
        if kind is not None:
            found += _order(row, kind, life)
        life.latest.update(row.values)
        if kind is not None:
            found += _relations(row, kind, life)
            life.seen[kind.name] += 1
            life.before = kind.name
        elif own(row):
            life.before = ""
    if sender.keeps_cadence:
        found += cadence(named)
    return sorted(dict.fromkeys(found), key=lambda one: one.number)


def _at_home(row: Row, kind: RowKind) -> bool:
    return len(own(row) & kind.names) >= max(1, len(kind.always) // 2)


def _first_row(history: History, sender: Sender) -> Iterator[Finding]:
    if not sender.constructs:
        return
    if "app_tag" not in history.rows[0].values:
        yield finding(
            history.rows[0],
            "app_tag",
            "order",
            "in the first row: the constructor sends the tags first",
            Words("absent"),
        )
    telling = next((row for row in history.rows if own(row)), None)
    if (
        telling is not None
        and "is_baseline_run" not in telling.values
        and "one_logger_utils_version" not in telling.values
    ):
        yield finding(
            telling, "one_logger_utils_version", "order", "the constructor's row, before all others", Words("absent")
        )


# -- order ---------------------------------------------------------------------------------------------------------


def _order(row: Row, kind: RowKind, life: _Life) -> Iterator[Finding]:
    metric = min(own(row) & kind.names)
    if kind.after and not life.seen[kind.after]:
        yield finding(row, metric, "order", f"a row of {kind.after!r} before it", Words("none"))
    if kind.follows and life.before != kind.follows:
        yield finding(
            row, metric, "order", f"right after a row of {kind.follows!r}", Words(f"after {life.before or 'another'!r}")
        )
    if kind.ends:
        if not life.open[kind.ends]:
            yield finding(row, metric, "order", f"a row of {kind.ends!r} that it ends", Words("none that is open"))
        life.open[kind.ends] = 0
    if kind.name.endswith("start") and kind.name != "start":
        life.open[kind.name] += 1
    if _same_as_before(row, kind, life):
        yield finding(
            row, metric, "order", "another row than the one before", Words("the same values of the clock again")
        )
    if kind.name == "construction" and life.seen["construction"]:
        yield finding(row, metric, "order", "the constructor's row once", Words("again"), REMARK)


def _same_as_before(row: Row, kind: RowKind, life: _Life) -> bool:
    """The clock gives no value twice. A configured start may be sent twice; progress may be due and saved at once."""
    clock = [name for name in own(row) if name in METRICS and METRICS[name].of_the_clock]
    same = life.before == kind.name and all(life.latest.get(name) == row.values[name] for name in own(row))
    return same and bool(clock) and kind.name not in ("application start", "progress")


# -- growth --------------------------------------------------------------------------------------------------------


def _growth(row: Row, life: _Life) -> Iterator[Finding]:
    for name, value in row.values.items():
        metric, before = METRICS.get(name), life.latest.get(name)
        if metric is None or not metric.growth or not _is_number(value):
            continue
        if metric.growth == "counts":
            expected = 1 if not _is_number(before) else before + 1
            if value != expected and life.sender is ONE_LOGGER_UTILS:
                yield finding(row, name, "growth", f"{expected}: one more with each row that has it", value)
            elif _is_number(before) and value < before:
                yield finding(row, name, "growth", f"at least {before!r}: it never shrinks", value)
        elif not _is_number(before):
            continue
        elif metric.growth == "once":
            yield finding(row, name, "growth", "once in the life of a run", Words("again"))
        elif metric.growth == "stays":
            if before != 0 and not _close(before, value):
                yield finding(row, name, "growth", f"{before!r}, as in the row before", value)
        elif _restarted(name, row, life):
            yield finding(
                row, name, "growth", "more than before", Words("a timer that began anew (v1: started twice)"), REMARK
            )
        elif metric.growth == "grows" and value < before - _slack(before):
            yield finding(row, name, "growth", f"at least {before!r}: it never shrinks", value)
        elif metric.growth == "shrinks" and value > before + _slack(before) and before != 0:
            yield finding(row, name, "growth", f"at most {before!r}: it never grows", value)


def _slack(value: float) -> float:
    return _TOLERANCE * max(1.0, abs(value)) if abs(value) < 1e11 else AT_ONCE_MS


def _restarted(name: str, row: Row, life: _Life) -> bool:
    """v1's timers lost their history when they were started twice: every number of that timer began anew."""
    if name.startswith("save_checkpoint_sync_time") and name != "save_checkpoint_sync_time_total_productive":
        return life.open["save start"] > 1
    for total, average in WHOLE_COUNTS.values():
        if name in (total, average, average.replace("_avg", "_min")) and {total, average} <= row.values.keys():
            count = _count(row.values[total], row.values[average])
            old = _count(life.latest.get(total), life.latest.get(average))
            return count is not None and old is not None and count < old
    return False


# -- relations -----------------------------------------------------------------------------------------------------


def _relations(row: Row, kind: RowKind, life: _Life) -> Iterator[Finding]:
    for relation in RELATIONS:
        if relation.only_utils and life.sender is not ONE_LOGGER_UTILS:
            continue
        if relation.row == kind.name and not _holds(relation, row, life):
            left, operator, right = relation.sides
            metric = next((name for name in relation.names if name in row.values), relation.names[0])
            values = ", ".join(f"{name} {shown(life.latest[name])}" for name in relation.names)
            yield finding(row, metric, "relation", f"{left} {operator} {right} ({relation.why})", Words(values))
    if kind.name == "load checkpoint end":
        yield from _load_time(row, life)
    if kind.name in WHOLE_COUNTS:
        total, average = WHOLE_COUNTS[kind.name]
        a, b = row.values.get(total), row.values.get(average)
        if _is_number(a) and _is_number(b) and b > 0 and _count(a, b) is None:
            yield finding(row, average, "relation", f"1000 * {total} / {average} a whole number: how many there were",
                          Words(f"{1000 * a / b:.6g}"))  # fmt: skip


def _load_time(row: Row, life: _Life) -> Iterator[Finding]:
    """``load_checkpoint_time`` is s, of this load or of all so far. (Of loads with instants by hand less is known.)"""
    start, finish = life.latest.get("load_checkpoint_start_time"), row.values.get("load_checkpoint_finish_time")
    value = row.values.get("load_checkpoint_time")
    if not (_is_number(start) and _is_number(finish) and _is_number(value)):
        return
    window = (finish - start) / 1000
    possible = (window, life.loaded_s + window)
    life.loaded_s = value
    for seconds in possible:
        if seconds > 0 and math.isclose(value, 1000 * seconds, rel_tol=0.01, abs_tol=50.0) and value > 50 * seconds:
            yield finding(row, "load_checkpoint_time", "unit", f"s, {seconds:.6g} (1.0.0 sent ms)", value)
            return


def _holds(relation: Relation, row: Row, life: _Life) -> bool:
    if not any(name in row.values for name in relation.names if name not in BOOKKEEPING):
        return True
    values = {name: _as_number(life.latest.get(name)) for name in relation.names}
    if any(value is None for value in values.values()):
        return True
    left, operator, right = relation.sides
    a, b = _evaluate(left, values), _evaluate(right, values)
    if operator == "<=":
        return a <= b + (AT_ONCE_MS if max(abs(a), abs(b)) > 1e11 else _TOLERANCE * max(1.0, abs(b)))
    if (
        "msecs_avg * train_iterations" in left
        and a - b >= 0
        and _count(values["train_iterations_time_total"], values["train_iterations_time_msecs_avg"]) is not None
    ):
        return True  # fewer windows than iterations: a timer that began anew
    return _close(a, b)


def _evaluate(side: str, values: dict[str, Any]) -> float:
    """A side of a relation of :data:`RELATIONS`: names, numbers, ``*`` and ``+``."""
    total = 0.0
    for term in side.split(" + "):
        factors = (values[factor] if factor in values else float(factor) for factor in term.split(" * "))
        total += math.prod(factors)
    return total


def _count(total_s: Any, average_ms: Any) -> Optional[int]:
    """How many windows: total (s) / average (ms). None if that is no whole number."""
    if not _is_number(total_s) or not _is_number(average_ms) or average_ms <= 0:
        return None
    count = 1000 * total_s / average_ms
    return round(count) if round(count) >= 1 and math.isclose(count, round(count), rel_tol=1e-5) else None


# -- numbers -------------------------------------------------------------------------------------------------------


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _as_number(value: Any) -> Optional[float]:
    if _is_number(value):
        return float(value)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    return None


def _close(a: float, b: float) -> bool:
    if abs(a) > 1e11:
        return abs(a - b) <= AT_ONCE_MS
    return math.isclose(a, b, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
