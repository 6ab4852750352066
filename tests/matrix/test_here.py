"""``python -m compat_matrix --here``: recorded jobs and programs on this interpreter and this wandb.

Real wandb, offline, rows by the worker process; read back from the files that W&B wrote. Some of each kind: the cells
of ``--quick``, which ``.ci/run matrix`` runs, have all.
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


def test_recorded_jobs(tree: None) -> None:
    """Async, as most consumers have it."""
    paths = sorted(GOLDENS.glob("*.json"))
    assert len(paths) == 49
    report = run(ASYNC, [golden(path, whole=True) for path in paths[::16]])
    assert report.count(NOT_RUN) == 0
    assert sum(result.rows for result in report.results) > 30


def test_programs(tree: None) -> None:
    """Those that need a framework have tests of their own (``tests/frameworks``)."""
    jobs = [job for job in all_jobs() if not job.is_golden and not job.needs]
    assert sum(not job.name.endswith("@readme") for job in jobs) >= 9
    report = run(SYNC, jobs[2::6])
    assert report.count(NOT_RUN) == 0
