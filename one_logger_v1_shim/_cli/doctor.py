"""``doctor``: whether a job that runs here will log, and where to. A line for each finding, and what to do."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence

from . import _format as f
from ._findings import ERROR, Finding, doubtful

_MOST = 600  # characters
_LONGEST = 10_000  # characters of advice: a command that is cut is none


def main(arguments: Sequence[str]) -> int:
    """Look at everything; returns 1 if any finding is an error, else 0."""
    parser = argparse.ArgumentParser(
        prog="python -m one_logger_v1_shim doctor",
        description="Says whether a job that runs here, in this environment, will log. Exit code 1: it will not.",
    )
    parser.add_argument("--offline", action="store_true", help="send nothing over the network")
    chosen = parser.parse_args(list(arguments))
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    worst = 0
    for finding in findings(chosen.offline):
        worst = max(worst, int(finding.level == ERROR))
        advice = f" -> {f.clean(finding.advice, _LONGEST)}" if finding.advice else ""
        try:
            print(f"{finding.level:7}  {finding.what}: {f.clean(finding.detail, _MOST)}{advice}", flush=True)
        except BrokenPipeError:  # `| head`: the exit code is still worth having
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return worst


def findings(offline: bool) -> Iterator[Finding]:
    """All findings; a check that fails itself is one, too, and does not hold up the others."""
    from . import _checks_environment as environment
    from . import _checks_packages as packages
    from . import _checks_wandb as wandb

    checks = {
        "system": environment.system,
        "versions": packages.versions,
        "worker": packages.worker,
        "rank": environment.rank,
        "providers": environment.providers,
        "variables": environment.variables,
        "destination": lambda: wandb.destination(offline),
        "otlp": packages.otlp,
        "disk": wandb.disk,
        "leftovers": wandb.leftovers,
    }
    for name, check in checks.items():
        try:
            yield from check()
        except Exception as error:
            yield doubtful(name, f"could not be looked at ({error!r})")
