"""What wandb's settings are where a worker will run, for commands whose own process may have no wandb."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from .._journal.environment import without_working_directory
from .._journal.secret import hidden

_LIMIT = 60.0  # seconds; wandb on a slow network file system


def ask(command: list[str], environ: Mapping[str, str], where: Optional[Path] = None) -> tuple[dict[str, Any], str]:
    """The JSON object in the last line that ``command`` prints; an empty one, and why, where wandb cannot tell.

    In a process of its own: importing wandb is slow, may fail in many ways, and sets things up in its process.

    Args:
        command: :func:`~.._journal.environment.settings_command`, or another question.
        environ: with which environment.
        where: in which folder, whose settings count; default: the working directory, as for a job.
    """
    try:
        said = subprocess.run(
            command,
            cwd=where,
            env=without_working_directory(environ),
            capture_output=True,
            text=True,
            timeout=_LIMIT,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {}, f"no end within {_LIMIT:g} s"
    except OSError as error:
        return {}, str(error)
    try:
        answer = json.loads(said.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        lines = said.stderr.strip().splitlines()
        return {}, hidden(lines[-1], alike=True) if lines else f"exit code {said.returncode}"
    return (answer, "its settings are refused") if isinstance(answer, dict) else ({}, "no answer")
