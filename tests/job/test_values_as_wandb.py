"""Our JSON of a value beside the installed wandb's own, value by value; and a broken value costs itself only."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import functools
import ipaddress
import itertools
import json
import logging
import math
import pathlib
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable
from unittest.mock import MagicMock, Mock

import pytest

from one_logger_v1_shim import _log
from one_logger_v1_shim._job.encode import as_dict, encode


class Phase(enum.Enum):
    TRAIN = "train"
    NONE = None
    PAIR = (1, "b")


class Marker(enum.Enum):
    MISSING = object()


class Level(enum.IntEnum):
    HIGH = 3


class Loss:
    """Can be called, and has no name of its own."""

    def __call__(self) -> float:
        return 0.5

    def __repr__(self) -> str:
        return "Loss()"


@dataclasses.dataclass
class Point:
    x: int = 1
    y: tuple[float, ...] = (0.5,)


VALUES: dict[str, Callable[[], Any]] = {
    "bytes": lambda: b"abc",
    "bytearray": lambda: bytearray(b"abc"),
    "set": lambda: {1},
    "frozenset": lambda: frozenset({"a"}),
    "deque": lambda: collections.deque([1, {2}]),
    "named tuple": lambda: collections.namedtuple("Pair", "a b")(1, {2}),
    "counter": lambda: collections.Counter("aab"),
    "enum": lambda: [Phase.TRAIN, Phase.NONE, Level.HIGH, {Phase.TRAIN: Level.HIGH}],
    "path": lambda: pathlib.Path("a") / "b",
    "decimal": lambda: [decimal.Decimal("1.50"), decimal.Decimal("NaN"), decimal.Decimal("1E+10")],
    "fraction": lambda: fractions.Fraction(1, 2),
    "uuid": lambda: uuid.UUID(int=1),
    "complex": lambda: [1j, 1 + 2j, complex(0.5, -1), complex("nan"), 1e300 - 1e-300j, complex(-0.0, -0.0), 1e16 + 0j],
    "address": lambda: [ipaddress.ip_address("::1"), ipaddress.ip_network("1.2.3.0/24")],
    "pattern": lambda: [re.compile("a+"), re.compile(b"a+")],
    "dates": lambda: [
        dt.date(2026, 1, 2),
        dt.time(1, 2, 3, 4),
        dt.datetime(2026, 1, 2),
        dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.timezone.utc),
        dt.datetime(2026, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=2))),
    ],
    "durations": lambda: [
        dt.timedelta(),
        dt.timedelta(days=400),
        dt.timedelta(days=1, hours=2, seconds=3, microseconds=40),
        dt.timedelta(seconds=-5),
        dt.timedelta(minutes=61),
        dt.timedelta(microseconds=1),
        dt.timedelta(days=-1, microseconds=7),
    ],
    "functions": lambda: [len, json.dumps, int, Phase, "".join, lambda: 1],
    "partial": lambda: functools.partial(len),
    "called": lambda: [Loss(), Loss.__call__, Loss],
    "dataclass": lambda: Point(),
    "keys": lambda: {
        Phase.TRAIN: 1,
        Phase.PAIR: 0,
        1: 2,
        (1, "a"): 3,
        dt.date(2026, 1, 2): 4,
        b"x": 5,
        1.5: 6,
        False: 7,
    },
    "odd keys": lambda: [{None: 1}, {math.nan: 1, -math.inf: 2}, {(1, None, True): 1}, {1e300: 1, -0.0: 2}],
}
ITERATORS: dict[str, Callable[[], Any]] = {
    "generator": lambda: (number for number in range(3)),
    "map": lambda: map(str, (1, 2)),
    "in a list": lambda: [iter([1, {2}]), zip("ab", "cd")],
    "mock": MagicMock,  # it has a method for everything, and no items
    "marker": lambda: Marker.MISSING,
    # wandb's fast encoder refuses them, which is in its log
    "halves of characters": lambda: ["a\ud83d\ude00b", {"\ud83d\ude00": 1}],
}

NUMPY: dict[str, Callable[[Any], Any]] = {
    "one": lambda np: [np.array(0.5), np.array([0.5]), np.array([[2]]), np.array([True])],
    "none": lambda np: np.zeros(0),
    "scalars": lambda np: [np.float32(0.5), np.float16(1.5), np.int64(3), np.bool_(True), np.longdouble(0.5)],
    "not numbers": lambda np: [np.float32("nan"), np.float64("inf")],
    "complex": lambda np: [np.complex64(1j), np.array([1j, 2j])],
    "text": lambda np: [np.str_("x"), np.bytes_(b"x"), np.array(["a", "b"]), np.void(b"ab")],
    "dates": lambda np: [np.datetime64("2026-01-02"), np.datetime64("2026-01-02T03:04:05"), np.datetime64("NaT")],
    "nanoseconds": lambda np: [np.datetime64("2026-01-02T03:04:05", "ns"), np.timedelta64(5, "ns")],
    "durations": lambda np: np.timedelta64(5, "s"),
    "small": lambda np: [np.arange(4), np.array([[1.5, 2], [3, 4]]), np.array([1, 2], dtype=np.longdouble)],
    "dates in an array": lambda np: np.array(["2026-01-02", "2026-01-03"], dtype="M8[D]"),
    "objects": lambda np: [np.array([None, "a"], dtype=object), np.array([{"a": 1}], dtype=object)],
    "records": lambda np: np.array([(1, 2.0)], dtype="i4,f8"),
    "large": lambda np: [np.arange(40), np.linspace(0, 1, 100, dtype="f4"), np.ones((6, 6))],
    "large, of objects": lambda np: np.array([0.5, 1] * 20, dtype=object),
    "a class": lambda np: [np.float32, np.mean],
    "keys": lambda np: [{np.int64(1): 2, np.float32(1.5): 3, np.str_("a"): 4}, {np.datetime64("2026-01-02"): 5}],
}

TORCH: dict[str, Callable[[Any], Any]] = {
    "one": lambda t: [t.tensor(0.5), t.tensor([[0.25]]), t.tensor([True]), t.tensor(2.5, dtype=t.bfloat16)],
    "none": lambda t: t.zeros(0),
    "with a gradient": lambda t: t.tensor([0.5], requires_grad=True) * 2,
    "small": lambda t: [t.arange(3), t.tensor([[1.5, 2.0]])],
    "large": lambda t: [t.arange(40.0), t.arange(50)],
    "size": lambda t: t.Size([1, 2]),
    "module": lambda t: t.nn.Linear(1, 1),
}


def ours(given: Any) -> Any:
    return json.loads(encode({"value": given}))["value"]


def wandbs(given: Any) -> Any:
    util = pytest.importorskip("wandb.util")
    if not hasattr(pytest.importorskip("wandb.sdk.lib.json_util"), "pydantic_core"):
        pytest.skip("the newest wandb is the measure")
    return json.loads(util.json_dumps_safer_history(given))


def compare(given: Any) -> None:
    _log.forget()
    for one in given if type(given) is list else [given]:
        assert repr(ours(one)) == repr(wandbs(one)), one


@pytest.mark.slow
@pytest.mark.parametrize("name", VALUES)
def test_value(name: str, caplog: pytest.LogCaptureFixture) -> None:
    compare(VALUES[name]())
    assert caplog.messages == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ITERATORS)
def test_iterator(name: str) -> None:
    assert ours(ITERATORS[name]()) == wandbs(ITERATORS[name]())


@pytest.mark.slow
@pytest.mark.parametrize("name", NUMPY)
def test_numpy(name: str) -> None:
    compare(NUMPY[name](pytest.importorskip("numpy")))


@pytest.mark.slow
def test_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    exact = pandas.Timestamp("2026-01-02T03:04:05.123456789", tz="Europe/Berlin")
    compare([exact, exact.tz_convert("UTC"), {exact: 1}, pandas.Timestamp("2026-01-02"), pandas.NaT])


@pytest.mark.slow
@pytest.mark.parametrize("name", TORCH)
def test_torch(name: str) -> None:
    compare(TORCH[name](pytest.importorskip("torch")))


class Missing(Exception):
    pass


class Config(Mapping[str, Any]):
    """As OmegaConf's: a value that nobody has set raises when it is read."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def __getitem__(self, key: str) -> Any:
        if self._values[key] == "???":
            raise Missing(key)
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class Closed(dict):  # type: ignore[type-arg]
    def items(self) -> Any:
        raise Missing("items")

    keys = __iter__ = items


