"""What became of a job in a cell."""

from __future__ import annotations

import fnmatch
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

KNOWN = Path(__file__).resolve().parent.parent / "known_differences"

PASSED, FAILED, NOT_RUN, KNOWN_DIFFERENCE = "passed", "failed", "not run", "known"


@dataclass
class Result:
    """One job in one cell."""

    cell: str
    job: str
    status: str
    rows: int = 0
    seconds: float = 0.0
    #: [where, metric, v1's value, ours], as text; the first one is the one to look at
    differences: list[list[str]] = field(default_factory=list)
    note: str = ""
    output: str = ""

    def as_json(self) -> dict[str, Any]:
        """For ``results.json``."""
        return asdict(self)


@dataclass
class CellReport:
    """One cell: its identity, and its jobs as they come in."""

    name: str
    #: why it was not run, empty if it was
    not_run: str = ""
    identity: dict[str, Any] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    expected: int = 0
    seconds: float = 0.0

    def count(self, status: str) -> int:
        """How many jobs ended so."""
        return sum(result.status == status for result in self.results)

    @property
    def status(self) -> str:
        """Of the cell as a whole. One whose jobs did not all come in has not passed."""
        if self.count(FAILED):
            return FAILED
        if self.not_run:
            return NOT_RUN
        return PASSED if self.expected and len(self.results) == self.expected else "unfinished"


def known_differences(cell: str) -> dict[str, str]:
    """Job -> reason, from the files of ``known_differences/`` whose pattern fits ``cell``."""
    known = {}
    for path in sorted(KNOWN.glob("*.txt")):
        pattern, found = read_known(path)
        if fnmatch.fnmatchcase(cell, pattern):
            known.update(found)
    return known


def read_known(path: Path) -> tuple[str, dict[str, str]]:
    """The pattern of a file's cells (``cells: PATTERN``), and job -> reason: one ``job: reason`` to a line.

    ``#`` begins a comment.
    """
    pattern, known = "", {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, _, text = line.partition("#")[0].strip().partition(": ")
        if name == "cells":
            pattern = text.strip()
        elif name:
            known[name.strip()] = text.strip() or "no reason given"
    return pattern, known


def judge(result: Result, known: dict[str, str]) -> Result:
    """Strict: a difference that is known is no failure, one that is known and gone is."""
    reason = known.get(result.job)
    if reason is None:
        return result
    if result.status == FAILED:
        result.status, result.note = KNOWN_DIFFERENCE, reason
    elif result.status == PASSED:
        result.status = FAILED
        result.differences = [["known_differences", result.job, "differs: " + reason, "passes: remove the line"]]
    return result
