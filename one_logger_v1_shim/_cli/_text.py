"""The report in a terminal: with rich if it is installed and somebody looks, as plain text otherwise."""

from __future__ import annotations

import importlib.util
import os
import shutil
import textwrap
from itertools import zip_longest
from typing import Any, Optional, TextIO

from ._format import sparkline
from ._model import Line, Report, Section

_MOST_LINES = 200  # of one section
_BAR, _CURVE = 30, 40  # characters
_LABEL, _WIDEST, _NARROW = 50, 1_000_000, 6  # the longest of v1's names has 49


def write(report: Report, out: TextIO) -> None:
    """Write the report. The content is the same both ways."""
    if hasattr(out, "reconfigure"):
        out.reconfigure(errors="replace")
    if out.isatty() and os.environ.get("TERM") != "dumb" and importlib.util.find_spec("rich") is not None:
        write_rich(report, out)
    else:
        write_plain(report, out, shutil.get_terminal_size().columns if out.isatty() else None)


def write_plain(report: Report, out: TextIO, width: Optional[int] = None) -> None:
    """As plain text; of a table that is wider than ``width`` columns are left out."""
    for section in report.sections:
        if not section.lines and not section.table:
            continue
        print(section.title, file=out)
        for text in _columns(narrowed(section, None if width is None else width - 2), width):
            print(f"  {text}", file=out)
        if len(section.table) > _most(section) + 1:
            print(f"  {_more(len(section.table) - 1)}", file=out)
        label = min(_LABEL, max((len(line.label) for line in section.lines), default=0))
        lines = []
        for line in section.lines[:_MOST_LINES]:
            room = None if width is None else width - 4 - max(label, len(line.label)) - len(line.value)
            lines.append([line.label, f"{line.value}{_plot(line, out, room)}"])
        for text in _columns(lines, width, _LABEL):
            print(f"  {text}", file=out)
        if len(section.lines) > _MOST_LINES:
            print(f"  {_more(len(section.lines))}", file=out)
        print(file=out)
    for note in report.notes:
        print(_wrapped(f"note: {note}", width), file=out)


def write_rich(report: Report, out: TextIO, **options: Any) -> None:
    """With colours and boxes; ``options`` are rich's ``Console``'s."""
    from rich.box import ROUNDED
    from rich.console import Console
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    console = Console(file=out, highlight=False, **options)
    for section in report.sections:
        if not section.lines and not section.table:
            continue
        table = Table.grid(padding=(0, 2))
        for number, row in enumerate(narrowed(section, console.width - 4)):
            table.add_row(*(Text(cell, style="" if number else "cyan", overflow="fold") for cell in row))
        if len(section.table) > _most(section) + 1:
            table.add_row(Text(_more(len(section.table) - 1), style="dim"))
        # Text and not str: a value may look like rich's markup
        label = max((len(line.label) for line in section.lines), default=0)
        for line in section.lines[:_MOST_LINES]:
            value = Text(line.value, overflow="fold")
            value.append(_plot(line, out, console.width - 6 - label - len(line.value)), style="green")
            table.add_row(Text(line.label, style="cyan", overflow="fold"), value)
        if len(section.lines) > _MOST_LINES:
            table.add_row(Text(""), Text(_more(len(section.lines)), style="dim"))
        console.print(Panel(table, title=Text(section.title, style="bold"), title_align="left", box=ROUNDED))
    for note in report.notes:
        console.print(Text(f"note: {note}", style="yellow"))


def narrowed(section: Section, width: Optional[int]) -> list[list[str]]:
    """The section's table without the columns for which there is no room, the least important first."""
    table = section.table[: _most(section) + 1]
    left = list(range(len(table[0]))) if table else []
    for column in section.drop:
        needed = sum(max(len(row[one]) for row in table) + 2 for one in left) - 2
        if width is None or needed <= width:
            break
        left.remove(column)
    return [[row[one] for one in left] for row in table]


def _columns(table: list[list[str]], width: Optional[int], first: int = _WIDEST) -> list[str]:
    """The table's rows as aligned text, its first column at most so wide; what is wider than ``width`` is wrapped."""
    widths = [max(map(len, column)) for column in zip(*table)]
    widths[:1] = [min(first, one) for one in widths[:1]]
    while width is not None and sum(widths) + 2 * len(widths) > width and max(widths) > _NARROW:
        widths[widths.index(max(widths))] -= 1
    found = []
    for row in table:
        cells = [[cell] if width is None else textwrap.wrap(cell, most) for cell, most in zip(row, widths)]
        for some in zip_longest(*cells, fillvalue=""):
            found.append("  ".join(cell.ljust(most) for cell, most in zip(some, widths)).rstrip())
    return found


def _most(section: Section) -> int:
    """Rows of the table that are shown: one that ends in a sum is shown as a whole."""
    return len(section.table) if section.total else _MOST_LINES


def _more(lines: int) -> str:
    return f"... and {lines - _MOST_LINES:,} more"


def _wrapped(text: str, width: Optional[int]) -> str:
    """As lines that fit, with no word broken: a path or an option is copied from there."""
    if width is None:
        return text
    lines = textwrap.wrap(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)


def _plot(line: Line, out: TextIO, room: Optional[int]) -> str:
    """A bar or a small curve, and the space before it; nothing where ``room`` is too small for it."""
    try:
        "▁█".encode(getattr(out, "encoding", None) or "ascii")
        plain = False
    except (UnicodeError, LookupError):
        plain = True
    most = _BAR if line.share is not None else _CURVE
    if room is not None:
        most = min(most, room - 2)
    if most < 1:
        return ""
    if line.share is not None:
        drawn = ("#" if plain else "█") * round(most * min(1.0, max(0.0, line.share)))
    else:
        drawn = sparkline(line.spark, most, ascii_only=plain)
    return f"  {drawn}" if drawn else ""
