"""CHANGELOG.md in its parts (the form of Keep a Changelog)."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Optional

from tests.support import ROOT

UNRELEASED = "Unreleased"
_HEADING = re.compile(r"^## \[([^\]]+)\](?: - (\S+))?$", re.MULTILINE)


@dataclass(frozen=True)
class Section:
    """What one version has changed; ``date`` is None for what is not released."""

    version: str
    date: Optional[datetime.date]
    text: str


def read(text: Optional[str] = None) -> list[Section]:
    """The sections as they stand in the file, the newest first."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8") if text is None else text
    parts = _HEADING.split(text)[1:]
    return [
        Section(version, datetime.date.fromisoformat(date) if date else None, body)
        for version, date, body in zip(parts[::3], parts[1::3], parts[2::3])
    ]


def number(version: str) -> tuple[int, ...]:
    """A version as something to compare; what is not released is the newest."""
    return (1 << 30,) if version == UNRELEASED else tuple(int(part) for part in version.split("."))


def between(older: str, newer: str) -> str:
    """The text of all sections after version ``older``, up to ``newer``."""
    return "\n".join(one.text for one in read() if number(older) < number(one.version) <= number(newer))
