"""A row as JSON: the same text whichever encoder is here, and every encoder that writes another text is left alone."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from one_logger_v1_shim import _log
from one_logger_v1_shim._job import encode as module

HOOKS = ("pydantic", "made once", "usual")
ROWS: list[dict[str, Any]] = [
    {"train_iterations": 7, "time": 0.1, "large": 1795646276278.246, "small": 5e-324, "on": True, "none": None},
    {"nan": float("nan"), "up": float("inf"), "down": float("-inf"), "zero": -0.0},
    {"text": 'a "quote", a\nline, ä 中 \U0001f600', "": "", "list": [1, [2.5, {"deep": None}]], "dict": {"a": {}}},
    {"number": 10**30, "tuple": (1, 2)},
    {},
]


@pytest.fixture(params=HOOKS)
def encoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which encoder takes a usual row."""
    monkeypatch.setattr(module, "_fast", None)
    if request.param == "pydantic":
        pytest.importorskip("pydantic_core")
        module.choose()
        assert module._fast is not None
    elif request.param == "usual":
        monkeypatch.setattr(json.encoder, "c_make_encoder", None)
        monkeypatch.setattr(module, "_plain", module._python_encoder())
    _log.forget()
    return str(request.param)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_text_is_pythons(row: dict[str, Any], encoder: str) -> None:
    before = json.dumps(row)
    data = module.encode(row)
    assert data.isascii()
    assert b"\n" not in data
    assert repr(json.loads(data)) == repr(json.loads(before))
    if encoder != "pydantic":  # which writes the same numbers in its own way
        assert data.decode() == json.dumps(row, separators=(",", ":"))
    assert json.dumps(row) == before


def test_row_that_contains_itself(encoder: str) -> None:
    inner: list[Any] = [1]
    inner.append(inner)
    assert json.loads(module.encode({"a": 1, "b": inner})) == {"a": 1, "b": [1, "[1, [...]]"]}


def test_surrogate(encoder: str) -> None:
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


@pytest.mark.parametrize("other", [None, "older", "broken"])
def test_pydantic_that_does_not_write_what_python_writes(other: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Other:
        @staticmethod
        def to_json(row: Any, **options: Any) -> bytes:
            if other == "older":
                raise TypeError("to_json() got an unexpected keyword argument 'inf_nan_mode'")
            return b'{"a":null,"b":"x"}'

    if other is None:
        monkeypatch.delitem(sys.modules, "pydantic_core", raising=False)
    else:
        monkeypatch.setitem(sys.modules, "pydantic_core", Other)
    monkeypatch.setattr(module, "_fast", None)
    module.choose()
    assert module._fast is None
    assert module.encode({"a": float("nan")}) == b'{"a":NaN}'
