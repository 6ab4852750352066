"""The report as one page that needs nothing else: no script, no font, nothing that is loaded."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path

from . import _draw
from ._format import clean
from ._model import Line, Report, Section
from ._style import STYLE

_MOST_LINES = 2000  # of one section

# The page may load nothing and run nothing, whatever the rows say.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(report: Report) -> str:
    """The whole page."""
    parts = [
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{escape(report.title)}</title><style>{STYLE}</style></head><body><main>",
        f"<h1>{escape(report.title)}</h1>",
    ]
    parts.extend(map(_section, report.sections))
    if report.notes:
        notes = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
        parts.append(f'<section><h2>Notes</h2><ul class="notes">{notes}</ul></section>')
    parts.append("</main></body></html>\n")
    return "".join(parts)


def _section(section: Section) -> str:
    tiles = "".join(
        f"<div><dt>{escape(one.label)}</dt><dd>{escape(one.value)}</dd>"
        f"{f'<dd class=hint>{escape(one.hint)}</dd>' if one.hint else ''}</div>"
        for one in section.tiles
    )
    charts = "".join(map(_draw.drawn, section.charts))
    return (
        f"<section><h2>{escape(section.title)}</h2>"
        f"{f'<dl class=tiles>{tiles}</dl>' if tiles else ''}{charts}{_table(section)}{_lines(section)}</section>"
    )


def _table(section: Section) -> str:
    if not section.table:
        return ""
    head, *rows = (section.on_page or section.table)[: None if section.total else _MOST_LINES + 1]
    names = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(f"<tr>{''.join(map(_cell, head, row))}</tr>" for row in rows)
    return f'<table class="wide"><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>{_more(section)}'


def _cell(name: str, text: str) -> str:
    """A short one stays on one line. On a narrow screen the column's name stands before it."""
    short = ' class="n"' if len(text) <= 16 else ""
    return f'<td data-name="{escape(name)}"{short}>{escape(text)}</td>'


def _lines(section: Section) -> str:
    if not section.lines:
        return ""
    rows = "".join(map(_line, section.lines[:_MOST_LINES]))
    table = f'<table class="lines"><tbody>{rows}</tbody></table>{_more(section)}'
    return f"<details><summary>All figures</summary>{table}</details>" if section.folded else table


def _line(line: Line) -> str:
    share = "" if line.share is None else _draw.bar(line.share, _draw.GROUP_OF.get(line.kind, "unknown"))
    return f'<tr><th scope="row">{escape(line.label)}</th><td>{escape(line.value)}{share}</td></tr>'


def _more(section: Section) -> str:
    more = max(len(section.lines), 0 if section.total else len(section.table) - 1) - _MOST_LINES
    return f"<p>... and {more:,} more</p>" if more > 0 else ""


def save(text: str, path: Path) -> None:
    """Put the page where it was asked for, whole or not at all; ``OSError`` if that can't be done."""
    partial = path.with_name(f"{clean(path.name)}.{os.getpid()}.partial")
    try:
        partial.write_text(text, encoding="utf-8", errors="replace")
        os.replace(partial, path)
    finally:
        if partial.exists():
            partial.unlink()
