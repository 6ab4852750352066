"""Which arguments v1 accepted, and its own words when it did not.

The tables have v1's public shape (``{callback: {"required": set, "optional": set}}``). They are the superset of
what any v1 version or public consumer passed: see "What is accepted" in the README. v1's name of the constructor is
``initialize``, in the tables and in its messages.

Runs in the job's process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Args = dict[str, dict[str, set[str]]]

_NONE: dict[str, set[str]] = {"required": set(), "optional": set()}


def _optional(*names: str) -> dict[str, set[str]]:
    return {"required": set(), "optional": set(names)}


def _required(*names: str) -> dict[str, set[str]]:
    return {"required": set(names), "optional": set()}


MINIMAL_SCHEMA_CALLBACK_ARGS: Args = {
    "initialize": {
        "required": {
            "enable_for_current_rank",
            "one_logger_project",
            "app_tag",
            "app_tag_run_name",
            "world_size",
            "global_batch_size",
            "is_train_iterations_enabled",
            "is_validation_iterations_enabled",
        },
        "optional": {
            "one_logger_run_name",
            "one_logger_async",
            "log_every_n_train_iterations",
            "barrier",
            "quiet",
            "app_tag_run_version",
            "batch_size",
            "micro_batch_size",
            "train_iterations_target",
            "train_samples_target",
            "is_baseline_run",
            "is_test_iterations_enabled",
            "is_save_checkpoint_enabled",
            "is_log_throughput_enabled",
            "summary_data_schema_version",
            "app_run_type",
            "app_metrics_feature_tags",
            "app_start_time",
            "seq_length",
            "metadata",
        },
    },
    "on_app_start": _optional("app_start_time"),
    "on_app_end": _optional("app_finish_time"),
    "on_model_init_start": _optional("app_model_init_start_time"),
    "on_model_init_end": _optional("app_model_init_finish_time"),
    "on_dataloader_init_start": _optional("app_build_dataiters_start_time"),
    "on_dataloader_init_end": _optional("app_build_dataiters_finish_time"),
    "on_optimizer_init_start": _optional("app_build_optimizer_start_time"),
    "on_optimizer_init_end": _optional("app_build_optimizer_finish_time"),
    "on_load_checkpoint_start": _optional("load_checkpoint_start_time"),
    "on_load_checkpoint_end": _optional("load_checkpoint_finish_time"),
    "on_train_start": {"required": {"train_iterations_start"}, "optional": {"train_samples_start"}},
    "on_train_end": _NONE,
    "on_train_batch_start": _NONE,
    "on_train_batch_end": _NONE,
    "on_validation_start": _NONE,
    "on_validation_end": _NONE,
    "on_validation_batch_start": _NONE,
    "on_validation_batch_end": _NONE,
    # No on_test_* in the vendored copies; BioNeMo's callers have them (docs/v1.md).
    "on_test_start": _NONE,
    "on_test_end": _NONE,
    "on_save_checkpoint_start": _required("global_step"),
    "on_save_checkpoint_end": _required("global_step"),
    "on_save_checkpoint_success": _required("global_step"),
}

#: more that the constructor takes; counts when ``is_log_throughput_enabled``
THROUGHPUT_CALLBACK_ARGS: Args = {"initialize": _optional("flops_per_sample")}

#: more that the constructor takes; counts when ``is_save_checkpoint_enabled``
CHECKPOINT_CALLBACK_ARGS: Args = {"initialize": _optional("save_checkpoint_strategy")}


def check(callback: str, given: Mapping[str, Any], *extensions: Args) -> None:
    """Raise v1's ``ValueError`` if ``given`` lacks an argument that ``callback`` requires, or has one too many."""
    known = MINIMAL_SCHEMA_CALLBACK_ARGS.get(callback, _NONE)  # v1 1.0.3 had no entry for its steps
    required = set(known["required"])
    allowed = required | known["optional"]
    for extension in extensions:
        more = extension.get(callback, _NONE)
        required |= more["required"]
        allowed |= more["required"] | more["optional"]
    missing = required - given.keys()
    if missing:
        raise ValueError(f"Missing required arguments for callback 'OneLoggerUtils.{callback}': {_braced(missing)}")
    unknown = given.keys() - allowed
    if unknown:
        raise ValueError(f"Additional arguments provided for callback 'OneLoggerUtils.{callback}': {_braced(unknown)}")


def _braced(names: set[str]) -> str:
    return "{" + ", ".join(repr(name) for name in sorted(names, key=str)) + "}"
