"""Whether the relations of :mod:`.beliefs` hold between a row and the latest values of the rows before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Optional

from .beliefs import AVERAGE, EPOCH_MS, METRICS, THROUGHPUT, Relation
from .findings import Finding, Words, finding, shown
from .history import Row
from .numbers import AT_ONCE_MS, Number, close

_NO_NAMES: dict[str, Any] = {"__builtins__": {}}


def check_relations(
    row: Row, relations: tuple[Relation, ...], numbers: Mapping[str, Number], timed: Optional[int]
) -> Iterator[Finding]:
    """The ``relations`` that do not hold in ``row``. ``numbers``: of all metrics, up to and with this row.

    ``timed`` is how many iterations the timer has measured: fewer than there were is a timer that began anew.
    """
    for relation in relations:
        if not _holds(relation, numbers, timed):
            metric = next(name for name in relation.names if name in row.values)
            values = ", ".join(f"{name} {shown(numbers[name])}" for name in relation.names)
            yield finding(row, metric, "relation", f"{relation.text} ({relation.why})", Words(values))


def _holds(relation: Relation, numbers: Mapping[str, Number], timed: Optional[int]) -> bool:
    try:
        a, b = eval(relation.code, _NO_NAMES, numbers)
    except NameError:
        return True  # a metric that has not come yet, or one that is no number, which has been told
    if a == b:
        return True
    if relation.sides[1] == "<=":
        return a < b or close(a, b) or (METRICS[relation.names[0]].unit == EPOCH_MS and a <= b + AT_ONCE_MS)
    if relation.text == AVERAGE and timed is not None and a > b:
        return True  # fewer windows than iterations: a timer that began anew
    if relation.text == THROUGHPUT and numbers["train_iterations_time_total"] == 0:
        return True  # v1 sent 0.0: no time has gone by
    return close(a, b)
