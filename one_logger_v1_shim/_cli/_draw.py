"""Charts drawn by plotly: curves, the time line of attempts, the bar of what the time went into."""

from __future__ import annotations

from html import escape
from typing import Any

from .._goodput import definitions as d
from ._model import Breakdown, Chart, Drawing, Timeline

_COLOURS = {
    d.PRODUCTIVE: "#2e7d32",
    d.LOST_WORK: "#c62828",
    d.NOT_SAVED: "#9ccc65",
    d.MODEL_INIT: "#1565c0",
    d.DATA_LOADER: "#1e88e5",
    d.OPTIMIZER: "#64b5f6",
    d.STARTUP_REST: "#90a4ae",
    d.LOAD_CHECKPOINT: "#6a1b9a",
    d.VALIDATION: "#00838f",
    d.SAVE_CHECKPOINT: "#f9a825",
    d.IDLE: "#bcaaa4",
    d.SHUTDOWN: "#78909c",
    d.BETWEEN: "#eceff1",
    d.UNKNOWN: "#424242",
}
REPEATED = _COLOURS[d.LOST_WORK]


def figure(graphs: Any, chart: Drawing) -> Any:
    """The plotly figure. ``graphs`` is ``plotly.graph_objects``."""
    if isinstance(chart, Timeline):
        return _timeline(graphs, chart)
    if isinstance(chart, Breakdown):
        return _breakdown(graphs, chart)
    return _curves(graphs, chart)


def _layout(drawn: Any, title: str, height: int) -> None:
    drawn.update_layout(
        title=escape(title),  # plotly reads a few HTML tags in names and titles
        height=height,
        margin={"l": 60, "r": 20, "t": 50, "b": 40},
        template="plotly_white",
        legend={"orientation": "h", "y": -0.2},
        showlegend=True,
    )


def _curves(graphs: Any, chart: Chart) -> Any:
    drawn = graphs.Figure()
    for name, curve in chart.curves.items():
        ys = [y for _, y in curve]
        style: dict[str, Any] = {"mode": "lines+markers" if len(ys) < 60 else "lines"}
        if name in chart.colours:
            style["line"] = {"color": chart.colours[name], "width": 4}
        # Fewer digits than a float has: nobody sees them, and they are half of a page's data.
        xs = [round(x, 1) for x, _ in curve]
        drawn.add_trace(graphs.Scatter(x=xs, y=[float(f"{y:.7g}") for y in ys], name=escape(name), **style))
    _layout(drawn, chart.title, 340)
    # v1's times are ms since the epoch, and so are plotly's dates
    drawn.update_xaxes(type="date" if chart.times else "linear", title=None if chart.times else "row")
    drawn.update_yaxes(title=escape(chart.unit), rangemode="tozero" if chart.times else "normal")
    return drawn


def _timeline(graphs: Any, chart: Timeline) -> Any:
    drawn = graphs.Figure()
    for kind in dict.fromkeys(kind for _, kind, _, _ in chart.spans):
        spans = [(line, begin, end) for line, one, begin, end in chart.spans if one == kind]
        drawn.add_trace(
            graphs.Bar(
                orientation="h",
                y=[escape(chart.lines[line]) for line, _, _ in spans],
                base=[begin for _, begin, _ in spans],
                x=[end - begin for _, begin, end in spans],
                customdata=[(end - begin) / 1000 for _, begin, end in spans],
                hovertemplate="%{customdata:,.3f} s",
                name=d.LABELS[kind],
                marker={"color": _COLOURS[kind], "line": {"width": 0}},
            )
        )
    if chart.marks:
        drawn.add_trace(
            graphs.Scatter(
                x=[at for _, at, _ in chart.marks],
                y=[escape(chart.lines[line]) for line, _, _ in chart.marks],
                text=[escape(text) for _, _, text in chart.marks],
                mode="markers",
                hovertemplate="%{text}",
                name="interruption",
                marker={"symbol": "x", "size": 11, "color": "#000000"},
            )
        )
    _layout(drawn, chart.title, 200 + 28 * min(60, len(chart.lines)))
    drawn.update_layout(barmode="overlay")
    drawn.update_xaxes(type="date")
    drawn.update_yaxes(autorange="reversed", type="category")
    return drawn


def _breakdown(graphs: Any, chart: Breakdown) -> Any:
    drawn = graphs.Figure()
    whole = sum(chart.parts.values()) or 1.0
    for kind, ms in chart.parts.items():
        if ms > 0:
            drawn.add_trace(
                graphs.Bar(
                    orientation="h",
                    y=["time"],
                    x=[ms / 1000],
                    customdata=[100 * ms / whole],
                    hovertemplate="%{x:,.3f} s, %{customdata:.1f} %",
                    name=d.LABELS[kind],
                    marker={"color": _COLOURS[kind]},
                )
            )
    _layout(drawn, chart.title, 260)
    drawn.update_layout(barmode="stack", legend={"y": -0.35, "traceorder": "normal"})
    drawn.update_xaxes(title="s", title_standoff=2)
    drawn.update_yaxes(showticklabels=False)
    return drawn
