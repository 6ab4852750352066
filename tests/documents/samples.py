"""The fenced blocks of the documents, and the links in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "compat_matrix" / "README.md"])

_BLOCK = re.compile(r"^(<!-- check: syntax -->\n)?```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


class Sample(NamedTuple):
    """One block. ``syntax_only``: it can't be run here, and says so in the document."""

    document: Path
    language: str
    text: str
    syntax_only: bool
    number: int


def samples(*languages: str) -> list[Sample]:
    """All blocks of those languages."""
    found = []
    for document in DOCUMENTS:
        blocks = _BLOCK.findall(document.read_text(encoding="utf-8"))
        for number, (mark, language, text) in enumerate(blocks, 1):
            if language in languages:
                found.append(Sample(document, language, text, bool(mark), number))
    return found


def name(sample: Sample) -> str:
    """For pytest's ids."""
    return f"{sample.document.relative_to(ROOT)}:{sample.number}"


def links(document: Path) -> Iterator[str]:
    """Where its links point to, without those to other sites."""
    text = _BLOCK.sub("", document.read_text(encoding="utf-8"))
    yield from (link for link in _LINK.findall(text) if not link.startswith(("http://", "https://", "mailto:")))
