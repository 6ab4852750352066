"""``scan --report``: what it would take to go on from v1 to v2 or OpenTelemetry, as Markdown or as one HTML page.

File names and source are data of others: in HTML they are escaped, in Markdown they stand in code spans.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from .._migrate import leaving
from .._migrate.findings import CALL, CONSTRUCTION, ERROR, FILE, IMPORT, PIN, STRING, SUBCLASS, Finding, counted
from . import _format as f
from ._html import page, save
from ._model import Report, Section

SUFFIXES = {".md": "Markdown", ".markdown": "Markdown", ".html": "HTML", ".htm": "HTML"}
_MOST = 400  # characters of a cell
_KINDS = {IMPORT: "imports", CONSTRUCTION: "constructions", CALL: "calls", SUBCLASS: "subclasses"}


def write(findings: Sequence[Finding], paths: Sequence[Path], to: Path) -> None:
    """Write the report. Raises ``OSError``: it cannot be written."""
    report = made(findings, paths)
    save(page(report) if SUFFIXES[to.suffix.lower()] == "HTML" else markdown(report), to)


def made(findings: Sequence[Finding], paths: Sequence[Path]) -> Report:
    """The report of a scan."""
    ways = [(one, leaving.becomes(one)) for one in findings]
    by_hand = [(one, way) for one, way in ways if way.by_hand]
    summary = Section("What it would take")
    for label, value in _summary(findings, len(by_hand)):
        summary.add(label, value)
    notes = [
        "The first road changes nothing in the tree: ONE_LOGGER_V1_OTLP=1 (docs/opentelemetry.md).",
        "docs/leaving.md says how to run both at once, and how to remove the shim.",
        "A name alone makes some objects v1's here: read the lines before you change them.",
    ]
    scanned = ", ".join(f.clean(str(path), _MOST) for path in paths)
    sections = [summary, _calls(findings)]
    if by_hand:
        sections.append(_uses("What cannot be translated by a rule", by_hand))
    sections.append(_uses("Every use", ways))
    return Report(f"Leaving OneLogger v1: {scanned}", [one for one in sections if one.lines or one.table], notes)


def _summary(findings: Sequence[Finding], by_hand: int) -> list[tuple[str, str]]:
    if not findings:
        return [("uses of v1", "none found")]
    modules = [leaving.module(one) for one in findings]
    kinds = Counter(leaving.kind_of(name) for name in modules if name)
    newer = any(one.called.startswith("on_train_step") for one in findings)
    of_kind = Counter(one.kind for one in findings)
    notebooks = {one.file for one in findings if one.cell or one.file.endswith(".ipynb")}
    return [
        ("uses of v1", f"{len(findings):,} in {counted(len({one.file for one in findings}), 'file')}"),
        *((label, f"{of_kind[kind]:,}") for kind, label in _KINDS.items() if of_kind[kind]),
        ("pins and installations", f"{of_kind[PIN]:,}"),
        ("guards and names in strings", f"{of_kind[STRING]:,}"),
        ("notebooks", f"{len(notebooks):,}"),
        ("kind of program", ", ".join(sorted(filter(None, kinds))) or "not seen: no import of v1"),
        ("written for", "v1 1.0.3 (on_train_step_*)" if newer else "v1 1.0.0 to 1.0.2"),
        ("by hand", f"{by_hand:,}"),
        ("errors: does not work, with v1 neither", f"{sum(one.level == ERROR for one in findings):,}"),
        ("not looked at", f"{of_kind[FILE]:,}"),
    ]


def _calls(findings: Sequence[Finding]) -> Section:
    """Each call of v1 that the tree has, by how often."""
    names = Counter(one.called for one in findings if one.called in leaving.CALLS)
    rows = [["v1's call", "times", "v2", "OpenTelemetry"]] if names else []
    for name, times in names.most_common():
        way = leaving.becomes(Finding("", 0, "call", "ok", "", called=name))
        rows.append([name, f"{times:,}", way.v2, way.otel])
    return Section("Calls", table=rows)


def _uses(title: str, ways: Sequence[tuple[Finding, leaving.Becomes]]) -> Section:
    rows = [["where", "what", "written", "v2", "OpenTelemetry", "remark"]] if ways else []
    for one, way in ways:
        cell = f" (cell {one.cell})" if one.cell else ""
        remark = f"{one.level}: {one.why}" if one.why and one.kind != IMPORT else one.why
        where = f"{f.clean(one.file, _MOST)}:{one.line}{cell}"
        rows.append([where, one.kind, f.clean(one.what, _MOST), way.v2, way.otel, f.clean(remark, _MOST)])
    return Section(title, table=rows)


_OURS = {"v2", "OpenTelemetry"}  # columns whose texts are the package's own


def markdown(report: Report) -> str:
    """The report as Markdown."""
    parts = [f"# {_code(report.title)}"]
    for section in report.sections:
        parts.append(f"## {section.title}")
        if section.lines:
            parts.append("\n".join(f"- {line.label}: {line.value}" for line in section.lines))
        if section.table:
            head, *rows = section.table
            lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
            for row in rows:
                cells = [text if name in _OURS else _code(text) for name, text in zip(head, row)]
                lines.append(f"| {' | '.join(cells)} |")
            parts.append("\n".join(lines))
    parts.append("\n".join(f"- {note}" for note in report.notes))
    return "\n\n".join(parts) + "\n"


def _code(text: str) -> str:
    """A code span that shows ``text`` as it is, in a table, too: no markup, no link, no HTML."""
    if not text:
        return ""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    inner = f" {text} " if text.startswith("`") or text.endswith("`") else text
    return f"{fence}{inner}{fence}".replace("|", "\\|")
