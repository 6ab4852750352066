"""``python -m compat_matrix``: see ``--help``."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from typing import Any, Optional

from . import plan
from .environments import ENVIRONMENTS, EnvironmentTrouble

_COMMANDS = """commands:
  try SCRIPT [-- ARGS]   run your own program untouched: its v1 calls, its rows, what v1 would have refused
  verify OLD [NEW]       is the history of a run in W&B what we believe v1 sent? does a dashboard on OLD work on NEW?
  random                 jobs nobody wrote: the oracle's rows against what W&B stored
  signatures             does the shim accept every call that anybody is known to make?
  mutations              break a metric in a copy of the wheel, ten times: is it noticed?
  bench                  what the shim costs a job, beside what v2 and wandb cost it
  record [NAME ...]      write the expected rows of programs anew, from the oracle
  clean                  remove the environments and the report

Without a command: the whole grid, or the cells that the options choose. The report is written to
compat_matrix/report/index.html."""


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """0: everything that ran is equal to v1."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and not given[0].startswith("-"):
        return _command(given[0], given[1:])
    parser = argparse.ArgumentParser(
        prog="python -m compat_matrix",
        description="Legacy v1 programs and recorded v1 jobs, on every Python and wandb that we claim.",
        epilog=_COMMANDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--quick", action="store_true", help="the diagonal: each Python once, from old to new wandb")
    which.add_argument("--here", action="store_true", help="this interpreter and the wandb that it has")
    which.add_argument("--cell", metavar="NAME", action="append", help="one cell (may be repeated)")
    parser.add_argument("--list", action="store_true", help="only show the cells")
    parser.add_argument("--job", metavar="NAME", action="append", help="only jobs whose name contains NAME")
    options = parser.parse_args(given)
    axes: dict[str, Any] = {}
    if options.here:
        cells = plan.here()
    else:
        axes = plan.load()
        cells = plan.diagonal(axes) if options.quick else plan.grid(axes)
    if options.cell:
        every = {cell.name: cell for cell in [*plan.here(), *plan.diagonal(axes), *cells]}
        unknown = [name for name in options.cell if name not in every]
        if unknown:
            parser.error(f"no such cell: {', '.join(unknown)}; see --list")
        cells = [every[name] for name in options.cell]
    if options.list:
        print(*(cell.name for cell in cells), sep="\n")
        return 0
    return _run(cells, axes, options.job)


def _run(cells: Sequence[plan.Cell], axes: dict[str, Any], only: Optional[Sequence[str]]) -> int:
    from . import report
    from .jobs import all_jobs
    from .run import Matrix

    jobs = [job for job in all_jobs() if not only or any(part in job.name for part in only)]
    if not jobs:
        print("no job has such a name", file=sys.stderr)
        return 2
    try:
        reports = Matrix(cells, axes, jobs).run()
    except EnvironmentTrouble as trouble:
        print(f"the wheel can't be built: {trouble}", file=sys.stderr)
        return 2
    path = report.write(reports)
    print(report.table(reports))
    print(f"report: {path}")
    return 0 if report.green(reports) else 1


def _command(name: str, arguments: list[str]) -> int:
    if name == "try":
        from . import tryout

        return tryout.main(arguments)
    if name == "verify":
        from .verify import command as verify

        return verify.main(arguments)
    if name == "random":
        from .random_jobs import command as random_jobs

        return random_jobs.main(arguments)
    if name == "signatures":
        from .signatures import check

        return check.main(arguments)
    if name == "mutations":
        from . import mutations

        return mutations.main(arguments)
    if name == "record":
        from . import record

        return record.main(arguments)
    if name == "bench":
        from . import bench

        return bench.main(arguments)
    if name == "clean":
        from .report import REPORT

        for folder in (ENVIRONMENTS, REPORT):
            shutil.rmtree(folder, ignore_errors=True)
        return 0
    print(f"unknown command {name!r}\n\n{_COMMANDS}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
