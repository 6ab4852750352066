"""Where rows will go: W&B's mode, server, entity and key; the disk; and journals that wait for ``recover``."""

from __future__ import annotations

import configparser
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from .._job.environment import PATH, environment
from .._job.interpreter import find as find_interpreter
from .._journal.destination import RunSpec, mode, without_user
from .._worker.server import credentials, unreachable
from ._findings import ERROR, OK, WARNING, Finding
from ._left import find, look

_NOBODY = RunSpec(chosen={}, default={})
_REACH_LIMIT = 5.0  # seconds
_IMPORT_LIMIT = 60.0  # seconds; wandb on a slow network file system
_MOST_JOURNALS = 10
_LITTLE, _TOO_LITTLE = 1024**3, 50 * 1024**2  # bytes free

# In a process of its own: importing wandb is slow, may fail in many ways, and sets things up that a doctor must not.
# The default server is not the same in all versions of wandb.
_ASK_WANDB = "import json, wandb; print(json.dumps(str(wandb.Settings().base_url)))"


def destination(offline: bool) -> Iterator[Finding]:
    """Mode, server, entity, key, reachability."""
    asked = mode(os.environ)
    if asked == "disabled":
        yield Finding(WARNING, "W&B mode", "WANDB_MODE=disabled: no row is logged", "unset WANDB_MODE")
    elif asked == "offline":
        yield Finding(OK, "W&B mode", "offline (WANDB_MODE); rows stay on disk until `wandb sync`")
    elif asked in ("", "online"):
        yield Finding(OK, "W&B mode", "online" + (" (WANDB_MODE)" if asked else ""))
    else:
        yield Finding(WARNING, "W&B mode", f"WANDB_MODE={asked!r}", "expected online, offline or disabled")
    own, trouble = _default_server()
    server, origin = _server(own)
    if server is None:
        yield Finding(WARNING, "W&B server", f"not known, as wandb can not be asked ({trouble})")
    else:
        yield Finding(OK, "W&B server", f"{without_user(server)} ({origin})")
    yield _entity(asked)
    key, where = _key(server or "")
    wants = asked in ("", "online")
    if where:
        yield Finding(OK, "W&B API key", f"found ({where}), not shown")
    else:
        yield Finding(
            WARNING if wants else OK,
            "W&B API key",
            "none; runs are offline",
            "set WANDB_API_KEY, or run `wandb login`, or sync the runs later" if wants else "",
        )
    if offline or asked in ("offline", "disabled"):
        yield Finding(OK, "W&B reachable", "not asked (" + ("--offline)" if offline else f"WANDB_MODE={asked})"))
    elif server is not None:
        yield _reachable(server, key, bool(where))


def _default_server() -> tuple[Optional[str], str]:
    """wandb's own server, and why it can not be told."""
    interpreter = find_interpreter(os.environ)
    if interpreter is None:
        return None, "there is no interpreter for it"
    environ = environment(_NOBODY, interpreter)
    if not interpreter.isolated:
        environ["PYTHONPATH"] = environ.pop(PATH, "")
    try:
        said = subprocess.run(
            [interpreter.path, *(["-I"] if interpreter.isolated else []), "-c", _ASK_WANDB],
            env=environ,
            capture_output=True,
            text=True,
            timeout=_IMPORT_LIMIT,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None, f"no end within {_IMPORT_LIMIT:g} s"
    except OSError as error:
        return None, str(error)
    try:
        return str(json.loads(said.stdout.splitlines()[-1])), ""
    except (ValueError, IndexError):
        lines = said.stderr.strip().splitlines()
        return None, lines[-1] if lines else f"exit code {said.returncode}"


def _server(own: Optional[str]) -> tuple[Optional[str], str]:
    """The server's address and who says so: environment, W&B's settings files, wandb itself."""
    told = os.environ.get("WANDB_BASE_URL")
    if told:
        return told.rstrip("/"), "WANDB_BASE_URL"
    home = os.environ.get("WANDB_CONFIG_DIR") or "~/.config/wandb"
    for path in (Path("wandb/settings"), Path(os.path.expanduser(home)) / "settings"):
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read(path, encoding="utf-8")
            told = parser.get("default", "base_url", fallback=None)
        except (configparser.Error, UnicodeError, OSError):
            continue
        if told:
            return told.rstrip("/"), str(path)
    return (None, "") if own is None else (own.rstrip("/"), "wandb's default")


def _entity(asked: str) -> Finding:
    entity = os.environ.get("WANDB_ENTITY")
    if entity:
        return Finding(OK, "W&B entity", f"{entity} (WANDB_ENTITY)")
    return Finding(
        WARNING if asked in ("", "online") else OK,
        "W&B entity",
        "hwinf_dcm, v1's default, unless the job's configuration names another",
        "outside NVIDIA set WANDB_ENTITY",
    )


def _key(server: str) -> tuple[Optional[str], str]:
    """The key, and where it is from; "" when there are no credentials."""
    key, known = credentials(_NOBODY, os.environ, server)
    if not known:
        return None, ""
    if os.environ.get("WANDB_API_KEY"):
        return key, "WANDB_API_KEY"
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
    """Can the W&B folder be written, and is there room?"""
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
    waiting = [left for left in map(look, find(None)) if not left.finished]
    idle = [left for left in waiting if not left.busy]
    for left in waiting:
        if left.busy:
            yield Finding(OK, "journal", f"{left.folder}: {left.busy}")
    for left in idle[-_MOST_JOURNALS:]:
        yield Finding(
            WARNING,
            "journal",
            f"{left.folder}: not finished, {left.rows} rows, W&B has {left.stored} of them on disk",
            f"python -m one_logger_v1_shim recover {left.folder}",
        )
    if len(idle) > _MOST_JOURNALS:
        yield Finding(WARNING, "journals", f"{len(idle)} in all", "python -m one_logger_v1_shim recover")
    if not idle:
        yield Finding(OK, "journals", "no run waits for `recover`")