class Dark(Mapping[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise Missing(key)

    def __iter__(self) -> Iterator[str]:
        raise Missing("keys")

    def __len__(self) -> int:
        return 1


class Tensor:
    """One whose device is in trouble."""

    shape = (3,)

    def tolist(self) -> Any:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    def __repr__(self) -> str:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")


@dataclasses.dataclass
class Half:
    a: int = 1
    b: int = dataclasses.field(init=False)


class PanicException(BaseException):
    """As code in Rust has it (PyO3): no ``Exception``."""


class Panics:
    shape = (1,)

    def tolist(self) -> Any:
        raise PanicException("called `Option::unwrap()` on a `None` value")


class Tree(Sequence[Any]):
    """Without an end, in both directions."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: Any) -> Any:
        return Tree()


class Endless(Config):
    def __iter__(self) -> Iterator[str]:
        return map(str, itertools.count())


class Lies:
    """As a mock with ``spec=bool``."""

    @property
    def __class__(self) -> Any:
        return bool


class WithoutName(type):
    def __getattribute__(cls, name: str) -> Any:
        raise Missing(name)


class Nameless(metaclass=WithoutName):
    pass


class OddText(str):
    def __len__(self) -> int:
        raise Missing

    encode = __getitem__ = __len__


class ShownOddly:
    def __repr__(self) -> str:
        return OddText("shown")


BAD: dict[str, tuple[Any, Any]] = {
    "code in Rust": (Panics(), re.compile("<.*Panics object at .*>")),
    "a list without an end": (Tree(), re.compile("<.*Tree object at .*>")),
    "a list without an end, in a list": ([{2}, Tree()], re.compile(r"\[\[2\], '<.*Tree object at .*>'\]")),
    "a mapping without an end": (Endless({}), re.compile("<.*Endless object at .*>")),
    "a generator without an end": (itertools.count(), re.compile(r"count\(\d+\)")),
    "a class that lies": (Lies(), re.compile("<.*Lies object at .*>")),
    "a type without a name": (Nameless(), re.compile("<.*Nameless object at .*>")),
    "an odd text": (ShownOddly(), "shown"),
    "a value that is missing": (Config({"x": 1, "y": "???"}), {"x": 1, "y": "<Missing>"}),
    "deep inside": ({"in": [Config({"x": {2}, "y": "???"})]}, {"in": [{"x": [2], "y": "<Missing>"}]}),
    "items() raises": (Closed(x=1), {"x": 1}),
    "no key can be read": (Dark(), None),
    "a tensor of a broken device": (Tensor(), "<Tensor whose repr raises RuntimeError>"),
    "a field without a value": (Half(), {"a": 1, "b": "<AttributeError>"}),
    "bytes that are no text": (b"\xff", "b'\\xff'"),
}


@pytest.mark.parametrize("name", BAD)
def test_one_bad_value_costs_itself_only(name: str, caplog: pytest.LogCaptureFixture) -> None:
    _log.forget()
    value, expected = BAD[name]
    with caplog.at_level(logging.WARNING):
        found = json.loads(encode({"loss": 0.5, "bad": value, "set": {1}, "step": 7}))
    assert (found["loss"], found["set"], found["step"]) == (0.5, [1], 7)
    if expected is None:
        assert "Dark object" in found["bad"]
    elif isinstance(expected, re.Pattern):
        assert expected.fullmatch(str(found["bad"]))
    else:
        assert found["bad"] == expected
    assert len(caplog.messages) == (0 if name == "items() raises" else 1)


def test_a_mock_and_a_text_of_another_kind() -> None:
    """A mock has every attribute that one asks it for."""
    found = json.loads(encode({"mock": Mock(name="loss"), "text": collections.UserString("abc"), "set": {1}}))
    assert found.pop("mock").startswith("<Mock name='loss'")
    assert found == {"text": "abc", "set": [1]}


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, Missing])
def test_what_ends_the_job_passes(error: type[BaseException]) -> None:
    """A Ctrl-C while a value is read is nobody's bad value."""

    class Stops:
        def __repr__(self) -> str:
            raise error

    if issubclass(error, Exception):
        assert "whose repr raises" in json.loads(encode({"a": Stops()}))["a"]
    else:
        with pytest.raises(error):
            encode({"a": Stops()})


def test_a_row_whose_items_raise() -> None:
    assert json.loads(encode(as_dict(Config({"loss": 0.5, "lr": "???"})))) == {"loss": 0.5, "lr": "<Missing>"}
    assert json.loads(encode(Closed(loss=0.5))) == {"loss": 0.5}


@pytest.mark.slow
def test_such_a_row_is_logged(rows: Callable[[], list[dict[str, Any]]]) -> None:
    from one_logger_v1_shim import OneLogger

    one = OneLogger({"project": "tests"})
    one.log_metrics(Config({"loss": 0.5, "lr": "???"}))
    one.log_metrics(Closed(loss=0.25))
    assert [row["loss"] for row in rows()] == [0.5, 0.25]


@pytest.mark.slow
def test_meta_tensor() -> None:
    torch = pytest.importorskip("torch")
    found = json.loads(encode({"loss": torch.tensor([0.5]), "bad": torch.zeros(3, device="meta")}))
    assert found["loss"] == 0.5
    assert "meta" in found["bad"]


@pytest.mark.slow
def test_omegaconf() -> None:
    omegaconf = pytest.importorskip("omegaconf")
    config = omegaconf.OmegaConf.create({"a": 1, "b": "???", "c": [1, "???"]})
    found = json.loads(encode({"loss": 0.5, "config": config}))
    assert found["loss"] == 0.5
    assert found["config"]["a"] == 1
    assert found["config"]["c"][0] == 1
