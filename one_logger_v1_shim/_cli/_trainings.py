"""Trainings as people want to see them: one in full, many as one line each."""

from __future__ import annotations

from collections.abc import Collection
from typing import Callable, Optional

from .._goodput import definitions as d
from .._goodput.counted import Counted
from .._goodput.training import Training
from .._goodput.trainings import RUNNING
from .._goodput.values import from_ms
from .._v1 import metrics as m
from . import _format as f
from . import _losses
from ._losses import hours
from ._model import Report, Section, Tile
from ._timeline import MOST_LANES, charts

_HEAD = ["#", "id", "ended", "began", "wall", "iterations", "goodput", "lost work", "lost iterations"]
_DROP = (3, 8, 1, 5, 4)
_HEAD_OF_ALL = ["#", "training", "began", "attempts", "wall", "goodput", "GPU-hours", "kept", "lost"]
_DROP_OF_ALL = (2, 7, 4, 3)
_IN_FULL = 10  # trainings of a page with many


def report(trainings: list[Training], notes: list[str], details: Optional[Collection[int]] = None) -> Report:
    """One training in full; of many a table, the one that lost most first.

    Args:
        trainings: in any order.
        notes: about runs that were left out.
        details: numbers in the table of the trainings that are shown in full, too.
    """
    if len(trainings) == 1:
        said = [*notes, *trainings[0].notes]
        return Report(_headline(trainings[0]), in_full(trainings[0]), [f.clean(one, 500) for one in said])
    ordered = worst_first(trainings)
    sections = [_overview(ordered)]
    said = list(notes)
    for number, one in enumerate(ordered, 1):
        if details is not None and number in details:
            some = in_full(one)
            some[0].title = f"{number}: {some[0].title}"
            sections += some
            said += [f"{title(one)}: {text}" for text in one.notes]
    return Report(f"goodput of {len(trainings)} trainings", sections, [f.clean(one, 500) for one in said])


def page_report(trainings: list[Training], notes: list[str], details: Optional[Collection[int]] = None) -> Report:
    """The same for a page, which has those in full that lost most."""
    return report(trainings, notes, range(1, _IN_FULL + 1) if details is None else details)


def worst_first(trainings: list[Training]) -> list[Training]:
    """Those that lost most GPU-hours first."""
    return sorted(trainings, key=lambda one: (-(one.figures["gpu_hours_lost"] or 0.0), one.begin))


def _headline(training: Training) -> str:
    share = training.goodput
    return f"goodput of {title(training)}" + ("" if share is None else f": {f.percent(share)}")


def title(training: Training) -> str:
    """Project, tag and name of a training."""
    newest = training.attempts[-1].attempt
    tags = training.attempts[0].attempt.rows.tags[:1]
    parts = [newest.value("project"), *tags, newest.value(m.APP_TAG_RUN_NAME)]
    return f.clean(" / ".join(str(one) for one in parts if one is not None)) or "a training"


def _overview(ordered: list[Training]) -> Section:
    rows = [_line(str(number), title(one), [one]) for number, one in enumerate(ordered, 1)]
    total = _line("", f"all {len(ordered)}", ordered)
    total[2] = ""
    return Section("Trainings", table=[_HEAD_OF_ALL, *rows, total], drop=_DROP_OF_ALL, total=True)


def _line(number: str, name: str, some: list[Training]) -> list[str]:
    wall, kept = sum(one.wall for one in some), sum(one.parts[d.PRODUCTIVE] for one in some)
    known = any(one.figures["gpu_hours_paid"] is not None for one in some)
    paid, saved, lost = (
        hours(sum(one.figures[key] or 0.0 for one in some) if known else None)
        for key in ("gpu_hours_paid", "gpu_hours_kept", "gpu_hours_lost")
    )
    open_ = len(some) == 1 and some[0].goodput is None
    return [
        number,
        f.clean(name, 60),
        f.instant(some[0].begin / 1000)[:10],
        f.count(sum(len(one.attempts) for one in some)),
        f.duration(wall / 1e6),
        "-" if open_ or not wall else f.percent(kept / wall),
        paid,
        saved,
        lost,
    ]


