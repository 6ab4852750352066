"""Which rows a job sends. v1's state machine: calls and clock readings in, rows out.

``now`` is always ``time.time()`` in seconds, read by the caller. Every method returns what v1 emitted at that call,
in order: ``("tag", tag)`` for ``log_app_tag`` and ``("row", dict)`` for ``log_metrics``. Rules and units stand in
docs/v1.md and docs/dictionary.md; each oddity below is one that dashboards depend on. They are those of 1.0.2, and
:mod:`.wires` names the other versions.

Runs in the job's process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from .._log import warn_once
from . import metrics as m
from .bookkeeping import ROW, TAG, Emit
from .checkpoints import Checkpoints
from .config import V1Config, bad_value
from .phases import PHASES
from .schema import CHECKPOINT_CALLBACK_ARGS, THROUGHPUT_CALLBACK_ARGS, check
from .stepped import SteppedTraining
from .timer import NamedTimer, Stopwatch
from .training import Training
from .wires import DEFAULT, OLDEST, STEPS

Kwargs = Mapping[str, Any]

O_MINIMAL = 1
O_THROUGHPUT = 2
O_CKPT = 4

# v1 accepted app_build_dataiters_start_time and looked for a misspelt name: the given start never counts. All other
# arguments of phases have the name of their metric.
_LOOKED_FOR = {m.APP_BUILD_DATAITERS_START_TIME: "app_build_dataiter_start_time"}


class Job:
    """One job as ``OneLoggerUtils`` of the version ``wire`` saw it."""

    def __init__(self, config: V1Config, timer: NamedTimer, wire: str = DEFAULT) -> None:
        self.wire = wire
        self._config = config
        self._timer = timer
        self._given: dict[str, Any] = {}
        self.mode = O_MINIMAL
        if config.read("is_log_throughput_enabled"):
            self.mode |= O_THROUGHPUT
        if config.read("is_save_checkpoint_enabled"):
            self.mode |= O_CKPT
        self._checkpoints = Checkpoints(config, timer)
        kind = SteppedTraining if wire == STEPS else Training
        self.training = kind(config, timer, throughput=bool(self.mode & O_THROUGHPUT))
        self._validation_batches_sent = 0

    # -- construction ------------------------------------------------------------------------------------------

    def check_config(self, raw: Mapping[str, Any]) -> None:
        """Raise v1's ``ValueError`` for missing and unknown keys."""
        # A key of a feature that is off counts for nothing; BioNeMo passes save_checkpoint_strategy all the same.
        check("initialize", raw, THROUGHPUT_CALLBACK_ARGS, CHECKPOINT_CALLBACK_ARGS)

    def construction(self) -> list[Emit]:
        """The tag, then one row with what the job is."""
        config = self._config
        row: dict[str, Any] = {m.ONE_LOGGER_UTILS_VERSION: self.wire}
        for metric in (
            m.SUMMARY_DATA_SCHEMA_VERSION, m.APP_RUN_TYPE, m.APP_METRICS_FEATURE_TAGS, m.IS_BASELINE_RUN,
            m.IS_TRAIN_ITERATIONS_ENABLED, m.IS_VALIDATION_ITERATIONS_ENABLED, m.IS_TEST_ITERATIONS_ENABLED,
        ):  # fmt: skip
            row[metric] = config.read(metric)
        row[m.IS_SAVE_CHECKPOINT_ENABLED] = config.last["is_save_checkpoint_enabled"]
        row[m.IS_LOG_THROUGHPUT_ENABLED] = config.last["is_log_throughput_enabled"]
        row[m.APP_TAG_RUN_VERSION] = config.read("app_tag_run_version")
        row[m.WORLD_SIZE] = config.read("world_size")
        if self.wire != OLDEST:
            self._copy(row, m.MICRO_BATCH_SIZE)
        row[m.GLOBAL_BATCH_SIZE] = config.read("global_batch_size")
        row[m.APP_TAG_RUN_NAME] = config.read("app_tag_run_name")
        self._copy(row, m.TRAIN_ITERATIONS_TARGET)
        self._copy(row, m.TRAIN_SAMPLES_TARGET)
        if self.wire == OLDEST:
            self._copy(row, m.MICRO_BATCH_SIZE)
        if config.has("seq_length"):
            seq_length = config.number("seq_length", 0)
            if config.last["seq_length"] is not None:
                row[m.MODEL_SEQ_LENGTH] = config.last["seq_length"]
                if row.get(m.TRAIN_SAMPLES_TARGET) is not None:
                    row[m.TRAIN_TOKENS_TARGET] = seq_length * config.number("train_samples_target", 0)
        if self.mode & O_CKPT:
            row[m.SAVE_CHECKPOINT_STRATEGY] = config.read("save_checkpoint_strategy")
        return [(ROW, row)]

    def tag(self) -> Emit:
        """``log_app_tag`` of the configured tag as it is now."""
        return (TAG, self._config.read("app_tag"))

    def with_metadata(self, row: dict[str, Any]) -> dict[str, Any]:
        """``row`` plus the user's metadata. Raises v1's ``ValueError`` if a key of it is a metric of the row."""
        metadata = self._config.read("metadata") or {}
        if not isinstance(metadata, Mapping):  # what a callable returned
            raise bad_value("metadata", metadata, "a dict of metric names and values")
        overlap = row.keys() & metadata.keys()
        if overlap:
            raise ValueError(f"Metadata overlap found with keys: {overlap}")
        return {**row, **metadata}

    def _copy(self, row: dict[str, Any], key: str) -> None:
        if self._config.has(key):
            row[key] = self._config.read(key)

    def run(self, callback: str, now: float, kwargs: Kwargs) -> list[Emit]:
        """One callback, by its name."""
        own = getattr(self, callback, None)
        if own is not None:
            emits: list[Emit] = own(now, kwargs)
            return emits
        phase, _, end = callback[len("on_") :].rpartition("_")
        phase = "app_run" if phase == "app" else phase
        if phase not in PHASES:  # v1 had no metric for it
            check(callback, kwargs)
            return []
        timed = self._phase_start if end == "start" else self._phase_end
        return timed(callback, phase, now, kwargs)

    # -- phases ------------------------------------------------------------------------------------------------

    def _phase_start(self, callback: str, phase: str, now: float, kwargs: Kwargs) -> list[Emit]:
        """``on_<phase>_start``: the given instant (ms) if one was ever given, else the clock's."""
        watch = self._timer.start(phase, now)
        check(callback, kwargs)
        metric = PHASES[phase].start
        self._keep(kwargs)
        return [(ROW, {metric: self._instant(_LOOKED_FOR.get(metric, metric), watch.start)})]

    def _phase_end(self, callback: str, phase: str, now: float, kwargs: Kwargs) -> list[Emit]:
        """``on_<phase>_end``. Without a start it is logged once and sends its instant; a second one sends nothing."""
        watch = self._stop(callback, phase, now)
        check(callback, kwargs)
        self._keep(kwargs)
        if watch is None:
            return []
        metric = PHASES[phase].finish
        row = {metric: self._instant(metric, watch.finish)}
        if phase == "load_checkpoint":
            # over all loads of the job unless a start was given
            start = self._given.get(m.LOAD_CHECKPOINT_START_TIME)
            finish = row[metric]
            both = isinstance(start, (int, float)) and isinstance(finish, (int, float))
            seconds = (finish - start) / 1000 if both else watch.total
            row[m.LOAD_CHECKPOINT_TIME] = seconds * 1000 if self.wire == OLDEST else seconds
        return [(ROW, row)]

    def _keep(self, kwargs: Kwargs) -> None:
        # v1's store: an instant that was given once wins on all later calls
        for key, value in kwargs.items():
            if value is not None:
                self._given[key] = value

    def _instant(self, argument: str, seconds: float) -> Any:
        if argument in self._given:
            return self._given[argument]
        if argument == "app_start_time" and self._config.has(argument):
            value = self._config.read(argument)
            if value is not None:
                return value
        return seconds * 1000

    def _stop(self, callback: str, name: str, now: float) -> Optional[Stopwatch]:
        """Stop a stopwatch; None if it had been stopped before (v1 raised ``RuntimeError`` in both cases)."""
        watch = self._timer[name]
        if watch.active:
            return self._timer.stop(name, now)
        if watch.count:
            warn_once(f"twice:{callback}", f"{callback} was called again after the end; it is ignored")
            return None
        warn_once(f"unstarted:{callback}", f"{callback} was called without its start")
        watch.finish = now
        watch.count = 1
        return watch

    # -- training and validation -------------------------------------------------------------------------------

    def on_train_start(self, now: float, kwargs: Kwargs) -> list[Emit]:
        watch = self._timer.start("app_train_loop", now)
        check("on_train_start", kwargs)
        row = self.training.start(watch.start, kwargs)
        if "app_start_time" in self._given or (
            self._config.has("app_start_time") and self._config.read("app_start_time")
        ):
            row[m.APP_START_TIME] = self._instant("app_start_time", now)
        return [(ROW, self.training.with_tflop(row))]

    def on_train_end(self, now: float, kwargs: Kwargs) -> list[Emit]:
        watch = self._stop("on_train_end", "app_train_loop", now)
        check("on_train_end", kwargs)
        if watch is None:
            return []
        row = {m.APP_TRAIN_LOOP_FINISH_TIME: watch.finish * 1000}
        # 1.0.3 sent the tail of a job here
        return [self.tag(), (ROW, {**row, **self.training.row()})] if self.wire == STEPS else [(ROW, row)]

    def on_train_batch_start(self, now: float) -> None:
        self._timer.start(self.training.batch_timer, now)
        self.training.has_batches = True

    def on_train_batch_end(self, now: float) -> list[Emit]:
        """The tag at every iteration, as v1 did; the row when it is due."""
        due = self.training.batch_end(now)
        return [self.tag(), (ROW, self.training.batch_row())] if due else [self.tag()]

    def refuse_batch_end(self, now: float, kwargs: Kwargs) -> None:
        """Raise for arguments that ``on_train_batch_end`` does not take. v1 stopped the timer first, counting none."""
        if self._timer.is_active(self.training.batch_timer):
            self._timer.stop(self.training.batch_timer, now)
        check("on_train_batch_end", kwargs)

    def step_runs(self) -> Optional[bool]:
        """Whether an iteration of steps is running; None: batches say what an iteration is."""
        if self.wire == STEPS:
            return self._timer.is_active("train_iterations")
        return None if self.training.has_batches else self.training.step_began is not None

    def on_train_step_start(self, now: float, counter: float) -> None:
        if self.wire == STEPS:
            self._timer.start("train_iterations", now)
        else:
            self.training.step_began = (now, counter)

    def on_train_step_end(self, now: float) -> list[Emit]:
        """The iteration's row when it is due. In a version that knows no steps it is an iteration with one batch."""
        if isinstance(self.training, SteppedTraining):
            self._timer.stop("train_iterations", now)
            due, row = self.training.step_end(now), self.training.step_row()  # v1 measured the throughput at each
            return [(ROW, row)] if due else []
        began, self.training.step_began = self.training.step_began, None
        self._timer.start(self.training.batch_timer, began[0] if began is not None else now)
        return self.on_train_batch_end(now)

    def on_validation_start(self, now: float, kwargs: Kwargs) -> list[Emit]:
        self._timer.start("validation_loop", now)
        check("on_validation_start", kwargs)
        return []

    def on_validation_batch_start(self, now: float, kwargs: Kwargs) -> list[Emit]:
        self._timer.start("validation_iterations", now)
        check("on_validation_batch_start", kwargs)
        return []

    def on_validation_batch_end(self, now: float, kwargs: Kwargs) -> list[Emit]:
        if self._timer.is_active("validation_iterations"):
            self._timer.stop("validation_iterations", now)
        else:
            warn_once("unstarted:on_validation_batch_end", "on_validation_batch_end was called without its start")
        check("on_validation_batch_end", kwargs)
        return []

    def on_validation_end(self, now: float, kwargs: Kwargs) -> list[Emit]:
        """Totals over all validations of the job. Without a batch there is nothing to say (v1: ``TypeError``)."""
        loop = self._timer["validation_loop"]
        watch = self._timer["validation_iterations"]
        started = loop.active
        if started:
            self._timer.stop("validation_loop", now)
        else:
            warn_once("unstarted:on_validation_end", "on_validation_end was called without its start")
        check("on_validation_end", kwargs)
        if not watch.count:
            warn_once("validation_empty", "on_validation_end: no validation batch was reported; nothing is logged")
            return []
        if not started and watch.count == self._validation_batches_sent:
            return []
        self._validation_batches_sent = watch.count
        row = {
            m.VALIDATION_ITERATIONS_TIME_TOTAL: watch.total,
            m.VALIDATION_ITERATIONS_TIME_MSECS_AVG: watch.avg * 1000,
            m.VALIDATION_ITERATIONS_TIME_MSECS_MIN: watch.min * 1000,
        }
        return [(ROW, row)]

    # -- checkpoints -------------------------------------------------------------------------------------------

    def check_checkpoints(self) -> None:
        """Raise v1's ``AssertionError`` where checkpoints are off. v1 asked before it called the barrier."""
        if not self.mode & O_CKPT:
            raise AssertionError(
                "Checkpoint saving is not enabled. Please ensure that `is_save_checkpoint_enabled = True` "
                "in the config to enable this feature."
            )

    def on_save_checkpoint_start(self, now: float, kwargs: Kwargs) -> list[Emit]:
        """Flushes the training progress first: v1's only way to send the tail of a job."""
        self._timer.start("save_checkpoint", now)
        check("on_save_checkpoint_start", kwargs)
        train = self.training.row()
        if self.wire == OLDEST:
            return [(ROW, self._checkpoints.start(kwargs["global_step"], train))]
        return [self.tag(), (ROW, train), (ROW, self._checkpoints.start(kwargs["global_step"], train))]

    def on_save_checkpoint_end(self, now: float, kwargs: Kwargs) -> list[Emit]:
        if not self._timer.is_active("save_checkpoint"):
            check("on_save_checkpoint_end", kwargs)
            warn_once("unstarted:on_save_checkpoint_end", "on_save_checkpoint_end was called without its start")
            return []
        self._timer.stop("save_checkpoint", now)
        check("on_save_checkpoint_end", kwargs)
        return [(ROW, self._checkpoints.end(kwargs["global_step"]))]

    def on_save_checkpoint_success(self, now: float, kwargs: Kwargs) -> list[Emit]:
        check("on_save_checkpoint_success", kwargs)
        row = self._checkpoints.success(kwargs["global_step"])
        return [(ROW, row)] if row else []  # v1 called log_metrics({}), which sends nothing
