"""A run on a W&B server, through ``wandb.Api``. Asks for nothing, writes nothing, logs in nowhere."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

from .history import BadSource, History, history

_TIMEOUT = 60  # seconds for one answer of the server


def read_run(path: str) -> History:
    """All rows of ``ENTITY/PROJECT/RUN``. Raises :class:`BadSource`."""
    try:
        import wandb
    except ImportError:
        raise BadSource(f"{path}: a run on a server needs wandb; install it, or export the run's history") from None
    try:
        with _no_prompt():
            run = wandb.Api(timeout=_TIMEOUT).run(path)
            rows: list[dict[str, Any]] = [dict(row) for row in run.scan_history()]
    except Exception as error:
        text = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        server = os.environ.get("WANDB_BASE_URL") or "W&B"
        raise BadSource(f"{path}: {server}: {text[:300]}") from None
    return history(path, rows)


@contextlib.contextmanager
def _no_prompt() -> Iterator[None]:
    """Without a key wandb asks for one at a terminal. With another standard input it says that there is none."""
    with open(os.devnull, encoding="utf-8") as nothing:
        before, sys.stdin = sys.stdin, nothing
        try:
            yield
        finally:
            sys.stdin = before
