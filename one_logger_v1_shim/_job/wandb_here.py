"""What the application has told its own wandb: ``wandb.setup(...)``, ``wandb.login(...)``. Runs in the job's process.

wandb is never imported here: where the application has loaded it, what it was told counts for our run as it counts for
a run of the application's. It goes to the worker by its environment, never by a file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from .._handlers import raised_by_handler
from .._journal.destination import DEFAULT_HOST, MODES, RunSpec

#: a setting of wandb's -> the variable that says the same
_VARIABLES = {
    "mode": "WANDB_MODE",
    "base_url": "WANDB_BASE_URL",
    "api_key": "WANDB_API_KEY",
    "entity": "WANDB_ENTITY",
    "project": "WANDB_PROJECT",
    "run_name": "WANDB_NAME",
    "run_tags": "WANDB_TAGS",
    "run_notes": "WANDB_NOTES",
    "run_group": "WANDB_RUN_GROUP",
    "run_job_type": "WANDB_JOB_TYPE",
    "root_dir": "WANDB_DIR",
    "http_proxy": "WANDB_HTTP_PROXY",
    "https_proxy": "WANDB_HTTPS_PROXY",
    "insecure_disable_ssl": "WANDB_INSECURE_DISABLE_SSL",
}


def environment_as_wandb_has_it(spec: RunSpec) -> dict[str, str]:
    """The environment, and over it what this process's wandb was told. ``spec``: where our run goes."""
    found = dict(os.environ)
    try:
        found.update(_told(spec, found))
    except Exception as error:  # a wandb that is built in another way, or is being set up in another thread
        if raised_by_handler(error):
            raise
    return found


def _told(spec: RunSpec, environ: Mapping[str, str]) -> dict[str, str]:
    setup: Any = getattr(sys.modules.get("wandb.sdk.wandb_setup"), "_singleton", None)
    settings = getattr(setup, "_settings", None)
    if settings is None or setup._pid != os.getpid():
        return {}
    before: Mapping[str, str] = getattr(setup, "_settings_environ", None) or getattr(setup, "_environ", None) or {}
    usual = getattr(type(settings), "model_fields", {})
    given = getattr(settings, "model_fields_set", _VARIABLES)  # not the folder in which wandb was set up
    told: dict[str, str] = {}
    for name, variable in _VARIABLES.items():
        value, said = _spelled(getattr(settings, name, None)), environ.get(variable)
        if not value or name not in given or said != before.get(variable):
            continue  # nothing, or what was put into the environment since then, which is the later word
        if said is None and value == getattr(usual.get(name), "default", None):
            continue
        if value != (MODES.get(said, said) if said is not None else None):
            told[variable] = value
    server = told.get("WANDB_BASE_URL") or environ.get("WANDB_BASE_URL") or DEFAULT_HOST
    if spec.host and spec.host.rstrip("/") != server.rstrip("/"):
        told.pop("WANDB_API_KEY", None)  # it is meant for another server
    return told


def _spelled(value: Any) -> str:
    """A setting as its variable has it; "": nobody has said anything."""
    if isinstance(value, (tuple, list)):
        return ",".join(map(str, value))
    return value if isinstance(value, str) else "true" if value is True else ""
