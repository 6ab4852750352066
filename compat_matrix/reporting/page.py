"""The report as one page that needs nothing else: cells by jobs, and the first differing row of each red one."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Optional

from .results import FAILED, KNOWN_DIFFERENCE, NOT_RUN, PASSED, CellReport, Result

_SIGNS = {PASSED: ("ok", "pass"), FAILED: ("NO", "fail"), KNOWN_DIFFERENCE: ("kn", "known"), NOT_RUN: ("-", "none")}

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --pass: #1a7f37; --fail: #cf222e; --known: #9a6700; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; }
table { border-collapse: collapse; }
.wide { overflow-x: auto; border: 1px solid var(--line); }
th, td { border: 1px solid var(--line); padding: 2px 6px; text-align: left; white-space: nowrap; }
.grid td { text-align: center; font: 12px/1.4 ui-monospace, monospace; min-width: 1.6em; padding: 1px 3px; }
.grid thead th { writing-mode: vertical-rl; transform: rotate(180deg); font-weight: 400; font-size: 12px; }
.grid thead th:first-child { writing-mode: horizontal-tb; transform: none; vertical-align: bottom; font-weight: 600; }
.grid tbody th { position: sticky; left: 0; background: Canvas; font-weight: 400; font-size: 13px; }
.pass { color: var(--pass); } .known { background: var(--known); color: #fff; } .none { color: #888; }
.fail, .fail a { background: var(--fail); color: #fff; font-weight: 700; }
details { border: 1px solid var(--line); margin: .5rem 0; padding: .3rem .8rem; }
details code { white-space: pre-wrap; word-break: break-word; }
pre { overflow-x: auto; background: #8881; padding: .5rem; }
"""

_SCRIPT = """
function show() {
  const it = document.getElementById(location.hash.slice(1));
  if (it && it.tagName === "DETAILS") { it.open = true; it.scrollIntoView(); }
}
addEventListener("hashchange", show); show();
"""


def page(reports: Sequence[CellReport], summary: str) -> str:
    """The whole page."""
    jobs = list(dict.fromkeys(result.job for report in reports for result in _sorted(report)))
    head = "".join(f"<th>{escape(job)}</th>" for job in jobs)
    body = "\n".join(_row(report, jobs) for report in reports)
    notable = [
        result for report in reports for result in _sorted(report) if result.status in (FAILED, KNOWN_DIFFERENCE)
    ]
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>compat_matrix</title>
<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>
<h1>compat_matrix</h1>
<p><strong>{escape(summary)}</strong></p>
<p>A row is a cell: a Python, a wandb, and how the rows travel. A column is a recorded v1 job or a legacy program.
<span class="pass">ok</span>: W&amp;B stored exactly what v1 sent. <span class="fail">NO</span>: it did not; click it.
<span class="known">kn</span>: a difference that <code>known_differences/</code> explains.
<span class="none">-</span>: not run, and so not passed; the reason is in the tooltip.</p>
<div class="wide"><table class="grid"><thead><tr><th>cell</th>{head}</tr></thead>
<tbody>{body}</tbody></table></div>
<h2>What differs</h2>
{"".join(map(_detail, notable)) or "<p>Nothing.</p>"}
<h2>What the cells are</h2>
<div class="wide"><table><thead><tr><th>cell<th>result<th>Python<th>wandb<th>wrapt<th>v2<th>shim<th>rows<th>seconds
<th>note</tr></thead><tbody>{"".join(map(_identity, reports))}</tbody></table></div>
<script>{_SCRIPT}</script></body></html>
"""


def _sorted(report: CellReport) -> list[Result]:
    return sorted(report.results, key=lambda result: result.job)


def _row(report: CellReport, jobs: Sequence[str]) -> str:
    results = {result.job: result for result in report.results}
    cells = "".join(_cell(report, results.get(job)) for job in jobs)
    return f"<tr><th>{escape(report.name)}</th>{cells}</tr>"


def _cell(report: CellReport, result: Optional[Result]) -> str:
    if result is None:
        return f'<td class="none" title="{escape(report.not_run or "not in this cell")}">-</td>'
    sign, css = _SIGNS[result.status]
    title = escape(f"{report.name} {result.job}: {result.status} {result.note}".strip())
    if result.status in (FAILED, KNOWN_DIFFERENCE):
        sign = f'<a href="#{_anchor(result)}">{sign}</a>'
    return f'<td class="{css}" title="{title}">{sign}</td>'


def _anchor(result: Result) -> str:
    return escape(f"{result.cell}--{result.job}".replace("/", "-").replace(" ", "-"))


def _detail(result: Result) -> str:
    rows = "".join(
        "<tr>" + "".join(f"<td><code>{escape(text)}</code></td>" for text in difference) + "</tr>"
        for difference in result.differences
    )
    output = f"<pre>{escape(result.output)}</pre>" if result.output else ""
    note = f"<p>{escape(result.note)}</p>" if result.note else ""
    return f"""<details id="{_anchor(result)}"><summary>{escape(result.cell)}: {escape(result.job)}</summary>{note}
<div class="wide"><table><thead><tr><th>where<th>metric<th>v1<th>here</tr></thead><tbody>{rows}</tbody></table></div>
{output}</details>"""


def _identity(report: CellReport) -> str:
    known = report.identity
    rows = sum(result.rows for result in report.results)
    values = [report.name, report.status, *(known.get(key) or "" for key in ("python", "wandb", "wrapt", "v2", "shim")),
              rows, f"{report.seconds:.0f}", report.not_run]  # fmt: skip
    return "<tr>" + "".join(f"<td>{escape(str(value))}</td>" for value in values) + "</tr>"
