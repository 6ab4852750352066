"""W&B's settings files, which ``wandb offline`` and ``wandb disabled`` write. Read by the job: no wandb here.

Both processes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Optional

from .outside import read


def setting(environ: Mapping[str, str], name: str, own: bool = False) -> tuple[Optional[str], Optional[Path]]:
    """The value of ``name`` in W&B's settings files, and the file that says so; ``(None, None)`` where none does.

    The order is W&B's: the file of the working directory, then that of the user (``WANDB_CONFIG_DIR``). A file that
    can't be read says nothing. ``own``: only the user's, not that of a working directory which may be anybody's.
    """
    for path in files(environ)[1 if own else 0 :]:
        try:
            text = read(path, follow=True).decode()
        except (OSError, ValueError):
            continue
        import configparser  # only where there is a file: its import costs a job 3 ms

        parser = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            parser.read_string(text)
            found = parser.get("default", name, fallback=None)
        except configparser.Error:
            continue
        if found is not None:
            return found.strip(), path
    return None, None


def files(environ: Mapping[str, str]) -> list[Path]:
    """Where W&B looks for settings files, the one that wins first."""
    folder = ".wandb" if os.path.isdir(".wandb") else "wandb"
    user = os.path.expanduser(environ.get("WANDB_CONFIG_DIR") or "~/.config/wandb")
    return [Path(folder, "settings"), Path(user, "settings")]
