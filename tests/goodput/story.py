"""Trainings as they happen, told to v1's arithmetic under a clock of our own: the rows are those that v1 sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from one_logger_v1_shim._goodput.rows import AttemptRows
from one_logger_v1_shim._goodput.training import Training, add_up
from one_logger_v1_shim._goodput.trainings import DEFAULT_KEYS, FINISHED, KILLED, Attempt, group
from one_logger_v1_shim._v1 import metrics as m
from tests.support import CONFIG, Clock, CoreSpy, utils_on

T0 = 1_700_000_000.0


class Story:
    """One attempt. Every method that takes time takes seconds."""

    def __init__(
        self, clock: Clock, *, every: int = 1, target: int = 100, strategy: str = "sync", **config: Any
    ) -> None:
        self.clock = clock
        self.rows: list[dict[str, Any]] = []
        self.spy = CoreSpy()
        self.finished = 0
        #: callback, seconds since the epoch, arguments
        self.events: list[tuple[str, float, dict[str, Any]]] = []
        told = {
            **CONFIG,
            "log_every_n_train_iterations": every,
            "train_iterations_target": target,
            "train_samples_target": target * 8,
            "is_save_checkpoint_enabled": True,
            "save_checkpoint_strategy": strategy,
            **config,
        }
        self._utils: Any = utils_on(self.spy, told)
        self._take()

    def call(self, name: str, **arguments: Any) -> Story:
        """A callback of v1's."""
        self.events.append((name, self.clock.now, arguments))
        getattr(self._utils, name)(**arguments)
        self._take()
        return self

    def log(self, **row: Any) -> Story:
        """A row of the program's own."""
        self.rows.append({**row, m.APP_LAST_LOG_TIME: round(self.clock.now * 1000)})
        return self

    def wait(self, seconds: float) -> Story:
        self.clock.advance(seconds)
        return self

    def phase(self, name: str, seconds: float) -> Story:
        """``model_init``, ``dataloader_init``, ``optimizer_init`` or ``load_checkpoint``."""
        return self.call(f"on_{name}_start").wait(seconds).call(f"on_{name}_end")

    def train_start(self, start: int = 0) -> Story:
        self.finished = start
        return self.call("on_train_start", train_iterations_start=start)

    def iterate(self, count: int, seconds: float, idle: float = 0.0) -> Story:
        """``idle`` passes before each iteration."""
        for _ in range(count):
            self.wait(idle).call("on_train_batch_start").wait(seconds).call("on_train_batch_end")
            self.finished += 1
        return self

    def validate(self, batches: int, seconds: float) -> Story:
        self.call("on_validation_start")
        for _ in range(batches):
            self.call("on_validation_batch_start").wait(seconds).call("on_validation_batch_end")
        return self.call("on_validation_end")

    def save(self, seconds: float, success: bool = True) -> Story:
        """Training stands still for ``seconds``; without ``success`` nobody reports it (yet)."""
        step = self.finished
        self.call("on_save_checkpoint_start", global_step=step).wait(seconds)
        self.call("on_save_checkpoint_end", global_step=step)
        return self.succeed(step) if success else self

    def succeed(self, step: int) -> Story:
        return self.call("on_save_checkpoint_success", global_step=step)

    def end(self, before: float = 0.0, after: float = 0.0) -> Story:
        return self.wait(before).call("on_train_end").wait(after).call("on_app_end")

    def attempt(self, ended: Optional[str] = None, **run: Any) -> Attempt:
        """What ``goodput`` makes of the rows."""
        rows = AttemptRows()
        for row in self.rows:
            rows.take(row)
        told = {"project": "tests", **run}
        return Attempt(rows, told, ended or (KILLED if rows.app_finish is None else FINISHED))

    def _take(self) -> None:
        now = round(self.clock.now * 1000)
        for kind, content in self.spy.take():
            row = {m.APP_TAG: content if isinstance(content, list) else [content]} if kind == "log_app_tag" else content
            self.rows.append({**row, m.APP_LAST_LOG_TIME: now})


def training(*attempts: Attempt, keys: Sequence[str] = DEFAULT_KEYS) -> Training:
    """The one training of these attempts."""
    (some,) = group(attempts, keys)
    return add_up(some, keys)


def ms(parts: dict[str, int]) -> dict[str, float]:
    """The parts that are there, in ms; a thousandth of a ms is the grain of v1's floats."""
    return {key: round(us / 1000, 2) for key, us in parts.items() if round(us / 1000, 2)}
