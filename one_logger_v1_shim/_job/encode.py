"""A row as one line of JSON, whatever is in it. Runs in the job's process.

A row of what JSON knows takes one call of Python's encoder. Anything that it cannot take goes through :func:`_clean`,
which asks for each value what W&B could store.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Callable

from .._handlers import raised_by_handler
from .._log import warn_once

# W&B stores arrays up to this size as lists and larger ones as histograms of that many bins.
_LONGEST_ARRAY = 32
_LONGEST_REPR = 1000
_DEEPEST = 50


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

    None stays null, NaN and infinities are spelled as Python's ``json`` does, scalars of numpy and torch become
    Python numbers, small arrays lists and large ones W&B's histograms. What W&B can't store becomes its ``repr``,
    logged once per key.
    """
    try:
        text = _plain(row if type(row) is dict else dict(row))
        if "\\ud" not in text:  # perhaps a surrogate, which W&B's UTF-8 can't carry
            return text.encode("ascii")
    except (_Unusual, TypeError, ValueError, RecursionError, OverflowError) as error:
        if raised_by_handler(error):
            raise
    try:
        text = _plain({_key(key): _clean(str(key), value, ()) for key, value in dict(row).items()})
    except Exception as error:  # a value whose every method raises
        if raised_by_handler(error):
            raise
        warn_once("encode", f"a row could not be read ({error!r}); its values are kept as text")
        text = _plain({_key(key): _shown(value) for key, value in dict(row).items()})
    return text.encode("ascii")


def _key(key: Any) -> str:
    return _text(key if isinstance(key, str) else str(key))


def _text(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode("utf-8")
    return str.__str__(text)


def _clean(name: str, value: Any, within: tuple[int, ...]) -> Any:
    """What of ``value`` W&B can store. ``within``: the containers around it, by id."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        try:
            int.__repr__(value)
        except ValueError:  # longer than str() takes
            return _as_repr(name, value, f"<int of {value.bit_length()} bits>")
        return int(value)
    if isinstance(value, float):
        return float(value)
    if id(value) in within or len(within) >= _DEEPEST:
        return _as_repr(name, value)
    inside = (*within, id(value))
    if isinstance(value, Mapping):
        return {_key(key): _clean(f"{name}.{key}", one, inside) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(name, one, inside) for one in value]
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    array = _array(value)
    if array is not None:
        return _clean(name, array, inside) if isinstance(array, list) else array
    return _as_repr(name, value)


def _array(value: Any) -> Any:
    """A numpy or torch scalar as a number, a small array as a list, a large one as W&B's histogram; None for others."""
    if not callable(getattr(value, "tolist", None)) or not hasattr(value, "shape"):
        return None
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    size = 1
    for length in value.shape:
        size *= int(length)
    if size > _LONGEST_ARRAY:
        return _histogram(value)
    plain = value.tolist()
    if isinstance(plain, (bool, int, float, str, list)):
        return plain
    return None


def _histogram(value: Any) -> Any:
    try:
        import numpy

        flat = numpy.asarray(value, dtype=float).ravel()
        counts, edges = numpy.histogram(flat[numpy.isfinite(flat)], bins=_LONGEST_ARRAY)
    except (ImportError, TypeError, ValueError):
        return None
    return {"_type": "histogram", "values": counts.tolist(), "bins": edges.tolist()}


def _as_repr(name: str, value: Any, shown: str = "") -> str:
    warn_once(
        f"repr:{name}",
        f"metric {name!r}: W&B can not store a {type(value).__module__}.{type(value).__name__}; its repr is logged",
    )
    return shown or _shown(value)


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except Exception as error:
        text = f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
    return _text(text if len(text) <= _LONGEST_REPR else text[:_LONGEST_REPR] + "...")
