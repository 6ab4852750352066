"""What can be said of a row by its metrics' names alone, once for all rows that have the same ones.

A history of 200,000 rows has a dozen shapes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Optional

from ..compare import BOOKKEEPING, TAG_KEYS
from .beliefs import METRICS, RELATIONS, Metric, Relation
from .findings import CONTRADICTS, METADATA, UNKNOWN
from .history import History, Row
from .row_kinds import MEGATRON_LM, ON_THE_CORE, ONE_LOGGER_UTILS, UTILS, RowKind, Sender, best

#: what v1's core added to a row, or what any row may bring: no kind of row is told by them
FREE = BOOKKEEPING | set(TAG_KEYS)


@dataclass(frozen=True)
class Fault:
    """Something wrong with the names of a row. ``found`` is None where the value is to be shown."""

    metric: str
    kind: str
    expected: str
    found: Optional[str]
    weight: str = CONTRADICTS


@dataclass(frozen=True)
class Shape:
    """All rows with the same metrics. ``kind`` is None for tags, and where the names say too little."""

    own: frozenset[str]
    #: what it resembles most, whatever it lacks
    like: Optional[RowKind]
    #: what it is
    kind: Optional[RowKind]
    known: tuple[tuple[str, Metric], ...]
    numeric: tuple[str, ...]
    #: those that grow, shrink or stay
    growing: tuple[tuple[str, Metric], ...]
    faults: tuple[Fault, ...]
    relations: tuple[Relation, ...]
    has_tags: bool


class Shapes:
    """The shapes of one history."""

    def __init__(self, history: History, sender: Sender) -> None:
        self._exact = history.exact
        self._sender = sender
        self._found: dict[tuple[str, ...], Shape] = {}

    def of(self, row: Row) -> Shape:
        """The shape of a row."""
        names = tuple(row.values)
        shape = self._found.get(names)
        if shape is None:
            shape = self._found[names] = self._make(names)
        return shape

    def _make(self, names: tuple[str, ...]) -> Shape:
        kinds = self._sender.kinds
        own = frozenset(names) - FREE
        like = best(kinds, own) if own else None
        # what a row lacks or has too much is told; no more follows from one that is hardly that kind
        kind = like if like is not None and len(own & like.names) >= max(1, len(like.always) // 2) else None
        known = tuple((name, METRICS[name]) for name in names if name in METRICS)
        relations = tuple(
            one
            for one in RELATIONS
            if kind is not None
            and one.row == kind.name
            and (not one.only_utils or self._sender is ONE_LOGGER_UTILS)
            and any(name in own for name in one.names)
        )
        faults = (*self._tags(names, own), *self._faults(own, like, kinds))
        growing = tuple((name, metric) for name, metric in known if metric.growth)
        numeric = tuple(name for name, metric in known if metric.numeric)
        return Shape(own, like, kind, known, numeric, growing, faults, relations, "app_tag" in names)

    def _tags(self, names: Sequence[str], own: frozenset[str]) -> Iterator[Fault]:
        there = [name for name in TAG_KEYS if name in names]
        missing = [name for name in TAG_KEYS if name not in names]
        if there and missing:
            yield Fault(missing[0], "row", f"in one row with {there[0]}", "absent")
        others = own & METRICS.keys()
        if there and others and self._sender.constructs:
            yield Fault(there[0], "row", "in a row of its own", f"beside {min(others)}")

    def _faults(self, own: frozenset[str], kind: Optional[RowKind], kinds: Sequence[RowKind]) -> Iterator[Fault]:
        """What stands in one row, and what does not."""
        known = {name for every in kinds for name in every.names}
        for name in sorted(own - METRICS.keys()):
            if kind is None:
                free = not kinds or not _like(name)  # a row of the program's own
            else:
                free = kind.open and not difflib.get_close_matches(name, kind.names - own, 1, 0.9)
            if free:
                yield Fault(name, METADATA, "a metric of v1, or one of the job's own", None, UNKNOWN)
            else:
                yield Fault(name, "name", f"a metric of v1{_like(name)}", None, UNKNOWN)
        if kind is None:
            return
        for name in sorted((own & METRICS.keys()) - kind.names):
            where = "" if name in known else ", or in a row that we do not know"
            yield Fault(name, "row", f"not in a row of {kind.name!r}{where}", None)
        for name in sorted(self._needed(kind.always - own)):
            yield Fault(name, "row", f"in each row of {kind.name!r}", "absent")
        for part in kind.parts:
            missing = self._needed(part - own)
            if part & own and missing:
                yield Fault(min(missing), "row", f"together with {min(part & own)}", "absent")

    def _needed(self, missing: frozenset[str]) -> frozenset[str]:
        """Those of the missing metrics that a table would show: it has no None beside "not there"."""
        return missing if self._exact else frozenset(name for name in missing if not METRICS[name].may_be_none)


def sender_of(history: History) -> Sender:
    """Who sent it, told by what only one of them sends, else by whose kinds of rows its rows are."""
    shapes = {tuple(row.values): row for row in history.rows}
    names = {name for shape in shapes for name in shape}
    versions = [str(row.values.get("one_logger_utils_version", "")) for row in shapes.values()]
    if "data_parallel_size" in names or any(version.endswith("-mlm") for version in versions):
        return MEGATRON_LM
    if names & {"is_baseline_run", "one_logger_utils_version"}:
        return ONE_LOGGER_UTILS
    rows = [own for own in (frozenset(shape) - FREE for shape in shapes) if own]
    at_home = sum(any(kind.fits(row) for kind in UTILS if not kind.open) for row in rows)
    return ONE_LOGGER_UTILS if rows and at_home == len(rows) else ON_THE_CORE


def _like(name: str) -> str:
    close = difflib.get_close_matches(name, METRICS, 1, 0.75)
    return f" ({close[0]}?)" if close else ""
