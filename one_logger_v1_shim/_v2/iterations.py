"""Training iterations in v2, without the span that no exporter wants.

v2 builds a span for every iteration and by default exports none of them: 30 us a pair. v2's counts and timers are kept
here just as its recorder keeps them; the span itself is built only if an exporter wants it, or if another span begins
inside the iteration and needs it as its parent.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from nv_one_logger.core.span import Span
from nv_one_logger.core.time import TracingTimestamp
from nv_one_logger.recorder.default_recorder import ExportCustomizationMode
from nv_one_logger.training_telemetry.api.spans import StandardTrainingJobSpanName as Name
from nv_one_logger.training_telemetry.api.training_recorder import TrainingRecorder

from .._log import warn_once
from . import private

#: Events of a span that were exported are dropped from it beyond this number: v2 formats all of them each time that
#: a child span stops, so that a job would get slower with every row (0.4 us per row and iteration, without bound).
MOST_EVENTS = 8

_ITERATION = Name.TRAINING_SINGLE_ITERATION


class Iterations:
    """v2's view of the training iterations. Called by one thread at a time.

    ``heard`` tells whether any exporter but the shim's own, which sends rows only, listens.
    """

    def __init__(self, recorder: TrainingRecorder, heard: Callable[[], bool]) -> None:
        self._recorder = recorder
        self._heard = heard
        self._began: Optional[TracingTimestamp] = None
        self._span: Optional[Span] = None
        self._counts = private.Counts(recorder)
        self._virtual = (
            private.Counts.known(recorder)
            and not self._wanted()
            and type(recorder).on_training_single_iteration_end is TrainingRecorder.on_training_single_iteration_end
        )

    def _wanted(self) -> bool:
        """Whether an exporter wants the spans of iterations."""
        chosen = private.export_filter(self._recorder)
        if chosen is None:
            return True
        mode, names = chosen
        if mode is ExportCustomizationMode.BLACKLIST_SPANS:
            return _ITERATION not in names
        return mode is ExportCustomizationMode.EXPORT_ALL_SPANS or _ITERATION in names

    @property
    def _timer(self) -> Any:
        return self._counts.state.multi_iteration_timers[_ITERATION]

    def start(self, stamp: TracingTimestamp, adopt_thread: Callable[[], None]) -> None:
        if not self._virtual:
            adopt_thread()
            self.settle(stamp)
            self._span = self._recorder.on_training_single_iteration_start(stamp)
            self._began = stamp
            return
        timer = self._timer
        if timer.is_active:  # an iteration that was not ended, or Ctrl-C in a notebook between any two lines
            self._began = stamp
        self.settle(stamp)
        timer.start(stamp)
        self._began = stamp

    def end(self, stamp: TracingTimestamp, loop: Optional[Span]) -> None:
        """``loop``: the TRAINING_LOOP span, if we opened it."""
        if self._began is None:
            return
        self._began = None
        span, self._span = self._span, None
        if not self._virtual:
            self._recorder.on_training_single_iteration_end(stamp)
            _trim(loop)
            return
        recorder = self._recorder
        state = self._counts.state
        config = private.training_config(recorder)
        timer = self._timer
        timer.stop(stamp)
        batch = config.global_batch_size
        state.completed_training_iterations_overall += 1
        state.train_samples_processed_current_job += batch
        if config.seq_length:
            state.train_tokens_current_job = config.seq_length * state.train_samples_processed_current_job
        state.last_logged_train_iterations_finish_time = stamp
        if not state.first_logged_train_iterations_finish_time:
            state.first_logged_train_iterations_finish_time = stamp
        if config.is_log_throughput_enabled:
            self._count_flops(batch * (config.flops_per_sample or 0), timer.total_time_sec)
        if state.completed_training_iterations_overall % config.log_every_n_train_iterations == 0:
            if loop is None:
                warn_once("v2:progress", "v2 gets no training progress: on_train_start was not called")
            elif self._heard():  # v2 takes 19 attributes to say it
                self._counts.send_progress()
                _trim(loop)
        if span is not None:
            recorder.stop(span, stop_time=stamp)

    def _count_flops(self, flops: int, seconds: float) -> None:
        state = self._counts.state
        if state.completed_floating_point_operations_overall is None:
            return
        state.completed_floating_point_operations_overall += flops
        state.total_flops_current_job += flops
        if seconds > 0:  # v2 asserts it: a clock that stands still would end its telemetry
            per_gpu = float(state.total_flops_current_job) / (seconds * 10**12 * self._counts.world_size)
            state.tflops_per_gpu.add_value(per_gpu)

    def materialise(self) -> None:
        """Another span is about to begin: inside an iteration it needs the iteration's span as its parent."""
        if self._virtual and self._began is not None and self._span is None:
            self._span = self._recorder.start(span_name=_ITERATION, start_time=self._began)

    def settle(self, stamp: TracingTimestamp) -> None:
        """An iteration that was never ended: stop its timer and its span, count nothing."""
        if self._began is None:
            return
        self._began = None
        span, self._span = self._span, None
        if not self._virtual:
            # an iteration that v2 holds open is ended as v2 ends it; it counts
            if span is not None and span.active:
                self._recorder.on_training_single_iteration_end(stamp)
            return
        if self._timer.is_active:
            self._timer.stop(stamp)
        if span is not None and span.active:
            self._recorder.stop(span, stop_time=stamp)


def _trim(span: Optional[Span]) -> None:
    if span is not None and len(span.events) > MOST_EVENTS:
        del span.events[1:-1]
