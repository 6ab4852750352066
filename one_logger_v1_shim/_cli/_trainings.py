"""Trainings as people want to see them: sections and charts."""

from __future__ import annotations

from typing import Optional

from .._goodput import definitions as d
from .._goodput.counted import Counted
from .._goodput.progress import Point
from .._goodput.spans import clip, minus, union
from .._goodput.training import Training
from .._goodput.trainings import FAILED, KILLED
from .._v1 import metrics as m
from . import _format as f
from ._draw import REPEATED
from ._model import Breakdown, Chart, Drawing, Report, Section, Timeline

_HEAD = ["#", "id", "ended", "began", "wall", "iterations", "goodput", "lost work", "lost iterations"]
_MOST_CURVES = 12


def report(trainings: list[Training], notes: list[str]) -> Report:
    """All trainings: what stands at the top, the parts, the attempts, doubts."""
    sections: list[Section] = []
    charts: list[Drawing] = []
    said = list(notes)
    for training in trainings:
        name = title(training)
        sections += [_figures(training, name), _parts(training), _attempts(training)]
        few = "" if len(trainings) == 1 else f" of {name}"
        charts += [*spans_and_parts(training, few), *_curves(training, few)]
        said += [f"{name}: {text}" if len(trainings) > 1 else text for text in training.notes]
    return Report(_headline(trainings), sections, charts, [f.clean(one, 500) for one in said])


def _headline(trainings: list[Training]) -> str:
    if len(trainings) > 1:
        return f"goodput of {len(trainings)} trainings"
    share = trainings[0].goodput
    return f"goodput of {title(trainings[0])}" + ("" if share is None else f": {f.percent(share)}")


def title(training: Training) -> str:
    """Project, tag and name of a training."""
    newest = training.attempts[-1].attempt
    tags = training.attempts[0].attempt.rows.tags[:1]
    parts = [newest.value("project"), *tags, newest.value(m.APP_TAG_RUN_NAME)]
    return f.clean(" / ".join(str(one) for one in parts if one is not None)) or "a training"


def _figures(training: Training, name: str) -> Section:
    section = Section(name)
    figures, line = training.figures, section.add
    share = figures["goodput"]
    line(d.LABELS["goodput"], None if share is None else f.percent(share))
    line(d.LABELS["wall"], f"{f.duration(training.wall / 1e6)}, from {f.instant(training.begin / 1000)}")
    line(d.LABELS["attempts"], f.count(figures["attempts"] or 0))
    line(d.LABELS["interruptions"], f.count(figures["interruptions"] or 0))
    between = figures["mean_time_between_interruptions"]
    line(d.LABELS["mean_time_between_interruptions"], None if between is None else f.duration(between / 1000))
    for key in ("iteration_time_average", "iteration_time_best"):
        line(d.LABELS[key], _or_none(figures[key], lambda ms: f"{f.measured(ms)} ms"))
    for key in ("throughput_average", "throughput_best"):
        line(d.LABELS[key], _or_none(figures[key], lambda flops: f"{f.measured(flops)} TFLOP/s a GPU"))
    for key in ("tokens", "iterations_lost"):
        line(d.LABELS[key], _or_none(figures[key], f.count))
    progress, target = figures["progress"], figures["target"]
    if progress is not None:
        of = f" of {f.count(target)} iterations ({f.percent(progress / target)})" if target else " iterations"
        line(d.LABELS["progress"], f.count(progress) + of)
    left = figures["time_left"]
    line(d.LABELS["time_left"], None if left is None else f"{f.duration(left / 1000)} at this rate, losses included")
    return section


def _or_none(value: Optional[float], shown: object) -> Optional[str]:
    return None if value is None else shown(value)  # type: ignore[operator]


def _parts(training: Training) -> Section:
    section = Section("Where the time went")
    for one in d.PARTS:
        us = training.parts[one.key]
        if us:
            share = us / training.wall
            section.add(one.label, f"{f.duration(us / 1e6)} ({f.percent(share)})")
            section.lines[-1].share = share
    return section


def _attempts(training: Training) -> Section:
    rows = [_HEAD, *(_attempt(number, one) for number, one in enumerate(training.attempts, 1))]
    return Section("Attempts", table=rows)


