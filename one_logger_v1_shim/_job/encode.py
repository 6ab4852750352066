"""A row as one line of JSON, whatever is in it. Runs in the job's process.

A row of what JSON knows takes one call of Python's encoder. Anything that it cannot take goes through :mod:`.values`,
which says for each value what W&B would have stored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Callable

from .._handlers import is_the_applications
from . import values


class _Unusual(Exception):
    pass


def _unusual(value: Any) -> Any:
    raise _Unusual


def _python_encoder() -> Callable[[Any], str]:
    """Python's encoder, made once: ``JSONEncoder`` makes one for each call, which is a sixth of its time."""
    usual = json.JSONEncoder(separators=(",", ":"), default=_unusual).encode
    try:
        text: Any = json.encoder.encode_basestring_ascii
        make: Any = json.encoder.c_make_encoder  # type: ignore[attr-defined]
        made = make(None, _unusual, text, None, ":", ",", False, False, True)
        sample = {"a": [1, None, True], "b": {"c\u00e4\ud800": 1e300 * 1e300, "d": -0.1}}
        if "".join(made(sample, 0)) == usual(sample):
            return lambda value: "".join(made(value, 0))
    except Exception:  # another Python than CPython, or a later one
        pass
    return usual


_plain = _python_encoder()


def encode(row: Mapping[str, Any]) -> bytes:
    """One JSON object on one line of ASCII, without its end. Never raises; ``row`` is neither changed nor kept.

    None stays null, NaN and infinities are spelled as Python's ``json`` does; numbers, arrays and tensors of numpy and
    torch, dates, sets and so on become what W&B would have made of them. What W&B can't store becomes its ``repr``,
    logged once per key.
    """
    try:
        text = _plain(row if type(row) is dict else as_dict(row))
        # perhaps a surrogate, which W&B's UTF-8 can't carry; perhaps a key that W&B spells in another way than Python
        if not ("\\ud" in text or 'null":' in text or 'NaN":' in text or 'Infinity":' in text):
            return text.encode("ascii")
    except BaseException as error:  # a mapping of the user's may raise anything
        if is_the_applications(error):
            raise
    found = {values.key(key): values.value(str(key), value) for key, value in as_dict(row).items()}
    return _plain(found).encode("ascii")


def as_dict(row: Mapping[str, Any]) -> dict[str, Any]:
    """``row`` as a dict; a value that can't be read (a mapping of the user's may raise) is told and costs itself only.

    Raises what ``row`` raises where not even its keys can be read.
    """
    return row if type(row) is dict else dict(values.pairs(row))
