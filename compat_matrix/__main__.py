"""``python -m compat_matrix``: see ``--help``."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .jobs import Job, all_jobs
from .planner import plan
from .planner.consumers import Consumer, ConsumerError
from .planner.consumers import load as load_consumers
from .planner.selection import jobs_of

#: command -> the module whose ``main(arguments)`` it is, and what it does
COMMANDS = {
    "try": ("commands.tryout", "SCRIPT [-- ARGS]: run your own program untouched: its v1 calls, its rows"),
    "verify": ("verify.command", "OLD [NEW]: is the history of a run in W&B what we believe v1 sent?"),
    "changes": ("verify.changes", "histories with one thing changed: does verify notice? 300 of them"),
    "random": ("random_jobs.command", "jobs nobody wrote: the oracle's rows against what W&B stored"),
    "fuzz": ("commands.fuzz", "[--examples N]: damaged and hostile files, many, for every command that reads them"),
    "signatures": ("signatures.check", "does the shim accept every call that anybody is known to make?"),
    "mutants": ("mutants.command", "[ROOM | FILE ...]: change any place of the code: does a test notice? 24 a room"),
    "mutations": ("commands.mutations", "break a metric in a copy of the wheel, ten times: is it noticed?"),
    "drift": ("drift.command", "rename each private name of v2 and of wandb that we touch: is anything lost?"),
    "bench": ("bench.main", "what the shim costs a job, beside what v2 and wandb cost it"),
    "launchers": (
        "launchers.command",
        "[NAME ...]: Ray, Spark and uwsgi, the real ones: all rows, and a line that says where they are",
    ),
    "documents": ("commands.documents", "write the tables of docs/ that stand in the code"),
    "record": ("commands.record", "[NAME ...]: write the expected rows of programs again, from the oracle"),
    "clean": ("", "remove the environments and the report"),
}

_EPILOG = "commands:\n" + "\n".join(f"  {name:11} {text}" for name, (_, text) in COMMANDS.items())
_EPILOG += """

Without a command: the whole grid and the whole of `drift`, or the cells that the options choose. The report is
written to compat_matrix/report/index.html."""


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """0: everything that ran is equal to v1."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and not given[0].startswith("-"):
        return _command(given[0], given[1:])
    parser = _parser()
    options = parser.parse_args(given)
    axes: dict[str, Any] = {}
    consumers: dict[str, Consumer] = {}
    try:
        if options.here:
            cells = plan.here()
        else:
            axes, consumers = plan.load(), load_consumers()
            cells = _chosen(options, axes, consumers)
            if options.canary:
                axes["forced"] = axes["canary"]["forced"]
    except ConsumerError as error:
        parser.error(str(error))
    if options.cell:
        every = {cell.name: cell for cell in [*plan.here(), *(plan.diagonal(axes) if axes else ()), *cells]}
        unknown = [name for name in options.cell if name not in every]
        if unknown:
            parser.error(f"no such cell: {', '.join(unknown)}; see --list")
        cells = [every[name] for name in options.cell]
    jobs = _jobs(options.job)
    if options.job:  # no environment is made for a cell that plays none of them
        cells = [cell for cell in cells if jobs_of(cell, jobs, consumers.get(cell.consumer))]
    if options.list:
        print(*(cell.name for cell in cells), sep="\n")
        return 0
    code = _run(cells, axes, consumers, jobs)
    chosen = (options.quick, options.canary, options.here, options.environments is not None, options.cell, options.job)
    return code if any(chosen) else max(code, _drift())


def _drift() -> int:
    """The whole grid ends with the whole of ``drift``, in this interpreter."""
    missing = [
        name for name in ("wandb", "nv_one_logger", "one_logger_v1_shim") if importlib.util.find_spec(name) is None
    ]
    if missing:
        print(f"drift: not run: this interpreter has no {', '.join(missing)}")
        return 0
    return _command("drift", [])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m compat_matrix",
        description="Legacy v1 programs and recorded v1 jobs, on every Python and wandb that we claim.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--quick", action="store_true", help="the diagonal: each Python once, from old to new wandb")
    which.add_argument("--canary", action="store_true", help="the newest wandb, wrapt and v2 on the newest Pythons")
    which.add_argument("--here", action="store_true", help="this interpreter and the wandb that it has")
    which.add_argument(
        "--environments",
        metavar="NAME",
        nargs="*",
        help="the consumers' pinned environments and bare interpreters; only those of the named consumers",
    )
    which.add_argument("--cell", metavar="NAME", action="append", help="one cell (may be repeated)")
    parser.add_argument("--list", action="store_true", help="only show the cells")
    parser.add_argument("--job", metavar="NAME", action="append", help="only jobs whose name contains NAME")
    return parser


def _chosen(options: argparse.Namespace, axes: Mapping[str, Any], consumers: Mapping[str, Consumer]) -> list[plan.Cell]:
    if options.quick:
        return [*plan.diagonal(axes), *plan.quick_environments(axes, consumers)]
    if options.canary:
        return plan.canary(axes)
    beside = plan.environments(axes, consumers)
    if options.environments is None:
        return [*plan.grid(axes), *beside]
    unknown = [name for name in options.environments if name not in (*consumers, plan.BARE)]
    if unknown:
        known = ", ".join([*consumers, plan.BARE])
        raise ConsumerError(f"no such environment: {', '.join(unknown)}; expected one of {known}")
    return [cell for cell in beside if not options.environments or cell.consumer in options.environments]


def _jobs(only: Optional[Sequence[str]]) -> list[Job]:
    return [job for job in all_jobs() if not only or any(part in job.name for part in only)]


def _run(
    cells: Sequence[plan.Cell],
    axes: Mapping[str, Any],
    consumers: Mapping[str, Consumer],
    jobs: Sequence[Job],
) -> int:
    from .reporting import terminal
    from .runner.installer import EnvironmentTrouble
    from .runner.matrix import Matrix

    if not (cells and jobs):
        print("no job has such a name", file=sys.stderr)
        return 2
    try:
        reports = Matrix(cells, axes, jobs, consumers=consumers).run()
    except EnvironmentTrouble as trouble:
        print(f"the wheel can't be built: {trouble}", file=sys.stderr)
        return 2
    path = terminal.write(reports)
    print(terminal.table(reports))
    print(f"report: {path}")
    return 0 if terminal.green(reports) else 1


def _command(name: str, arguments: list[str]) -> int:
    if name not in COMMANDS:
        print(f"unknown command {name!r}\n\n{_EPILOG}", file=sys.stderr)
        return 2
    if name == "clean":
        return _clean()
    code: int = importlib.import_module(f".{COMMANDS[name][0]}", __package__).main(arguments)
    return code


def _clean() -> int:
    from .reporting.terminal import REPORT
    from .runner.installer import ENVIRONMENTS

    for folder in (ENVIRONMENTS, REPORT):
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
