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

from . import browser, environments, interpreters
from .environments import Environment, EnvironmentTrouble, requirement
from .execute import Bench, identify, job_environment, kill_all, mistaken, run_job, stored_runs
from .jobs import Job, all_jobs
from .plan import Cell, at_least
from .report import REPORT, Progress
from .results import FAILED, NOT_RUN, PASSED, CellReport, Result, judge, known_differences
from .server import Server

#: also logged offline and then synced, in the online cells
SYNCED = ("golden/quickstart", "golden/random_3", "program/megatron", "program/megatron_yaml")


class Matrix:
    """One run of the matrix.

    Args:
        cells: what to run.
        axes: ``matrix.toml``; not needed for cells of this interpreter.
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
    ) -> None:
        self.reports = [CellReport(cell.name) for cell in cells]
        self._cells = list(cells)
        self._axes = axes or {}
        self._jobs = list(all_jobs() if jobs is None else jobs)
        self._wheel = wheel
        self._shim_version: Optional[str] = None
        self._progress = progress or Progress(self.reports)
        self._stop_at_failure = stop_at_failure
        self._server: Optional[Server] = None
        self._folder = Path(tempfile.mkdtemp(prefix="compat_matrix-"))
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1)
        self._stopped = threading.Event()
        self._futures: list[Future[None]] = []

    def run(self) -> list[CellReport]:
        """Run everything; the reports so far if it is interrupted."""
        own = any(cell.python != "here" for cell in self._cells)
        try:
            with environments.alone(self._progress.say) if own else contextlib.nullcontext():
                self._run()
        except KeyboardInterrupt:
            self._stopped.set()
            for future in self._futures:
                future.cancel()
            kill_all()
            self._progress.say("interrupted; the report has what is done")
        finally:
            self._pool.shutdown(wait=True)
            if self._server is not None:
                self._server.stop()
            shutil.rmtree(self._folder, ignore_errors=True)
        return self.reports

    def _run(self) -> None:
        if any(cell.python != "here" for cell in self._cells) and self._wheel is None:
            self._progress.say("building the wheel")
            self._wheel = environments.build_wheel(self._folder / "wheel")
        if self._wheel is not None:
            self._shim_version = self._wheel.name.split("-")[1]
        for cell, report in zip(self._cells, self.reports):
            try:
                bench = self._prepare(cell, report)
            except EnvironmentTrouble as trouble:
                report.not_run = str(trouble)
                self._progress.cell_done(report)
                continue
            self._submit(bench, report)
        for future in self._futures:
            future.result()

    def _submit(self, bench: Bench, report: CellReport) -> None:
        known = known_differences(bench.cell.name)
        jobs = self._jobs_of(bench.cell)
        report.expected = len(jobs) + (bench.server is not None)  # and the page of a run
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
            if len(report.results) == len(jobs):
                self._finish(bench, report)

        self._futures += [self._pool.submit(one, job) for job in jobs]

    def _jobs_of(self, cell: Cell) -> list[Job]:
        if cell.frameworks:
            return [job for job in self._jobs if job.needs]
        readme = [job for job in self._jobs if not job.name.endswith("@readme") or cell.wandb_mode == "offline"]
        if cell.wandb_mode != "online":
            return readme
        synced = [replace(job, name=f"{job.name}@sync") for job in self._jobs if job.name in SYNCED]
        return [*readme, *synced]

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

    # -- environments ------------------------------------------------------------------------------------------

    def _prepare(self, cell: Cell, report: CellReport) -> Bench:
        """The cell's environment, made and checked. Raises EnvironmentTrouble."""
        folder = self._folder / cell.name
        folder.mkdir()
        python = sys.executable if cell.python == "here" else self._environment(cell)
        server = self._serve() if cell.wandb_mode == "online" else None
        bench = Bench(cell, python, folder, server=server)
        try:
            report.identity = identify(python, job_environment(bench, self._jobs[0]), folder)
        except Exception as error:
            raise EnvironmentTrouble(str(error)) from error
        if report.identity["shim_place"] is None:
            raise EnvironmentTrouble("one_logger_v1_shim is not installed here: python -m pip install .")
        wrong = mistaken(cell, report.identity, self._shim_version if cell.python != "here" else None)
        if wrong:
            # not "not run": a cell that is not what it says would lend its name to something else
            difference = [["cell", "identity", cell.name, text] for text in wrong]
            report.results.append(Result(cell.name, "identity", "failed", differences=difference))
            raise EnvironmentTrouble("; ".join(wrong))
        return replace(bench, modules=frozenset(report.identity["modules"]))

    def _environment(self, cell: Cell) -> str:
        interpreter = interpreters.find(cell.python)
        if interpreter is None:
            raise EnvironmentTrouble(f"no CPython {cell.python} on this machine")
        self._progress.say(f"environment {cell.environment}")
        environment = Environment(cell.environment, interpreter, by_pip=cell.frameworks)
        wanted = [requirement("wandb", cell.wandb), requirement("wrapt", cell.wrapt)]
        if cell.frameworks:
            wanted += self._axes["frameworks"]["requirements"]
        environment.make(wanted, self._wheel)
        return str(environment.python)

    def _serve(self) -> Server:
        if self._server is None:
            wanted = self._axes["server"]
            python = next(
                filter(None, (interpreters.find(v) for v in self._axes["python"] if at_least(v, wanted["python"]))),
                None,
            )
            if python is None:
                raise EnvironmentTrouble(f"no CPython {wanted['python']} for the server")
            environment = Environment("server", python)
            environment.make([wanted["requirement"]], None)
            executable = str(environment.python.with_name("openwandb"))
            try:
                self._server = Server(executable, self._folder / "server")
            except RuntimeError as error:
                raise EnvironmentTrouble(str(error)) from error
        return self._server
