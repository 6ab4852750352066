"""A job under the test's control: calls and seconds in, what ``OneLoggerUtils`` hands to its core out."""

from __future__ import annotations

from typing import Any

import pytest

from one_logger_v1_shim import _log
from tests.support import CONFIG, Clock, CoreSpy, utils_on

#: when each job begins: seconds since the epoch, and the same in ms
T0 = 1_700_000_000.0
T0_MS = T0 * 1000

WITHOUT_CHECKPOINTS = {"is_save_checkpoint_enabled": False}


def sequence(*values: Any) -> Any:
    """A callable that returns the values one after the other, then the last one again and again."""
    rest = list(values)
    return lambda: rest.pop(0) if len(rest) > 1 else rest[0]


class Scalar:
    """What numpy and torch give for one number, or raise."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def item(self) -> Any:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value

    def __repr__(self) -> str:  # the same name of a test in each process
        return f"Scalar({self.value!r})"


class V1Job:
    """A ``OneLoggerUtils`` on a spy core, under a clock that only the test moves. Warnings are logged again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, without: str = "", **config: Any) -> None:
        _log.forget()
        self.clock = Clock(monkeypatch, T0)
        self.spy = CoreSpy()
        self.utils = utils_on(self.spy, {key: value for key, value in {**CONFIG, **config}.items() if key != without})
        self.construction = self.spy.take()

    def emits(self, callback: str, *, later: float = 0.0, **arguments: Any) -> list[tuple[Any, ...]]:
        """Let ``later`` seconds pass, then call; what was sent, in order. Every callback of v1 returned None."""
        self.clock.advance(later)
        assert getattr(self.utils, callback)(**arguments) is None
        return self.spy.take()

    def rows(self, callback: str, *, later: float = 0.0, **arguments: Any) -> list[dict[str, Any]]:
        """The rows of one call, without the tags."""
        return [emit[1] for emit in self.emits(callback, later=later, **arguments) if emit[0] == "log_metrics"]

    def row(self, callback: str, *, later: float = 0.0, **arguments: Any) -> dict[str, Any]:
        """The only row of one call."""
        (row,) = self.rows(callback, later=later, **arguments)
        return row

    def iterations(self, number: int, seconds: float = 1.0) -> list[dict[str, Any]]:
        """Train ``number`` iterations of ``seconds`` each; the rows that they sent."""
        rows = []
        for _ in range(number):
            rows += self.rows("on_train_batch_start")
            rows += self.rows("on_train_batch_end", later=seconds)
        return rows

    def validation(self, *seconds: float) -> dict[str, Any]:
        """One validation with a batch of each length; the row of its end."""
        assert self.rows("on_validation_start") == []
        for length in seconds:
            assert self.rows("on_validation_batch_start") == []
            assert self.rows("on_validation_batch_end", later=length) == []
        return self.row("on_validation_end")
