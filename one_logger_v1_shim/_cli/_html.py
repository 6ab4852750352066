"""The report as one page that needs nothing else: text, and charts drawn by plotly, whose script is in the page."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path
from typing import Any

from ._format import clean
from ._model import Chart, Report

_MOST_LINES = 2000  # of one section

# The page may run what is in it and load nothing from anywhere, whatever the rows say.
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 68rem; padding: 0 1rem; color: #1a1a1a }
h1 { font-size: 1.5rem; overflow-wrap: anywhere } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
table { border-collapse: collapse; width: 100% } td { padding: .2rem .8rem .2rem 0; vertical-align: top }
td:first-child { color: #555; width: 16rem } td { overflow-wrap: anywhere; border-bottom: 1px solid #eee }
.note { color: #8a5a00 }
"""


class NoPlotlyError(Exception):
    """plotly is not installed."""


def page(report: Report) -> str:
    """The whole page.

    Raises:
        NoPlotlyError: plotly is not installed.
    """
    try:
        import plotly.graph_objects as graphs
    except ImportError as error:
        raise NoPlotlyError from error
    parts = [
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f"<title>{escape(report.title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(report.title)}</h1>",
    ]
    parts.extend(f'<p class="note">{escape(note)}</p>' for note in report.notes)
    if report.charts:
        parts.append("<h2>Charts</h2>")
    for number, chart in enumerate(report.charts):
        parts.append(_drawn(graphs, chart, number))
    for section in report.sections:
        parts.append(f"<h2>{escape(section.title)}</h2><table>")
        parts.extend(
            f"<tr><td>{escape(line.label)}</td><td>{escape(line.value)}</td></tr>"
            for line in section.lines[:_MOST_LINES]
        )
        parts.append("</table>")
        if len(section.lines) > _MOST_LINES:
            parts.append(f"<p>... and {len(section.lines) - _MOST_LINES:,} more</p>")
    parts.append("</body></html>\n")
    return "".join(parts)


def _drawn(graphs: Any, chart: Chart, number: int) -> str:
    figure = graphs.Figure()
    for name, curve in chart.curves.items():
        xs: list[Any] = [x for x, _ in curve]
        ys = [y for _, y in curve]
        mode = "lines+markers" if len(ys) < 60 else "lines"
        # plotly reads a few HTML tags in names and titles
        figure.add_trace(graphs.Scatter(x=xs, y=ys, mode=mode, name=escape(name)))
    figure.update_layout(
        title=escape(chart.title),
        height=340,
        margin={"l": 60, "r": 20, "t": 50, "b": 40},
        template="plotly_white",
        legend={"orientation": "h", "y": -0.2},
        showlegend=True,
    )
    # v1's times are ms since the epoch, and so are plotly's dates
    figure.update_xaxes(type="date" if chart.times else "linear", title=None if chart.times else "row")
    figure.update_yaxes(title=escape(chart.unit), rangemode="tozero" if chart.times else "normal")
    drawn: str = figure.to_html(
        full_html=False,
        include_plotlyjs=number == 0,
        div_id=f"chart-{number}",
        config={"displaylogo": False, "responsive": True},
    )
    return drawn


def save(text: str, path: Path) -> None:
    """Put the page where it was asked for, whole or not at all; ``OSError`` if that can't be done."""
    partial = path.with_name(f"{clean(path.name)}.{os.getpid()}.partial")
    try:
        partial.write_text(text, encoding="utf-8", errors="replace")
        os.replace(partial, path)
    finally:
        if partial.exists():
            partial.unlink()
