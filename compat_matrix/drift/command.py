"""``python -m compat_matrix drift``: each private name that we touch is renamed alone; rows and v2's stream stay."""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from .copies import home, renamed
from .names import READ, V2, WANDB, Name, all_names
from .play import Heard, Rows, Stream, play

#: where v2 hears the calls: with the worker; in the job's process, because the job itself has imported v2
WORKER, JOB = "worker", "job"
_SETTINGS: dict[str, dict[str, str]] = {WORKER: {}, JOB: {"COMPAT_MATRIX_IMPORT_V2": "1"}}
_MODES: dict[str, tuple[str, ...]] = {V2: (JOB, WORKER), WANDB: (WORKER,)}
KEPT, LOST, ABSENT = "ok", "LOST", "-"


@dataclass(frozen=True)
class Verdict:
    """What became of one name in one mode."""

    name: Name
    mode: str
    status: str
    note: str
    rows: int = 0


def main(arguments: Sequence[str] = ()) -> int:
    """0: nothing is lost."""
    parser = argparse.ArgumentParser(prog="python -m compat_matrix drift", description=__doc__)
    parser.add_argument("--name", action="append", metavar="NAME", help="only this name (may be repeated)")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="each name of v2 in one of the two places in turn, of wandb those that are called (not the settings)",
    )
    options = parser.parse_args(arguments)
    names = [name for name in all_names() if not options.name or options.name.count(name.text)]
    unknown = set(options.name or ()) - {name.text for name in names}
    if unknown:
        parser.error(
            f"no such name: {', '.join(sorted(unknown))}; expected one of {' '.join(n.text for n in all_names())}"
        )
    with tempfile.TemporaryDirectory(prefix="compat_matrix-drift-") as folder:
        return Drift(Path(folder)).run(tries_of(names, options.quick))


def tries_of(names: Sequence[Name], quick: bool) -> list[tuple[Name, str]]:
    """Which name is tried in which mode."""
    if not quick:
        return [(name, mode) for name in names for mode in _MODES[name.package]]
    turn = {package: itertools.cycle(modes) for package, modes in _MODES.items()}
    return [(name, next(turn[name.package])) for name in names if name.how != READ and not _is_setting(name)]


def _is_setting(name: Name) -> bool:
    return name.package == WANDB and name.text.startswith(("x_", "_"))


class Drift:
    """One run of the command. ``folder`` is for copies and jobs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._least: Stream = Stream()
        self._rows: dict[str, Rows] = {}

    def expect(self, rows: Mapping[str, Rows], least: Stream) -> None:
        """What is to be kept: the rows of each mode, and what v2's public calls alone would tell."""
        self._rows.update(rows)
        self._least = least

    def run(self, tries: Sequence[tuple[Name, str]]) -> int:
        """Print a line for each, then the table; 1 if anything is lost."""
        began = time.monotonic()
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            wrong = self._baseline(pool, sorted({mode for _, mode in tries}))
            if wrong:
                print(f"nothing is renamed, and yet: {wrong}", file=sys.stderr)
                return 1
            verdicts = list(pool.map(self._try, range(len(tries)), tries))
        print(table(verdicts))
        count = Counter(verdict.status for verdict in verdicts)
        print(f"drift: {count[KEPT]} kept, {count[LOST]} lost, {count[ABSENT]} with nothing to rename here; "
              f"{time.monotonic() - began:.0f} s")  # fmt: skip
        return 1 if count[LOST] or not count[KEPT] else 0

    def _baseline(self, pool: ThreadPoolExecutor, modes: Sequence[str]) -> str:
        """What is heard where nothing is renamed. Returns what is wrong with it."""
        native = pool.submit(play, "v2_job", self._folder / "native")
        jobs = {mode: pool.submit(self._play, self._folder / f"plain-{mode}", None, mode) for mode in modes}
        least = native.result()
        if least.trouble or not least.stream:
            return f"v2's public calls alone: {least.trouble or 'no exporter was told anything'}"
        self.expect({}, least.stream)
        for mode, job in jobs.items():
            heard = job.result()
            self.expect({mode: heard.rows}, least.stream)
            numbers = [row["number"] for rows in heard.rows.values() for row in rows if "number" in row]
            if not heard.rows.get("utils") or numbers != [0, 1, 2]:  # in one process the core may join the first run
                return f"mode {mode}: not all rows of both APIs are there; {heard.output[-300:]}"
            wrong = self.judge(heard, mode)
            if wrong:
                return f"mode {mode}: {wrong}"
        return ""

    @staticmethod
    def _play(folder: Path, packages: Optional[Path], mode: str) -> Heard:
        return play("v1_job", folder, packages, **_SETTINGS[mode])

    def _try(self, number: int, one: tuple[Name, str]) -> Verdict:
        verdict = self._verdict(self._folder / str(number), *one)
        print(f"{verdict.status:5}{verdict.name.label:44}{verdict.mode:7} {verdict.note}", flush=True)
        return verdict

    def _verdict(self, folder: Path, name: Name, mode: str) -> Verdict:
        if name.how == READ:
            return Verdict(name, mode, ABSENT, "text that is only read, see tests/delivery/test_server.py")
        packages = folder / "packages"
        if not renamed(home(name.package), name, packages):
            # an older or newer version may have it; one of v2 that nobody has is out of date
            status = ABSENT if name.package == WANDB else LOST
            return Verdict(name, mode, status, f"{name.text} is not in this {name.package}")
        heard = self._play(folder / "job", packages, mode)
        wrong = self.judge(heard, mode)
        shutil.rmtree(folder, ignore_errors=True)
        rows = sum(map(len, heard.rows.values()))
        return Verdict(name, mode, LOST if wrong else KEPT, wrong or f"{rows} rows", rows)

    def judge(self, heard: Heard, mode: str) -> str:
        """What is wrong; "": nothing."""
        if heard.trouble:
            return heard.trouble
        if heard.rows != self._rows[mode]:
            return f"{different(self._rows[mode], heard.rows)}; {heard.output[-200:]}"
        missing = self._least - heard.stream
        if missing:
            what, name, _ = next(iter(missing))
            return f"v2's exporter was not told {sum(missing.values())} things, among them {what} {name}"
        return ""


def different(expected: Rows, got: Rows) -> str:
    """The first difference of two jobs' rows."""
    for run, rows in expected.items():
        found = got.get(run, [])
        if len(found) != len(rows):
            return f"run {run}: {len(found)} of {len(rows)} rows"
        for number, (row, other) in enumerate(zip(rows, found)):
            if row != other:
                keys = sorted(key for key in {*row, *other} if row.get(key) != other.get(key))
                return f"run {run}, row {number}: {keys[0]} is {other.get(keys[0])!r}, was {row.get(keys[0])!r}"
    return f"runs {sorted(got)}, expected {sorted(expected)}"


def table(verdicts: Sequence[Verdict]) -> str:
    """One line for each name, one column for each mode."""
    modes = [mode for mode in _SETTINGS if any(verdict.mode == mode for verdict in verdicts)]
    cells: dict[str, dict[str, str]] = {}
    for verdict in verdicts:
        cells.setdefault(verdict.name.label, {})[verdict.mode] = verdict.status
    head = f"{'renamed':44}" + "".join(f"{mode:8}" for mode in modes)
    lines = [f"{label:44}" + "".join(f"{row.get(mode, ''):8}" for mode in modes) for label, row in cells.items()]
    return "\n".join(["", head, *lines])
