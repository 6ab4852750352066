"""What W&B has in place of a value: types of the standard library and those that are known by their names."""

from __future__ import annotations

import dataclasses
import enum
import ipaddress
import re
import types
import uuid
from collections import OrderedDict, UserList, deque
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from one_logger_v1_shim import _log
from one_logger_v1_shim._job import values


class Phase(enum.Enum):
    TRAIN = "train"


@dataclasses.dataclass
class Point:
    x: int
    y: Any = None


class Array:
    """Of numpy or torch, as far as it is asked."""

    shape: tuple[int, ...] = ()

    def __init__(self, plain: Any, *shape: int, **more: Any) -> None:
        self.plain, self.shape, self.dtype = plain, shape, types.SimpleNamespace(kind=more.pop("kind", "f"))
        vars(self).update(more)

    def tolist(self) -> Any:
        return self.plain


class Broken:
    def __repr__(self) -> str:
        raise ValueError


class Raising(dict):  # type: ignore[type-arg]
    def items(self) -> Any:
        raise ValueError


class Unreadable(UserList):  # type: ignore[type-arg]
    def __getitem__(self, index: Any) -> Any:
        if index == 1:
            raise KeyError
        return super().__getitem__(index)

    def __iter__(self) -> Any:
        raise ValueError


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (Phase.TRAIN, "train"), (complex(1, float("nan")), "1+NaNj"), (timedelta(minutes=1), "PT1M"),
        (Decimal("1.50"), "1.50"),
        (Fraction(1, 3), "1/3"), (uuid.UUID(int=1), str(uuid.UUID(int=1))), (re.compile("a+"), "a+"),
        (ipaddress.ip_address("::1"), "::1"), (date(2026, 1, 2), "2026-01-02"), (Path("/p"), "/p"),
        (len, "builtins.len"),
        (datetime(2026, 1, 2, tzinfo=timezone.utc), "2026-01-02T00:00:00Z"), (Point(1, {2}), {"x": 1, "y": [2]}),
        (datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=1))), "2026-01-02T00:00:00+01:00"),
        (types.SimpleNamespace, "types.SimpleNamespace"), (b"a", "a"), (bytearray(b"b"), "b"), (memoryview(b"c"), "c"),
        (deque([1]), [1]), (frozenset([1]), [1]), (UserList([1, (2,)]), [1, [2]]), (OrderedDict(a=1), {"a": 1}),
        ({1: 2}, {"1": 2}),
        (Raising(a=1), {"a": 1}), (Unreadable([1, 2, 3]), [1, "<KeyError>", 3]), ("\ud800", "\\ud800"), (True, True),
        (Array(7, kind="i"), 7), (Array([[7]], 1, 1), 7), (Array([1, 2], 2), [1, 2]), (Array("x", 2, kind="O"), "x"),
        (Broken(), "<Broken whose repr raises ValueError>"),
    ],
)  # fmt: skip
def test_what_is_stored(given: Any, stored: Any) -> None:
    found = values.value("name", given)
    assert (found, type(found)) == (stored, type(stored))


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ("a", "a"), (1, "1"), (1.5, "1.5"), (None, "None"), (True, "true"), ((1, "b"), "1,b"), (b"c", "c"),
        (Phase.TRAIN, "train"),
        (Point(1), "Point(x=1, y=None)"), (Decimal("2"), "2"), (b"\xff", repr(b"\xff")),
    ],
)  # fmt: skip
def test_keys(given: Any, key: str) -> None:
    assert values.key(given) == key


def test_what_is_told_of_what_is_no_value(caplog: pytest.LogCaptureFixture) -> None:
    _log.forget()

    class Odd:
        def __repr__(self) -> str:
            return "x" * 2000

    class Shaped:
        shape = property(lambda self: 1 / 0)
        tolist = list

        def __repr__(self) -> str:
            return "shaped"

    assert values.value("odd", Odd()) == "x" * 1000 + "..."
    assert values.value("odd", Odd()) == "x" * 1000 + "..."
    assert values.value("huge", 10**5000) == f"<int of {(10**5000).bit_length()} bits>"
    assert values.value("shaped", Shaped()) == "shaped"
    deep: Any = []
    for _ in range(60):
        deep = [deep]
    found = values.value("deep", deep)
    depth = 0
    while isinstance(found, list):
        found, depth = found[0], depth + 1
    assert depth == 50
    assert [text.split("'")[1] for text in caplog.messages] == ["odd", "huge", "shaped", "deep"]
    assert caplog.messages[1] == "metric 'huge': W&B cannot store a builtins.int; its repr is logged"
    assert "Shaped (ZeroDivisionError('division by zero')); its repr is logged" in caplog.messages[2]


def test_arrays_that_are_large_are_histograms() -> None:
    numpy = pytest.importorskip("numpy")
    found = values.value("a", numpy.array([float("nan"), *range(40)]))
    assert (found["_type"], sum(found["values"]), len(found["bins"])) == ("histogram", 40, 33)
    assert values.value("a", numpy.arange(32)) == list(range(32))
    assert values.value("a", numpy.longdouble(1.5)) == 1.5

    class Tensor:
        """Of torch: it has to leave the graph and its device, and bfloat16 is none of numpy's numbers."""

        shape = (40,)
        is_sparse = False

        def __init__(self, dense: Any, odd: bool = False) -> None:
            self.dense, self.odd, self.left = dense, odd, ""

        def detach(self) -> Any:
            self.left += "d"
            return self

        def cpu(self) -> Any:
            self.left += "c"
            return self

        def tolist(self) -> Any:
            return list(self.dense)

        def double(self) -> Any:
            return Tensor(self.dense)

        def numpy(self) -> Any:
            if self.odd:
                raise TypeError
            return self.dense

    for odd in (False, True):
        one = Tensor(numpy.arange(40), odd)
        assert sum(values.value("a", one)["values"]) == 40
        assert one.left == "dc"
