"""The charts of a training: what its attempts did and when, all over one axis of time."""

from __future__ import annotations

from .._goodput import definitions as d
from .._goodput.columns import columns
from .._goodput.counted import Counted
from .._goodput.progress import Point
from .._goodput.training import Training
from .._goodput.trainings import FAILED, KILLED
from . import _format as f
from ._model import Chart, Drawing, Lane, Timeline

_PIECES = 240  # of the axis
MOST_LANES = 20  # more attempts share one lane
_MOST_CURVES = 20


def charts(training: Training) -> list[Drawing]:
    """The time line, the iterations and the time of an iteration."""
    return [*timeline(training), *_curves(training)]


def timeline(training: Training) -> list[Drawing]:
    """One lane per attempt, or one for all of them."""
    begin, end = training.begin, max(training.end, training.begin + 1)
    edges = [begin + (end - begin) * number // _PIECES for number in range(1, _PIECES + 1)]
    lanes = []
    for number, one in enumerate(training.attempts, 1):
        pieces = [
            (left / 1000, right / 1000, {part: us / (right - left) for part, us in parts.items()})
            for left, right, parts in columns(one, edges)
        ]
        marks = [one.division.end / 1000] if one.attempt.ended in (KILLED, FAILED) else []
        lanes.append(Lane(f"attempt {number}", _says(number, one), pieces, marks))
    if len(lanes) > MOST_LANES:
        together = [piece for lane in lanes for piece in lane.columns]
        marks = [mark for lane in lanes for mark in lane.marks]
        lost = sum(one.division.parts[d.LOST_WORK] for one in training.attempts)
        says = f"{len(lanes)} attempts, {len(marks)} interruptions, {f.duration(lost / 1e6)} of lost work"
        lanes = [Lane(f"{len(lanes)} attempts", says, _merged(together), [])]
    return [Timeline("Time line", lanes, (begin / 1000, end / 1000))]


def _merged(pieces: list[tuple[float, float, dict[str, float]]]) -> list[tuple[float, float, dict[str, float]]]:
    """Pieces so narrow that nobody can see them are drawn as one."""
    if not pieces:
        return []
    pieces.sort(key=lambda one: one[:2])
    least = (pieces[-1][1] - pieces[0][0]) / (2 * _PIECES)
    found: list[tuple[float, float, dict[str, float]]] = []
    for begin, end, shares in pieces:
        if found and end - found[-1][0] <= least:
            left, right, before = found[-1]
            width = end - left or 1.0
            both = {part: share * (right - left) / width for part, share in before.items()}
            for part, share in shares.items():
                both[part] = both.get(part, 0.0) + share * (end - begin) / width
            found[-1] = (left, end, both)
        else:
            found.append((begin, end, shares))
    return found


def _says(number: int, one: Counted) -> str:
    parts = sorted(one.division.parts.items(), key=lambda item: -item[1])
    said = ", ".join(f"{d.LABELS[key]} {f.duration(us / 1e6)}" for key, us in parts[:4] if us)
    return f"attempt {number}, {one.attempt.ended}, {f.duration(one.wall / 1e6)}: {said}"


def _curves(training: Training) -> list[Drawing]:
    ends = (training.begin / 1000, training.end / 1000)
    far, pace = Chart("Iterations", "", {}, ends=ends), Chart("Iteration time", "ms", {}, ends=ends)
    numbered = [pair for pair in enumerate(training.attempts, 1) if len(pair[1].attempt.rows.progress)]
    for number, one in numbered[-_MOST_CURVES:]:
        points = one.attempt.rows.progress.drawn()
        name = f"attempt {number}"
        far.curves[name] = [(_ms(point), point.iterations) for point in points]
        pace.curves[name] = _pace(points)
        limit = one.division.limit
        again = [(_ms(point), point.iterations) for point in points if limit is None or point.iterations >= limit]
        if one.division.iterations_lost and again:
            far.curves[f"{name}, lost"] = again
            far.lost.add(f"{name}, lost")
    for chart in (far, pace):
        chart.curves = {name: curve for name, curve in chart.curves.items() if curve}
    return [chart for chart in (far, pace) if chart.curves]


def _ms(point: Point) -> float:
    return (point.at or 0) / 1000


def _pace(points: list[Point]) -> list[tuple[float, float]]:
    return [
        (_ms(after), (after.spent - before.spent) / 1000 / (after.iterations - before.iterations))
        for before, after in zip(points, points[1:])
        if after.iterations > before.iterations
    ]
