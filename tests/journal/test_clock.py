"""A clock that a test of the application's has replaced costs no row, whatever it gives."""

from __future__ import annotations

import decimal
import time
from typing import Any, Callable
from unittest.mock import MagicMock, Mock

import pytest

from one_logger_v1_shim import OneLogger
from one_logger_v1_shim._journal import clock
from one_logger_v1_shim.testing import capture

NO_TIME: dict[str, Callable[[], Any]] = {
    "not a number": lambda: float("nan"),
    "infinite": lambda: float("-inf"),
    "far away": lambda: 1e300,
    "none": lambda: None,
    "a mock": Mock(),
    "has given all": MagicMock(side_effect=[]),
    "raises": lambda: 1 / 0,
}
TIMES: dict[str, tuple[Any, float]] = {
    "an int": (1700000000, 1700000000.0),
    "a decimal": (decimal.Decimal("1700000000.5"), 1700000000.5),
    "before the epoch": (-5.25, -5.25),
}


@pytest.mark.parametrize("name", NO_TIME)
def test_what_is_no_time_is_the_machines(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time()
    for replaced in ("time", "perf_counter"):
        monkeypatch.setattr(time, replaced, NO_TIME[name])
    with capture() as captured:
        one = OneLogger({"project": "tests"})
        one.log_metrics({"loss": 0.5})
        one.log_app_tag("tag")
        one.finish()
    assert [row.get("loss") for row in captured.rows] == [0.5, None]
    assert abs(captured.rows[0]["app_last_log_time"] - real * 1000) < 60_000
    assert 0 <= clock.counter() - clock.counter() + 1 <= 1


@pytest.mark.parametrize("name", TIMES)
def test_a_time_of_another_kind_is_a_float(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given, expected = TIMES[name]
    for replaced, read in (("time", clock.now), ("perf_counter", clock.counter)):
        monkeypatch.setattr(time, replaced, lambda: given)
        assert (read(), type(read())) == (expected, float)


def test_what_a_handler_raises_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        clock.now()
