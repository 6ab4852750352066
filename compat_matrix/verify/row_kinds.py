"""Which metrics v1 sent in one row, and which row had to come before which: a table for each who sent them.

``UTILS`` is ``OneLoggerUtils`` (1.0.2, and what other versions did differently), ``MEGATRON`` is Megatron-LM, which
sends rows of its own through v1's core.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class RowKind:
    """One kind of row. ``parts``: each of them is there as a whole or not at all."""

    name: str
    always: frozenset[str]
    parts: tuple[frozenset[str], ...] = ()
    #: with metadata, which has names of the user's own
    open: bool = False
    #: a row of this kind must have come before
    after: str = ""
    #: the row before must be of this kind
    follows: str = ""
    #: it ends what a row of this kind began, once
    ends: str = ""

    @property
    def names(self) -> frozenset[str]:
        """Every metric that it may have."""
        return self.always.union(*self.parts)

    def fits(self, names: Iterable[str]) -> bool:
        """Whether a row with exactly these metrics is of this kind."""
        given = frozenset(names)
        if not given or not self.always <= given or not (self.open or given <= self.names):
            return False
        return all(not part & given or part <= given for part in self.parts)


def _kind(name: str, always: str, *parts: str, open: bool = False, after: str = "", follows: str = "",
          ends: str = "") -> RowKind:  # fmt: skip
    return RowKind(name, frozenset(always.split()), tuple(frozenset(part.split()) for part in parts), open, after,
                   follows, ends)  # fmt: skip


_PROGRESS = """train_iterations train_iterations_end train_samples train_samples_end train_iterations_time_total
    train_iterations_time_msecs_avg first_logged_train_iterations_finish_time
    last_logged_train_iterations_finish_time"""
_THROUGHPUT = "train_tflop_end train_tflop train_throughput_per_gpu train_throughput_per_gpu_max"
_PRODUCTIVE = """train_iterations_productive_end train_samples_productive_end train_iterations_time_total_productive
    validation_iterations_time_total_productive"""
_FIRST = "first_saved_train_iterations_start_time first_successful_save_checkpoint_sync_finish_time"
_LAST = "last_successful_save_checkpoint_sync_finish_time"
_SYNC = """save_checkpoint_sync_time_total save_checkpoint_sync_time_min save_checkpoint_sync_time_max
    save_checkpoint_sync_count"""
_BATCH = "train_batch train_batch_time_total train_batch_time_msecs_avg train_batch_time_msecs_min"


def _phase(name: str, metric: str, *more: str) -> tuple[RowKind, RowKind]:
    start = _kind(f"{name} start", f"{metric}_start_time")
    return start, _kind(f"{name} end", " ".join((f"{metric}_finish_time", *more)), ends=start.name)


UTILS = (
    _kind(
        "construction",
        """one_logger_utils_version summary_data_schema_version app_run_type app_metrics_feature_tags is_baseline_run
        is_train_iterations_enabled is_validation_iterations_enabled is_test_iterations_enabled
        is_save_checkpoint_enabled is_log_throughput_enabled app_tag_run_version world_size global_batch_size
        app_tag_run_name""",
        "micro_batch_size", "train_iterations_target", "train_samples_target", "model_seq_length",
        "train_tokens_target", "save_checkpoint_strategy", open=True,
    ),
    *_phase("application", "app"),
    *_phase("model init", "app_model_init"),
    *_phase("dataloader init", "app_build_dataiters"),
    *_phase("optimizer init", "app_build_optimizer"),
    *_phase("load checkpoint", "load_checkpoint", "load_checkpoint_time"),
    _kind(
        "train start",
        """train_iterations_start train_iterations_end train_samples_start train_samples_end
        app_train_loop_start_time""", "app_start_time", "train_tflop_start", after="construction",
    ),
    _kind("train end", "app_train_loop_finish_time", ends="train start"),
    _kind("progress", f"{_PROGRESS} train_iterations_time_msecs_min", "train_tokens", _THROUGHPUT, _BATCH,
          after="train start"),
    _kind("batch progress of 1.0.3", f"{_BATCH} train_samples train_samples_end", "train_tokens", after="train start"),
    _kind("step progress of 1.0.3", " ".join({*_PROGRESS.split()} - {"train_samples", "train_samples_end"})
          + " train_iterations_time_msecs_min", _THROUGHPUT, after="train start"),
    _kind("train end of 1.0.3", f"app_train_loop_finish_time {_PROGRESS} train_iterations_time_msecs_min {_BATCH}",
          "train_tokens", _THROUGHPUT, ends="train start"),
    _kind("validation", """validation_iterations_time_total validation_iterations_time_msecs_avg
          validation_iterations_time_msecs_min""", after="construction"),
    _kind("save start", "train_iterations_save_checkpoint_end save_checkpoint_count", follows="progress"),
    _kind("save end", _SYNC, f"save_checkpoint_sync_time_total_productive {_LAST}", _FIRST, ends="save start"),
    _kind("save success", "", _LAST, _FIRST, _PRODUCTIVE, "train_tflop_productive_end",
          "save_checkpoint_sync_time_total_productive", "save_checkpoint_async_count", after="save start"),
)  # fmt: skip

MEGATRON = (
    _kind(
        "start",
        "train_iterations_warmup",
        """data_parallel_size context_parallel_size global_batch_size micro_batch_size pipeline_model_parallel_size
        tensor_model_parallel_size expert_model_parallel_size world_size model_seq_length app_tag_run_name
        app_tag_run_version is_log_throughput_enabled app_run_type summary_data_schema_version
        app_metrics_feature_tags""", "one_logger_utils_version",
    ),
    _kind("flags", "is_train_iterations_enabled is_validation_iterations_enabled is_test_iterations_enabled",
          "save_checkpoint_strategy is_save_checkpoint_enabled"),
    _kind("optimizer init start", "app_build_optimzer_start_time"),
    _kind("optimizer init end", "app_build_optimzer_finish_time", ends="optimizer init start"),
    *_phase("load checkpoint", "load_checkpoint", "load_checkpoint_time"),
    _kind("phases", """app_start_time app_model_init_start_time app_model_init_finish_time
          app_build_dataiters_start_time app_build_dataiters_finish_time""",
          "app_build_optimizer_start_time app_build_optimizer_finish_time"),
    _kind("train start", "train_samples_start train_iterations_start train_samples_target train_iterations_target",
          "train_tokens_target app_train_loop_start_time is_save_checkpoint_enabled save_checkpoint_strategy",
          "train_tflop_start"),
    _kind("progress", _PROGRESS, "validation_iterations_time_total validation_iterations_time_msecs_avg",
          "train_tokens", _THROUGHPUT, "train_iterations_time_msecs_min", "validation_iterations_time_msecs_min",
          after="train start"),
    _kind("progress of January 2024", """train_iterations_end train_samples_end train_iterations train_samples
          train_iterations_time_msecs_avg validation_iterations_time_msecs_avg""", after="train start"),
    _kind("save start", "train_iterations_save_checkpoint_end save_checkpoint_count", follows="progress"),
    _kind("first save", "first_saved_train_iterations_start_time", after="save start"),
    _kind("first save end", "first_successful_save_checkpoint_sync_finish_time", after="save start"),
    _kind("save success", f"{_PRODUCTIVE} train_tflop_productive_end",
          f"save_checkpoint_async_count save_checkpoint_sync_time_total_productive {_LAST}", after="save start"),
    _kind("save end", _SYNC, f"save_checkpoint_sync_time_total_productive {_LAST}", ends="save start"),
    _kind("train end", "app_train_loop_finish_time", ends="train start"),
    _kind("application end", "app_finish_time"),
)  # fmt: skip


@dataclass(frozen=True)
class Sender:
    """Who sent a history: what kinds of rows that sender has, and how strict one may be with it."""

    name: str
    kinds: tuple[RowKind, ...]
    #: sends flags as bools (Megatron-LM passes on what an expression gave)
    exact_flags: bool = True
    #: sends progress every so many iterations, counted from the model's start
    keeps_cadence: bool = True
    #: its rows begin with the tags and the constructor's row
    constructs: bool = True


ONE_LOGGER_UTILS = Sender("OneLoggerUtils", UTILS)
MEGATRON_LM = Sender("Megatron-LM", MEGATRON, exact_flags=False, keeps_cadence=False, constructs=False)
#: a program that sends rows of its own through v1's core: only names, types, units and growth are known
ON_THE_CORE = Sender("a program on v1's core", (), exact_flags=False, keeps_cadence=False, constructs=False)


def best(kinds: Iterable[RowKind], names: frozenset[str]) -> RowKind | None:
    """The kind that a row is, or the one that it resembles most; None if it has no metric of any."""
    kinds = tuple(kinds)
    exact = next((kind for kind in kinds if not kind.open and kind.fits(names)), None)
    exact = exact or next((kind for kind in kinds if kind.fits(names)), None)
    if exact is not None:
        return exact
    if not kinds:
        return None
    scored = [(len(names & kind.names) / len(names | kind.always), kind) for kind in kinds]
    score, kind = max(scored, key=lambda pair: pair[0])
    return kind if score > 0 else None
