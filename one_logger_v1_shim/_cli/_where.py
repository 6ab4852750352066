"""Where what a journal holds may be sent, and which credentials go there. One decision, before anything is started.

A journal says which server its run was for; whoever has written it may have written that, too. So the server must be
one that this user names, now: in the environment, in the user's own settings file of W&B, or W&B's own.
"""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any, Optional

from .._journal.destination import DEFAULT_HOST, DESTINATION, FOREIGN, mode
from .._journal.files import quoted, recover_command
from .._journal.records import RunRecord
from .._journal.secret import without_user
from .._journal.server import CLOUD
from .._journal.settings_files import setting
from .._journal.words import HOST
from ._format import clean

EXPORTERS = "ONE_LOGGER_EXPORTER_CONFIG_PATH"
_SERVER = "WANDB_BASE_URL"
#: variables that say who somebody is, or what goes along with each request
_PATHS = ("WANDB_CONFIG_DIR", "WANDB_IDENTITY_TOKEN_FILE", "NETRC", EXPORTERS)
_CREDENTIALS = ("API_KEY", "TOKEN", "HEADERS", "COOKIE")


def decide(record: RunRecord, environ: MutableMapping[str, str], folder: Path, private: Path) -> Optional[str]:
    """Make ``environ``, a worker's, say where the run of ``record`` goes; nothing else in it decides that.

    Args:
        record: of the journal.
        environ: this user's environment, as a worker gets it.
        folder: of the journal, for the command that agrees.
        private: an empty folder, in which W&B finds no settings.

    Returns why nothing may be sent, in one line; None: it may.
    """
    by_file = setting(os.environ, "base_url", own=True)[0]
    mine = os.environ.get(_SERVER) or by_file or DEFAULT_HOST
    told = record.chosen.get("host") or record.settled.get(_SERVER) or ""
    named = str(told).rstrip("/")
    for name in (*FOREIGN, HOST):
        environ.pop(name, None)
    for name in _PATHS:
        if environ.get(name):  # the worker works in another folder
            environ[name] = os.path.abspath(os.path.expanduser(environ[name]))
    for name in DESTINATION:
        value = record.settled.get(name)
        if name != _SERVER and value is not None and _fits(value):
            environ[name] = value
    asked = mode(os.environ) or (record.mode if record.mode == "offline" else "")
    if asked:
        environ["WANDB_MODE"] = asked
    if not named or _same(named, mine):
        environ[_SERVER] = mine
        return None
    if _is_cloud(named) and _is_cloud(mine):
        environ[_SERVER] = named
        return None
    if asked == "offline":
        return None  # it goes into W&B's files only, and those name no server
    if by_file is not None and _same(named, by_file):
        _forget(environ)
        environ[_SERVER] = by_file
        return None
    if _is_cloud(named):
        _forget(environ)
        environ["WANDB_CONFIG_DIR"] = str(private)
        environ[_SERVER] = named
        return None
    shown = clean(without_user(named))
    agrees = f"{_SERVER}={quoted(without_user(named))} {recover_command(folder)}"
    return f"its server, {shown}, is named by the journal only, and nothing is sent; to send it there: {agrees}"


def _forget(environ: MutableMapping[str, str]) -> None:
    """Credentials in the environment are meant for the server that the environment means."""
    for name in list(environ):
        if name.startswith("WANDB") and any(word in name for word in _CREDENTIALS):
            del environ[name]


def own_server(environ: Mapping[str, str]) -> dict[str, str]:
    """What a command that sends W&B's files itself must be told beside the user's environment."""
    server = environ.get(_SERVER, "")
    return {} if server in ("", os.environ.get(_SERVER, ""), DEFAULT_HOST) else {_SERVER: without_user(server)}


def _same(one: str, other: str) -> bool:
    parts = _parts(one)
    return parts is not None and parts == _parts(other)


def _is_cloud(url: str) -> bool:
    return any(_same(url, f"https://{name}") for name in CLOUD)


def _parts(url: str) -> Any:
    """Scheme, host, port and path of an address; None: it is none."""
    try:
        found = urllib.parse.urlsplit(without_user(url.strip()))
        scheme, port = found.scheme.lower(), found.port
    except ValueError:
        return None
    if scheme not in ("http", "https") or not found.hostname:
        return None
    return scheme, found.hostname.lower(), port or (443 if scheme == "https" else 80), found.path.rstrip("/")


def _fits(value: str) -> bool:
    try:
        os.fsencode(value)
    except ValueError:
        return False
    return "\0" not in value and len(value) < 100_000
