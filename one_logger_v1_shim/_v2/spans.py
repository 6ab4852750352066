"""v1's phases as v2's spans: same names, same order and same nesting as v2's own callbacks would give.

Runs where v2 does: in the worker's process, or in the job's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Optional

from nv_one_logger.api.one_logger_provider import OneLoggerProvider
from nv_one_logger.core.span import Span, StandardSpanName
from nv_one_logger.core.time import TracingTimestamp
from nv_one_logger.training_telemetry.api.checkpoint import CheckPointStrategy
from nv_one_logger.training_telemetry.api.spans import StandardTrainingJobSpanName as Name
from nv_one_logger.training_telemetry.api.training_recorder import TrainingRecorder
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider

from .._journal.calls import Reading
from . import private
from .clock import Clock

#: Events of a span that were exported are dropped from it beyond this number: v2 formats all of them each time that
#: a child span stops, so that a job would get slower with every row (0.4 us per row and iteration, without bound).
MOST_EVENTS = 8

# v1's phase -> v2's span and the recorder's two methods
_PHASES: dict[str, tuple[Any, str, str]] = {
    "model_init": (Name.MODEL_INIT, "on_model_init_start", "on_model_init_end"),
    "dataloader_init": (Name.DATA_LOADER_INIT, "on_dataloader_init_start", "on_dataloader_init_end"),
    "optimizer_init": (Name.OPTIMIZER_INIT, "on_optimizer_init_start", "on_optimizer_init_end"),
    "load_checkpoint": (Name.CHECKPOINT_LOAD, "on_load_checkpoint_start", "on_load_checkpoint_end"),
    "train": (Name.TRAINING_LOOP, "on_training_loop_start", "on_training_loop_end"),
    "validation": (Name.VALIDATION_LOOP, "on_validation_start", "on_validation_end"),
    "validation_batch": (
        Name.VALIDATION_SINGLE_ITERATION,
        "on_validation_single_iteration_start",
        "on_validation_single_iteration_end",
    ),
    "test": (Name.TESTING_LOOP, "on_testing_start", "on_testing_end"),
}


@dataclass
class _Save:
    """A checkpoint save that is open in v2."""

    span: Span
    step: int
    succeeded: bool = False
    #: when v1 reported its end, if its success may still follow: v2 wants the success of a sync save before the end
    ended: Optional[TracingTimestamp] = None


class Spans:
    """The spans that the shim has opened; it ends these and no others. Called by one thread at a time."""

    #: v1's calls (:class:`one_logger_v1_shim._journal.calls.Call`) that a method of the same name tells v2
    CALLS: ClassVar[tuple[str, ...]] = (
        *("phase_start", "phase_end", "train_start", "train_end", "batch_start", "batch_end"),
        *("save_start", "save_end", "save_success"),
    )

    def __init__(self, recorder: TrainingRecorder, clock: Clock) -> None:
        self._recorder = recorder
        self._clock = clock
        self._provider = OneLoggerProvider.instance()
        self._open: dict[str, tuple[Span, TracingTimestamp]] = {}
        self._save: Optional[_Save] = None
        self._iteration: Optional[Span] = None

    def enabled(self) -> bool:
        """Whether v2 still records. (It disables itself after an error under its quiet strategy.)"""
        return not private.is_closed(self._recorder) and self._provider.one_logger_enabled

    # -- phases ------------------------------------------------------------------------------------------------

    def phase_start(self, at: Reading, phase: str, given_ms: Any = None, **keywords: Any) -> None:
        """Open the span of ``phase``; one of the same name that we left open is ended first."""
        name, method, _ = _PHASES[phase]
        stamp = self._clock.stamp(at, given_ms)
        self._prepare()
        self._end(phase, stamp)
        if self._recorder.get_active_spans_by_name(name):
            return  # the application reports this phase itself
        span = getattr(self._recorder, method)(start_time=stamp, **keywords)
        if span is not None:
            self._open[phase] = (span, stamp)

    def phase_end(self, at: Reading, phase: str, given_ms: Any = None) -> None:
        """Close the span of ``phase`` if we opened it."""
        stamp = self._clock.stamp(at, given_ms)
        self._flush()
        self._adopt_thread()
        if phase == "train":
            self._end_iteration(stamp)
        self._end(phase, stamp)

    def train_end(self, at: Reading) -> None:
        """The training loop ends."""
        self.phase_end(at, "train")

    def train_start(self, at: Reading, iterations: int, samples: int) -> None:
        """The training loop."""
        config = self._training_config()
        target = config.train_samples_target
        tokens = config.seq_length * target if config.seq_length and target else None
        self.phase_start(
            at, "train",
            train_iterations_start=iterations, train_samples_start=samples,
            train_iterations_target=config.train_iterations_target, train_samples_target=target,
            train_tokens_target=tokens,
        )  # fmt: skip

    def _end(self, phase: str, stamp: TracingTimestamp) -> None:
        opened = self._open.pop(phase, None)
        if opened is None or not opened[0].active:
            return
        # A finish that was given by hand may lie before its start; v2's timers raise at that.
        latest = max(stamp, opened[1], key=lambda one: one.seconds_since_epoch)
        getattr(self._recorder, _PHASES[phase][2])(latest)

    # -- iterations --------------------------------------------------------------------------------------------

    def batch_start(self, at: Reading) -> None:
        """An iteration begins; one that was not ended is ended, and counts: v2 has no other way to leave it."""
        stamp = self._clock.stamp(at)
        self._prepare()
        self._end_iteration(stamp)
        self._iteration = self._recorder.on_training_single_iteration_start(stamp)

    def batch_end(self, at: Reading) -> None:
        """An iteration ends. Without a start nothing is told."""
        if self._iteration is None:
            return
        stamp = self._clock.stamp(at)
        self._prepare()
        self._end_iteration(stamp)
        loop = self._open.get("train")
        if loop is not None:
            trim(loop[0])

    def _end_iteration(self, stamp: TracingTimestamp) -> None:
        span, self._iteration = self._iteration, None
        if span is None or not span.active:
            return
        try:
            self._recorder.on_training_single_iteration_end(stamp)
        finally:  # v2 refuses some: throughput while the clock stands still, progress without a training loop
            if span.active:
                self._recorder.stop(span, stop_time=stamp)

    # -- checkpoints -------------------------------------------------------------------------------------------

    def save_start(self, at: Reading, step: int) -> None:
        stamp = self._clock.stamp(at)
        self._prepare()
        self._end_save(stamp)  # a save that was never ended
        span = self._recorder.on_save_checkpoint_start(step, stamp)
        if span is not None:
            self._save = _Save(span, step)

    def save_end(self, at: Reading, step: int) -> None:
        stamp = self._clock.stamp(at)
        self._flush()
        save = self._save
        if save is None:
            return
        if self._strategy() is CheckPointStrategy.ASYNC or save.succeeded:
            self._end_save(stamp)
        else:
            save.ended = stamp

    def save_success(self, at: Reading, step: int) -> None:
        stamp = self._clock.stamp(at)
        self._adopt_thread()
        save = self._save if self._save is not None and self._save.step == step else None
        if self._strategy() is CheckPointStrategy.ASYNC or save is not None:
            self._recorder.on_save_checkpoint_success(step, stamp)
        else:
            self._late_success(step, stamp)
        if save is not None:
            save.succeeded = True
            self._flush()

    def _late_success(self, step: int, stamp: TracingTimestamp) -> None:
        """A sync success after its span has gone: on the APPLICATION span, where v2 puts async ones."""
        application = self._recorder.get_active_spans_by_name(StandardSpanName.APPLICATION)
        if application:
            with private.active_span(self._recorder, application[0]) as possible:
                if possible:
                    self._recorder.on_save_checkpoint_success(step, stamp)

    def _strategy(self) -> CheckPointStrategy:
        strategy: CheckPointStrategy = self._training_config().save_checkpoint_strategy
        return strategy

    @staticmethod
    def _training_config() -> Any:
        """v2's training configuration. Raises ``ValueError``: nobody has given it one."""
        config = TrainingTelemetryProvider.instance().config.telemetry_config
        if config is None:
            raise ValueError("no training configuration")
        return config

    def _end_save(self, stamp: TracingTimestamp) -> None:
        save, self._save = self._save, None
        if save is not None and save.span.active:
            self._recorder.on_save_checkpoint_end(stamp)

    # -- order -------------------------------------------------------------------------------------------------

    def settle(self, at: Reading) -> None:
        """Before the application ends: what we left open is ended, the innermost first.

        v2 would end the application first, and then complain about each child in the job's log.
        """
        stamp = self._clock.stamp(at)
        self._flush()
        self._adopt_thread()
        self._end_iteration(stamp)
        self._end_save(stamp)
        for phase in reversed(list(self._open)):
            self._end(phase, stamp)

    def _prepare(self) -> None:
        self._flush()
        self._adopt_thread()

    def _flush(self) -> None:
        """End a sync save whose end v1 has reported: no success follows it any more."""
        if self._save is not None and self._save.ended is not None:
            self._adopt_thread()
            self._end_save(self._save.ended)

    def _adopt_thread(self) -> None:
        private.adopt_thread(self._recorder)


def trim(span: Span) -> None:
    """Drop what was exported from an open span."""
    if len(span.events) > MOST_EVENTS:
        del span.events[1:-1]
