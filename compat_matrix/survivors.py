"""``python -m compat_matrix.survivors``: whether every mutant that mutmut left alive is listed, with its reason.

Reads the results of the last ``mutmut run`` in the working directory, and ``tests/mutants.toml``. An entry of that
file is one mutant (``line`` became ``mutant``), or a kind of mutants (``pattern``, a regular expression that matches
the whole mutated line, without its indentation). Exit code 0: every survivor is listed, and after a whole run every
entry is needed. A mutant that is the same program cannot be noticed: if it was, its test fails for another reason
(mutmut runs the tests in forked processes), and the other results are worth nothing either.
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


Ends = dict[str, Counter[str]]


def results() -> tuple[Ends, list[Survivor]]:
    """By module, how many mutants had which end; and those that survived (also those that no test reaches)."""
    ends: Ends = {}
    survivors = []
    for text in _mutmut("results", "--all", "true").splitlines():
        name, _, end = text.strip().rpartition(": ")
        if not name:
            continue
        ends.setdefault(module_of(name), Counter())[end] += 1
        if end in ("survived", "no tests", "suspicious"):
            survivors.append(_survivor(name))
    return ends, survivors


def module_of(name: str) -> str:
    """The module of a mutant, without the package."""
    return name.rpartition(".")[0].partition(".")[2]


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
    """Whether this is the entry of this survivor."""
    if entry["in"] not in survivor.name:
        return False
    if "pattern" in entry:
        return re.fullmatch(entry["pattern"], survivor.mutant) is not None
    return bool(entry["line"] == survivor.line and entry["mutant"] == survivor.mutant)


def main() -> int:
    """0 if every survivor is listed."""
    try:
        entries = tomllib.loads(LIST.read_text())["survivor"]
    except FileNotFoundError:
        print(f"there is no {LIST} here; run this from the root of a checkout, after `mutmut run`")
        return 2
    unknown = [entry for entry in entries if entry["reason"] not in REASONS]
    if unknown:
        print(f"{LIST}: reason={unknown[0]['reason']!r}; expected one of {', '.join(REASONS)}")
        return 2
    try:
        ends, survivors = results()
    except subprocess.CalledProcessError as error:  # no mutmut, or none of its results
        last = (error.stderr or error.stdout or "").strip().splitlines()[-1:]
        print(f"mutmut has no results here ({''.join(last)}); run `mutmut run` first: compat_matrix/README.md")
        return 2
    total: Counter[str] = sum(ends.values(), Counter())
    if not total["killed"]:
        print("no mutant was noticed: run mutmut first")
        return 2
    needed = set()
    reasons: dict[str, Counter[str]] = {module: Counter() for module in ends}
    unexplained = 0
    for survivor in survivors:
        number = next((number for number, entry in enumerate(entries) if explains(entry, survivor)), None)
        if number is None:
            unexplained += 1
            print(f"{survivor.name}\n    - {survivor.line}\n    + {survivor.mutant}")
        else:
            needed.add(number)
        reason = "unexplained" if number is None else entries[number]["reason"]
        reasons[module_of(survivor.name)][reason] += 1
    useless = [entry for number, entry in enumerate(entries) if number not in needed]
    if total["not checked"]:
        useless = []  # its mutants may be among those that have not run
    for entry in useless:
        print(f"noticed, or gone: {entry.get('mutant', entry.get('pattern'))} ({entry['in']})")
    for module in sorted(ends):
        print(line(module, ends[module], reasons[module]))
    print(line("all", total, sum(reasons.values(), Counter())))
    return 1 if unexplained or useless else 0


def line(module: str, ends: Counter[str], reasons: Counter[str]) -> str:
    """One line of the table."""
    run = sum(ends.values()) - ends["not checked"]
    noticed = run - sum(reasons.values())
    real = run - reasons["equivalent"]
    kinds = ", ".join(f"{reasons[kind]} {kind}" for kind in (*REASONS, "unexplained") if reasons[kind])
    left = f"; {ends['not checked']} not run" if ends["not checked"] else ""
    share = f"{noticed / real:.1%}" if real else "-"
    table = f"{module:<22} {run:5} mutants, {noticed:5} noticed: {share:>6} of {real:5} that change anything"
    return f"{table}; {kinds or 'none lives'}{left}"


if __name__ == "__main__":
    sys.exit(main())
