"""Charts as HTML with SVG inside, without a script: lines and columns are stretched, text is not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from html import escape
from math import floor, isfinite, log10

from .._goodput import definitions as d
from ._format import count, measured
from ._model import Chart, Drawing, Lane, Timeline

_WIDTH, _HEIGHT = 1000, 100  # units of an SVG; the page stretches them
_ROOM = 88.0  # per cent
_MINUTE, _HOUR, _DAY = 60_000, 3_600_000, 86_400_000
_STEPS = [
    *(1_000 * one for one in (1, 2, 5, 10, 15, 30)), *(_MINUTE * one for one in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * one for one in (1, 2, 3, 6, 12)), *(_DAY * one for one in (1, 2, 7, 14, 28, 91, 182, 365)),
]  # fmt: skip

#: what a colour stands for: name -> label, parts. Few enough to be told apart, also by colour-blind eyes.
GROUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "kept": ("iterations kept", (d.PRODUCTIVE,)),
    "open": ("not in a checkpoint", (d.NOT_SAVED,)),
    "lost": ("lost work", (d.LOST_WORK,)),
    "start": (
        "start-up and loading",
        (d.MODEL_INIT, d.DATA_LOADER, d.OPTIMIZER, d.STARTUP_REST, d.LOAD_CHECKPOINT),
    ),
    "save": ("saves and validation", (d.SAVE_CHECKPOINT, d.VALIDATION)),
    "idle": ("idle", (d.IDLE, d.SHUTDOWN)),
    "between": ("between attempts", (d.BETWEEN,)),
    "unknown": ("unknown", (d.UNKNOWN,)),
}
GROUP_OF = {part: name for name, (_, parts) in GROUPS.items() for part in parts}


def drawn(chart: Drawing) -> str:
    """The chart as HTML."""
    return _timeline(chart) if isinstance(chart, Timeline) else _curves(chart)


def bar(share: float, kind: str) -> str:
    """A bar for one line of a table."""
    width = f"{max(0.0, min(1.0, share)) * _WIDTH:.0f}"
    return (
        f'<svg class="bar" viewBox="0 0 {_WIDTH} 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="k-{kind}" width="{width}" height="10"/></svg>'
    )


# -- the time line -------------------------------------------------------------------------------------------------


def _timeline(chart: Timeline) -> str:
    seen = {GROUP_OF[kind] for lane in chart.lanes for _, _, shares in lane.columns for kind in shares}
    lanes = [_lane(lane, chart.ends) for lane in chart.lanes]
    legend = "".join(
        f'<li><svg viewBox="0 0 10 10" aria-hidden="true"><rect class="k-{name}" width="10" height="10"/></svg>'
        f"{escape(label)}</li>"
        for name, (label, _) in GROUPS.items()
        if name in seen
    )
    marks = '<li><span class="cross">&#215;</span> interruption</li>' if any(one.marks for one in chart.lanes) else ""
    return (
        f'<figure class="chart timeline"><figcaption>{escape(chart.title)}</figcaption>'
        f'<ul class="legend">{legend}{marks}</ul>{"".join(lanes)}{_time_axis(chart.ends)}</figure>'
    )


def _lane(lane: Lane, ends: tuple[float, float]) -> str:
    paths: dict[str, list[str]] = {}
    for begin, end, shares in lane.columns:
        left, right = _x(begin, ends), _x(end, ends)
        right = max(right, left + 0.7)
        below = float(_HEIGHT)
        grouped: dict[str, float] = {}
        for kind, share in shares.items():
            grouped[GROUP_OF[kind]] = grouped.get(GROUP_OF[kind], 0.0) + share
        for name in GROUPS:
            height = _HEIGHT * grouped.get(name, 0.0)
            if height >= 0.5:
                below -= height
                paths.setdefault(name, []).append(f"M{left:.1f} {below:.0f}H{right:.1f}v{height:.0f}H{left:.1f}z")
    bars = "".join(f'<path class="k-{name}" d="{"".join(some)}"/>' for name, some in paths.items())
    crosses = "".join(f'<span class="cross" style="left:{_x(at, ends) / 10:.2f}%">&#215;</span>' for at in lane.marks)
    return (
        f'<div class="lane"><span class="name">{escape(lane.label)}</span><div class="plot">'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(lane.label)}: {escape(lane.says)}"><title>{escape(lane.says)}</title>{bars}</svg>'
        f"{crosses}</div></div>"
    )


def _x(at: float, ends: tuple[float, float]) -> float:
    begin, end = ends
    return _WIDTH * (at - begin) / (end - begin) if end > begin else 0.0


def _time_axis(ends: tuple[float, float]) -> str:
    begin, end = ends
    step = next((one for one in _STEPS if (end - begin) / one <= 5), _STEPS[-1] * max(1, (end - begin) // _STEPS[-1]))
    first = -(-begin // step) * step
    ticks = [first + step * number for number in range(7) if first + step * number <= end]
    same_day = len({int(one // _DAY) for one in ends}) == 1
    labels = [(_x(at, ends) / 10, _moment(at, step, same_day)) for at in ticks]
    return _axis(labels, f"{_moment(begin, _DAY, False)} UTC", "ticks times")


def _axis(labels: Sequence[tuple[float, str]], beside: str, kind: str = "ticks") -> str:
    texts = "".join(_tick(at, escape(text)) for at, text in labels)
    return f'<div class="axis"><span class="name">{escape(beside)}</span><div class="{kind}">{texts}</div></div>'


def _tick(at: float, text: str) -> str:
    """The text of one near the right end stands before it: behind it there is no room."""
    if at > _ROOM:
        return f'<span class="end" style="right:{100 - at:.2f}%">{text}</span>'
    return f'<span style="left:{at:.2f}%">{text}</span>'


def _moment(ms: float, step: float, same_day: bool) -> str:
    try:
        at = datetime.fromtimestamp(ms / 1000, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return "?"
    if step >= _DAY:
        return at.strftime("%Y-%m-%d")
    clock = at.strftime("%H:%M:%S" if step < _MINUTE else "%H:%M")
    return clock if same_day else f"{at.day}.{at.month}. {clock}"


# -- curves --------------------------------------------------------------------------------------------------------


def _curves(chart: Chart) -> str:
    points = [point for curve in chart.curves.values() for point in curve if isfinite(point[0]) and isfinite(point[1])]
    if not points:
        return ""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    ends = chart.ends or (min(xs), max(xs))
    low, high = min(ys), max(ys)
    if chart.times:
        low = min(0.0, low)
        high += 0.06 * (high - low)  # room above the highest
    if not isfinite(high - low) or high <= low:
        high = low + 1
    paths, names = [], []
    plain = [name for name in chart.curves if name not in chart.lost]
    for name, curve in chart.curves.items():
        style = "lost" if name in chart.lost else f"c{plain.index(name) % 6}"
        paths.append(_path(curve, ends, (low, high), style))
        if len(chart.curves) <= 12:
            key = f'<path class="line {style}" d="M0 5H10"/>'
            names.append(f'<li><svg viewBox="0 0 10 10" aria-hidden="true">{key}</svg>{escape(name)}</li>')
    says = f"{chart.title}: from {measured(low)} to {measured(high)} {chart.unit}"
    axis = _time_axis(ends) if chart.times else _axis(
        [(0.0, count(round(ends[0]))), (50.0, count(round(sum(ends) / 2))), (100.0, count(round(ends[1])))], "row"
    )  # fmt: skip
    rows = "".join(
        f'<span style="bottom:{100 * (value - low) / (high - low):.1f}%">{escape(_value(value))}</span>'
        for value in _values(low, high)
    )
    return (
        f'<figure class="chart curves"><figcaption>{escape(chart.title)}'
        f"{', ' + escape(chart.unit) if chart.unit else ''}</figcaption>"
        f'<ul class="legend">{"".join(names)}</ul><div class="lane tall"><span class="name">{rows}</span>'
        f'<div class="plot"><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(says)}"><title>{escape(says)}</title>{"".join(paths)}</svg></div></div>{axis}</figure>'
    )


def _path(
    curve: Sequence[tuple[float, float]], ends: tuple[float, float], between: tuple[float, float], style: str
) -> str:
    low, high = between
    texts, last = [], ""
    for x, y in curve:
        if isfinite(x) and isfinite(y):
            text = f"{_x(x, ends):.0f} {_HEIGHT - _HEIGHT * (y - low) / (high - low):.1f}"
            if text != last:
                texts.append(text)
            last = text
    if len(texts) == 1:
        texts.append(texts[0])
    return f'<path class="line {style}" d="M{"L".join(texts)}"/>' if texts else ""


def _values(low: float, high: float) -> list[float]:
    """A few round numbers."""
    step = 10.0 ** floor(log10((high - low) / 3))
    step *= next((one for one in (1, 2, 5) if (high - low) / (one * step) <= 5), 10)
    first = -(-low // step)
    return [round((first + number) * step, 12) for number in range(7) if (first + number) * step <= high]


def _value(given: float) -> str:
    return count(given) if abs(given) >= 100 or given == int(given) else measured(given)
