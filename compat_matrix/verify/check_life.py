"""The rows of one run, one after the other: order, relations, timers, saves, cadence, growth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from ..compare import LAST_LOG_TIME, SLURM
from .beliefs import METRICS
from .cadence import cadence
from .check_rows import check_row, lightning
from .findings import REMARK, Finding, Words, finding
from .history import History, Row
from .load import Loads
from .numbers import AT_ONCE_MS, Number, as_number, is_number
from .relations import check_relations
from .row_kinds import ON_THE_CORE, ONE_LOGGER_UTILS, RowKind, Sender
from .saves import Saves
from .shapes import Shape, Shapes, sender_of
from .throughput import Throughput
from .timers import TIMERS, Watch

_TOLERANCE = 2e-6
_FIRST_LOG, _ONCE = "app_first_log_time", "once in the life of a run"
#: what each training loop of a job may count anew
_OF_A_LOOP = frozenset(
    name for name in METRICS if name.startswith("train_") and not name.endswith(("_start", "_target", "productive"))
) | {"first_logged_train_iterations_finish_time"}
#: an end that v1 refused without its start, and that a program may call all the same (verl does)
_FREE_ENDS = ("application start",)


@dataclass
class _Life:
    """What the rows of one process have said so far."""

    sender: Sender
    #: ``OneLoggerUtils`` 1.0.0 sent no progress with a save, and ``load_checkpoint_time`` in ms
    oldest: bool
    #: latest value of each metric
    latest: dict[str, Any] = field(default_factory=dict)
    #: the same of what is a number
    numbers: dict[str, Number] = field(default_factory=dict)
    #: the same, without what a new training loop may count anew
    grown: dict[str, Number] = field(default_factory=dict)
    #: rows of each kind
    seen: Counter[str] = field(default_factory=Counter)
    #: rows of a kind that have begun something which has not ended
    open: Counter[str] = field(default_factory=Counter)
    before: str = ""
    kinds: list[tuple[Row, Optional[RowKind]]] = field(default_factory=list)
    watches: dict[str, Watch] = field(init=False)
    throughput: Throughput = field(default_factory=Throughput)
    saves: Saves = field(default_factory=Saves)
    loads: Loads = field(default_factory=Loads)

    def __post_init__(self) -> None:
        self.watches = {kind: Watch(timer, self.sender is ONE_LOGGER_UTILS) for kind, timer in TIMERS.items()}


def check(history: History) -> list[Finding]:
    """Everything in which the history is not what we believe v1 to be, in the order of its rows."""
    sender = sender_of(history)
    by_lightning = lightning(history)
    shapes = Shapes(history, sender)
    versions = {str(row.values["one_logger_utils_version"]) for row in history.rows[:50] if
                "one_logger_utils_version" in row.values}  # fmt: skip
    life = _Life(sender, versions == {"1.0.0"})
    found: list[Finding] = list(_first_row(history, sender, shapes))
    for row in history.rows:
        shape = shapes.of(row)
        if _is_another_process(row, life):
            what = Words("again: another process has gone on with it")
            found += [*_cadence(life), finding(row, _FIRST_LOG, "growth", _ONCE, what, REMARK)]
            life = _Life(sender, life.oldest)
        life.kinds.append((row, shape.kind))
        found += check_row(row, shape, sender, history.lived, by_lightning, life.latest)
        found += _row(row, shape, life)
    found += _cadence(life)
    odd = ((history.rows[one.row], one) for one in history.odd)
    found += (finding(row, one.metric, "type", one.expected, Words(one.found)) for row, one in odd)
    return sorted(dict.fromkeys(found), key=lambda one: one.number)


def _is_another_process(row: Row, life: _Life) -> bool:
    """Whether a job that was started again has gone on with the run (``WANDB_RESUME``): all begins anew."""
    first, last, before = row.values.get(_FIRST_LOG), row.values.get(LAST_LOG_TIME), life.numbers.get(LAST_LOG_TIME)
    if not (_FIRST_LOG in life.latest and is_number(first) and is_number(last) and before is not None):
        return False
    begins = not life.sender.constructs or "app_tag" in row.values
    return begins and before < first <= last <= first + AT_ONCE_MS


def _cadence(life: _Life) -> list[Finding]:
    return cadence(life.kinds) if life.sender.keeps_cadence and not life.oldest else []


def _row(row: Row, shape: Shape, life: _Life) -> Iterator[Finding]:
    kind = shape.kind
    watch = life.watches.get(kind.name) if kind is not None else None
    timed, anew = watch.read(row) if watch is not None else (None, False)
    if kind is not None and kind.name == "train start":
        life.grown = {name: value for name, value in life.grown.items() if name not in _OF_A_LOOP}
        for one in life.watches.values():
            one.new_loop()
        life.throughput.new_loop()
    numbers = _numbers(row, shape)
    yield from _growth(row, numbers, shape, life, watch if anew else None)
    if kind is not None:
        yield from _order(row, kind, life)
    life.latest.update(row.values)
    life.numbers.update(numbers)
    life.grown.update(numbers)
    if len(numbers) < len(shape.numeric):  # what is no number has been told
        for name in shape.numeric:
            if name not in numbers:
                life.numbers.pop(name, None)
    if kind is not None:
        # 1.0.0 sent no progress with a save: the row before says less than what was saved
        relations = () if life.oldest and kind.name.startswith("save") else shape.relations
        yield from check_relations(row, relations, life.numbers, timed)
        if watch is not None:
            yield from watch.check(row)
        if life.sender is ONE_LOGGER_UTILS:
            yield from _of_utils(row, kind, life)
        if kind.name.startswith("load checkpoint"):
            yield from life.loads.check(row, kind.name, life.sender is ONE_LOGGER_UTILS, life.oldest)
        life.seen[kind.name] += 1
        life.before = kind.name
    elif shape.own & METRICS.keys():
        life.before = ""  # a row of the job's own may lie anywhere


def _numbers(row: Row, shape: Shape) -> dict[str, Number]:
    found = {}
    for name in shape.numeric:
        value = as_number(row.values[name])
        if value is not None:
            found[name] = value
    return found


def _of_utils(row: Row, kind: RowKind, life: _Life) -> Iterator[Finding]:
    """What is known of the checkpoints and the throughput of ``OneLoggerUtils`` alone."""
    if kind.name == "progress":
        yield from life.throughput.check(row, life.latest)
    elif kind.name == "save start":
        life.saves.start(row, life.latest, life.before == "progress" and not life.oldest)
    elif kind.name == "save end":
        yield from life.saves.end(row, life.open["save start anew"] > 0, life.latest)
        life.open["save start anew"] = 0
    elif kind.name == "save success":
        yield from life.saves.success(row, life.latest)


def _first_row(history: History, sender: Sender, shapes: Shapes) -> Iterator[Finding]:
    if not sender.constructs:
        return
    first = history.rows[0]
    if "app_tag" not in first.values:
        text = "in the first row: the constructor sends the tags first"
        yield finding(first, "app_tag", "order", text, Words("absent"))
    telling = next((row for row in history.rows if shapes.of(row).own), None)
    if telling is not None and not {"is_baseline_run", "one_logger_utils_version"} & telling.values.keys():
        text = "the constructor's row, before all others"
        yield finding(telling, "one_logger_utils_version", "order", text, Words("absent"))


# -- order ---------------------------------------------------------------------------------------------------------


def _order(row: Row, kind: RowKind, life: _Life) -> Iterator[Finding]:
    own = row.values.keys() & kind.names
    metric = min(own)
    if kind.after and not life.seen[kind.after]:
        yield finding(row, metric, "order", f"a row of {kind.after!r} before it", Words("none"))
    if kind.follows and life.before != kind.follows and not life.oldest:
        what = Words(f"after {life.before or 'another'!r}")
        yield finding(row, metric, "order", f"right after a row of {kind.follows!r}", what)
    if kind.ends:
        if not life.open[kind.ends] and kind.ends not in _FREE_ENDS:
            yield finding(row, metric, "order", f"a row of {kind.ends!r} that it ends", Words("none that is open"))
        life.open[kind.ends] = 0
    if kind.name.endswith("start") and kind.name != "start":
        life.open[kind.name] += 1
        if kind.name == "save start" and life.open[kind.name] > 1:
            life.open["save start anew"] += 1
    if life.before == kind.name and _same_as_before(row, kind, life):
        text = "another row than the one before"
        yield finding(row, metric, "order", text, Words("the same values of the clock again"))
    if kind.name == "construction" and life.seen["construction"]:
        yield finding(row, metric, "order", "the constructor's row once", Words("again"), REMARK)


def _same_as_before(row: Row, kind: RowKind, life: _Life) -> bool:
    """The clock gives no value twice. A configured start may be sent twice; progress may be due and saved at once."""
    if kind.name in ("application start", "progress"):
        return False
    own = row.values.keys() & kind.names
    clock = any(METRICS[name].of_the_clock for name in own)
    return clock and all(life.latest.get(name) == row.values[name] for name in own)


# -- growth --------------------------------------------------------------------------------------------------------


def _growth(
    row: Row, numbers: Mapping[str, Number], shape: Shape, life: _Life, anew: Optional[Watch]
) -> Iterator[Finding]:
    for name, metric in shape.growing:
        value, before = numbers.get(name), life.grown.get(name)
        if metric.growth == "once" and name in life.latest and not _may_be_the_jobs_own(name, shape, life):
            yield finding(row, name, "growth", _ONCE, Words("again"))
        elif value is None or metric.growth == "once":
            continue
        elif metric.growth == "counts" and life.sender is ONE_LOGGER_UTILS:
            if value != (before or 0) + 1:
                yield finding(row, name, "growth", f"{(before or 0) + 1}: one more with each row that has it", value)
        elif before is None or value == before != 0:
            continue
        elif metric.growth == "counts":
            if value < before:
                yield finding(row, name, "growth", f"at least {before!r}: it never shrinks", value)
        elif metric.growth == "stays":
            if before != 0 and abs(before - value) > AT_ONCE_MS:
                yield finding(row, name, "growth", f"{before!r}, as in the row before", value)
        elif (anew is not None and name in anew.timer.names) or _of_anew_save(name, life):
            continue  # told where the timer is looked at
        elif metric.growth == "grows" and value < before - _slack(before):
            yield finding(row, name, "growth", f"at least {before!r}: it never shrinks", value)
        elif metric.growth == "shrinks" and value > before + _slack(before) and before != 0:
            yield finding(row, name, "growth", f"at most {before!r}: it never grows", value)


def _may_be_the_jobs_own(name: str, shape: Shape, life: _Life) -> bool:
    """Metadata, or a program's own row, may say ``user`` or ``cluster``, as SLURM's metrics are called."""
    free = life.sender is ON_THE_CORE or (shape.kind is not None and shape.kind.open)
    return free and name in SLURM


def _slack(value: float) -> float:
    return _TOLERANCE * max(1.0, abs(value)) if abs(value) < 1e11 else AT_ONCE_MS


def _of_anew_save(name: str, life: _Life) -> bool:
    """A save that was started twice: v1's timer lost its history."""
    ofsave = name.startswith("save_checkpoint_sync_time") and not name.endswith("productive")
    return ofsave and life.open["save start"] > 1
