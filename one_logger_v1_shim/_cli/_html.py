"""The report as one page that needs nothing else: text, and charts drawn by plotly, whose script is in the page.

plotly's package has one script, of 4.8 MB. It stands in the page compressed, and the browser unpacks it: 1.9 MB.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
from html import escape
from pathlib import Path
from typing import Any

from ._draw import figure
from ._format import clean
from ._model import Report, Section

_MOST_LINES = 2000  # of one section

# The page may run what is in it and load nothing from anywhere, whatever the rows say.
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 68rem; padding: 0 1rem; color: #1a1a1a }
h1 { font-size: 1.5rem; overflow-wrap: anywhere } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
table { border-collapse: collapse; width: 100% }
td { padding: .2rem .8rem .2rem 0; vertical-align: top; overflow-wrap: anywhere; border-bottom: 1px solid #eee }
td:first-child:nth-last-child(2) { color: #555; width: 16rem }
.note { color: #8a5a00 }
th { text-align: left; font-weight: normal; color: #555; padding-right: .8rem }
"""
# Charts are drawn when the script has been unpacked. Nothing here is loaded: a Blob is a part of the page.
_SCRIPT = """
(async () => {
  const packed = Uint8Array.from(atob(document.getElementById("plotly").textContent), c => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.append(script);
  for (const [id, chart] of Object.entries(JSON.parse(document.getElementById("charts").textContent)))
    Plotly.newPlot(id, chart.data, chart.layout, {displaylogo: false, responsive: true});
})().catch(error => {
  for (const one of document.getElementsByClassName("chart"))
    one.textContent = "This chart needs a browser from 2023 or later (" + error + ").";
});
"""


class NoPlotlyError(Exception):
    """plotly is not installed."""

    def __init__(self) -> None:
        super().__init__("--html needs plotly: python -m pip install 'one-logger-v1-shim[show]'")


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
        parts.extend(f'<div class="chart" id="chart-{number}"></div>' for number in range(len(report.charts)))
    for section in report.sections:
        parts.append(_section(section))
    if report.charts:
        drawn = {f"chart-{number}": _plain(figure(graphs, chart)) for number, chart in enumerate(report.charts)}
        parts.append(_data("charts", json.dumps(drawn, separators=(",", ":"))))
        parts.append(_data("plotly", _packed_plotly()))
        parts.append(f"<script>{_SCRIPT}</script>")
    parts.append("</body></html>\n")
    return "".join(parts)


def _section(section: Section) -> str:
    parts = [f"<h2>{escape(section.title)}</h2><table>"]
    for number, row in enumerate(section.table[: _MOST_LINES + 1]):
        cell = "td" if number else "th"
        parts.append("<tr>" + "".join(f"<{cell}>{escape(text)}</{cell}>" for text in row) + "</tr>")
    parts.extend(
        f"<tr><td>{escape(line.label)}</td><td>{escape(line.value)}</td></tr>" for line in section.lines[:_MOST_LINES]
    )
    parts.append("</table>")
    more = max(len(section.lines), len(section.table) - 1) - _MOST_LINES
    if more > 0:
        parts.append(f"<p>... and {more:,} more</p>")
    return "".join(parts)


def _plain(drawn: Any) -> Any:
    return json.loads(drawn.to_json())


def _data(name: str, content: str) -> str:
    """Text for the script; ``<`` does not occur in it, so it can not end its element."""
    text = content.replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{text}</script>'


def _packed_plotly() -> str:
    from plotly.offline import get_plotlyjs

    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), 9, mtime=0)).decode()


def save(text: str, path: Path) -> None:
    """Put the page where it was asked for, whole or not at all; ``OSError`` if that can't be done."""
    partial = path.with_name(f"{clean(path.name)}.{os.getpid()}.partial")
    try:
        partial.write_text(text, encoding="utf-8", errors="replace")
        os.replace(partial, path)
    finally:
        if partial.exists():
            partial.unlink()
