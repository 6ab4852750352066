"""What is found in a history: where, which metric, what is expected and what is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .history import Row

#: how a finding weighs: v1 as we believe it to be cannot have sent this; v1 may have, and we do not know it; neither
CONTRADICTS, UNKNOWN, REMARK = "contradicts", "unknown", "remark"

#: the kind of a finding about a name that the constructor's row may have: users put metadata there
METADATA = "metadata"


@dataclass(frozen=True)
class Finding:
    """One finding in one row. ``number`` is the row's, or that of the row before which one is missing."""

    number: int
    where: str
    metric: str
    #: "name", "type", "unit", "row", "relation", "order", "cadence", "growth", or METADATA
    kind: str
    expected: str
    found: str
    weight: str = CONTRADICTS

    @property
    def text(self) -> str:
        """One line."""
        return f"{self.where}: {self.metric}: expected {self.expected}; found {self.found}"


def finding(row: Row, metric: str, kind: str, expected: str, found: Any, weight: str = CONTRADICTS) -> Finding:
    """A finding in ``row``. ``found``: a value of the history (:func:`shown`), or :class:`Words` about one."""
    text = found.text if isinstance(found, Words) else shown(found)
    return Finding(row.number, row.where, metric, kind, expected, text, weight)


@dataclass(frozen=True)
class Words:
    """A text of ours, which may be shown."""

    text: str


def shown(value: Any) -> str:
    """A value for a message, bounded. Texts are not shown: they may be names of people, hosts and jobs."""
    if isinstance(value, str):
        return f"a text of {len(value)} characters"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"a dict of {len(value)}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 1e100:
        return "an int of more than 100 digits"
    return f"{value!r} ({type(value).__name__})" if isinstance(value, bool) or value is None else repr(value)


def accused(findings: Iterable[Finding]) -> list[Finding]:
    """Those that v1, as we believe it to be, cannot have sent, or is not known to have sent. Not the metadata."""
    return [one for one in findings if one.weight == CONTRADICTS or (one.weight == UNKNOWN and one.kind != METADATA)]


def only_in(new: Iterable[Finding], old: Iterable[Finding]) -> list[Finding]:
    """What is found in a new history, and not as often in the old one. Oddities of v1, too; not the metadata."""
    known = Counter((one.metric, one.kind, one.weight) for one in old)
    found = []
    for one in new:
        key = (one.metric, one.kind, one.weight)
        known[key] -= 1
        if known[key] < 0 and one.kind != METADATA:
            found.append(one)
    return found
