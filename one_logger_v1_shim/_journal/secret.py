"""What is secret, and texts without it: W&B's key, and user and password in an address. Both processes.

An address can be spelled in many ways, also wrongly: what may be a password goes, and not only what a parser takes for
one.
"""

from __future__ import annotations

import os
import re
from typing import TypeVar

_Value = TypeVar("_Value")

_SCHEME = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]*:/+")
#: variables whose value is an address
_ADDRESSES = ("WANDB_BASE_URL", "ONE_LOGGER_V1_HOST")
_KEYS = ("WANDB_API_KEY",)
_SHORT = 4  # characters; a shorter word stands in texts by chance

_ASSIGNED = re.compile(r"(?i)(\bapi_?key['\"]?\s*[=:]\s*['\"]?)[^\s'\"]+")
_KEY = re.compile(r"(?<![A-Za-z0-9])(?:local-)?[0-9a-fA-F]{40}(?![A-Za-z0-9])|\bwandb_v[0-9]_[A-Za-z0-9_-]{20,}")
_USER = re.compile(r"(?<![A-Za-z0-9])([A-Za-z][A-Za-z0-9+.-]*:/+)[^\s'\"]*@")
_HIDDEN = "***"


def without_user(url: str) -> str:
    """``url`` without a user name, a password and a query, however it is spelled."""
    before, at, rest = url.rpartition("@")
    if at:
        scheme = _SCHEME.match(before)
        url = f"{scheme[0] if scheme else ''}{rest}"
    return re.split(r"[?#]", url)[0]


def hidden(text: _Value, alike: bool = False) -> _Value:
    """``text`` without what is secret in this process. What is no text stays.

    ``alike``: and without what has the form of a key. Commits of git and names of folders may have it, too.
    """
    if not isinstance(text, str):
        return text
    found: str = text
    for name in _KEYS:
        key = os.environ.get(name, "")
        if len(key) >= _SHORT:
            found = found.replace(key, _HIDDEN)
    for name in _ADDRESSES:
        address = os.environ.get(name, "")
        secret = _user(address)
        if secret:
            found = found.replace(address, without_user(address)).replace(f"{secret}@", "")
            word = secret.partition(":")[2]
            found = found.replace(word, _HIDDEN) if len(word) >= _SHORT else found
    found = _ASSIGNED.sub(rf"\1{_HIDDEN}", found)
    if alike:
        found = _KEY.sub(_HIDDEN, found)
    return _USER.sub(r"\1", found)  # type: ignore[return-value]


def _user(address: str) -> str:
    before, _, _ = address.rpartition("@")
    scheme = _SCHEME.match(before)
    return before[scheme.end() :] if scheme else before
