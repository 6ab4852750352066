"""What wandb's settings are where a worker will run, for commands whose own process may have no wandb."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from .._journal.environment import settings_command, without_working_directory
from .._journal.interpreter import Interpreter
from .._journal.secret import hidden

_LIMIT = 60.0  # seconds; wandb on a slow network file system


def ask(
    interpreter: Interpreter,
    environ: Mapping[str, str],
    command: Optional[list[str]] = None,
    limit: float = _LIMIT,
    where: Optional[Path] = None,
) -> tuple[dict[str, Any], str]:
    """What :mod:`one_logger_v1_shim._worker.settings` prints; an empty dict, and why, where wandb cannot tell.

    In a process of its own: importing wandb is slow, may fail in many ways, and sets things up in its process.

    Args:
        interpreter: where the worker will run.
        environ: with which environment.
        command: another question, whose answer is one line of JSON.
        limit: seconds.
        where: in which folder, whose settings count; default: the working directory, as for a job.
    """
    try:
        said = subprocess.run(
            command or settings_command(interpreter),
            cwd=where,
            env=without_working_directory(environ),
            capture_output=True,
            text=True,
            timeout=limit,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {}, f"no end within {limit:g} s"
    except OSError as error:
        return {}, str(error)
    try:
        answer = json.loads(said.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        lines = said.stderr.strip().splitlines()
        return {}, hidden(lines[-1], alike=True) if lines else f"exit code {said.returncode}"
    return (answer, "its settings are refused") if isinstance(answer, dict) else ({}, "no answer")
