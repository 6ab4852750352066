"""v2's spans and events -> v1's rows, as tables, for applications that were written for v2's callbacks.

v2's times are seconds; v1's are milliseconds for instants and averages, seconds for totals (:mod:`.._v1.metrics`).
What v2 does not tell an exporter can't be translated: v1's flush of the training progress before each save.

Runs where v2 does: in the worker's process, or in the job's.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from nv_one_logger.api.config import OneLoggerConfig
from nv_one_logger.core.event import Event
from nv_one_logger.core.span import Span, StandardSpanName
from nv_one_logger.training_telemetry.api.events import StandardTrainingJobEventName as EventName
from nv_one_logger.training_telemetry.api.spans import StandardTrainingJobSpanName as Name

from .._v1 import metrics as m
from .._v1.phases import PHASES
from .._v1.wires import DEFAULT as UTILS_VERSION
from .nemo import SAVE, TRAINING, VALIDATION, NemoSpeech

Row = dict[str, Any]
Attributes = dict[str, Any]


def _same(value: Any) -> Any:
    return value


def _ms(seconds: float) -> float:
    return seconds * 1000


def _tflop(flops: float) -> float:
    return flops / 1e12


#: span -> metric of its start, metric of its stop (ms since the epoch)
SPANS: dict[Any, tuple[str, str]] = {
    StandardSpanName.APPLICATION: PHASES["app_run"].times,
    Name.MODEL_INIT: PHASES["model_init"].times,
    Name.DATA_LOADER_INIT: PHASES["dataloader_init"].times,
    Name.OPTIMIZER_INIT: PHASES["optimizer_init"].times,
    Name.CHECKPOINT_LOAD: PHASES["load_checkpoint"].times,
    Name.TRAINING_LOOP: PHASES["train"].times,
}

#: NeMo Speech's own span -> v2's span of the same phase; what else NeMo tells has numbers (:mod:`.nemo`)
NEMO_PHASES: dict[Any, Any] = {
    "nemo_speech.model_initialization": Name.MODEL_INIT,
    "nemo_speech.data_loader_initialization": Name.DATA_LOADER_INIT,
    "nemo_speech.optimizer_initialization": Name.OPTIMIZER_INIT,
    "nemo_speech.checkpoint_load": Name.CHECKPOINT_LOAD,
    TRAINING: Name.TRAINING_LOOP,
}

Field = tuple[str, str, Callable[[Any], Any]]

#: attributes of a starting span, beside its time
SPAN_FIELDS: dict[Any, tuple[Field, ...]] = {
    Name.TRAINING_LOOP: (
        (m.TRAIN_ITERATIONS_START, "train_iterations_start", _same),
        (m.TRAIN_ITERATIONS_END, "train_iterations_start", _same),
        (m.TRAIN_SAMPLES_START, "train_samples_start", _same),
        (m.TRAIN_SAMPLES_END, "train_samples_start", _same),
        (m.TRAIN_TOKENS_TARGET, "train_tokens_target", _same),
        (m.TRAIN_TFLOP_START, "completed_floating_point_operations_overall", _tflop),
    ),
    # v2's current_iteration of a save is the number of finished iterations: v1's "_end"
    Name.CHECKPOINT_SAVE_SYNC: (
        (m.TRAIN_ITERATIONS_SAVE_CHECKPOINT_END, "current_iteration", _same),
        (m.SAVE_CHECKPOINT_COUNT, "save_checkpoint_attempt_count", _same),
    ),
}
SPAN_FIELDS[Name.CHECKPOINT_SAVE_ASYNC] = SPAN_FIELDS[Name.CHECKPOINT_SAVE_SYNC]

#: all spans that give a row, or whose events do
SPAN_NAMES: tuple[Any, ...] = (
    *dict.fromkeys((*SPANS, *SPAN_FIELDS, Name.VALIDATION_LOOP)),
    *(*NEMO_PHASES, VALIDATION, SAVE),
)

#: event -> (metric, attribute, conversion)
EVENTS: dict[Any, tuple[Field, ...]] = {
    EventName.ONE_LOGGER_INITIALIZATION: (
        (m.SUMMARY_DATA_SCHEMA_VERSION, "summary_data_schema_version", _same),
        (m.IS_BASELINE_RUN, "is_baseline_run", _same),
        (m.WORLD_SIZE, "world_size", _same),
        (m.APP_TAG_RUN_NAME, "session_tag", _same),
    ),
    EventName.UPDATE_TRAINING_TELEMETRY_CONFIG: (
        (m.IS_TRAIN_ITERATIONS_ENABLED, "is_train_iterations_enabled", _same),
        (m.IS_VALIDATION_ITERATIONS_ENABLED, "is_validation_iterations_enabled", _same),
        (m.IS_TEST_ITERATIONS_ENABLED, "is_test_iterations_enabled", _same),
        (m.IS_SAVE_CHECKPOINT_ENABLED, "is_save_checkpoint_enabled", _same),
        (m.IS_LOG_THROUGHPUT_ENABLED, "is_log_throughput_enabled", _same),
        (m.MICRO_BATCH_SIZE, "micro_batch_size", _same),
        (m.GLOBAL_BATCH_SIZE, "global_batch_size", _same),
        (m.TRAIN_ITERATIONS_TARGET, "train_iterations_target", _same),
        (m.TRAIN_SAMPLES_TARGET, "train_samples_target", _same),
        (m.MODEL_SEQ_LENGTH, "seq_length", _same),
        (m.SAVE_CHECKPOINT_STRATEGY, "checkpoint_strategy", str),
    ),
    EventName.TRAINING_METRICS_UPDATE: (
        (m.TRAIN_ITERATIONS, "num_iterations", _same),
        # v2 numbers iterations from 0, v1 counted finished ones
        (m.TRAIN_ITERATIONS_END, "current_iteration", lambda last: last + 1),
        (m.TRAIN_SAMPLES, "num_train_samples", _same),
        (m.TRAIN_ITERATIONS_TIME_TOTAL, "total_iteration_time_sec", _same),
        (m.TRAIN_ITERATIONS_TIME_MSECS_AVG, "avg_iteration_time_sec", _ms),
        (m.TRAIN_ITERATIONS_TIME_MSECS_MIN, "min_iteration_time_sec", _ms),
        (m.FIRST_LOGGED_TRAIN_ITERATIONS_FINISH_TIME, "first_logged_train_iterations_finish_timestamp_sec", _ms),
        (m.LAST_LOGGED_TRAIN_ITERATIONS_FINISH_TIME, "last_logged_train_iterations_finish_timestamp_sec", _ms),
        (m.TRAIN_TOKENS, "train_tokens", _same),
        (m.TRAIN_TFLOP_END, "completed_floating_point_operations_overall", _tflop),
        (m.TRAIN_THROUGHPUT_PER_GPU, "train_throughput_per_gpu", _same),
        (m.TRAIN_THROUGHPUT_PER_GPU_MAX, "train_throughput_per_gpu_max", _same),
    ),
    EventName.VALIDATION_METRICS_UPDATE: (
        (m.VALIDATION_ITERATIONS_TIME_TOTAL, "total_iteration_time_sec", _same),
        (m.VALIDATION_ITERATIONS_TIME_MSECS_AVG, "avg_iteration_time_sec", _ms),
        (m.VALIDATION_ITERATIONS_TIME_MSECS_MIN, "min_iteration_time_sec", _ms),
    ),
    EventName.SYNC_CHECKPOINT_METRICS_UPDATE: (
        (m.SAVE_CHECKPOINT_SYNC_TIME_TOTAL, "save_checkpoint_sync_time_total_sec", _same),
        (m.SAVE_CHECKPOINT_SYNC_TIME_MIN, "save_checkpoint_sync_time_min_sec", _same),
        (m.SAVE_CHECKPOINT_SYNC_TIME_MAX, "save_checkpoint_sync_time_max_sec", _same),
    ),
    EventName.SAVE_CHECKPOINT_SUCCESS: (
        (
            m.LAST_SUCCESSFUL_SAVE_CHECKPOINT_SYNC_FINISH_TIME,
            "latest_successful_save_checkpoint_timestamp_sec",
            _ms,
        ),
    ),
}

#: in the row of the first success of the job
FIRST_SUCCESS: tuple[Field, ...] = (
    (m.FIRST_SAVED_TRAIN_ITERATIONS_START_TIME, "training_start_timestamp_sec", _ms),
    (
        m.FIRST_SUCCESSFUL_SAVE_CHECKPOINT_SYNC_FINISH_TIME,
        "first_successful_save_checkpoint_timestamp_sec",
        _ms,
    ),
)

#: in the row of a success that is newer than all before
PRODUCTIVE: tuple[Field, ...] = (
    (m.TRAIN_ITERATIONS_PRODUCTIVE_END, "productive_train_iterations", _same),
    (m.TRAIN_SAMPLES_PRODUCTIVE_END, "productive_train_samples", _same),
    (m.TRAIN_ITERATIONS_TIME_TOTAL_PRODUCTIVE, "productive_train_iterations_sec", _same),
    (m.VALIDATION_ITERATIONS_TIME_TOTAL_PRODUCTIVE, "productive_validation_iterations_sec", _same),
    (m.TRAIN_TFLOP_PRODUCTIVE_END, "productive_train_tflops", _same),
)


def _take(table: tuple[Field, ...], attributes: Attributes) -> Row:
    return {metric: convert(attributes[name]) for metric, name, convert in table if attributes.get(name) is not None}


class Translation:
    """One application's spans and events, as they come, into rows.

    Attributes:
        prefers_config: does ``config`` say who the run is, and not the configuration that v2 has?
    """

    def __init__(self, config: OneLoggerConfig) -> None:
        self._config = config
        self.prefers_config = False
        self._load_seconds = 0.0
        self._ends = 0
        self._newest = -1
        self._first = True
        self._succeeded = False
        self._throughput = False
        self._nemo = NemoSpeech()

    def start(self, span: Span) -> list[Row]:
        """The row of a span that begins, if v1 had one."""
        name = NEMO_PHASES.get(span.name, span.name)
        row = {**_take(SPAN_FIELDS.get(name, ()), span.attributes.to_json()), **self._nemo.start(span)}
        if name in SPANS:
            row[SPANS[name][0]] = _ms(span.start_event.timestamp.seconds_since_epoch)
        return [row] if row else []

    def stop(self, span: Span) -> list[Row]:
        """The row of a span that ends, if v1 had one."""
        name = NEMO_PHASES.get(span.name, span.name)
        row = self._nemo.stop(span)
        if name not in SPANS or span.stop_event is None:
            return [row] if row else []
        start, stop = span.start_event.timestamp, span.stop_event.timestamp
        row[SPANS[name][1]] = _ms(stop.seconds_since_epoch)
        if name == Name.CHECKPOINT_LOAD:
            self._load_seconds += stop.perf_counter_seconds - start.perf_counter_seconds
            row[m.LOAD_CHECKPOINT_TIME] = self._load_seconds
        return [row]

    def event(self, event: Event) -> tuple[list[Row], Any]:
        """The rows of an event, and the tag for v1's ``log_app_tag`` if it names one."""
        table = EVENTS.get(event.name)
        if table is None:
            row = self._nemo.event(event)
            return [row] if row else [], None
        attributes = event.attributes.to_json()
        row = _take(table, attributes)
        more = _MORE.get(event.name)
        if more is not None:
            row = more(self, row, attributes)
        tag: Optional[Any] = attributes.get("perf_tag")
        return ([row] if row else []), tag

    def _initialization(self, row: Row, attributes: Attributes) -> Row:
        if self.prefers_config:
            row[m.APP_TAG_RUN_NAME] = self._config.session_tag
            row[m.IS_BASELINE_RUN] = self._config.is_baseline_run
            row[m.SUMMARY_DATA_SCHEMA_VERSION] = self._config.summary_data_schema_version
        # v2's event has the metadata as "key:value" texts; the configuration still has the values
        return {m.ONE_LOGGER_UTILS_VERSION: UTILS_VERSION, **(self._config.custom_metadata or {}), **row}

    def _training_config(self, row: Row, attributes: Attributes) -> Row:
        if not row.get(m.IS_SAVE_CHECKPOINT_ENABLED):
            row.pop(m.SAVE_CHECKPOINT_STRATEGY, None)
        self._throughput = bool(row.get(m.IS_LOG_THROUGHPUT_ENABLED))
        if m.MODEL_SEQ_LENGTH in row and m.TRAIN_SAMPLES_TARGET in row:
            row[m.TRAIN_TOKENS_TARGET] = row[m.MODEL_SEQ_LENGTH] * row[m.TRAIN_SAMPLES_TARGET]
        telemetry: Any = self._config.telemetry_config
        return {**(getattr(telemetry, "custom_metadata", None) or {}), **row}

    def _progress(self, row: Row, attributes: Attributes) -> Row:
        row[m.TRAIN_SAMPLES_END] = attributes["train_samples_start"] + attributes["num_train_samples"]
        if m.TRAIN_THROUGHPUT_PER_GPU in row:  # v2 sends total_flops=0 when throughput is off
            row[m.TRAIN_TFLOP] = _tflop(attributes.get("total_flops") or 0)
        return row

    def _success(self, row: Row, attributes: Attributes) -> Row:
        self._succeeded = True
        if self._first:
            self._first = False
            row.update(_take(FIRST_SUCCESS, attributes))
        if attributes["current_iteration"] > self._newest:
            self._newest = attributes["current_iteration"]
            row.update(_take(PRODUCTIVE, attributes))
        if attributes.get("checkpoint_strategy") == "async":
            row[m.SAVE_CHECKPOINT_ASYNC_COUNT] = attributes["save_checkpoint_success_count"]
        return row

    def _window(self, row: Row, attributes: Attributes) -> Row:
        self._ends += 1
        row[m.SAVE_CHECKPOINT_SYNC_COUNT] = self._ends
        if self._succeeded:
            self._succeeded = False
            row[m.SAVE_CHECKPOINT_SYNC_TIME_TOTAL_PRODUCTIVE] = row[m.SAVE_CHECKPOINT_SYNC_TIME_TOTAL]
        return row


_MORE: dict[Any, Callable[[Translation, Row, Attributes], Row]] = {
    EventName.ONE_LOGGER_INITIALIZATION: Translation._initialization,
    EventName.UPDATE_TRAINING_TELEMETRY_CONFIG: Translation._training_config,
    EventName.TRAINING_METRICS_UPDATE: Translation._progress,
    EventName.SAVE_CHECKPOINT_SUCCESS: Translation._success,
    EventName.SYNC_CHECKPOINT_METRICS_UPDATE: Translation._window,
}
