"""Runs cells side by side on the cores there are; what is done is in the report, also after Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional

from ..compare import Difference
from ..jobs import Job, all_jobs
from ..planner.consumers import Consumer
from ..planner.plan import Cell
from ..planner.selection import jobs_of
from ..reporting.results import FAILED, NOT_RUN, PASSED, CellReport, Result, judge, known_differences
from ..reporting.terminal import REPORT, Progress
from . import browser, installer
from .execute import Bench, identify, job_environment, kill_all, mistaken, run_job, spell, stored_runs
from .installer import EnvironmentTrouble
from .prepare import IsolateFailed, Prepared, Workshop
from .server import Server


class Matrix:
    """One run of the matrix.

    Args:
        cells: what to run.
        axes: ``matrix.toml``; not needed for cells of this interpreter.
        consumers: the environments by name, for cells that name one.
        jobs: which jobs; all by default.
        wheel: a wheel to test instead of the one built from this tree (for the mutations).
        stop_at_failure: the first failing job says enough.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        axes: Optional[Mapping[str, Any]] = None,
        jobs: Optional[Sequence[Job]] = None,
        wheel: Optional[Path] = None,
        progress: Optional[Progress] = None,
        stop_at_failure: bool = False,
        consumers: Optional[Mapping[str, Consumer]] = None,
    ) -> None:
        self.reports = [CellReport(cell.name) for cell in cells]
        self._cells = list(cells)
        self._axes = axes or {}
        self._consumers = consumers or {}
        self._jobs = list(all_jobs() if jobs is None else jobs)
        self._wheel = wheel
        self._shim_version: Optional[str] = None
        self._progress = progress or Progress(self.reports)
        self._stop_at_failure = stop_at_failure
        self._workshop: Optional[Workshop] = None
        self._pool = ThreadPoolExecutor((os.cpu_count() or 1) + 1)  # there is always one that waits
        self._stopped = threading.Event()
        self._futures: list[Future[None]] = []

    def run(self) -> list[CellReport]:
        """Run everything; the reports so far if it is interrupted."""
        own = any(cell.python != "here" for cell in self._cells)
        self._folder = Path(tempfile.mkdtemp(prefix="compat_matrix-"))
        try:
            (self._folder / "tmp").mkdir()
            with installer.alone(self._progress.say) if own else contextlib.nullcontext():
                self._run()
        except KeyboardInterrupt:
            self._stopped.set()
            for future in self._futures:
                future.cancel()
            kill_all()
            self._progress.say("interrupted; the report has what is done")
        finally:
            self._pool.shutdown(wait=True)
            if self._workshop is not None:
                self._workshop.close()
            shutil.rmtree(self._folder, ignore_errors=True)
        return self.reports

    def _run(self) -> None:
        if any(cell.python != "here" for cell in self._cells) and self._wheel is None:
            self._progress.say("building the wheel")
            self._wheel = installer.build_wheel(self._folder / "wheel")
        if self._wheel is not None:
            self._shim_version = self._wheel.name.split("-")[1]
        self._workshop = Workshop(self._axes, self._consumers, self._wheel, self._folder, self._progress.say)
        for cell, report in zip(self._cells, self.reports):
            try:
                bench = self._prepare(cell, report, self._workshop)
            except EnvironmentTrouble as trouble:
                report.not_run = str(trouble)
                self._progress.cell_done(report)
                continue
            self._submit(bench, report)
        for future in self._futures:
            future.result()

    def _submit(self, bench: Bench, report: CellReport) -> None:
        known = known_differences(bench.cell.name)
        consumer = self._consumers.get(bench.cell.consumer)
        jobs = jobs_of(bench.cell, self._jobs, consumer)
        checks = len(report.results)  # of the environment itself
        report.expected = checks + len(jobs) + (bench.server is not None)  # and the page of a run
        begun: list[float] = []

        def one(job: Job) -> None:
            if self._stopped.is_set():
                return
            begun.append(time.time())
            result = judge(run_job(bench, job), known)
            if not self._stopped.is_set():
                report.results.append(result)
                report.seconds = time.time() - begun[0]
                self._progress.job_done(report, result)
                if result.status == FAILED and self._stop_at_failure:
                    self._stopped.set()
            if len(report.results) == checks + len(jobs):
                self._finish(bench, report)

        self._futures += [self._pool.submit(one, job) for job in jobs]

    def _finish(self, bench: Bench, report: CellReport) -> None:
        """The last look at a cell: in an online one, the page of a run."""
        if bench.server is not None:
            result = self._page(bench, bench.server)
            report.results.append(result)
            self._progress.job_done(report, result)
        with contextlib.suppress(OSError):
            shutil.rmtree(bench.folder)

    @staticmethod
    def _page(bench: Bench, server: Server) -> Result:
        result = Result(bench.cell.name, "page of a run", NOT_RUN)
        stored = stored_runs(bench.folder / "program-longlive")
        if not stored:
            result.note = "program/longlive was not run"
            return result
        try:
            result.note = browser.screenshot(server.page(stored[0]), REPORT / f"{bench.cell.name}.png", stored[0].name)
            result.status = NOT_RUN if "not run" in result.note else PASSED
        except (ValueError, OSError, subprocess.TimeoutExpired) as error:
            result.status, result.differences = FAILED, [["page", "shows the run", "yes", str(error)]]
        return result

    def _prepare(self, cell: Cell, report: CellReport, workshop: Workshop) -> Bench:
        """The cell's environment, made and checked. Raises EnvironmentTrouble."""
        folder = self._folder / cell.name
        folder.mkdir()
        made = Prepared(sys.executable) if cell.python == "here" else workshop.environment(cell)
        if made.changed is not None:
            self._judge_installation(report, made.changed)
        isolated = self._isolated(report, workshop) if cell.isolated else None
        server = workshop.server() if cell.wandb_mode == "online" else None
        bench = Bench(cell, made.python, folder, self._folder / "tmp", server=server, isolated=isolated)
        try:
            report.identity = identify(made.python, job_environment(bench, self._jobs[0]), folder)
        except Exception as error:
            raise EnvironmentTrouble(str(error)) from error
        if report.identity["shim_place"] is None:
            raise EnvironmentTrouble("one_logger_v1_shim is not installed here: python -m pip install .")
        wrong = mistaken(cell, report.identity, self._shim_version if cell.python != "here" else None)
        if wrong:
            # not "not run": a cell that is not what it says would lend its name to something else
            difference = [["cell", "identity", cell.name, text] for text in wrong]
            report.results.append(Result(cell.name, "identity", FAILED, differences=difference))
            raise EnvironmentTrouble("; ".join(wrong))
        return replace(bench, modules=frozenset(report.identity["modules"]))

    def _isolated(self, report: CellReport, workshop: Workshop) -> str:
        try:
            return workshop.isolated()
        except IsolateFailed as failure:
            result = Result(report.name, "isolate", FAILED, differences=[["isolate", "command", "works", str(failure)]])
            report.results.append(result)
            self._progress.job_done(report, result)
            raise EnvironmentTrouble(str(failure)) from failure

    def _judge_installation(self, report: CellReport, changed: Sequence[Difference]) -> None:
        """Installing the wheel is a job of its own: it has to leave the environment as it is."""
        result = Result(report.name, "install", FAILED if changed else PASSED)
        result.differences = [spell(difference) for difference in changed[:20]]
        report.results.append(result)
        self._progress.job_done(report, result)
        if any(difference.where == "install" for difference in changed):
            raise EnvironmentTrouble("the wheel could not be installed")
