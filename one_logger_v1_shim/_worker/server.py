"""Checks server and key before ``wandb.init``, which may prompt, raise or block."""

from __future__ import annotations

import base64
import json
import netrc
import os
import socket
import ssl
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any, Optional

from .._journal.destination import RunSpec, mode, without_user
from .._variables import seconds


def why_offline(spec: RunSpec, environ: Mapping[str, str]) -> Optional[str]:
    """Why the run must be offline, or None if it can be online."""
    if mode(environ) == "offline":
        return "WANDB_MODE=offline"
    base_url = server(spec)
    key, known = credentials(spec, environ, base_url)
    if not known:
        return "no API key"
    return unreachable(base_url, key, seconds(environ, "ONE_LOGGER_V1_CONNECT_TIMEOUT"))


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
    key = netrc_key(environ, base_url)
    return key, key is not None


def netrc_key(environ: Mapping[str, str], base_url: str) -> Optional[str]:
    """The key that the user keeps for this server."""
    host = urllib.parse.urlsplit(base_url).hostname or ""
    for path in (environ.get("NETRC"), "~/.netrc", "~/_netrc"):
        if not path:
            continue
        try:
            entry = netrc.netrc(os.path.expanduser(path)).authenticators(host)
        except (OSError, ValueError, netrc.NetrcParseError):
            continue
        if entry and entry[2]:
            return entry[2]
    return None


def unreachable(base_url: str, key: Optional[str], timeout: float) -> Optional[str]:
    """Ask the server who we are; why it won't do, or None. Takes ``timeout`` seconds at most."""
    found: list[Optional[str]] = []
    # In a thread: neither the look-up of a name nor an answer that trickles in is bounded by a socket's time-out.
    thread = threading.Thread(target=lambda: found.append(_ask(base_url, key, timeout)), daemon=True)
    thread.start()
    thread.join(timeout)
    return found[0] if found else f"{without_user(base_url)} can not be reached (no answer in {timeout:g} s)"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow nothing: the key is meant for this server."""


def _ask(base_url: str, key: Optional[str], timeout: float) -> Optional[str]:
    shown = without_user(base_url)
    try:
        query = json.dumps({"query": "query Viewer { viewer { id } }"}).encode()
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Authorization"] = "Basic " + base64.b64encode(f"api:{key}".encode()).decode()
        request = urllib.request.Request(f"{base_url}/graphql", data=query, headers=headers)
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=timeout) as answer:
            answer.read(65536)
        return None
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (401, 403):
            return f"{shown} refuses the API key (HTTP {error.code})"
        if error.code == 404 or error.code >= 500:
            return f"{shown} is no W&B server or is out of order (HTTP {error.code})"
        return None
    except ssl.SSLError:
        return None  # W&B has certificate settings of its own: let it try
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLError):
            return None
        return f"{shown} can not be reached ({_reason(error.reason)})"
    except Exception as error:
        return f"{shown} can not be reached ({_reason(error)})"


def _reason(error: object) -> str:
    if isinstance(error, (TimeoutError, socket.timeout)):
        return "no answer in time"
    return str(getattr(error, "strerror", None) or type(error).__name__)
