"""What the terminal shows while cells run, and at the end."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from .page import page
from .results import FAILED, KNOWN_DIFFERENCE, NOT_RUN, PASSED, CellReport, Result

REPORT = Path(__file__).resolve().parent.parent / "report"


class Progress:
    """One line that moves on a terminal; one line per finished cell elsewhere."""

    def __init__(self, reports: Sequence[CellReport], out: TextIO = sys.stderr) -> None:
        self._reports = reports
        self._out = out
        self._live = out.isatty()
        self._lock = threading.Lock()
        self._started = time.time()

    def say(self, text: str) -> None:
        """A line of its own."""
        with self._lock:
            self._out.write(f"{self._clear()}[{self._elapsed()}] {text}\n")
            self._out.flush()

    def job_done(self, report: CellReport, result: Result) -> None:
        """A job came in."""
        if result.status == FAILED:
            first = result.differences[0] if result.differences else ["", "", "", ""]
            self.say(f"FAILED {report.name} {result.job}: {first[0]}: {first[1]}: v1 {first[2]}, here {first[3]}")
        if len(report.results) == report.expected:
            self.cell_done(report)
        elif self._live:
            done = sum(len(one.results) for one in self._reports)
            with self._lock:
                self._out.write(f"{self._clear()}[{self._elapsed()}] {done} jobs done, now {report.name}")
                self._out.flush()

    def cell_done(self, report: CellReport) -> None:
        """All its jobs came in, or it cannot be run."""
        number = sum(one.status != "unfinished" or bool(one.not_run) for one in self._reports)
        self.say(f"cell {number}/{len(self._reports)} {_line(report)}")

    def _clear(self) -> str:
        return "\r\x1b[K" if self._live else ""

    def _elapsed(self) -> str:
        seconds = int(time.time() - self._started)
        return f"{seconds // 60:3d}:{seconds % 60:02d}"


def _line(report: CellReport) -> str:
    if report.not_run:
        return f"{report.name}: not run ({report.not_run})"
    counts = ", ".join(
        f"{report.count(status)} {status}"
        for status in (PASSED, FAILED, KNOWN_DIFFERENCE, NOT_RUN)
        if report.count(status)
    )
    return f"{report.name}: {counts} in {report.seconds:.0f} s"


def table(reports: Sequence[CellReport]) -> str:
    """All cells, and why something was not run or failed."""
    width = max((len(report.name) for report in reports), default=4)
    head = f"{'cell':<{width}}  {'result':10} {'passed':>6} {'failed':>6} {'known':>6} {'not run':>7}  wandb"
    lines = [head, "-" * len(head)]
    for report in reports:
        counts = [report.count(status) for status in (PASSED, FAILED, KNOWN_DIFFERENCE, NOT_RUN)]
        lines.append(
            f"{report.name:<{width}}  {report.status:10} {counts[0]:6} {counts[1]:6} {counts[2]:6} {counts[3]:7}"
            f"  {report.identity.get('wandb') or ''}"
        )
    for title, reasons in (("cells not run", _why_cells(reports)), ("jobs not run", _why_jobs(reports))):
        if reasons:
            lines += ["", f"{title}:", *(f"  {count} x {reason}" for reason, count in sorted(reasons.items()))]
    failed = [result for report in reports for result in report.results if result.status == FAILED]
    if failed:
        lines += ["", "failed:"]
    for result in failed[:40]:
        first = result.differences[0] if result.differences else ["", "", "", ""]
        lines.append(f"  {result.cell} {result.job}\n    {first[0]}: {first[1]}: v1 {first[2]}, here {first[3]}")
    if len(failed) > 40:
        lines.append(f"  and {len(failed) - 40} more; all of them are in the report")
    lines += ["", summary(reports)]
    return "\n".join(lines)


def _why_cells(reports: Sequence[CellReport]) -> Counter[str]:
    return Counter(report.not_run for report in reports if report.not_run)


def _why_jobs(reports: Sequence[CellReport]) -> Counter[str]:
    return Counter(
        f"{result.job}: {result.note}" for report in reports for result in report.results if result.status == NOT_RUN
    )


def summary(reports: Sequence[CellReport]) -> str:
    """One line; nothing that did not run is counted as passed."""
    cells = Counter(report.status for report in reports)
    jobs = Counter(result.status for report in reports for result in report.results)
    rows = sum(result.rows for report in reports for result in report.results if result.status == PASSED)
    spelled = ", ".join(f"{cells[status]} {status}" for status in (PASSED, FAILED, NOT_RUN, "unfinished"))
    return (
        f"{len(reports)} cells: {spelled}; jobs: {jobs[PASSED]} passed, {jobs[FAILED]} failed, "
        f"{jobs[KNOWN_DIFFERENCE]} known differences, {jobs[NOT_RUN]} not run; {rows} rows equal to v1's"
    )


def green(reports: Sequence[CellReport]) -> bool:
    """Nothing failed, nothing was left unfinished, and something ran."""
    return all(report.status in (PASSED, NOT_RUN) for report in reports) and any(
        report.status == PASSED for report in reports
    )


def write(reports: Sequence[CellReport], into: Path = REPORT) -> Path:
    """``results.json`` and the page; returns the page."""
    into.mkdir(parents=True, exist_ok=True)
    content = [
        {**vars(report), "status": report.status, "results": [result.as_json() for result in report.results]}
        for report in reports
    ]
    (into / "results.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
    path = into / "index.html"
    path.write_text(page(reports, summary(reports)), encoding="utf-8")
    return path
