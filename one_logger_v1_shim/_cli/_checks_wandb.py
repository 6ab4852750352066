"""Where rows will go, as a worker here decides it; the disk; and journals that wait for ``recover``."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

from .._journal.destination import RunSpec, WandBConfig, mode, specification, why_not_online
from .._journal.environment import dry_command, environment
from .._journal.files import recover_command
from .._journal.interpreter import find as find_interpreter
from .._journal.server import is_about_key
from .._journal.settings_files import setting
from ._ask_wandb import ask
from ._findings import ERROR, OK, WARNING, Finding, doubtful, fine, wrong
from ._left import examine, find

_NOBODY: RunSpec = specification(WandBConfig())
_MOST_JOURNALS = 10
_LITTLE, _TOO_LITTLE = 1024**3, 50 * 1024**2  # bytes free


def destination(offline: bool) -> Iterator[Finding]:
    """What a worker would decide here: mode, server, entity, project, name, tags, key; and whether it is online.

    The decisions are the worker's own, made in its interpreter with its environment (:mod:`.._worker.dry`).
    """
    interpreter, asked = find_interpreter(os.environ), mode(os.environ)
    found: dict[str, Any] = {}
    trouble = "there is no interpreter for it"
    if interpreter is not None:
        found, trouble = ask(dry_command(interpreter, ask=not offline), environment(_NOBODY, interpreter))
    if asked == "disabled":  # as the job decides it: no worker is asked
        found.update(mode=asked, refused=[])
    for text in found.get("refused", []):
        level = WARNING if asked == "offline" else ERROR  # that is where they are to go
        yield Finding(level, "W&B setting", f"{text}; until then runs are offline")
    if "server" in found:
        is_asked = asked == "offline" and os.environ.get("WANDB_MODE")  # also where wandb refuses its spelling
        yield _mode(asked if is_asked else found["mode"])
        yield fine("W&B server", f"{found['server']} ({_origin('WANDB_BASE_URL', 'base_url')})")
        yield from _names(found)
        yield from _online(found, offline)
    elif asked == "disabled":
        yield _mode(asked)
    elif "refused" not in found:
        yield _mode(asked or "online")
        yield doubtful("W&B server", f"not known, as wandb cannot be asked ({found.get('wandb') or trouble})")
    yield from _v2(found)


def _mode(asked: str) -> Finding:
    where = f" ({why_not_online(os.environ)})" if mode(os.environ) else ""
    if asked == "disabled":
        advice = "unset WANDB_MODE" if os.environ.get("WANDB_MODE") else "run `wandb enabled`"
        return doubtful("W&B mode", f"disabled: no row is logged{where}", advice)
    until = "; rows stay on disk until `wandb sync`" if asked == "offline" else ""
    return fine("W&B mode", f"{asked}{where}{until}")


def _origin(variable: str, name: str) -> str:
    """Who says so: the environment, a settings file of W&B, wandb itself."""
    if os.environ.get(variable):
        return variable
    value, path = setting(os.environ, name)
    return str(path) if value is not None else "wandb's default"


def _names(found: dict[str, Any]) -> Iterator[Finding]:
    """Entity, project, run name and tags of a run that does not choose them itself."""
    default = _NOBODY.entity_is_documented_default(os.environ)
    advice = "set WANDB_ENTITY to choose one" if default and found["mode"] == "online" else ""
    v1s = "v1's default; the account's own where it may not write there"
    named = v1s if default else _origin("WANDB_ENTITY", "entity")
    detail = f"{found['entity']} ({named})" if found["entity"] else "the account's own"
    yield fine("W&B entity", detail, advice)
    project = found["project"] or "uncategorized (W&B's default)"
    yield fine("W&B project", f"{project}, where the program names none")
    yield fine("W&B run name", found["run_name"] or "the program's, else one that W&B makes up")
    yield fine("W&B tags", ", ".join(found["tags"]) or "none")


def _online(found: dict[str, Any], offline: bool) -> Iterator[Finding]:
    """The key, and whether the server takes it."""
    why, wants = found["offline"], found["mode"] == "online"
    bad_key = why if why and is_about_key(why) else None
    if found["key"] and not bad_key:
        yield fine("W&B API key", f"found ({found['key']}), not shown")
    elif bad_key:
        yield wrong("W&B API key", f"{why} ({found['key']}); runs are offline", f"correct {found['key']}")
    else:
        advice = "set WANDB_API_KEY, or run `wandb login`, or sync the runs later" if wants else ""
        yield Finding(WARNING if wants else OK, "W&B API key", "none; runs are offline", advice)
    what = "W&B reachable"
    if found["asked"] and why:
        advice = "check the key and WANDB_BASE_URL" if "refuses" in why else "check WANDB_BASE_URL and the network"
        yield wrong(what, why, f"{advice}, or set WANDB_MODE=offline")
    elif found["asked"]:
        yield fine(what, f"{found['server']} answers")
    elif why:
        yield fine(what, f"not asked ({why})")
    elif offline:
        yield fine(what, "not asked (--offline)")
    else:
        yield fine(what, "not asked: it is behind a proxy or a gateway; `wandb.init` will ask it")


def _v2(found: dict[str, Any]) -> Iterator[Finding]:
    """What v2 hears with the worker, and its exporters; their settings are not shown, they may hold tokens."""
    if "v2" not in found:
        return
    where = "v2 hears v1's calls"
    if found["v2"]:
        yield doubtful(where, f"no: it cannot be used with the worker ({found['v2']}); rows do not need it")
        return
    yield fine(where, "with the worker; in the job's process if the program itself uses v2 (nv_one_logger)")
    for name, trouble in found["exporters"]:
        if trouble in ("", "off"):
            yield fine("v2 exporter", f"{name}{', off' if trouble else ''}")
        else:
            advice = "install it where the worker runs, or correct v2's export configuration"
            yield doubtful("v2 exporter", f"{name} cannot be used ({trouble})", advice)
    if not found["exporters"]:
        yield fine("v2 exporters", "none: v2's export configuration names no exporter")


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
        advice = "set WANDB_DIR to a folder that can be written"
        detail = f"{folder} ({origin}) cannot be written ({error.strerror}); the temp directory takes the rows to W&B"
        yield doubtful("W&B folder", detail, advice)
    else:
        new = "" if folder.exists() else ", will be made"
        yield fine("W&B folder", f"{folder} ({origin}{new})")
    usage = shutil.disk_usage(there)
    if not usage.total:  # not a disk
        return
    free = usage.free
    level = ERROR if free < _TOO_LITTLE else WARNING if free < _LITTLE else OK
    yield Finding(
        level,
        "disk",
        f"{_size(free)} free at {there}",
        "" if level == OK else "make room, or set WANDB_DIR",
    )


def _size(count: int) -> str:
    return f"{count / 1024**3:,.1f} GiB" if count >= 1024**3 else f"{count / 1024**2:,.0f} MiB"


def leftovers() -> Iterator[Finding]:
    """Journals whose rows have not all been given to W&B."""
    waiting = [left for left in map(examine, find(None)) if not left.finished]
    idle = [left for left in waiting if not left.busy and not left.damaged]
    for left in waiting:
        if left.damaged:
            yield doubtful("journal", f"{left.folder}: {left.damaged}")
        elif left.busy:
            yield fine("journal", f"{left.folder}: {left.busy}")
    for left in idle[-_MOST_JOURNALS:]:
        yield doubtful(
            "journal",
            f"{left.folder}: not finished, {left.rows} rows, W&B has {left.stored} of them on disk",
            recover_command(left.folder),
        )
    if len(idle) > _MOST_JOURNALS:
        yield doubtful("journals", f"{len(idle)} in all", "python -m one_logger_v1_shim recover")
    if not idle:
        yield fine("journals", "no run waits for `recover`")
