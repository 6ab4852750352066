"""What a new run's ``run.json`` says. Runs in the job's process."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, Optional

from .._journal.clock import now
from .._journal.destination import RunSpec, mode, public, settled
from .._journal.files import new_run_id
from .._journal.process_table import started
from .._journal.records import FORMAT, RunRecord
from .._journal.words import CATEGORY
from .._version import VERSION


def new_record(
    spec: RunSpec,
    environ: Mapping[str, str],
    *,
    keep: bool,
    python: str,
    v2: str,
    v2_values: Optional[dict[str, Any]] = None,
) -> RunRecord:
    """The record of a run that begins now in this process; the arguments are fields of :class:`RunRecord`.

    ``environ``: the environment as wandb has it here.
    """
    return RunRecord(
        id=new_run_id(),
        pid=os.getpid(),
        started=started(os.getpid()),
        machine=_host(),
        created=now(),
        version=VERSION,
        format=FORMAT,
        mode=mode(environ),
        chosen=public(spec.chosen),
        default=public(spec.default),
        settled=settled(environ),
        cwd=_working_directory(),
        program=str(next(iter(getattr(sys, "argv", None) or ()), "")),
        keep=keep,
        python=python,
        v2=v2,
        v2_values=v2_values,
        exporters=_exporters(),
        category=environ.get(CATEGORY, "").strip(),
    )


def _host() -> str:
    try:
        return os.uname().nodename
    except AttributeError:  # Windows
        import socket

        return socket.gethostname()


def _exporters() -> str:
    """What v2's export configuration is called, for a `recover` in another shell."""
    named = os.environ.get("ONE_LOGGER_EXPORTER_CONFIG_PATH", "")
    return os.path.join(_working_directory(), named) if named else ""


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return ""
