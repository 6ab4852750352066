"""What a worker would decide here, without a run: for ``doctor``. Runs in a process that is started as a worker is.

The questions are those of :mod:`.opening`, in its order, asked of the same wandb with the same environment, in the
job's working directory.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Optional

from .._journal import server
from .._journal.destination import ENTRIES, FOREIGN, RunSpec, WandBConfig, specification, told
from .._journal.secret import without_user
from .._journal.settings_files import setting
from . import settings, wandb_api


def main(arguments: list[str]) -> None:
    """Print the answer as one line of JSON, without a key or a password.

    ``refused``: texts; with one of them the run is offline. ``mode``, ``server``, ``entity``, ``project``,
    ``run_name``, ``tags``: where it goes. ``key``: who has it, ``""``: nobody. ``offline``: why the run would be
    offline, None: it is online. ``asked``: was the server asked? ``v2``: why v2 hears nothing there, ``""``: it does.
    ``exporters``: see :func:`one_logger_v1_shim._v2.dry.exporters`. ``wandb``: why wandb cannot be asked; then the run
    is not there.
    """
    answer: dict[str, Any] = {}
    try:
        answer = decision(specification(WandBConfig()), ask="--offline" not in arguments)
    except Exception as error:
        answer = {"wandb": f"{type(error).__name__}: {error}"}
    print("\n" + json.dumps({**answer, **_v2()}), flush=True)


def _v2() -> dict[str, Any]:
    try:
        from .._v2.dry import exporters
    except BaseException as error:  # a broken installation may raise anything
        return {"v2": f"{type(error).__name__}: {error}", "exporters": []}
    try:
        return {"v2": "", "exporters": exporters()}
    except Exception as error:
        return {"v2": "", "exporters": [["v2's export configuration", f"{type(error).__name__}: {error}"]]}


def decision(spec: RunSpec, ask: bool) -> dict[str, Any]:
    """What :func:`main` prints. ``ask``: may the server be asked?"""
    for name in FOREIGN:
        os.environ.pop(name, None)
    refused = settings.take_refused(os.environ)
    values = settings.refused_values(spec)
    spec = spec.without(*values)
    refused.extend(values.values())
    try:
        found = settings.read(os.environ, spec.host)
    except Exception as error:
        refused.append(settings.mend(os.environ, error, Path(os.devnull).parent))
        return {"refused": refused, "offline": "; ".join(refused), "asked": False}
    address = server.address(spec, found)
    answer: dict[str, Any] = {
        **_destination(spec),
        "refused": refused,
        "mode": found.mode,
        "server": without_user(address),
        "key": _key(found, address),
        "asked": False,
    }
    offline: Optional[str] = "; ".join(refused) or wandb_api.cannot_be_told(spec)
    if offline is None:
        answer["asked"] = ask and found.direct and found.mode == "online" and bool(answer["key"])
        offline = server.why_offline(spec, found if ask else server.unasked(found), os.environ, doubts=True)
    return {**answer, "offline": offline or None}


def _destination(spec: RunSpec) -> dict[str, Any]:
    """Where wandb puts a run: what it is told, else what its own settings say."""
    own = settings.of_this_process()
    said = {variable: getattr(own, field, None) for variable, field in ENTRIES.items()}
    about = {
        "chosen": spec.chosen,
        "settled": {variable: value for variable, value in said.items() if value is not None},
        "default": spec.default,
    }
    found = {name: told(about, name) or "" for name in ("entity", "project", "run_name")}
    return {**found, "tags": [str(one) for one in told(about, "tags") or ()]}


def _key(found: server.Found, address: str) -> str:
    """Who has the API key, in words."""
    if os.environ.get("WANDB_API_KEY"):
        return "WANDB_API_KEY"
    if os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return "WANDB_IDENTITY_TOKEN_FILE"
    value, path = setting(os.environ, "api_key")
    if found.api_key and found.api_key == value:
        return str(path)
    kept = server.credentials(found.api_key, os.environ, address, found.complete)[1]
    return "netrc" if kept or found.refused else ""
