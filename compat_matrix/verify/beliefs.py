"""What we believe about each metric of v1: a table of names, units, types, growth and relations.

Names and units of what ``OneLoggerUtils`` sent come from the package's own table (``_v1/metrics.py``); what only
Megatron-LM or another version of v1 sent stands here. Which metrics stand in one row: :mod:`.row_kinds`.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from one_logger_v1_shim._v1.metrics import (
    COUNT,
    EPOCH_MS,
    FLAG,
    MSECS,
    SECONDS,
    TEXT,
    TFLOP,
    TFLOPS_PER_GPU,
    UNITS,
)

#: sent by Megatron-LM itself, through v1's core (the two misspelt ones since 1.2.0-mlm)
MEGATRON_UNITS = {
    "train_iterations_warmup": COUNT,
    "data_parallel_size": COUNT,
    "context_parallel_size": COUNT,
    "pipeline_model_parallel_size": COUNT,
    "tensor_model_parallel_size": COUNT,
    "expert_model_parallel_size": COUNT,
    "app_build_optimzer_start_time": EPOCH_MS,
    "app_build_optimzer_finish_time": EPOCH_MS,
}
#: sent by OneLoggerUtils 1.0.3 and by no other known version
LATER_UNITS = {
    "train_batch": COUNT,
    "train_batch_time_total": SECONDS,
    "train_batch_time_msecs_avg": MSECS,
    "train_batch_time_msecs_min": MSECS,
}

BOOL, INTEGER, NUMBER, STRING, STRINGS = "bool", "int", "number", "str", "list of str"
_TYPES = {
    COUNT: INTEGER, EPOCH_MS: NUMBER, SECONDS: NUMBER, MSECS: NUMBER, TFLOP: NUMBER, TFLOPS_PER_GPU: NUMBER,
    FLAG: BOOL, TEXT: STRING,
}  # fmt: skip

#: copied from the configuration as it was: also None, or the text of a number
_AS_CONFIGURED = frozenset({
    "world_size", "micro_batch_size", "global_batch_size", "train_iterations_target", "train_samples_target",
    "model_seq_length", "train_tokens_target",
})  # fmt: skip
#: None where there is nothing: Megatron-LM without a run name, or before the first evaluation
_MAY_BE_NONE = frozenset({"app_tag_run_name", "validation_iterations_time_msecs_avg"})

#: never smaller than in an earlier row
_GROWS = frozenset({
    "app_last_log_time", "app_tag_count", "train_iterations", "train_samples", "train_tokens", "train_tflop",
    "train_iterations_time_total", "validation_iterations_time_total", "train_throughput_per_gpu_max",
    "save_checkpoint_count", "save_checkpoint_sync_count", "save_checkpoint_async_count",
    "save_checkpoint_sync_time_total", "save_checkpoint_sync_time_max", "train_iterations_productive_end",
    "train_iterations_time_total_productive", "validation_iterations_time_total_productive",
    "last_logged_train_iterations_finish_time", "app_train_loop_start_time", "app_train_loop_finish_time",
})  # fmt: skip
#: never larger than in an earlier row
_SHRINKS = frozenset({
    "train_iterations_time_msecs_min", "validation_iterations_time_msecs_min", "save_checkpoint_sync_time_min",
})  # fmt: skip
#: one more in each row that has it
_COUNTS = frozenset({"save_checkpoint_count", "save_checkpoint_sync_count", "save_checkpoint_async_count"})
#: sent once in the life of a run (the first two: of a job)
_ONCE = frozenset({
    "app_first_log_time", "first_saved_train_iterations_start_time",
    "first_successful_save_checkpoint_sync_finish_time",
})  # fmt: skip
#: the same in every row that has it, once it is not 0
_STAYS = frozenset({"first_logged_train_iterations_finish_time"})


@dataclass(frozen=True)
class Metric:
    """One metric of v1."""

    name: str
    unit: str
    type: str
    may_be_none: bool
    #: "grows", "shrinks", "counts" (by one), "once", "stays", or "" when it goes as it likes
    growth: str

    @property
    def of_the_clock(self) -> bool:
        """Whether its value depends on when, and how fast, the job ran."""
        return self.unit in (EPOCH_MS, SECONDS, MSECS, TFLOPS_PER_GPU)


def _metric(name: str, unit: str) -> Metric:
    kind = _TYPES.get(unit, STRINGS)
    growths = ((_COUNTS, "counts"), (_GROWS, "grows"), (_SHRINKS, "shrinks"), (_ONCE, "once"), (_STAYS, "stays"))
    growth = next((word for names, word in growths if name in names), "")
    return Metric(name, unit, kind, name in _MAY_BE_NONE or name in _AS_CONFIGURED, growth)


#: every metric that any known v1 sent
METRICS = {name: _metric(name, unit) for name, unit in {**UNITS, **MEGATRON_UNITS, **LATER_UNITS}.items()}


def as_configured(name: str) -> bool:
    """Whether the value was sent as the configuration had it: then the text of a number will do."""
    return name in _AS_CONFIGURED


@dataclass(frozen=True)
class Relation:
    """What holds between metrics of one row and the latest values of the rows before it.

    ``text`` is ``left = right`` or ``left <= right``; ``row`` is the kind of row in which it is looked at.
    """

    row: str
    text: str
    why: str
    #: holds for OneLoggerUtils; Megatron-LM sends the throughput of the last interval
    only_utils: bool = False

    @functools.cached_property
    def sides(self) -> tuple[str, str, str]:
        """Left, operator, right."""
        left, operator, right = re.split(r" (<=|=) ", self.text)
        return left, operator, right

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The metrics in it."""
        return tuple(dict.fromkeys(re.findall(r"[a-z_]{3,}", self.text)))