# -- one training --------------------------------------------------------------------------------------------------


def in_full(training: Training) -> list[Section]:
    """All about one training: what is read first, what was lost, the time line, the attempts."""
    first, lines = _figures(training), Section("What happened when", charts=charts(training))
    first.tiles = _tiles(training)
    sections = [first, _losses.section(training), lines, _parts(training), _attempts(training)]
    return [one for one in sections if one.lines or one.table or one.charts]


def _goodput(training: Training) -> str:
    share = training.goodput
    return "not determinable" if share is None else f.percent(share)


def _goodput_hint(training: Training) -> str:
    share, once = training.goodput, training.figures["goodput_once_saved"]
    if once is None:
        return ""
    if share is None:
        return f"no checkpoint is logged; iterations took {f.percent(once)} of the time"
    return f"{f.percent(once)} once all is saved" if once > share else ""


def _tiles(training: Training) -> list[Tile]:
    figures = training.figures
    paid, between = figures["gpu_hours_paid"], figures["mean_time_between_interruptions"]
    still_open = figures["gpu_hours_open"]
    tiles = [Tile("goodput", _goodput(training), _goodput_hint(training))]
    if paid is not None:
        hint = f"{hours(still_open)} are in no checkpoint yet" if still_open else ""
        tiles.append(Tile("GPU-hours paid", hours(paid), f"on {_gpus(training)} GPUs"))
        tiles.append(Tile("GPU-hours kept", hours(figures["gpu_hours_kept"]), hint))
        tiles.append(Tile("GPU-hours lost", hours(figures["gpu_hours_lost"])))
    often = "" if between is None else f"one every {f.duration(between / 1000)}"
    tiles.append(Tile("interruptions", f.count(figures["interruptions"] or 0), often))
    progress, target = figures["progress"], figures["target"]
    if progress is not None:
        share = f.percent(progress / target) if target else f"{f.count(progress)} iterations"
        of = f"{f.count(progress)} of {f.count(target)} iterations" if target else ""
        tiles.append(Tile("progress", share, of))
    if figures["time_left"]:
        tiles.append(Tile("done", *_when(training, figures["time_left"])))
    return tiles


def _gpus(training: Training) -> str:
    found = [one.gpus for one in training.attempts if one.gpus]
    return f.count(found[0]) if min(found) == max(found) else f"{f.count(min(found))} to {f.count(max(found))}"


def _when(training: Training, left: float) -> tuple[str, str]:
    if training.attempts[-1].attempt.ended == RUNNING:
        return f.instant(training.end / 1000 + left)[:16], f"in {f.duration(left / 1000)} at this rate, losses included"
    return f"{f.duration(left / 1000)} to go", "at this rate, losses included; it does not run"


