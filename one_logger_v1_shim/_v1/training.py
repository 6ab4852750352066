"""v1's training progress: counts, times and throughput of the iterations. Runs in the job's process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from .._log import warn_once
from . import metrics as m
from .config import V1Config, as_number
from .timer import NamedTimer


class Training:
    """Counts of this job (``iterations``, ``samples``) and of the model (the same plus ``*_start``).

    Attributes:
        batch_timer: the stopwatch of the callbacks ``on_train_batch_*``.
        has_batches: has ``on_train_batch_start`` been called?
        step_began: both clocks (s), when a step began that counts as an iteration if no batch is reported.
    """

    batch_timer = "train_iterations"
    has_batches = False
    step_began: Optional[tuple[float, float]] = None

    def __init__(self, config: V1Config, timer: NamedTimer, throughput: bool) -> None:
        self._config = config
        self._timer = timer
        self._throughput_enabled = throughput
        self._every = int(config.number("log_every_n_train_iterations", 50))
        if self._every == 0:
            warn_once("log_every_0", "log_every_n_train_iterations=0: training progress is logged at checkpoints only")
        self.iterations_start: Any = 0
        self.samples_start: Any = 0
        self._started = False
        self._iterations = 0
        self._samples: Any = 0
        self._first_finish_ms: float = 0
        self._last_finish_ms: float = 0
        self._tokens: Any = None
        self._flops_before: float = 0
        self._flops: float = 0
        self._throughput: float = 0.0
        self._throughput_max: float = 0.0

    def start(self, now: float, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The row of ``on_train_start``. v1 took batch_size here and global_batch_size for the increments."""
        start = _count(kwargs, "train_iterations_start")
        samples = _count(kwargs, "train_samples_start")
        per_iteration = self._batch_size()
        # v1 had stored both before it missed flops_per_sample. Its store keeps the samples: a second start that gives
        # none begins with those of the first.
        self.iterations_start = start
        if samples is not None:
            self.samples_start = samples
        elif not self._started:
            self.samples_start = start * per_iteration
        self._started = True
        if self._throughput_enabled:
            if not self._config.has("flops_per_sample"):
                raise ValueError("Missing required key 'flops_per_sample' from store")
            self._flops_before = start * per_iteration * self._config.number("flops_per_sample", 0)
            self._flops = 0  # the time of the iterations goes on
            self._throughput = 0.0
        return {
            m.TRAIN_ITERATIONS_START: start,
            m.TRAIN_ITERATIONS_END: start,
            m.TRAIN_SAMPLES_START: self.samples_start,
            m.TRAIN_SAMPLES_END: self.samples_start,
            m.APP_TRAIN_LOOP_START_TIME: now * 1000,
        }

    def with_tflop(self, row: dict[str, Any]) -> dict[str, Any]:
        """``row`` of the start with its throughput metric, which v1 put last."""
        if self._throughput_enabled:
            row[m.TRAIN_TFLOP_START] = self._flops_before / 1e12
        return row

    def batch_end(self, now: float) -> bool:
        """Count one iteration. True when a row is due: every ``log_every_n`` of the *global* number of iterations."""
        if self._timer[self.batch_timer].active:
            self._timer.stop(self.batch_timer, now)
        else:
            # Progress is still progress; only its duration is unknown.
            warn_once("unstarted:on_train_batch_end", "on_train_batch_end was called without its start")
        self._consume()
        if self._throughput_enabled:
            self._measure_throughput()
        return self._iteration_end(now)

    def batch_row(self) -> dict[str, Any]:
        """The row that is due at the end of a batch."""
        return self.row()

    def _consume(self) -> None:
        """What a batch has used: samples, tokens and floating point operations."""
        config = self._config
        batch = config.number("global_batch_size", 0)
        self._samples += batch
        if config.has("seq_length"):
            seq_length = config.number("seq_length", 0)
            self._tokens = seq_length * self._samples if config.last["seq_length"] is not None else None
        if self._throughput_enabled:
            self._flops += batch * config.number("flops_per_sample", 0)

    def _measure_throughput(self) -> None:
        divisor = self._timer["train_iterations"].total * 1e12 * (self._config.number("world_size", 1) or 1)
        self._throughput = self._flops / divisor if divisor else 0.0
        # v1's maximum is one of cumulative averages, not of single iterations
        self._throughput_max = max(self._throughput_max, self._throughput)

    def _iteration_end(self, now: float) -> bool:
        """Count one iteration, and say whether its row is due."""
        self._iterations += 1
        self._last_finish_ms = now * 1000
        if self._iterations == 1:
            self._first_finish_ms = self._last_finish_ms
        return bool(self._every) and (self.iterations_start + self._iterations) % self._every == 0

    def row(self) -> dict[str, Any]:
        """The progress as it is now; zeros before the first batch."""
        watch = self._timer["train_iterations"]
        row: dict[str, Any] = {
            m.TRAIN_ITERATIONS: self._iterations,
            m.TRAIN_ITERATIONS_END: self.iterations_start + self._iterations,
            m.TRAIN_SAMPLES: self._samples,
            m.TRAIN_SAMPLES_END: self.samples_start + self._samples,
            m.TRAIN_ITERATIONS_TIME_TOTAL: watch.total,
            m.TRAIN_ITERATIONS_TIME_MSECS_AVG: watch.avg * 1000,
            m.TRAIN_ITERATIONS_TIME_MSECS_MIN: watch.min * 1000,
            m.FIRST_LOGGED_TRAIN_ITERATIONS_FINISH_TIME: self._first_finish_ms,
            m.LAST_LOGGED_TRAIN_ITERATIONS_FINISH_TIME: self._last_finish_ms,
        }
        if self._tokens is not None:  # absent before the first batch, unlike the other zeros
            row[m.TRAIN_TOKENS] = self._tokens
        if self._throughput_enabled:
            row[m.TRAIN_TFLOP_END] = (self._flops_before + self._flops) / 1e12
            row[m.TRAIN_TFLOP] = self._flops / 1e12
            row[m.TRAIN_THROUGHPUT_PER_GPU] = self._throughput
            row[m.TRAIN_THROUGHPUT_PER_GPU_MAX] = self._throughput_max
        return row

    def _batch_size(self) -> Any:
        if self._config.has("batch_size") and self._config.read("batch_size") is not None:
            return self._config.number("batch_size", 0)
        last = self._config.last.get("global_batch_size")
        return last if isinstance(last, (int, float)) else self._config.number("global_batch_size", 0)


def _count(kwargs: Mapping[str, Any], name: str) -> Any:
    value = kwargs.get(name)
    number = as_number(value)
    if number is None and (value is not None or name == "train_iterations_start"):
        raise ValueError(f"on_train_start: {name}={value!r} ({type(value).__name__}); expected a number")
    return number
