"""One value as W&B's JSON has it. Runs in the job's process, for rows that Python's encoder does not take as they are.

The measure is ``wandb.Run.log`` of the newest wandb: what it stores of a value is stored. Types of modules that may not
be loaded are known by their names. What is told of values that no JSON takes is :func:`as_text`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any, Callable, Optional

from .._handlers import is_the_applications
from .._log import warn_once

# W&B stores arrays up to this size as lists and larger ones as histograms of that many bins.
_LONGEST_ARRAY = 32
_LONGEST_REPR = 1000
_DEEPEST = 50
# What is read within a value of a type that is none of Python's own: it may have no end.
_MOST_ITEMS = 10_000

_BYTES = (bytes, bytearray, memoryview)
_LISTS = (list, tuple, set, frozenset, deque)
_CONTAINERS = (dict, *_LISTS)
_UNKNOWN = object()


class _Unreadable:
    """In place of a value that its container does not give: OmegaConf's ``???`` raises when it is read."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __repr__(self) -> str:
        return f"<{type(self._error).__name__}>"


class _Endless(Exception):
    pass


class _Left:
    """How many items may still be read within a value whose type is not Python's own."""

    def __init__(self) -> None:
        self._items = _MOST_ITEMS

    def take(self, items: Iterable[Any]) -> list[Any]:
        found = list(islice(items, self._items + 1))
        self._items -= len(found)
        if self._items < 0:
            raise _Endless(f"more than {_MOST_ITEMS} items")
        return found


def value(name: str, given: Any, within: tuple[int, ...] = (), left: Optional[_Left] = None) -> Any:
    """What W&B can store of ``given``. Whatever is wrong with a value costs that value alone: it becomes its text.

    Args:
        name: the metric's, for a message.
        given: the value.
        within: the containers around it, by id.
        left: what may still be read within a container around it; None: it has no limit.
    """
    try:
        return _value(name, given, within, left)
    except BaseException as error:  # any of its methods
        if is_the_applications(error) or (left and isinstance(error, _Endless)):
            raise
        return as_text(name, given, error=error)


def key(given: Any) -> str:
    """A key of a mapping as W&B spells it; what is no key there as ``str`` does."""
    try:
        found = given
        for _ in range(3):  # numpy's date is a date, which is a text
            if isinstance(found, str):
                return _text(found)
            if isinstance(found, tuple):
                return ",".join(map(key, found))
            if found is None or isinstance(found, (int, float)):
                return str(found).lower() if isinstance(found, bool) else str(found)
            found = _leaf(found)
    except BaseException as error:
        if is_the_applications(error):
            raise
    return _shown(given)


def pairs(mapping: Mapping[Any, Any], left: Optional[_Left] = None) -> list[tuple[Any, Any]]:
    """The items of a mapping, also where ``items()`` raises: one value that can't be read costs itself only."""
    left = left or _Left()
    try:
        return list(mapping.items()) if isinstance(mapping, dict) else left.take(mapping.items())
    except BaseException as error:
        if is_the_applications(error) or isinstance(error, _Endless):
            raise
    if isinstance(mapping, dict):  # its methods are another's; what it holds is not
        return list(dict.items(mapping))
    return [(one, _read(mapping.__getitem__, one)) for one in left.take(mapping)]


def _read(get: Callable[[Any], Any], name: Any) -> Any:
    try:
        return get(name)
    except BaseException as error:
        if is_the_applications(error):
            raise
        return _Unreadable(error)