def _figures(training: Training) -> Section:
    section = Section(title(training), folded=True)
    figures, line = training.figures, section.add
    hint = _goodput_hint(training)
    line(d.LABELS["goodput"], _goodput(training) + (f" ({hint})" if hint else ""))
    line(d.LABELS["wall"], f"{f.duration(training.wall / 1e6)}, from {f.instant(training.begin / 1000)}")
    line(d.LABELS["attempts"], f.count(figures["attempts"] or 0))
    line(d.LABELS["interruptions"], f.count(figures["interruptions"] or 0))
    for key in ("mean_time_between_interruptions", "checkpoint_interval", "checkpoint_interval_best"):
        line(d.LABELS[key], _or_none(figures[key], lambda ms: f.duration(ms / 1000)))
    if figures["gpu_hours_paid"] is not None:
        names = ("paid", "kept", "lost") + (("open",) if figures["gpu_hours_open"] else ())
        said = {name: hours(figures[f"gpu_hours_{name}"]) for name in names}
        if "open" in said:
            said["not in a checkpoint"] = said.pop("open")
        line("GPU-hours", ", ".join(f"{value} {name}" for name, value in said.items()))
    for key in ("iteration_time_average", "iteration_time_best"):
        line(d.LABELS[key], _or_none(figures[key], lambda ms: f"{f.measured(ms)} ms"))
    for key in ("throughput_average", "throughput_best"):
        line(d.LABELS[key], _or_none(figures[key], lambda flops: f"{f.measured(flops)} TFLOP/s a GPU"))
    line(d.LABELS["tokens"], _or_none(figures["tokens"], f.large))
    line(d.LABELS["iterations_lost"], _or_none(figures["iterations_lost"], f.count))
    progress, target = figures["progress"], figures["target"]
    if progress is not None:
        of = f" of {f.count(target)} iterations ({f.percent(progress / target)})" if target else " iterations"
        line(d.LABELS["progress"], f.count(progress) + of)
    left = figures["time_left"]
    line(d.LABELS["time_left"], f"{f.duration(left / 1000)} at this rate, losses included" if left else None)
    return section


def _or_none(value: Optional[float], shown: Callable[[float], str]) -> Optional[str]:
    return None if value is None else shown(value)


def _parts(training: Training) -> Section:
    section = Section("Where the time went")
    for one in d.PARTS:
        us = training.parts[one.key]
        if us:
            share = us / training.wall
            section.add(one.label, f"{f.duration(us / 1e6)} ({f.percent(share)})")
            section.lines[-1].share, section.lines[-1].kind = share, one.key
    return section


def _attempts(training: Training) -> Section:
    numbered = list(enumerate(training.attempts, 1))
    section = Section("Attempts", table=[_HEAD, *(_attempt(*pair) for pair in numbered)], drop=_DROP)
    if len(numbered) > MOST_LANES:  # the newest first, and before it those that lost most
        newest = numbered[-1]
        numbered = [newest, *sorted(numbered[:-1], key=lambda pair: (-pair[1].division.parts[d.LOST_WORK], -pair[0]))]
    more = ["job", "hosts", "to the first iteration"]
    told = [(_attempt(*pair), _about(pair[1])) for pair in numbered]
    shown = [index for index in range(len(more)) if any(about[index] != "-" for _, about in told)]
    section.on_page = [[*_HEAD, *(more[index] for index in shown)]]
    section.on_page += [[*row, *(about[index] for index in shown)] for row, about in told]
    return section


def _about(counted: Counted) -> list[str]:
    attempt, rows = counted.attempt, counted.attempt.rows
    first = from_ms(rows.newest.get(m.FIRST_LOGGED_TRAIN_ITERATIONS_FINISH_TIME))
    took = None if not first or first < counted.division.begin else first - counted.division.begin
    job, hosts = attempt.value(m.JOBID), attempt.value(m.EXEC_HOSTS)
    return [
        "-" if job is None else f.value(job),
        "-" if hosts is None else f.clean(hosts, 40),
        "-" if took is None else f.duration(took / 1e6),
    ]


def _attempt(number: int, counted: Counted) -> list[str]:
    attempt, rows, wall = counted.attempt, counted.attempt.rows, counted.wall
    code = attempt.exit_code
    ended = attempt.ended + (f" ({code})" if code else "")
    reached = "-" if rows.end is None else f"{f.count(rows.start or 0)} to {f.count(rows.end)}"
    share = f.percent(counted.division.parts[d.PRODUCTIVE] / wall) if wall else "-"
    lost, again = counted.division.parts[d.LOST_WORK], counted.division.iterations_lost
    return [
        str(number),
        f.clean(attempt.value("id") or "?", 20),
        ended,
        f.instant(counted.division.begin / 1000),
        f.duration(wall / 1e6),
        reached,
        share,
        f.duration(lost / 1e6) if lost else "-",
        f.count(again) if again else "-",
    ]
