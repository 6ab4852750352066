"""Training iterations as v2 counts them: the same whether a span is built for each of them or not."""

from __future__ import annotations

import logging
from typing import Any, Optional

import pytest
from nv_one_logger.recorder.default_recorder import ExportCustomizationMode as Mode
from nv_one_logger.training_telemetry.api.spans import StandardTrainingJobSpanName as Name
from nv_one_logger.training_telemetry.api.training_recorder import TrainingRecorder
from overrides import override

from one_logger_v1_shim._v2 import private
from one_logger_v1_shim._v2.iterations import MOST_EVENTS, Iterations
from tests.v2_room import T0, TRAINING, Heard, configured, no_provider, stamp

__all__ = ["no_provider"]

pytestmark = pytest.mark.usefixtures("no_provider")

THROUGHPUT = {"is_log_throughput_enabled_or_fn": True, "flops_per_sample_or_fn": 10**12}
ALL = (Mode.BLACKLIST_SPANS, [Name.MODEL_FORWARD])
SPAN = "training_single_iteration"


class Training:
    """A training loop in v2, and the iterations in it."""

    def __init__(self, customization: Any = None, heard: bool = True, **training: Any) -> None:
        self.heard = Heard()
        self.recorder = configured(self.heard, training={**TRAINING, **training}, customization=customization)
        self.recorder.on_app_start(stamp(0))
        self.loop = self.recorder.on_training_loop_start(
            start_time=stamp(0),
            train_iterations_start=0,
            train_samples_start=0,
            train_iterations_target=None,
            train_samples_target=None,
            train_tokens_target=None,
        )
        self.adopted = 0
        self.iterations = Iterations(self.recorder, lambda: heard)
        self.heard.take()
        self.heard.attributes.clear()

    def adopt(self) -> None:
        self.adopted += 1

    def start(self, at: float) -> None:
        self.iterations.start(stamp(at), self.adopt)

    def end(self, at: float, loop: Optional[Any] = None) -> None:
        self.iterations.end(stamp(at), loop or self.loop)

    @property
    def state(self) -> Any:
        return self.recorder._training_state

    @property
    def timer(self) -> Any:
        return self.state.multi_iteration_timers[Name.TRAINING_SINGLE_ITERATION]

    def counts(self) -> tuple[int, int, int, float]:
        """Iterations, samples, windows of v2's timer, their seconds."""
        state = self.state
        done, samples = state.completed_training_iterations_overall, state.train_samples_processed_current_job
        return done, samples, self.timer.total_window_count, self.timer.total_time_sec


@pytest.mark.parametrize("customization", [None, ALL], ids=["no spans", "spans"])
def test_counts_are_v2s_own(customization: Any) -> None:
    one = Training(customization, seq_length_or_fn=16, **THROUGHPUT)
    for number in range(4):
        one.start(1 + 2 * number)
        one.end(2 + 2 * number)
    assert one.counts() == (4, 32, 4, 4.0)
    state = one.state
    assert state.train_tokens_current_job == 512
    assert state.total_flops_current_job == state.completed_floating_point_operations_overall == 32 * 10**12
    assert (state.tflops_per_gpu.latest_value, state.tflops_per_gpu.max_value) == (4.0, 4.0)
    assert state.first_logged_train_iterations_finish_time == stamp(2)
    assert state.last_logged_train_iterations_finish_time == stamp(8)
    progress = one.heard.events("training_metrics_update")
    assert [(told["current_iteration"], told["num_iterations"], told["interval"]) for told in progress] == [
        (1, 2, 2),
        (3, 4, 2),
    ]
    assert progress[-1]["train_throughput_per_gpu"] == 4.0
    assert progress[-1]["last_logged_train_iterations_finish_timestamp_sec"] == T0 + 8
    spans = [call[:2] for call in one.heard.take() if call[0] != "event"]
    assert spans == ([("start", SPAN), ("stop", SPAN)] * 4 if customization else [])
    assert one.adopted == (4 if customization else 0)


def test_without_a_sequence_length_and_throughput() -> None:
    one = Training()
    one.start(1)
    one.end(2)
    state = one.state
    assert not state.train_tokens_current_job
    assert not state.total_flops_current_job
    assert one.heard.take() == []


