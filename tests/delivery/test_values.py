"""Whatever is in a row: a line of JSON, and what W&B stores of it."""

from __future__ import annotations

import enum
import json
import math
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from one_logger_v1_shim._job.encode import encode
from tests.delivery import jobs


class Nasty:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class NastyMapping(dict):  # type: ignore[type-arg]
    def keys(self) -> Any:
        raise RuntimeError("no")


def cyclic() -> dict[str, Any]:
    found: dict[str, Any] = {"a": 1}
    found["self"] = found
    found["list"] = [found, found]
    return found


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters()), st.binary(), st.complex_numbers(),
    st.datetimes(), st.decimals(), st.fractions(), st.integers(min_value=10**300, max_value=10**5000), st.uuids(),
    st.builds(Nasty), st.builds(object), st.builds(cyclic), st.just(len), st.just(Nasty),
)  # fmt: skip
keys = st.one_of(st.text(st.characters()), st.integers(), st.none(), st.tuples(st.integers()), st.binary())
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.tuples(inner, inner), st.dictionaries(keys, inner, max_size=4),
        st.frozensets(st.integers()),
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(keys, values, max_size=6))
def test_anything_becomes_one_line_of_json(row: dict[Any, Any]) -> None:
    line = encode(row)
    assert b"\n" not in line
    assert line.isascii()
    found = json.loads(line)
    assert isinstance(found, dict)
    json.dumps(found, ensure_ascii=False).encode("utf-8")  # no surrogate is left


simple = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(codec="utf-8")))


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.text(st.characters(codec="utf-8")), simple, max_size=20))
def test_simple_values_come_back_to_the_last_bit(row: dict[str, Any]) -> None:
    found = json.loads(encode(row))
    assert list(found) == list(row)
    assert list(map(repr, found.values())) == list(map(repr, row.values()))  # 1 is not 1.0, nor True; NaN is NaN


class _Loss(float):
    pass


class _Phase(str, enum.Enum):
    TRAIN = "train"


@pytest.mark.parametrize(
    "value", [_Loss(0.1), _Phase.TRAIN, 10**30, pytest.param(10**4400, id="huge"), datetime(2026, 1, 2), {1}, (1, 2)]
)
def test_a_row_has_one_spelling_whatever_else_is_in_it(value: Any) -> None:
    # a set would send the whole row through the slow way: the values must be the same
    quick, slow = json.loads(encode({"a": value})), json.loads(encode({"a": value, "b": {2}}))
    assert quick["a"] == slow["a"]


def test_plain_values_are_kept_as_they_are() -> None:
    row = {"a": 1, "b": 1.5, "c": True, "d": None, "e": "ä\n", "f": [1, "x", None], "g": {"h": {"i": False}}, "j": -0.0}
    assert json.loads(encode(row)) == row
    found = json.loads(encode({"nan": math.nan, "inf": math.inf, "minus": -math.inf}))
    assert math.isnan(found["nan"])
    assert (found["inf"], found["minus"]) == (math.inf, -math.inf)


def test_what_wandb_cannot_store_is_text_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    from one_logger_v1_shim import _log

    _log.forget()
    for _ in range(3):
        found = json.loads(encode({"blob": b"\xff", "when": datetime(2026, 1, 2, tzinfo=timezone.utc), "set": {1}}))
    assert found == {"blob": repr(b"\xff"), "when": "2026-01-02T00:00:00Z", "set": [1]}
    assert len([one for one in caplog.messages if "'blob'" in one]) == 1


def test_the_row_is_neither_changed_nor_kept() -> None:
    inner = [1]
    row = {"a": inner, "b": b"x"}
    text = encode(row)
    inner.append(2)
    assert json.loads(text)["a"] == [1]
    assert row == {"a": [1, 2], "b": b"x"}


def test_arrays(request: pytest.FixtureRequest) -> None:
    numpy = pytest.importorskip("numpy")
    row = {"f": numpy.float32(0.5), "i": numpy.int64(3), "b": numpy.bool_(True), "zero": numpy.array(2.0),
           "small": numpy.arange(4), "large": numpy.arange(1000.0), "s": numpy.str_("x")}  # fmt: skip
    found = json.loads(encode(row))
    assert (found["f"], found["i"], found["b"], found["zero"], found["small"]) == (0.5, 3, True, 2.0, [0, 1, 2, 3])
    assert found["large"]["_type"] == "histogram"
    assert len(found["large"]["values"]) == 32
    assert len(found["large"]["bins"]) == 33
    assert sum(found["large"]["values"]) == 1000


def test_tensors() -> None:
    torch = pytest.importorskip("torch")
    weight = torch.tensor(0.25, requires_grad=True)
    found = json.loads(
        encode({"loss": weight * 2, "half": torch.tensor(1.5, dtype=torch.bfloat16), "n": torch.arange(3)})
    )
    assert found == {"loss": 0.5, "half": 1.5, "n": [0, 1, 2]}


EVERYTHING = r"""
import math
one = one_logger()
cycle = {"a": 1}
cycle["self"] = cycle
class Nasty:
    def __repr__(self): raise RuntimeError("no")
rows = [
    {"nan": math.nan, "inf": math.inf, "minus": -math.inf},
    {"huge": 2 ** 70, "huger": 10 ** 5000, "negative": -(2 ** 63)},
    {"bytes": b"\xff\x00", "surrogate": "\ud800 x", "nul": "a\x00b", "newline": "a\nb"},
    {f"key{i}": i for i in range(10_000)},
    {"long": "x" * 1_000_000},
    {"cycle": cycle},
    {"nasty": Nasty(), "type": int, "function": len, "set": {1}},
    {"": 1, " ": 2, "a.b": 3, "a/b": 4, 5: 6, None: 7, "\ud800": 8, "_step": 9, "_timestamp": 10},
    {"nested": {"deep": {"er": [1, {"x": None}]}}, "empty": {}, "list": []},
    {"none": None, "true": True},
]
for row in rows:
    one.log_metrics(row)
one.log_metrics({"last": 1})
one.finish()
print("done")
"""


def stored(value: Any) -> Any:
    """A value as it reads after W&B: it spells NaN and infinities as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, dict):
        return {key: stored(one) for key, one in value.items()}
    if isinstance(value, list):
        return [stored(one) for one in value]
    return value


@pytest.mark.everywhere
def test_all_of_it_reaches_wandb(tmp_path: Path) -> None:
    result = jobs.run(EVERYTHING, tmp_path)
    assert (result.code, result.out) == (0, "done\n"), result.err
    (run,) = result.runs()
    assert run.exit_code == 0
    assert len(run.rows) == 11
    assert run.rows[-1]["last"] == 1
    rows = [stored(json.loads(line)) for line in jobs.journal_lines(tmp_path)]
    assert len(rows) == 11
    for written, kept in zip(rows, run.rows):
        for key, value in written.items():
            if key in ("_step", "_timestamp", "_wandb", "_runtime"):
                continue
            found = stored(kept.get(key, "missing"))
            assert found == value or str(found) == str(value) or (key, found) in ODD, (
                key,
                str(value)[:80],
                str(found)[:80],
            )


#: what W&B itself makes of a value
ODD: list[tuple[str, Any]] = [("", "missing"), ("empty", "missing")]
