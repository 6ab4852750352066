"""Server and key, without wandb. Asked by the worker and by commands.

Checks both before ``wandb.init``, which may prompt, raise or block for long.

Only what is certain keeps a run offline: no credentials, a refused key, a server of which no address answers. Where a
proxy, or a gateway's headers or user, stand between, nothing is asked here: whether the server
answers is seen by ``wandb.init``, which has a time limit.

Both processes.
"""

from __future__ import annotations

import base64
import json
import netrc
import os
import re
import socket
import ssl
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from .._variables import seconds
from .destination import RunSpec, why_not_online
from .secret import without_user

_INIT = "ONE_LOGGER_V1_INIT_TIMEOUT"
TOKEN = "WANDB_IDENTITY_TOKEN_FILE"
_BAD = "the API key"
_NOT_REACHED = "{} cannot be reached"
_STRANGE = "{} does not answer as W&B does ({})"
#: W&B's own server has a second name since wandb 0.31; a key is kept under either.
CLOUD = ("api.wandb.ai", "api.forge.coreweave.com")


@dataclass(frozen=True)
class Found:
    """Attributes:
    mode: ``online``, ``offline`` or ``disabled``.
    base_url: the server.
    api_key: as wandb finds it for the run's server: in the environment, netrc or a settings file. Never shown.
    direct: no proxy and no HTTP header of the user's stands between us and the server.
    complete: wandb itself has looked for a key, everywhere; else netrc is still to be read.
    refused: why wandb takes none of the credentials that it finds, in one line.
    """

    mode: str
    base_url: str
    api_key: Optional[str] = field(repr=False)
    direct: bool
    complete: bool = False
    refused: Optional[str] = None


def why_offline(spec: RunSpec, found: Found, environ: Mapping[str, str], doubts: bool = False) -> Optional[str]:
    """Why the run must be offline, or None if it can be online. ``doubts``: as in :func:`unreachable`."""
    if found.mode != "online":
        return why_not_online(environ)
    if seconds(environ, _INIT) == 0:
        return f"{_INIT}=0"
    base_url = address(spec, found)
    if found.refused:
        return f"{_BAD} is refused by wandb ({found.refused})"
    key, known = credentials(spec.api_key or found.api_key, environ, base_url, found.complete)
    if not known:
        return "no API key"
    trouble = _no_token(environ) if key is None else malformed(key)
    return trouble or _unreachable(found, base_url, key, environ, doubts)


def is_about_key(why: str) -> bool:
    """Whether that reason of :func:`why_offline` is an API key, or a token, that is none."""
    return why.startswith((_BAD, TOKEN))


def unasked(found: Found) -> Found:
    """``found`` as if something stood between us and the server: then no question is asked."""
    return replace(found, direct=False)


def why_incomplete(spec: RunSpec, found: Found, environ: Mapping[str, str]) -> Optional[str]:
    """Why the server may not have all that wandb has sent it; None: nothing speaks against it."""
    base_url = address(spec, found)
    key, _ = credentials(spec.api_key or found.api_key, environ, base_url, found.complete)
    return _unreachable(found, base_url, key, environ)


def address(spec: RunSpec, found: Found) -> str:
    """The base URL of the run's server: chosen, or as W&B's settings say."""
    return (spec.host or found.base_url).rstrip("/")


def _unreachable(
    found: Found, base_url: str, key: Optional[str], environ: Mapping[str, str], doubts: bool = False
) -> Optional[str]:
    if not found.direct or "@" in base_url:  # a user for a gateway
        return None
    return unreachable(base_url, key, seconds(environ, "ONE_LOGGER_V1_CONNECT_TIMEOUT"), doubts)


def credentials(
    key: Optional[str], environ: Mapping[str, str], base_url: str, complete: bool = False
) -> tuple[Optional[str], bool]:
    """The API key if it can be told, and whether W&B may have credentials at all. Never logged.

    Args:
        key: from the v1 configuration or W&B's settings; the environment and the user's netrc file come after it.
        environ: of the worker.
        base_url: of the server.
        complete: wandb has told the key, if there is one; nothing is looked for here.
    """
    key = key or environ.get("WANDB_API_KEY")
    if key:
        return key, True
    if environ.get(TOKEN):
        return None, True
    if complete:
        return None, False
    key = netrc_key(environ, base_url)
    # Under which name wandb looks into the file is not the same in all versions: it may find what we do not.
    return key, key is not None or any(map(os.path.isfile, _netrc_files(environ)))


def malformed(key: Optional[str]) -> Optional[str]:
    """Why no wandb takes this API key, for a server that is asked; None: it may be one. Says nothing of the key."""
    if not key or key.count(".") == 2:  # a JSON web token
        return None
    if not re.fullmatch(r"[A-Za-z0-9_-]*", key):
        return f"{_BAD} has a character that wandb does not take (a quote, a blank)"
    size = len(key.split("-", 1)[-1])
    return f"{_BAD} has {size} characters, wandb expects 40 or more" if size < 40 else None