def _attempt(number: int, counted: Counted) -> list[str]:
    attempt, rows, wall = counted.attempt, counted.attempt.rows, counted.wall
    ended = attempt.ended + (f" ({attempt.exit_code})" if attempt.ended == FAILED else "")
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


# -- charts --------------------------------------------------------------------------------------------------------


def spans_and_parts(training: Training, of: str = "") -> list[Drawing]:
    """The attempts on a time line, and the bar of what the time went into."""
    lines, spans, marks = [], [], []
    for number, counted in enumerate(training.attempts):
        lines.append(f"attempt {number + 1}")
        spans += [
            (number, kind, begin / 1000, end / 1000) for kind, (begin, end) in _spans(counted, _kept(training, number))
        ]
        if counted.attempt.ended in (KILLED, FAILED):
            text = f"attempt {number + 1} {counted.attempt.ended}"
            marks.append((number, counted.division.end / 1000, text))
    parts = {one.key: training.parts[one.key] / 1000 for one in d.PARTS}
    return [Timeline(f"Time line{of}", lines, spans, marks), Breakdown(f"Where the time went{of}", parts)]


def _kept(training: Training, number: int) -> Optional[float]:
    """The iteration up to which the progress of an attempt counts."""
    later = [one.attempt.rows.start for one in training.attempts[number + 1 :] if one.attempt.rows.start is not None]
    return min(later) if later else training.attempts[number].attempt.rows.productive_end


def _spans(counted: Counted, kept: Optional[float]) -> list[tuple[str, tuple[int, int]]]:
    """What is known of a moment is drawn; the rest of the loop is iterations, kept or not, the rest outside is idle."""
    division, rows = counted.division, counted.attempt.rows
    known = division.spans
    free = minus([(division.begin, division.end)], union([span for _, span in known]))
    loops = union(
        clip(((one, division.end if end is None else end) for one, end in rows.loops), division.begin, division.end)
    )
    turn = next(
        (point.at for point in rows.progress.points() if point.at and kept is not None and point.iterations >= kept),
        None,
    )
    found = list(known)
    first = loops[0][0] if loops else division.end
    if rows.horizon is not None and division.parts[d.UNKNOWN]:
        found += [(d.UNKNOWN, span) for span in clip(free, max(first, rows.horizon), division.end) if loops]
        free = clip(free, division.begin, max(first, rows.horizon))
    for begin, end in loops:
        mine = clip(free, begin, end)
        edge = begin if kept is None or kept <= (rows.start or 0) else end if turn is None else turn
        wasted = d.LOST_WORK if division.parts[d.LOST_WORK] else d.NOT_SAVED
        found += [(d.PRODUCTIVE, span) for span in clip(mine, begin, edge)]
        found += [(wasted, span) for span in clip(mine, max(begin, edge), end)]
    outside = minus(free, loops)
    found += [(d.STARTUP_REST, span) for span in clip(outside, division.begin, first)]
    found += [(d.SHUTDOWN, span) for span in clip(outside, first, division.end)]
    return found


def _curves(training: Training, of: str) -> list[Chart]:
    far = Chart(f"Iterations{of}", "iterations", {})
    pace = Chart(f"Iteration time{of}", "ms", {})
    for number, counted in enumerate(training.attempts):
        points = [point for point in counted.attempt.rows.progress.points() if point.at is not None]
        if number >= _MOST_CURVES or not points:
            continue
        name = f"attempt {number + 1}"
        far.curves[name] = [(_ms(point), point.iterations) for point in points]
        pace.curves[name] = _pace(points)
        kept = _kept(training, number)
        again = [(_ms(point), point.iterations) for point in points if kept is not None and point.iterations >= kept]
        if counted.division.iterations_lost and again:
            far.curves[f"{name}, done again later"] = again
            far.colours[f"{name}, done again later"] = REPEATED
    for chart in (far, pace):
        chart.curves = {name: curve for name, curve in chart.curves.items() if curve}
    return [chart for chart in (far, pace) if chart.curves]


def _ms(point: Point) -> float:
    return (point.at or 0) / 1000


def _pace(points: list[Point]) -> list[tuple[float, float]]:
    pairs = zip(points, points[1:])
    return [
        (_ms(after), (after.spent - before.spent) / 1000 / (after.iterations - before.iterations))
        for before, after in pairs
        if after.iterations > before.iterations
    ]
