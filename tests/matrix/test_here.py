"""``python -m compat_matrix --here``: every recorded job and every program on this interpreter and this wandb.

Real wandb, offline, rows by the worker process; read back from the files that W&B wrote. Two processes at a time.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from compat_matrix.jobs import GOLDENS, Job, all_jobs, golden
from compat_matrix.planner.plan import Cell, here
from compat_matrix.reporting.results import FAILED, NOT_RUN, CellReport
from compat_matrix.reporting.terminal import Progress, table
from compat_matrix.runner.matrix import Matrix

pytestmark = pytest.mark.ci

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tree() -> Iterator[None]:
    """Jobs see this tree, installed or not."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), before)))
    yield
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


def run(cell: Cell, jobs: list[Job]) -> CellReport:
    reports: list[CellReport] = []
    matrix = Matrix([cell], jobs=jobs, progress=Progress(reports, io.StringIO()))
    reports += matrix.reports
    report = matrix.run()[0]
    assert not report.not_run, report.not_run
    assert len(report.results) == report.expected == len(jobs)
    assert not report.count(FAILED), table([report])
    return report


SYNC, ASYNC = here()


def test_every_recorded_job(tree: None) -> None:
    """Async, as most consumers have it; the matrix has the sync ones."""
    jobs = [golden(path, whole=True) for path in sorted(GOLDENS.glob("*.json"))]
    assert len(jobs) == 49
    report = run(ASYNC, jobs)
    assert report.count(NOT_RUN) == 0
    assert sum(result.rows for result in report.results) > 500


def test_every_program(tree: None) -> None:
    """Those that need a framework have tests of their own (``tests/frameworks``)."""
    jobs = [job for job in all_jobs() if not job.is_golden and not job.needs]
    report = run(SYNC, jobs)
    assert report.count(NOT_RUN) == 0
    assert sum(not job.name.endswith("@readme") for job in jobs) >= 9
