"""Where a run goes: what was chosen, what the environment says, what is documented as the default, in this order."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

# name here -> (argument of wandb.init, variable of the environment)
_ARGUMENTS = {
    "project": ("project", "WANDB_PROJECT"),
    "entity": ("entity", "WANDB_ENTITY"),
    "run_name": ("name", "WANDB_NAME"),
    "tags": ("tags", "WANDB_TAGS"),
}

# These would make us join, resume or fork the user's own run, or their sweep.
FOREIGN = (
    "WANDB_RUN_ID",
    "WANDB_SERVICE",
    "WANDB_RESUME",
    "WANDB_SWEEP_ID",
    "WANDB_SWEEP_PARAM_PATH",
    "WANDB_FORK_FROM",
    "WANDB_RESUME_FROM",
)


@dataclass(frozen=True)
class RunSpec:
    """Keys of both: ``entity``, ``project``, ``run_name``, ``host``, ``api_key``, ``tags``, ``save_dir``.

    ``chosen`` is what the v1 configuration says: it wins over the environment. ``default`` loses to it. Not shown: the
    values may hold a key.
    """

    chosen: Mapping[str, Any] = field(repr=False)
    default: Mapping[str, Any] = field(repr=False)

    def arguments(self, environ: Mapping[str, str]) -> dict[str, Any]:
        """Arguments for ``wandb.init``. What the environment decides is left out: W&B reads it itself."""
        found: dict[str, Any] = {}
        for name, (argument, variable) in _ARGUMENTS.items():
            value = self.chosen.get(name)
            if value is None and variable not in environ:
                value = self.default.get(name)
            if value is not None:
                found[argument] = list(value) if name == "tags" else str(value)
        return found

    def entity_is_documented_default(self, environ: Mapping[str, str]) -> bool:
        """Does the entity come from nobody's choice?"""
        return not self.chosen.get("entity") and "WANDB_ENTITY" not in environ and bool(self.default.get("entity"))

    @property
    def host(self) -> Optional[str]:
        """The server, if somebody chose one. The documented default is never passed on: W&B knows its own server."""
        return self.chosen.get("host") or None

    @property
    def api_key(self) -> Optional[str]:
        """The key, if the configuration has one."""
        return self.chosen.get("api_key") or None

    def folder(self, environ: Mapping[str, str]) -> Path:
        """The folder that will hold ``wandb/``. The documented default is ``./wandb``.

        Relative where the working directory has been removed: nothing can be kept there, and the journal sees it.
        """
        chosen = os.path.expanduser(str(self.chosen.get("save_dir") or environ.get("WANDB_DIR") or "."))
        try:
            return Path(os.path.abspath(chosen))
        except OSError:
            return Path(chosen)


def mode(environ: Mapping[str, str]) -> str:
    """``WANDB_MODE`` as asked for: ``online``, ``offline``, ``disabled``, or ``""`` when nobody asked."""
    asked = environ.get("WANDB_MODE", "").strip().lower()
    return {"dryrun": "offline", "run": "online", "shared": "online"}.get(asked, asked)


def public(values: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a specification that may be written down."""
    found = {key: value for key, value in values.items() if key != "api_key"}
    if isinstance(found.get("host"), str):
        found["host"] = without_user(found["host"])
    return found


def without_user(url: str) -> str:
    """``url`` without a user name and password."""
    before, slashes, rest = url.partition("//")
    place, slash, path = rest.partition("/")
    return f"{before}{slashes}{place.rpartition('@')[2]}{slash}{path}" if slashes else url


def started(pid: int) -> Optional[str]:
    """When the process began, in a form that only compares; None when it can't be told or there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError, ValueError):
        return None


def seconds(environ: Mapping[str, str], name: str, default: float) -> float:
    """A number of seconds from the environment; what is no number counts as absent."""
    try:
        value = float(environ.get(name, default))
    except ValueError:
        return default
    return value if value >= 0 else default
