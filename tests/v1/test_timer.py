"""``OneLoggerUtils.timer``: v1's named stopwatches, in seconds."""

from __future__ import annotations

import pytest

from one_logger_v1_shim import _log
from one_logger_v1_shim._v1.timer import NamedTimer, Stopwatch

FIELDS = ("active", "start", "finish", "count", "latest", "min", "max", "total", "avg")


def fields(watch: Stopwatch) -> dict[str, float]:
    return {name: getattr(watch, name) for name in FIELDS}


def test_fields_of_a_new_stopwatch() -> None:
    new = fields(NamedTimer()["x"])
    assert new == dict.fromkeys(FIELDS, 0)
    assert new["active"] is False


def test_windows_of_three_one_and_two_seconds() -> None:
    timer = NamedTimer()
    for start, stop in ((100.0, 103.0), (110.0, 111.0), (120.0, 122.0)):
        assert timer.start("x", start) is timer["x"]
        assert timer["x"].active is True
        assert timer.stop("x", stop) is timer["x"]
    assert timer["x"].active is False
    assert fields(timer["x"]) == {
        "active": False,
        "start": 120.0,
        "finish": 122.0,
        "count": 3,
        "latest": 2.0,
        "min": 1.0,
        "max": 3.0,
        "total": 6.0,
        "avg": 2.0,
    }


def test_maximum_starts_from_zero_and_the_minimum_from_the_first_window() -> None:
    timer = NamedTimer()
    timer.start("x", 10.0)
    timer.stop("x", 8.0)  # the clock was set back
    assert (timer["x"].min, timer["x"].max) == (-2.0, 0.0)


def test_names_are_apart() -> None:
    timer = NamedTimer()
    timer.start("a", 1.0)
    timer.start("b", 2.0)
    assert timer.active_timers == ["a", "b"]
    assert (timer.is_active("a"), timer.is_active("c")) == (True, False)
    timer.stop("a", 5.0)
    assert timer.active_timers == ["b"]
    assert timer.get("a").total == 4.0
    assert timer.get("a") is timer["a"]
    assert timer["b"].total == 0.0


def test_reset_forgets_one_name() -> None:
    timer = NamedTimer()
    for name in ("a", "b"):
        timer.start(name, 1.0)
        timer.stop(name, 2.0)
    timer.reset("a")
    assert fields(timer["a"]) == fields(Stopwatch())
    assert timer["b"].total == 1.0


def test_restart_of_a_running_timer_drops_its_history(caplog: pytest.LogCaptureFixture) -> None:
    _log.forget()
    timer = NamedTimer()
    for name in ("a", "b"):
        timer.start(name, 1.0)
        timer.stop(name, 2.0)
        timer.start(name, 3.0)
        watch = timer.start(name, 4.0)
        assert watch is timer[name]
        assert (watch.active, watch.start, watch.count, watch.total) == (True, 4.0, 0, 0.0)
        timer.start(name, 5.0)
    assert [record.getMessage() for record in caplog.records] == [
        f"Timer `{name}` was not correctly stopped, suggesting a possible issue. The timer will be reset for now."
        for name in ("a", "b")
    ]


def test_stop_of_a_timer_that_does_not_run() -> None:
    with pytest.raises(RuntimeError, match=r"^Cannot end timer = 'x' since it is not active$"):
        NamedTimer().stop("x", 1.0)


def test_barrier() -> None:
    calls = []
    NamedTimer(lambda: calls.append(1)).wait()
    assert calls == [1]
    with pytest.raises(RuntimeError, match=r"^No barrier function to call in the _NamedTimer$"):
        NamedTimer().wait()
