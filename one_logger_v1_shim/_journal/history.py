"""The cache of runs that were fetched from a W&B server: its place and its files. The worker's process and commands."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional

FORMAT = 1
#: of a run's folder: its rows, and how much of that counts
ROWS, STATE = "rows.jsonl", "history.json"


def cache() -> Optional[Path]:
    """``$XDG_CACHE_HOME/one-logger-v1-shim/history``, or below ``~/.cache``; None: this user has no home folder."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.expanduser("~/.cache")
    return Path(base, "one-logger-v1-shim", "history") if os.path.isabs(base) else None


def said(folder: object) -> str:
    """What becomes of a download that did not come to its end."""
    return f"what has come is kept in {folder}, and the same command goes on from there"
