"""Where rows will go: W&B's mode, server, entity and key; the disk; and journals that wait for ``recover``."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any, Optional

from .._journal.destination import DEFAULT_ENTITY, RunSpec, mode, why_not_online
from .._journal.environment import environment
from .._journal.files import recover_command
from .._journal.interpreter import find as find_interpreter
from .._journal.secret import without_user
from .._journal.server import credentials, malformed, unreachable
from .._journal.settings_files import setting
from ._ask_wandb import ask
from ._findings import ERROR, OK, WARNING, Finding
from ._left import examine, find

_NOBODY = RunSpec(chosen={}, default={})
_REACH_LIMIT = 5.0  # seconds
_MOST_JOURNALS = 10
_LITTLE, _TOO_LITTLE = 1024**3, 50 * 1024**2  # bytes free


def destination(offline: bool) -> Iterator[Finding]:
    """Mode, server, entity, key, reachability, and the settings that wandb would refuse."""
    found, trouble = _ask()
    for text in found.get("refused", []):
        yield Finding(ERROR, "W&B setting", f"{text}; until then runs are offline")
    asked = mode(os.environ)
    yield _mode(asked)
    server = found.get("base_url")
    if server is None:
        yield Finding(WARNING, "W&B server", f"not known, as wandb can not be asked ({trouble})")
    else:
        yield Finding(OK, "W&B server", f"{without_user(server)} ({_origin('WANDB_BASE_URL', 'base_url')})")
    yield _entity(asked)
    key, where = _key(server or "")
    wants = asked in ("", "online")
    bad = malformed(key)
    if where and bad and wants:
        yield Finding(ERROR, "W&B API key", f"{bad} ({where}); runs are offline", f"correct {where}")
    elif where:
        yield Finding(OK, "W&B API key", f"found ({where}), not shown")
    else:
        yield Finding(
            WARNING if wants else OK,
            "W&B API key",
            "none; runs are offline",
            "set WANDB_API_KEY, or run `wandb login`, or sync the runs later" if wants else "",
        )
    if offline or not wants:
        yield Finding(OK, "W&B reachable", f"not asked ({'--offline' if offline else why_not_online(os.environ)})")
    elif server is not None and not found.get("direct", True):
        yield Finding(OK, "W&B reachable", "not asked: it is behind a proxy or a gateway; `wandb.init` will ask it")
    elif server is not None:
        yield _reachable(server, key, bool(where))


def _ask() -> tuple[dict[str, Any], str]:
    interpreter = find_interpreter(os.environ)
    if interpreter is None:
        return {}, "there is no interpreter for it"
    return ask(interpreter, environment(_NOBODY, interpreter))


def _mode(asked: str) -> Finding:
    where = why_not_online(os.environ)
    if asked == "disabled":
        advice = "unset WANDB_MODE" if "WANDB_MODE" in os.environ else "run `wandb enabled`"
        return Finding(WARNING, "W&B mode", f"disabled: no row is logged ({where})", advice)
    if asked == "offline":
        return Finding(OK, "W&B mode", f"offline ({where}); rows stay on disk until `wandb sync`")
    if asked in ("", "online"):
        return Finding(OK, "W&B mode", "online" + (f" ({where})" if asked else ""))
    return Finding(WARNING, "W&B mode", f"{asked!r} ({where})", "expected online, offline or disabled")


def _origin(variable: str, name: str) -> str:
    """Who says so: the environment, a settings file of W&B, wandb itself."""
    if os.environ.get(variable):
        return variable
    value, path = setting(os.environ, name)
    return str(path) if value is not None else "wandb's default"


def _entity(asked: str) -> Finding:
    entity = os.environ.get("WANDB_ENTITY") or setting(os.environ, "entity")[0]
    if entity:
        return Finding(OK, "W&B entity", f"{entity} ({_origin('WANDB_ENTITY', 'entity')})")
    return Finding(
        OK,
        "W&B entity",
        f"{DEFAULT_ENTITY}, v1's default; the account's own where it may not write there",
        "set WANDB_ENTITY to choose one" if asked in ("", "online") else "",
    )


def _key(server: str) -> tuple[Optional[str], str]:
    """The key, and where it is from; "" when there are no credentials."""
    in_file, path = setting(os.environ, "api_key")
    key, known = credentials(os.environ.get("WANDB_API_KEY") or in_file, os.environ, server)
    if not known or not (key or os.environ.get("WANDB_IDENTITY_TOKEN_FILE")):
        return None, ""
    if os.environ.get("WANDB_API_KEY"):
        return key, "WANDB_API_KEY"
    if in_file:
        return key, str(path)
    return key, "netrc" if key else "WANDB_IDENTITY_TOKEN_FILE"


def _reachable(server: str, key: Optional[str], have_key: bool) -> Finding:
    shown = without_user(server)
    problem = unreachable(server, key, _REACH_LIMIT)
    if problem is None or ("refuses" in problem and not have_key):
        return Finding(OK, "W&B reachable", f"{shown} answers")
    advice = "check the key and WANDB_BASE_URL" if "refuses" in problem else "check WANDB_BASE_URL and the network"
    # Without a key the run is offline anyway.
    return Finding(ERROR if have_key else WARNING, "W&B reachable", problem, f"{advice}, or set WANDB_MODE=offline")


def disk() -> Iterator[Finding]:
    """Whether the W&B folder can be written, and how much room there is."""
    base = _NOBODY.folder(os.environ)
    origin = "WANDB_DIR" if os.environ.get("WANDB_DIR") else "the working directory"
    folder = base / "wandb"
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        # os.access() does not know of read-only mounts, quotas and root
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"x" * 4096)
            file.flush()
    except OSError as error:
        advice = "set WANDB_DIR to a folder that can be written; until then rows are kept in the temp directory"
        yield Finding(ERROR, "W&B folder", f"{folder} ({origin}) can not be written ({error.strerror})", advice)
    else:
        new = "" if folder.exists() else ", will be made"
        yield Finding(OK, "W&B folder", f"{folder} ({origin}{new})")
    usage = shutil.disk_usage(there)
    if not usage.total:  # not a disk
        return
    free = usage.free
    level = ERROR if free < _TOO_LITTLE else WARNING if free < _LITTLE else OK
    yield Finding(
        level,
        "disk",
        f"{free / 1024**3:,.1f} GiB free at {there}",
        "" if level == OK else "make room, or set WANDB_DIR",
    )


def leftovers() -> Iterator[Finding]:
    """Journals whose rows have not all been given to W&B."""
    waiting = [left for left in map(examine, find(None)) if not left.finished]
    idle = [left for left in waiting if not left.busy and not left.damaged]
    for left in waiting:
        if left.damaged:
            yield Finding(WARNING, "journal", f"{left.folder}: {left.damaged}")
        elif left.busy:
            yield Finding(OK, "journal", f"{left.folder}: {left.busy}")
    for left in idle[-_MOST_JOURNALS:]:
        yield Finding(
            WARNING,
            "journal",
            f"{left.folder}: not finished, {left.rows} rows, W&B has {left.stored} of them on disk",
            recover_command(left.folder),
        )
    if len(idle) > _MOST_JOURNALS:
        yield Finding(WARNING, "journals", f"{len(idle)} in all", "python -m one_logger_v1_shim recover")
    if not idle:
        yield Finding(OK, "journals", "no run waits for `recover`")
