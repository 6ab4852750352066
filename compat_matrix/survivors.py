"""``python -m compat_matrix.survivors``: is every mutant that mutmut left alive listed, with its reason?

Reads the results of the last ``mutmut run`` in the working directory, and ``tests/mutants.toml``. An entry of that
file is one mutant (``line`` became ``mutant``), or a kind of mutants (``pattern``, a regular expression that matches
the whole mutated line, without its indentation). Exit code 0: every survivor is listed. An entry that no survivor
needs any more is named, so that it can be removed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomllib

LIST = Path("tests/mutants.toml")
REASONS = ("equivalent", "message", "import")


@dataclass(frozen=True)
class Survivor:
    """A mutant that no test noticed: its name, and the lines that it changes."""

    name: str
    line: str
    mutant: str


def results() -> tuple[Counter[str], list[Survivor]]:
    """How many mutants had which end, and those that survived (also those that no test reaches)."""
    ends: Counter[str] = Counter()
    survivors = []
    for text in _mutmut("results", "--all", "true").splitlines():
        name, _, end = text.strip().rpartition(": ")
        ends[end] += 1
        if end in ("survived", "no tests", "suspicious"):
            survivors.append(_survivor(name))
    return ends, survivors


def _survivor(name: str) -> Survivor:
    lines = _mutmut("show", name).splitlines()
    removed, added = (
        " ".join(text[1:].strip() for text in lines if text.startswith(sign) and not text.startswith(sign * 3))
        for sign in "-+"
    )
    return Survivor(name, removed, added)


def _mutmut(*arguments: str) -> str:
    command = [sys.executable, "-m", "mutmut", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def explains(entry: dict[str, Any], survivor: Survivor) -> bool:
    """Is this the entry of this survivor?"""
    if entry["in"] not in survivor.name:
        return False
    if "pattern" in entry:
        return re.fullmatch(entry["pattern"], survivor.mutant) is not None
    return bool(entry["line"] == survivor.line and entry["mutant"] == survivor.mutant)


def main() -> int:
    """0 if every survivor is listed."""
    entries = tomllib.loads(LIST.read_text())["survivor"]
    unknown = [entry for entry in entries if entry["reason"] not in REASONS]
    if unknown:
        print(f"{LIST}: reason={unknown[0]['reason']!r}; expected one of {', '.join(REASONS)}")
        return 2
    ends, survivors = results()
    unchecked = ends.pop("not checked", 0)
    if not ends["killed"]:
        print("no mutant was noticed: run mutmut first")
        return 2
    needed = set()
    reasons: Counter[str] = Counter()
    unexplained = 0
    for survivor in survivors:
        number = next((number for number, entry in enumerate(entries) if explains(entry, survivor)), None)
        if number is None:
            unexplained += 1
            print(f"{survivor.name}\n    - {survivor.line}\n    + {survivor.mutant}")
        else:
            needed.add(number)
            reasons[entries[number]["reason"]] += 1
    for number, entry in enumerate(entries):
        if number not in needed and not unchecked:
            print(f"not needed any more: {entry.get('mutant', entry.get('pattern'))} ({entry['in']})")
    total = sum(ends.values())
    real = total - reasons["equivalent"]
    noticed = total - len(survivors)
    print(
        f"{total} mutants, {noticed} noticed ({noticed / real:.1%} of the {real} that change anything), "
        f"{reasons['equivalent']} equivalent, {reasons['message']} in a message only, "
        f"{reasons['import']} that only mutmut 2 can make, {unexplained} not explained; {unchecked} not run"
    )
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