_UNITS_AGREE = "the average is in ms, the total in s"
RELATIONS = (
    Relation("construction", "train_tokens_target = model_seq_length * train_samples_target", "samples of that length"),
    Relation("train start", "train_iterations_end = train_iterations_start", "no iteration has run"),
    Relation("train start", "train_samples_end = train_samples_start", "no iteration has run"),
    Relation(
        "progress", "train_iterations_end = train_iterations_start + train_iterations", "counted from the model's start"
    ),
    Relation("progress", "train_samples_end = train_samples_start + train_samples", "counted from the model's start"),
    Relation(
        "progress",
        "train_iterations_time_msecs_avg * train_iterations = 1000 * train_iterations_time_total",
        _UNITS_AGREE,
    ),
    Relation("progress", "train_iterations_time_msecs_min <= train_iterations_time_msecs_avg", "shortest and average"),
    Relation(
        "progress",
        "first_logged_train_iterations_finish_time <= last_logged_train_iterations_finish_time",
        "first and last",
    ),
    Relation(
        "progress",
        "last_logged_train_iterations_finish_time <= app_last_log_time",
        "an iteration ends before it is logged",
    ),
    Relation("progress", "train_tokens = model_seq_length * train_samples", "samples of that length"),
    Relation("progress", "train_tflop_end = train_tflop_start + train_tflop", "counted from the model's start"),
    Relation(
        "progress",
        "train_throughput_per_gpu * train_iterations_time_total * world_size = train_tflop",
        "per second and GPU",
        True,
    ),
    Relation("progress", "train_throughput_per_gpu <= train_throughput_per_gpu_max", "the maximum so far", True),
    Relation(
        "validation",
        "validation_iterations_time_msecs_min <= validation_iterations_time_msecs_avg",
        "shortest and average",
    ),
    Relation("save start", "train_iterations_save_checkpoint_end = train_iterations_end", "the progress row before it"),
    Relation("save end", "save_checkpoint_sync_time_min <= save_checkpoint_sync_time_max", "shortest and longest"),
    Relation("save end", "save_checkpoint_sync_time_max <= save_checkpoint_sync_time_total", "one and all"),
    Relation(
        "save end",
        "save_checkpoint_sync_time_min * save_checkpoint_sync_count <= save_checkpoint_sync_time_total",
        "each is at least the shortest",
    ),
    Relation(
        "save end",
        "save_checkpoint_sync_time_total <= save_checkpoint_sync_time_max * save_checkpoint_sync_count",
        "each is at most the longest",
    ),
    Relation("save end", "save_checkpoint_sync_count <= save_checkpoint_count", "ends and starts"),
    Relation(
        "save end", "save_checkpoint_sync_time_total_productive <= save_checkpoint_sync_time_total", "a part and all"
    ),
    Relation(
        "save success", "train_iterations_productive_end <= train_iterations_end", "what was saved and what was trained"
    ),
    Relation(
        "save success", "train_samples_productive_end <= train_samples_end", "what was saved and what was trained"
    ),
    Relation(
        "save success",
        "train_iterations_time_total_productive <= train_iterations_time_total",
        "what was saved and what was trained",
    ),
    Relation("save success", "save_checkpoint_async_count <= save_checkpoint_count", "successes and starts"),
)

#: averages (ms) and totals (s) over a whole number of windows that no row counts
WHOLE_COUNTS = {
    "validation": ("validation_iterations_time_total", "validation_iterations_time_msecs_avg"),
    "progress": ("train_iterations_time_total", "train_iterations_time_msecs_avg"),
}
