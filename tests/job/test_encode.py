"""A row as JSON: Python's own text, whether its encoder can be made once or not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from one_logger_v1_shim import _log
from one_logger_v1_shim._job import encode as module

ROWS: list[dict[str, Any]] = [
    {"train_iterations": 7, "time": 0.1, "large": 1795646276278.246, "small": 5e-324, "on": True, "none": None},
    {"nan": float("nan"), "up": float("inf"), "down": float("-inf"), "zero": -0.0},
    {"text": 'a "quote", a\nline, ä 中 \U0001f600', "": "", "list": [1, [2.5, {"deep": None}]], "dict": {"a": {}}},
    {"number": 10**30, "tuple": (1, 2)},
    {},
]


@pytest.fixture(params=["made once", "usual"])
def encoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which of the two takes a usual row."""
    if request.param == "usual":
        monkeypatch.setattr(json.encoder, "c_make_encoder", None)
        monkeypatch.setattr(module, "_plain", module._python_encoder())
    _log.forget()


@pytest.mark.usefixtures("encoder")
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_text_is_pythons(row: dict[str, Any]) -> None:
    before = json.dumps(row)
    data = module.encode(row)
    assert data.isascii()
    assert b"\n" not in data
    assert repr(json.loads(data)) == repr(json.loads(before))
    assert data.decode() == json.dumps(row, separators=(",", ":"))
    assert json.dumps(row) == before


@pytest.mark.usefixtures("encoder")
def test_row_that_contains_itself() -> None:
    inner: list[Any] = [1]
    inner.append(inner)
    assert json.loads(module.encode({"a": 1, "b": inner})) == {"a": 1, "b": [1, "[1, [...]]"]}


@pytest.mark.usefixtures("encoder")
def test_surrogate() -> None:
    assert json.loads(module.encode({"a": "x\ud800", "b": 1})) == {"a": "x\\ud800", "b": 1}


@pytest.mark.parametrize("other", [None, "raises", "writes another text"])
def test_encoder_of_another_python(other: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = json.encoder.c_make_encoder

    def make(markers: Any, *more: Any) -> Any:
        if markers is not None:  # JSONEncoder's own call
            return usual(markers, *more)
        if other == "raises":
            raise TypeError("other arguments")
        return lambda value, level: ('{"another":1}',)

    monkeypatch.setattr(json.encoder, "c_make_encoder", make if other else None)
    assert module._python_encoder()({"a": [1, 0.1]}) == '{"a":[1,0.1]}'
