"""The page: one sentence first, then what it rests on. As text, and as one HTML file that needs nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from ..compare import ABSENT
from .beliefs import METRICS
from .compared import Mismatch, Sent
from .findings import CONTRADICTS, REMARK, UNKNOWN, Finding, accused
from .history import History
from .shapes import Shapes, sender_of

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
        return _printable("\n".join(parts))

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
            f"</head><body><h1>{escape(_printable(self.verdict))}</h1>{_printable(body)}</body></html>\n"
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
            f"{len(old.rows)} rows cannot come from v1 as we believe it to be, first in {against[0].where}."
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


def of_two(
    old: History, new: History, differences: Sequence[Mismatch], of_old: Sequence[Finding], of_new: Sequence[Finding]
) -> Page:
    """Two histories. ``of_old``: what v1 cannot have sent; ``of_new``: the same, which the old one has not."""
    page = Page(_verdict_on_two(old, new, differences, of_new), [*_damage(old), *_damage(new)])
    if of_new:
        lines = [f"{one.text} [{one.kind}]" for one in of_new]
        page.sections.append(
            Section(f"In {new.source} and not in {old.source}: not v1 ({len(lines)})", _bounded(lines))
        )
    if differences:
        page.sections.append(_in_full(differences[0], old, new))
        rest = [
            f"{_where(one)}: {one.metric} ({one.kind}): {_short(one.was)} -> {_short(one.now)}"
            if one.kind != "row"
            else f"{_where(one)}: {_row(one)} {'is missing' if one.old else 'is new'}"
            for one in differences
        ]
        page.sections.append(Section(f"All differences ({len(rest)})", _bounded(rest)))
    page.sections += [*_finding_sections(of_old), *_report(old, of_old)]
    return page


def _verdict_on_two(old: History, new: History, differences: Sequence[Mismatch], of_new: Sequence[Finding]) -> str:
    there = {name for row in new.rows for name in row.values}
    metrics = {name for row in old.rows for name in row.values}
    gone = sorted(metrics - there)
    other = _names(one for one in differences if one.kind in ("type", "unit") and one.old)
    apart = any(one.kind == "row" for one in differences)
    against = [one for one in of_new if not (apart and _follows(one)) and one.metric not in gone]
    other += [name for name in _names(against) if name in metrics and name not in other]
    strange = [name for name in _names(of_new) if name not in metrics]
    thinner = [name for name in _names(one for one in differences if one.kind == "metric" and one.now is ABSENT)
               if name in there and name not in other]  # fmt: skip
    broken = [
        f"{_many(len(gone), 'metric')} of {len(metrics)} {_is(gone)} missing: {_list(gone)}" if gone else "",
        f"{_many(len(other), 'metric')} {_is(other)} not what v1 sends, or of another kind: {_list(other)}"
        if other
        else "",
        f"{_many(len(thinner), 'metric')} {_is(thinner)} missing in some rows: {_list(thinner)}" if thinner else "",
        f"{_many(len(strange), 'metric')} that v1 is not known to have: {_list(strange)}" if strange else "",
    ]
    rows = [one for one in differences if one.kind == "row"]
    lost, more = [one for one in rows if one.old], [one for one in rows if not one.old]
    values = [one for one in differences if one.kind in ("value", "time") or (one.kind != "row" and not one.old)]
    fuller = [name for name in _names(one for one in differences if one.kind == "metric" and one.was is ABSENT)
              if name in metrics and name not in other]  # fmt: skip
    changed = [
        f"{_many(len(lost), 'row')} of {len(old.rows)} {_is(lost)} missing, first {_where(lost[0])}, {_row(lost[0])}"
        if lost else "",
        f"{_many(len(more), 'row')} more, first {_where(more[0])}, {_row(more[0])}" if more else "",
        f"{_many(len(values), 'value')} {'differs' if len(values) == 1 else 'differ'}, first {values[0].metric} in "
        f"{_where(values[0])}" if values else "",
        f"{_many(len(fuller), 'metric')} {_is(fuller)} in more rows: {_list(fuller)}" if fuller else "",
    ]  # fmt: skip
    subject = f"A dashboard built on {old.source}"
    if any(broken):
        return f"{subject} does not work on {new.source} as it is: {'; '.join(filter(None, (*broken, *changed)))}."
    if any(changed):
        return f"{subject} works on {new.source}, but shows another picture: {'; '.join(filter(None, changed))}."
    return (
        f"{subject} works on {new.source}: each of its {len(metrics)} metrics is there, in the same rows, with the "
        "same values, and with plausible times."
    )


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
    shapes = Shapes(old, sender)
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
        kind = shapes.of(row).like if row is not None else None
        others = sorted(set(row.values) & METRICS.keys() - {one.metric}) if row is not None else []
        beside = f"{kind.name}: " if kind is not None else ""
        cells = (one.where, f"`{one.metric}`", one.kind, one.expected, one.found, beside + _list(others, 4))
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return [Section("Ready to be reported: paste this into an issue (no values but numbers; look through the names of "
                    "metrics, those of metadata are yours)", lines[: _MOST + 4], literal=True)]  # fmt: skip


# -- words ---------------------------------------------------------------------------------------------------------


def _printable(text: str) -> str:
    """Names come from a file: no control characters, no halves of characters, which cannot be written."""
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(one if one.isprintable() or one == "\n" else f"\\x{ord(one):02x}" for one in text)


def _names(found: Iterable[Mismatch | Finding]) -> list[str]:
    return list(dict.fromkeys(one.metric for one in found))


def _follows(one: Finding) -> bool:
    """Whether it may be a row that is missing, or one too many, which makes the others look wrong."""
    counted = "_checkpoint" in one.metric or "productive" in one.metric or "success" in one.metric
    return one.kind in ("order", "cadence") or (one.kind in ("growth", "relation") and counted)


def _is(several: Sequence[Any]) -> str:
    return "is" if len(several) == 1 else "are"


def _row(one: Mismatch) -> str:
    side = one.old or one.new
    assert side is not None
    return f"a row of {side.kind!r}" if side.kind else f"a row with {one.metric}"


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
    if isinstance(value, int) and abs(value) > 1e100:
        return "an int of more than 100 digits"
    text = repr(dict(value)) if isinstance(value, Mapping) else repr(value)
    return text if len(text) <= _WIDTH else text[: _WIDTH - 4] + " ..."