@pytest.mark.parametrize(
    ("customization", "built"),
    [
        (None, False),  # v2's default leaves the spans of iterations out
        (ALL, True),
        ((Mode.BLACKLIST_SPANS, [Name.TRAINING_SINGLE_ITERATION]), False),
        ((Mode.WHITELIST_SPANS, [Name.TRAINING_SINGLE_ITERATION]), True),
        ((Mode.WHITELIST_SPANS, [Name.TRAINING_LOOP]), False),
    ],
)
def test_span_is_built_where_an_exporter_wants_it(customization: Any, built: bool) -> None:
    one = Training(customization)
    one.start(1)
    assert [call[:2] for call in one.heard.take()] == ([("start", SPAN)] if built else [])
    assert bool(one.recorder.get_active_spans_by_name(Name.TRAINING_SINGLE_ITERATION)) is built


def test_span_is_built_where_all_spans_are_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private, "export_filter", lambda recorder: (Mode.EXPORT_ALL_SPANS, []))
    one = Training()
    one.start(1)
    assert one.recorder.get_active_spans_by_name(Name.TRAINING_SINGLE_ITERATION)


@pytest.mark.parametrize("unknown", ["export_filter", "known", "subclass"])
def test_span_is_built_where_v2_is_not_known(unknown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if unknown == "export_filter":
        monkeypatch.setattr(private, "export_filter", lambda recorder: None)
    elif unknown == "known":
        monkeypatch.setattr(private.Counts, "known", staticmethod(lambda recorder: False))
    one = Training()
    if unknown == "subclass":

        class Own(TrainingRecorder):
            @override
            def on_training_single_iteration_end(self, stop_time: Any) -> None:
                super().on_training_single_iteration_end(stop_time)

        one.recorder.__class__ = Own
        one.iterations = Iterations(one.recorder, lambda: True)
    one.start(1)
    assert one.recorder.get_active_spans_by_name(Name.TRAINING_SINGLE_ITERATION)
    one.end(2)
    assert one.counts() == (1, 8, 1, 1.0)
    assert not one.recorder.get_active_spans_by_name(Name.TRAINING_SINGLE_ITERATION)


@pytest.mark.parametrize("customization", [None, ALL], ids=["no spans", "spans"])
def test_end_without_start_counts_nothing(customization: Any) -> None:
    one = Training(customization)
    one.end(1)
    one.start(2)
    one.end(3)
    one.end(4)
    assert one.counts() == (1, 8, 1, 1.0)


def test_start_that_comes_twice() -> None:
    """The first one is given up: it counts no iteration, and the second is measured from its own start."""
    one = Training()
    one.start(1)
    one.start(3)
    one.end(4)
    done, samples, _, _ = one.counts()
    assert (done, samples) == (1, 8)
    assert (one.timer.latest_window_duration_sec, one.timer.total_time_sec) == (1.0, 3.0)
    assert not one.timer.is_active


def test_start_that_comes_twice_where_spans_are_built() -> None:
    """An iteration that v2 holds open is ended as v2 ends it: it counts."""
    one = Training(ALL)
    one.start(1)
    one.start(3)
    assert one.heard.take() == [("start", SPAN, "training_loop", 1.0), ("stop", SPAN, 3.0),
                                ("start", SPAN, "training_loop", 3.0)]  # fmt: skip
    assert one.counts()[:2] == (1, 8)


def test_timer_that_an_interrupt_left_running() -> None:
    one = Training()
    one.timer.start(stamp(1))
    one.start(2)
    one.end(3)
    assert one.counts()[:2] == (1, 8)


def test_settle_gives_up_an_open_iteration() -> None:
    one = Training()
    one.iterations.settle(stamp(1))
    assert one.counts() == (0, 0, 0, 0.0)
    one.start(2)
    one.iterations.settle(stamp(5))
    assert not one.timer.is_active
    assert (one.counts()[:2], one.timer.latest_window_duration_sec) == ((0, 0), 3.0)
    one.end(4)
    assert one.counts()[:2] == (0, 0)


def test_settle_where_spans_are_built() -> None:
    one = Training(ALL)
    one.start(1)
    one.iterations.settle(stamp(2))
    assert [call[0] for call in one.heard.take()] == ["start", "stop"]
    assert one.counts() == (1, 8, 1, 1.0)
    one.start(3)
    (span,) = one.recorder.get_active_spans_by_name(Name.TRAINING_SINGLE_ITERATION)
    one.recorder.stop(span, stop_time=stamp(4))  # by somebody else
    one.heard.take()
    one.iterations.settle(stamp(5))
    assert one.heard.take() == []
    assert one.counts()[:2] == (1, 8)


def test_span_is_built_where_another_begins_inside() -> None:
    one = Training()
    one.iterations.materialise()
    assert not one.recorder.get_active_spans_by_name(Name.TRAINING_SINGLE_ITERATION)
    one.start(1)
    one.iterations.materialise()
    one.iterations.materialise()
    (span,) = one.recorder.get_active_spans_by_name(Name.TRAINING_SINGLE_ITERATION)
    assert span.start_event.timestamp == stamp(1)
    one.end(3)
    assert (span.active, span.stop_event.timestamp) == (False, stamp(3))
    one.start(4)
    assert not one.recorder.get_active_spans_by_name(Name.TRAINING_SINGLE_ITERATION)
    one.iterations.materialise()
    (span,) = one.recorder.get_active_spans_by_name(Name.TRAINING_SINGLE_ITERATION)
    one.iterations.settle(stamp(5))
    assert (span.active, span.stop_event.timestamp) == (False, stamp(5))


def test_end_without_a_loop_of_ours_where_spans_are_built() -> None:
    one = Training(ALL)
    one.start(1)
    one.iterations.end(stamp(2), None)
    assert one.counts() == (1, 8, 1, 1.0)


def test_materialise_where_spans_are_built_anyway() -> None:
    one = Training(ALL)
    one.start(1)
    one.iterations.materialise()
    assert len(one.recorder.get_active_spans_by_name(Name.TRAINING_SINGLE_ITERATION)) == 1


def test_clock_that_stands_still_ends_nothing() -> None:
    one = Training(**THROUGHPUT)
    one.start(1)
    one.end(1)
    assert one.state.total_flops_current_job == 8 * 10**12
    assert one.state.tflops_per_gpu.latest_value is None or one.state.tflops_per_gpu.latest_value == 0
    one.start(1)
    one.end(2)
    assert one.state.tflops_per_gpu.latest_value == 8.0


def test_throughput_that_v2_has_not_begun_to_count() -> None:
    one = Training(**THROUGHPUT)
    one.state.completed_floating_point_operations_overall = None
    one.start(1)
    one.end(2)
    assert one.state.completed_floating_point_operations_overall is None
    assert one.state.total_flops_current_job == 0
    assert one.counts()[0] == 1


def test_progress_that_nobody_hears() -> None:
    one = Training(heard=False)
    for number in range(4):
        one.start(number)
        one.end(number + 0.5)
    assert one.heard.take() == []
    assert one.counts()[0] == 4


def test_progress_without_a_loop(caplog: pytest.LogCaptureFixture) -> None:
    one = Training()
    for number in range(4):
        one.iterations.start(stamp(number), one.adopt)
        one.iterations.end(stamp(number + 0.5), None)
    assert one.heard.take() == []
    texts = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [text for text in texts if "progress" in text] == [
        "v2 gets no training progress: on_train_start was not called"
    ]


@pytest.mark.parametrize("customization", [None, ALL], ids=["no spans", "spans"])
def test_loop_stays_small(customization: Any) -> None:
    one = Training(customization)
    first = one.loop.events[0]
    lengths = []
    for number in range(60):
        one.start(number)
        one.end(number + 0.5)
        lengths.append(len(one.loop.events))
    assert set(lengths) == set(range(2, MOST_EVENTS + 1)) | {1}
    assert {after for before, after in zip(lengths, lengths[1:]) if after < before} == {2}, "the first and the last"
    assert MOST_EVENTS == 8
    assert one.loop.events[0] is first
    assert one.loop.events[-1].attributes.to_json()["current_iteration"] == 59