def _no_token(environ: Mapping[str, str]) -> Optional[str]:
    """Why there is no token where the user says one is; wandb reads it when the run is made."""
    path = environ.get(TOKEN)
    if not path:
        return None
    try:
        with open(path, "rb") as file:
            return None if file.read(4096).strip() else f"{TOKEN} names an empty file"
    except (OSError, ValueError) as error:
        return f"{TOKEN} names a file that cannot be read ({getattr(error, 'strerror', None) or error})"


def netrc_key(environ: Mapping[str, str], base_url: str) -> Optional[str]:
    """The key that the user keeps for this server."""
    parts = urllib.parse.urlsplit(base_url)
    names = [parts.netloc.rpartition("@")[2], parts.hostname or ""]
    if parts.hostname in CLOUD:
        names.extend(CLOUD)
    for path in _netrc_files(environ):
        try:
            known = netrc.netrc(path)
        except (OSError, ValueError, netrc.NetrcParseError):
            continue
        for name in names:
            entry = known.hosts.get(name)
            if entry and entry[2]:
                return entry[2]
    return None


def _netrc_files(environ: Mapping[str, str]) -> list[str]:
    return [os.path.expanduser(path) for path in (environ.get("NETRC"), "~/.netrc", "~/_netrc") if path]


class _Doubt(str):
    """Why a server is probably none of W&B's. ``wandb.init``, which is bounded, decides."""


def unreachable(base_url: str, key: Optional[str], timeout: float, doubts: bool = False) -> Optional[str]:
    """Ask the server who we are; why it won't do, or None. Takes ``timeout`` seconds at most.

    ``doubts``: also what is not certain, and may pass: an answer that is none of W&B's, 429 and the like.
    """
    answers: list[Optional[str]] = []
    open_ones: list[str] = []
    # In threads: neither the look-up of a name nor an answer that trickles in is bounded by a socket's time-out.
    threading.Thread(target=_dial_others, args=(base_url, timeout, open_ones), daemon=True).start()
    question = threading.Thread(target=lambda: answers.append(_ask(base_url, key, timeout)), daemon=True)
    question.start()
    question.join(timeout)
    answer = answers[0] if answers else _silent(base_url, timeout)
    if open_ones and answer is not None and answer.startswith(_NOT_REACHED.format(without_user(base_url))):
        return None
    return None if isinstance(answer, _Doubt) and not doubts else answer


def _dial_others(base_url: str, timeout: float, open_ones: list[str]) -> None:
    """A name may have several addresses, the first one dead: urllib waits for that one alone, wandb tries all."""
    parts = urllib.parse.urlsplit(base_url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError, UnicodeError):
        return
    for host in list(dict.fromkeys(str(one[4][0]) for one in found))[1:]:
        threading.Thread(target=_dial, args=(host, port, timeout, open_ones), daemon=True).start()


def _dial(host: str, port: int, timeout: float, open_ones: list[str]) -> None:
    with suppress(OSError):
        socket.create_connection((host, port), timeout).close()
        open_ones.append(host)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow nothing: the key is meant for this server, and wandb follows nothing either."""


def _ask(base_url: str, key: Optional[str], timeout: float) -> Optional[str]:
    shown = without_user(base_url)
    try:
        query = json.dumps({"query": "query Viewer { viewer { id } }"}).encode()
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Authorization"] = "Basic " + base64.b64encode(f"api:{key}".encode()).decode()
        request = urllib.request.Request(f"{base_url}/graphql", data=query, headers=headers)
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=timeout) as answer:
            return None if _is_graphql(answer) else _Doubt(_STRANGE.format(shown, f"HTTP {answer.status}"))
    except urllib.error.HTTPError as error:
        with error:
            if error.code in (401, 403):
                return f"{shown} refuses the API key (HTTP {error.code})" if key else None
            if error.code == 404 or error.code >= 500:
                return f"{shown} is no W&B server or is out of order (HTTP {error.code})"
            return None if _is_graphql(error) else _Doubt(_STRANGE.format(shown, f"HTTP {error.code}"))
    except Exception as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):  # W&B has certificate settings of its own: let it try
            checked = os.environ.get("WANDB_INSECURE_DISABLE_SSL", "").lower() not in ("1", "true", "yes", "on")
            return _Doubt(f"the certificate of {shown} is not trusted here") if checked else None
        if isinstance(reason, ssl.SSLError):
            return _Doubt(_STRANGE.format(shown, reason.reason or "TLS"))
        if isinstance(reason, (TimeoutError, socket.timeout)):  # a moment before or after the thread that waits for us
            return _silent(base_url, timeout)
        return f"{_NOT_REACHED.format(shown)} ({getattr(reason, 'strerror', None) or type(reason).__name__})"


def _is_graphql(answer: Any) -> bool:
    try:
        said = json.loads(answer.read(65536))
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and not said.keys().isdisjoint(("data", "errors"))


def _silent(base_url: str, timeout: float) -> str:
    return f"{_NOT_REACHED.format(without_user(base_url))} (no answer in {timeout:g} s)"
