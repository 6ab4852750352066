"""NeMo Speech's own spans and events that carry numbers -> v1's rows. Runs where v2 does.

NeMo Speech (2026) starts spans called ``nemo_speech.*`` on v2's recorder and gives v2 no training configuration, so
that v2's own training events never come. Its phases without numbers are a table (:data:`.translation.NEMO_PHASES`).

An iteration is one optimizer step there, as its ``global_step`` counts. Its throughput windows are measured on one
rank: ``examples`` are that rank's and no number of v1's, and units such as audio seconds had no name in v1. They stay
with v2's other exporters.
"""

from __future__ import annotations

from typing import Any

from nv_one_logger.core.event import Event
from nv_one_logger.core.span import Span

from .._v1 import metrics as m
from .._v1.checkpoints import Checkpoints
from .._v1.config import V1Config, as_number
from .._v1.timer import NamedTimer

Row = dict[str, Any]

TRAINING = "nemo_speech.training"
VALIDATION = "nemo_speech.validation"
SAVE = "nemo_speech.checkpoint_save"
SAVED = "nemo_speech.checkpoint_save_success"
THROUGHPUT = "nemo_speech.throughput"

_SAVING = "save_checkpoint"  # the names of v1's stopwatches
_VALIDATING = "validation_iterations"


class NemoSpeech:
    """The rows of one application's spans and events."""

    def __init__(self) -> None:
        self._timer = NamedTimer()
        self._asynchronous: dict[Any, bool] = {}
        self._strategy = "sync"
        self._checkpoints = Checkpoints(V1Config({"save_checkpoint_strategy": lambda: self._strategy}), self._timer)
        self._iterations: Any = 0
        self._seconds: float = 0.0
        self._shortest: float = 0.0
        self._first_finish_ms: float = 0.0

    def start(self, span: Span) -> Row:
        """What a span that starts says beside its time."""
        now = span.start_event.timestamp.seconds_since_epoch
        if span.name == TRAINING:
            self._timer["app_train_loop"].start = now
        elif span.name == VALIDATION:
            self._timer.start(_VALIDATING, now)
        elif span.name == SAVE:
            attributes = span.attributes.to_json()
            step = attributes.get("global_step")
            self._asynchronous[step] = bool(attributes.get("asynchronous"))
            self._timer.start(_SAVING, now)
            return _known(self._checkpoints.start(step, self._progress(step)))
        return {}

    def stop(self, span: Span) -> Row:
        """What a span that ends says beside its time."""
        if span.stop_event is None:
            return {}
        now = span.stop_event.timestamp.seconds_since_epoch
        if span.name == VALIDATION and self._timer.is_active(_VALIDATING):
            # NeMo reports no batches of it: the whole loop, of which v1 had no shortest nor average
            return {m.VALIDATION_ITERATIONS_TIME_TOTAL: self._timer.stop(_VALIDATING, now).total}
        if span.name == SAVE and self._timer.is_active(_SAVING):
            self._timer.stop(_SAVING, now)
            return _known(self._checkpoints.end(span.attributes.to_json().get("global_step")))
        return {}

    def event(self, event: Event) -> Row:
        """The row of an event."""
        if event.name == SAVED:
            step = event.attributes.to_json().get("global_step")
            self._strategy = "async" if self._asynchronous.pop(step, False) else "sync"
            return _known(self._checkpoints.success(step))
        return self._throughput(event) if event.name == THROUGHPUT else {}

    def _throughput(self, event: Event) -> Row:
        attributes = event.attributes.to_json()
        end = {m.TRAIN_ITERATIONS_END: attributes.get("global_step")}
        # The first versions of NeMo's callback told the batches alone.
        steps = as_number(attributes.get("window_optimizer_steps", attributes.get("window_batches")))
        seconds = as_number(attributes.get("window_seconds"))
        if steps is None or seconds is None:
            return _known(end)
        finish_ms = event.timestamp.seconds_since_epoch * 1000
        self._iterations += steps
        self._seconds += seconds
        if steps:
            each = seconds / steps
            self._shortest = min(self._shortest or each, each)
            self._first_finish_ms = self._first_finish_ms or finish_ms
        if not self._iterations:  # a part of the first accumulated step: no iteration has ended
            return _known(end)
        return _known(
            {
                m.TRAIN_ITERATIONS: self._iterations,
                **end,
                m.TRAIN_ITERATIONS_TIME_TOTAL: self._seconds,
                m.TRAIN_ITERATIONS_TIME_MSECS_AVG: self._seconds * 1000 / self._iterations,
                m.TRAIN_ITERATIONS_TIME_MSECS_MIN: self._shortest * 1000,
                m.FIRST_LOGGED_TRAIN_ITERATIONS_FINISH_TIME: self._first_finish_ms,
                m.LAST_LOGGED_TRAIN_ITERATIONS_FINISH_TIME: finish_ms,
            }
        )

    def _progress(self, step: Any) -> Row:
        return {
            m.TRAIN_ITERATIONS_END: step,
            m.TRAIN_SAMPLES_END: None,
            m.TRAIN_ITERATIONS_TIME_TOTAL: self._seconds,
        }


def _known(row: Row) -> Row:
    return {key: value for key, value in row.items() if value is not None}
