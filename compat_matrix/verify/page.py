"""The page: one sentence first, then what it rests on. As text, and as one HTML file that needs nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from .beliefs import METRICS
from .check_rows import kind_of, sender_of
from .compared import Mismatch, Sent
from .findings import CONTRADICTS, REMARK, UNKNOWN, Finding, accused
from .history import History

_MOST = 40  # lines of one section
_WIDTH = 110


@dataclass
class Section:
    """A heading and lines. ``literal``: to be copied as it is."""

    heading: str
    lines: list[str]
    literal: bool = False


@dataclass
class Page:
    """What the command says."""

    verdict: str
    sections: list[Section] = field(default_factory=list)

    def text(self) -> str:
        """For the terminal."""
        parts = [self.verdict]
        for section in self.sections:
            indent = "" if section.literal else "  "
            parts.append("\n".join([f"\n{section.heading}", *(f"{indent}{line}" for line in section.lines)]))
        return "\n".join(parts)

    def html(self) -> str:
        """For a browser."""
        body = "".join(
            f"<h2>{escape(section.heading)}</h2><pre>{escape(chr(10).join(section.lines))}</pre>"
            for section in self.sections
        )
        style = (
            ":root{color-scheme:light dark} body{font:15px/1.5 system-ui,sans-serif;margin:2rem} pre{overflow-x:auto}"
        )
        return (
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>verify</title><style>{style}</style>'
            f"</head><body><h1>{escape(self.verdict)}</h1>{body}</body></html>\n"
        )


def of_one(old: History, findings: Sequence[Finding]) -> Page:
    """One history against what we believe v1 to be."""
    against = [one for one in findings if one.weight == CONTRADICTS]
    unknown = list(dict.fromkeys(one.metric for one in accused(findings) if one.weight == UNKNOWN))
    metrics = len({name for row in old.rows for name in row.values})
    subject = f"A dashboard built on {old.source}"
    if against:
        verdict = (
            f"{subject} may not work on what this package sends: {_many(len(against), 'finding')} in its "
            f"{len(old.rows)} rows can not come from v1 as we believe it to be, first in {against[0].where}."
        )
    elif unknown:
        verdict = (
            f"{subject} works on what this package sends, but for {_many(len(unknown), 'metric')} of {metrics} "
            f"that v1 is not known to have: {_list(unknown)}."
        )
    else:
        verdict = (
            f"{subject} works on what this package sends: nothing in its {len(old.rows)} rows and {metrics} metrics "
            "contradicts what we believe v1 to be."
        )
    return Page(verdict, [*_damage(old), *_finding_sections(findings), *_report(old, findings)])


def of_two(old: History, new: History, differences: Sequence[Mismatch], findings: Sequence[Finding]) -> Page:
    """Two histories; ``findings`` are those of the old one."""
    metrics = len({name for row in old.rows for name in row.values})
    breaking = [one for one in differences if one.breaks]
    subject = f"A dashboard built on {old.source}"
    if breaking:
        names = list(dict.fromkeys(one.metric for one in breaking))
        verdict = (
            f"{subject} does not work on {new.source} as it is: {_many(len(names), 'metric')} of {metrics} "
            f"{'is' if len(names) == 1 else 'are'} missing, or of another kind: {_list(names)}."
        )
    elif differences:
        verdict = (
            f"{subject} works on {new.source}, but shows another picture: {_many(len(differences), 'difference')}, "
            f"first {differences[0].metric} in {_where(differences[0])}."
        )
    else:
        verdict = (
            f"{subject} works on {new.source}: each of its {metrics} metrics is there, in the same rows, with the same "
            "values, and with plausible times."
        )
    page = Page(verdict, [*_damage(old), *_damage(new)])
    if differences:
        page.sections.append(_in_full(differences[0], old, new))
        rest = [
            f"{_where(one)}: {one.metric} ({one.kind}): {_short(one.was)} -> {_short(one.now)}" for one in differences
        ]
        page.sections.append(Section(f"All differences ({len(rest)})", _bounded(rest)))
    page.sections += [*_finding_sections(findings), *_report(old, findings)]
    return page


# -- sections ------------------------------------------------------------------------------------------------------


def _damage(history: History) -> list[Section]:
    lines = [f"{line}; what comes before it was read" for line in history.damage]
    return [Section(f"{history.source} is damaged", lines)] if lines else []


def _finding_sections(findings: Sequence[Finding]) -> list[Section]:
    sections = []
    for weight, heading in (
        (CONTRADICTS, "Not v1 as we believe it to be"),
        (UNKNOWN, "Not known to us"),
        (REMARK, "Known oddities of v1"),
    ):
        lines = [f"{one.text} [{one.kind}]" for one in findings if one.weight == weight]
        if lines:
            sections.append(Section(f"{heading} ({len(lines)})", _bounded(lines)))
    return sections


def _in_full(first: Mismatch, old: History, new: History) -> Section:
    """The first difference: both rows, metric by metric."""
    was, now = (dict(side.values) if side else {} for side in (first.old, first.new))
    names = list(dict.fromkeys((*was, *now)))
    width = max(map(len, names))
    lines = [f"{_of(old, first.old)}; {_of(new, first.new)}"]
    for name in names:
        mark = ">" if name == first.metric or first.kind == "row" else " "
        left, right = (_short(side[name]) if name in side else "(absent)" for side in (was, now))
        lines.append(f"{mark} {name:<{width}}  {left}  |  {right}")
    return Section(f"The first difference, {first.metric} ({first.kind}), in full: old | new", lines)


def _of(history: History, side: Sent | None) -> str:
    return f"{history.source}: {side.row.where if side else 'no such row'}"


def _report(old: History, findings: Sequence[Finding]) -> list[Section]:
    """What to paste into an issue. It has no values but numbers, and no names but those of metrics."""
    told = [one for one in findings if one.weight != REMARK]
    if not told:
        return []
    sender = sender_of(old)
    version = next((str(row.values["one_logger_utils_version"]) for row in old.rows
                    if "one_logger_utils_version" in row.values), "not said")  # fmt: skip
    version = version if re.fullmatch(r"[\w.+-]{1,30}", version) else "(not shown)"
    lines = [
        f"A history of v1 that the reconstruction does not explain: {len(old.rows)} rows, sent by {sender.name}, "
        f"one_logger_utils_version {version}.",
        "",
        "| row | metric | kind | expected | found | stands in one row with |",
        "|---|---|---|---|---|---|",
    ]
    seen: set[tuple[str, str]] = set()
    for one in told:
        if (one.metric, one.kind) in seen:
            continue
        seen.add((one.metric, one.kind))
        row = old.rows[one.number] if one.number < len(old.rows) else None
        kind = kind_of(row, sender.kinds) if row is not None else None
        others = sorted(set(row.values) & METRICS.keys() - {one.metric}) if row is not None else []
        beside = f"{kind.name}: " if kind is not None else ""
        cells = (one.where, f"`{one.metric}`", one.kind, one.expected, one.found, beside + _list(others, 4))
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return [Section("Ready to be reported: paste this into an issue (no values but numbers; look through the names of "
                    "metrics, those of metadata are yours)", lines[: _MOST + 4], literal=True)]  # fmt: skip


# -- words ---------------------------------------------------------------------------------------------------------


def _where(one: Mismatch) -> str:
    side = one.old or one.new
    assert side is not None
    return side.row.where if one.old else f"new {side.row.where}"


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _list(names: Iterable[str], most: int = 6) -> str:
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _bounded(lines: list[str]) -> list[str]:
    return lines if len(lines) <= _MOST else [*lines[:_MOST], f"and {len(lines) - _MOST} more"]


def _short(value: Any) -> str:
    text = str(value) if isinstance(value, dict) else repr(value)
    return text if len(text) <= _WIDTH else text[: _WIDTH - 4] + " ..."
