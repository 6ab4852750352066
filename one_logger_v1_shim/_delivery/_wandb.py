"""The only module that imports wandb. What a version can do is asked by feature, never by version number."""

from __future__ import annotations

import base64
import json
import netrc
import os
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, Optional

from ._spec import FOREIGN, RunSpec, mode, seconds

# Wanted settings; those that the installed version does not have are left out.
_SETTINGS: dict[str, Any] = {
    "silent": True,
    "quiet": True,
    "console": "off",
    "x_disable_stats": True,  # v1: _disable_stats
    "disable_job_creation": True,
    "init_timeout": 30.0,
    "finish_timeout": 240.0,
}


@contextmanager
def without(environ: MutableMapping[str, str], *names: str) -> Iterator[None]:
    """``environ`` without ``names`` for the length of the block."""
    taken = {name: environ.pop(name) for name in names if name in environ}
    try:
        yield
    finally:
        environ.update(taken)


def settings(spec: RunSpec, program: Optional[str] = None) -> Any:
    """``wandb.Settings`` for our run."""
    import wandb

    known = getattr(wandb.Settings, "model_fields", {})
    wanted = dict(_SETTINGS)
    if spec.host:
        wanted["base_url"] = spec.host
    if spec.api_key:
        wanted["api_key"] = spec.api_key
    if program:
        wanted["program"] = program
    return wandb.Settings(**{name: value for name, value in wanted.items() if name in known})


def init(spec: RunSpec, run_id: str, folder: str, offline: bool, **more: Any) -> Any:
    """``wandb.init`` of our run; raises whatever wandb raises."""
    import wandb

    program = more.pop("program", None)
    with without(os.environ, *FOREIGN):
        return wandb.init(
            id=run_id,
            dir=folder,
            mode="offline" if offline else "online",
            settings=settings(spec, program),
            **spec.arguments(os.environ),
            **more,
        )


def why_offline(spec: RunSpec, environ: Mapping[str, str]) -> Optional[str]:
    """Why the run must be offline, or None if it can be online: W&B would prompt, wait or raise."""
    asked = mode(environ)
    if asked == "offline":
        return "WANDB_MODE=offline"
    base_url = server(spec)
    key, known = credentials(spec, environ, base_url)
    if not known:
        return "no API key"
    return unreachable(base_url, key, seconds(environ, "ONE_LOGGER_V1_CONNECT_TIMEOUT", 5.0))


def server(spec: RunSpec) -> str:
    """The base URL of the server: chosen, from the environment or W&B's settings file, or W&B's own."""
    found = spec.host or os.environ.get("WANDB_BASE_URL")
    if not found:
        import wandb

        setup = getattr(wandb, "setup", None)
        found = setup().settings.base_url if setup is not None else wandb.Settings().base_url
    return str(found).rstrip("/")


def credentials(spec: RunSpec, environ: Mapping[str, str], base_url: str) -> tuple[Optional[str], bool]:
    """The API key if it can be told, and whether W&B has credentials at all. Never logged."""
    key = spec.api_key or environ.get("WANDB_API_KEY")
    if key:
        return key, True
    if environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return None, True
    host = urllib.parse.urlsplit(base_url).hostname or ""
    for path in (environ.get("NETRC"), "~/.netrc", "~/_netrc"):
        if not path:
            continue
        try:
            entry = netrc.netrc(os.path.expanduser(path)).authenticators(host)
        except (OSError, netrc.NetrcParseError):
            continue
        if entry and entry[2]:
            return entry[2], True
    return None, False


def unreachable(base_url: str, key: Optional[str], timeout: float) -> Optional[str]:
    """Ask the server who we are; why it won't do, or None. Bounded by ``timeout`` seconds for each of its steps."""
    query = json.dumps({"query": "query Viewer { viewer { id } }"}).encode()
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = "Basic " + base64.b64encode(f"api:{key}".encode()).decode()
    request = urllib.request.Request(f"{base_url}/graphql", data=query, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            answer.read(65536)
        return None
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            return f"{base_url} refuses the API key (HTTP {error.code})"
        if error.code == 404 or error.code >= 500:
            return f"{base_url} is no W&B server or is out of order (HTTP {error.code})"
        return None
    except ssl.SSLError:
        return None  # W&B has certificate settings of its own: let it try
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLError):
            return None
        return f"{base_url} can not be reached ({_reason(error.reason)})"
    except (OSError, ValueError) as error:
        return f"{base_url} can not be reached ({_reason(error)})"


def _reason(error: object) -> str:
    if isinstance(error, (TimeoutError, socket.timeout)):
        return "no answer in time"
    return str(getattr(error, "strerror", None) or error)


def run_folder(run: Any) -> str:
    """The folder of a run that ``wandb sync`` takes."""
    found = getattr(getattr(run, "settings", None), "sync_dir", None)
    return str(found or os.path.dirname(str(getattr(run, "dir", ""))))


def notice(spec: RunSpec, reason: str, folder: str) -> str:
    """The one line about an offline run: where it is and how to sync it."""
    entity = " -e YOUR_ENTITY" if spec.entity_is_documented_default(os.environ) else ""
    return f"W&B run is offline ({reason}): {folder}; sync it with: wandb sync{entity} {folder}"


def log(run: Any, row: dict[str, Any], **step: Any) -> Optional[str]:
    """``run.log(row)``. A row that W&B refuses goes in with its values as text; says so, if that was necessary."""
    try:
        run.log(row, **step)
    except (TypeError, ValueError, OverflowError, UnicodeError) as error:
        run.log({str(key): _storable(value) for key, value in row.items()}, **step)
        return f"W&B refused a row ({error!r}); the values that it can not take were logged as text"
    return None


def _storable(value: Any) -> Any:
    if value is None or isinstance(value, (bool, float, str)):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else repr(value)
    return repr(value)