def _text(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        with suppress(UnicodeDecodeError):  # pairs of surrogates are characters
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        return text.encode("utf-8", "backslashreplace").decode("utf-8")
    return str.__str__(text)


def _value(name: str, given: Any, within: tuple[int, ...], left: Optional[_Left]) -> Any:
    if given is None or given is True or given is False:
        return given
    if isinstance(given, str):
        return _text(given)
    if isinstance(given, int):
        try:
            int.__repr__(given)
        except ValueError:  # longer than str() takes
            return as_text(name, given, f"<int of {given.bit_length()} bits>")
        return int(given)
    if isinstance(given, float):
        return float(given)
    if id(given) in within or len(within) >= _DEEPEST:
        return as_text(name, given)
    inside = (*within, id(given))
    if not isinstance(given, _CONTAINERS):
        left = left or _Left()
        left.take((given,))
    if isinstance(given, Mapping):
        return {key(one): value(f"{name}.{key(one)}", item, inside, left) for one, item in pairs(given, left)}
    if isinstance(given, _LISTS):
        return [value(name, item, inside, left) for item in given]
    textual = isinstance(given, _BYTES) or hasattr(type(given), "casefold")  # UserString is a sequence of its own kind
    if left and isinstance(given, (Sequence, Iterator)) and not textual:
        return [value(name, item, inside, left) for item in _items(given, left)]
    found = _leaf(given)
    return as_text(name, given) if found is _UNKNOWN else value(name, found, inside, left)


def _leaf(given: Any) -> Any:
    """What W&B has in place of a value that is no container; :data:`_UNKNOWN`: nothing."""
    if isinstance(given, _BYTES):
        return bytes(given).decode("utf-8")
    found = _array(given)
    return _known(given) if found is _UNKNOWN else found


def _items(sequence: Any, left: _Left) -> Iterable[Any]:
    """The items of a list that is no ``list``, or what an iterator gives."""
    try:
        return left.take(sequence)
    except BaseException as error:
        if is_the_applications(error) or isinstance(error, _Endless) or not hasattr(sequence, "__len__"):
            raise
    return [_read(sequence.__getitem__, index) for index in range(len(sequence))]


# -- arrays ------------------------------------------------------------------------------------------------------------


def _array(given: Any) -> Any:
    """An array of one number as that number, a small one as a list, a large one as W&B's histogram."""
    if not hasattr(type(given), "shape"):  # a mock has whatever one asks it for
        return _UNKNOWN
    if hasattr(given, "detach"):
        given = given.detach().cpu()
        if getattr(given, "is_sparse", False):
            given = given.to_dense()
    elif not callable(getattr(given, "tolist", None)) and callable(getattr(given, "numpy", None)):
        given = given.numpy()
    if not callable(getattr(given, "tolist", None)):
        return _UNKNOWN
    size = 1
    for length in given.shape:
        size *= int(length)
    if size > _LONGEST_ARRAY:
        return _histogram(given)
    plain = given.tolist()
    if size == 1:
        for _ in given.shape:
            plain = plain[0]
    if type(plain) is type(given):  # more precise than a Python number
        plain = complex(plain) if getattr(given.dtype, "kind", "") == "c" else float(plain)
    return plain


def _histogram(given: Any) -> Any:
    import numpy

    if hasattr(given, "detach"):
        try:
            flat = given.numpy()
        except TypeError:  # numpy has no such number: bfloat16
            flat = given.double().numpy()
    else:
        flat = numpy.asarray(given)
    flat = flat.ravel()
    if flat.dtype.kind != "O":
        flat = flat[numpy.isfinite(flat)]
    counts, edges = numpy.histogram(flat, bins=_LONGEST_ARRAY)
    return {"_type": "histogram", "values": counts.tolist(), "bins": edges.tolist()}


# -- types of the standard library -------------------------------------------------------------------------------------


def _iso(given: Any) -> str:
    kind = type(given)
    if given == given:  # pandas' own has nanoseconds, and a text for no time
        kind = next((one for one in kind.__mro__ if one.__module__ == "datetime"), kind)
    text = str(kind.isoformat(given))
    return f"{text[:-6]}Z" if text.endswith("+00:00") else text


def _duration(given: Any) -> str:
    """ISO 8601, with years of 365 days."""
    sign, given = ("-", -given) if given.days < 0 else ("", given)
    years, days = divmod(given.days, 365)
    minutes, second = divmod(given.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{given.microseconds:06d}".rstrip("0") if given.microseconds else ""
    seconds = f"{second}{fraction}S" if second or fraction else ""
    date = "".join(f"{number}{letter}" for number, letter in ((years, "Y"), (days, "D")) if number)
    clock = "".join(f"{number}{letter}" for number, letter in ((hours, "H"), (minutes, "M")) if number) + seconds
    if not date and not clock:
        return "PT0S"
    return f"{sign}P{date}" + (f"T{clock}" if clock else "")


def _complex(given: complex) -> str:
    real, imaginary = _digits(given.real), _digits(given.imag)
    return f"{imaginary}j" if given.real == 0 else f"{real}{'' if imaginary[0] == '-' else '+'}{imaginary}j"


def _digits(number: float) -> str:
    """Without an exponent, and without the point of a whole number."""
    text = repr(number).replace("nan", "NaN")
    if "e" in text:
        from decimal import Decimal

        text = format(Decimal(text), "f")
    return text[:-2] if text.endswith(".0") else text


#: module and name of a type, which may be a base of the value's -> what W&B has
_KNOWN: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("enum", "Enum"): lambda given: given.name if type(given.value) is object else given.value,
    ("builtins", "complex"): _complex,
    ("datetime", "timedelta"): _duration,
    ("decimal", "Decimal"): str,
    ("fractions", "Fraction"): str,
    ("uuid", "UUID"): str,
    ("re", "Pattern"): lambda given: str(given.pattern),
    ("collections", "UserString"): str,
    ("ipaddress", "_IPAddressBase"): str,
}


def _known(given: Any) -> Any:
    """What W&B has of a type of the standard library, a dataclass, anything that can be called."""
    for one in type(given).__mro__:
        conversion = _KNOWN.get((one.__module__, one.__qualname__))
        if conversion is not None:
            return conversion(given)
    if hasattr(type(given), "isoformat"):
        return _iso(given)
    if callable(getattr(type(given), "__fspath__", None)):
        return given.__fspath__()
    fields = getattr(type(given), "__dataclass_fields__", None)
    if isinstance(fields, dict):
        names = [name for name, field in fields.items() if getattr(field._field_type, "name", "") == "_FIELD"]
        return {name: _read(partial(getattr, given), name) for name in names}
    if callable(given):
        if hasattr(given, "__qualname__") and hasattr(given, "__module__"):
            return f"{given.__module__}.{given.__qualname__}"
        return str(given)
    return _UNKNOWN


# -- what W&B can't store ----------------------------------------------------------------------------------------------


def as_text(name: str, given: Any, shown: str = "", error: object = None) -> str:
    """``given`` as text, its ``repr`` or ``shown``; logged once per key. ``error``: what its methods have raised."""
    module, kind = (type.__getattribute__(type(given), one) for one in ("__module__", "__name__"))
    why = f" ({_shown(error)[:150]})" if error is not None else ""
    warn_once(
        f"repr:{name}",
        f"metric {name!r}: W&B cannot store a {module}.{kind}{why}; its repr is logged",
    )
    return shown or _shown(given)


def _shown(given: Any) -> str:
    try:
        text = str.__str__(repr(given))
    except BaseException as error:
        if is_the_applications(error):
            raise
        text = f"<{type.__getattribute__(type(given), '__name__')} whose repr raises {type(error).__name__}>"
    return _text(text if len(text) <= _LONGEST_REPR else text[:_LONGEST_REPR] + "...")
