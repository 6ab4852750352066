"""v1 configuration -> v2 configuration, as one table.

The table and its conversions need the standard library alone: they check a v1 configuration also where v2 is not
installed. v2's own objects are made from the converted values (:mod:`one_logger_v1_shim._v2.config`). Both processes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Callable, NamedTuple, Optional, Union

from ._log import warn_once
from ._v1.config import DEFAULTS, V1Config, as_number, bad_value

BASE = "OneLoggerConfig"
TRAINING = "TrainingTelemetryConfig"
METADATA = "OneLoggerConfig.custom_metadata"
EXPORTER = "exporter"
V1_ONLY = "v1 only"

REQUIRED = object()


class Row(NamedTuple):
    """Where one v1 key goes."""

    key: str
    where: str
    field: str
    convert: Callable[[str, Any], Any]
    default: Any = None


def _text(key: str, value: Any) -> str:
    if value is None or isinstance(value, (Mapping, list, tuple, set)):
        raise bad_value(key, value, "a string")
    text = str(value)
    if not text.strip():
        raise bad_value(key, value, "a string that is not empty")
    return text


def _project(key: str, value: Any) -> str:
    return str(DEFAULTS[key]) if value is None else _text(key, value)


def _session(key: str, value: Any) -> str:
    # BioNeMo passes every key, some of them None; v2 needs a text
    return os.environ.get("SLURM_JOB_NAME") or "unnamed" if value is None else _text(key, value)


def _tag(key: str, value: Any) -> Union[str, list[str]]:
    if isinstance(value, (list, tuple)):
        return [_text(key, one) for one in value]
    return _text(key, value)


def _flag(key: str, value: Any) -> bool:
    if isinstance(value, str):
        if value.strip().lower() in ("true", "1", "yes", "y"):
            return True
        if value.strip().lower() in ("false", "0", "no", "n", ""):
            return False
        raise bad_value(key, value, "true or false")
    return bool(value)  # Megatron passes None, 0 and lists for "is there any?"


def _number_or_error(key: str, value: Any) -> Union[int, float]:
    number = as_number(value)
    if number is None:
        raise bad_value(key, value, "a number or the text of a number")
    return number


def _positive(key: str, value: Any) -> int:
    # v2 refuses 0 and less; os.environ.get("WORLD_SIZE", -1) is how real consumers say "unknown".
    if value is None:
        return 1
    number = int(_number_or_error(key, value))
    if number < 1:
        warn_once(f"v2:{key}", f"{key}={value!r}: v2 takes positive numbers only and is told 1 (rows keep {value!r})")
        return 1
    return number


def _count(key: str, value: Any) -> Optional[int]:
    if value is None:
        return None
    number = _number_or_error(key, value)
    return int(number) if number >= 0 else None


def _every(key: str, value: Any) -> int:
    number = int(_number_or_error(key, 50 if value is None else value))
    return number if number > 0 else 2**31 - 1  # 0 and less: no periodic progress


def _strategy(key: str, value: Any) -> str:
    # any other string behaved like "sync" in v1
    return "async" if value == "async" else "sync"


def _as_is(key: str, value: Any) -> Any:
    return value


#: v1 key, part of the v2 configuration, field there, conversion, default
TABLE: tuple[Row, ...] = (
    Row("enable_for_current_rank", BASE, "enable_for_current_rank", _flag, False),
    Row("one_logger_project", BASE, "application_name", _project, REQUIRED),
    Row("app_tag_run_name", BASE, "session_tag_or_fn", _session, REQUIRED),
    Row("world_size", BASE, "world_size_or_fn", _positive, REQUIRED),
    Row("is_baseline_run", BASE, "is_baseline_run_or_fn", _flag, False),
    Row("summary_data_schema_version", BASE, "summary_data_schema_version", _text, "1.0.0"),
    Row("quiet", BASE, "error_handling_strategy", _flag, False),
    Row("metadata", METADATA, "", _as_is, None),
    Row("app_tag_run_version", METADATA, "app_tag_run_version", _as_is, "1.0.0"),
    Row("app_run_type", METADATA, "app_run_type", _as_is, "training"),
    Row("app_metrics_feature_tags", METADATA, "app_metrics_feature_tags", _as_is, "full"),
    Row("app_tag", TRAINING, "perf_tag_or_fn", _tag, REQUIRED),
    Row("global_batch_size", TRAINING, "global_batch_size_or_fn", _positive, REQUIRED),
    Row("micro_batch_size", TRAINING, "micro_batch_size_or_fn", _count, None),
    Row("seq_length", TRAINING, "seq_length_or_fn", _count, None),
    Row("flops_per_sample", TRAINING, "flops_per_sample_or_fn", _count, None),
    Row("train_iterations_target", TRAINING, "train_iterations_target_or_fn", _count, None),
    Row("train_samples_target", TRAINING, "train_samples_target_or_fn", _count, None),
    Row("log_every_n_train_iterations", TRAINING, "log_every_n_train_iterations", _every, 50),
    Row("is_train_iterations_enabled", TRAINING, "is_train_iterations_enabled_or_fn", _flag, REQUIRED),
    Row("is_validation_iterations_enabled", TRAINING, "is_validation_iterations_enabled_or_fn", _flag, REQUIRED),
    Row("is_test_iterations_enabled", TRAINING, "is_test_iterations_enabled_or_fn", _flag, True),
    Row("is_save_checkpoint_enabled", TRAINING, "is_save_checkpoint_enabled_or_fn", _flag, True),
    Row("is_log_throughput_enabled", TRAINING, "is_log_throughput_enabled_or_fn", _flag, False),
    Row("save_checkpoint_strategy", TRAINING, "save_checkpoint_strategy", _strategy, "sync"),
    Row("one_logger_run_name", EXPORTER, "run_name", _as_is, None),
    Row("one_logger_async", EXPORTER, "async_mode", _flag, True),
    # v2 has no place for these: v1's own arithmetic uses them
    Row("batch_size", V1_ONLY, "", _as_is, None),
    Row("app_start_time", V1_ONLY, "", _as_is, None),
    Row("barrier", V1_ONLY, "", _as_is, None),
)

# Fields that v2 takes as a value only: a callable is read once.
_NEVER_CALLABLE = {"log_every_n_train_iterations", "save_checkpoint_strategy", "summary_data_schema_version",
                   "error_handling_strategy", "application_name", "enable_for_current_rank"}  # fmt: skip


@dataclass
class V2Values:
    """v2's configuration as plain values, which JSON can carry into the worker's process.

    Attributes:
        base: fields of ``OneLoggerConfig`` (``error_handling_strategy`` as a bool: is it the quiet one?).
        training: fields of ``TrainingTelemetryConfig`` (``save_checkpoint_strategy`` as a str); None: not known yet.
        callables: v1 keys whose values are callables. Their fields hold no value here; v2 calls for it.
        enabled: does this rank log?
    """

    base: dict[str, Any]
    training: Optional[dict[str, Any]] = None
    callables: list[str] = field(default_factory=list)
    enabled: bool = True

    def to_json(self) -> dict[str, Any]:
        """As a dictionary that JSON can carry."""
        return dict(vars(self))


def convert(config: V1Config) -> V2Values:
    """v2's values of a v1 configuration. Callables are not called: v2 does that, for the keys in ``callables``.

    Raises:
        ValueError: a value is bad; it names the key, the value and what was expected.
    """
    parts: dict[str, dict[str, Any]] = {BASE: {}, TRAINING: {}, METADATA: {}}
    callables = []
    for row in TABLE:
        if row.where not in parts:
            continue
        if config.is_callable(row.key) and is_called(row):
            callables.append(row.key)
            continue
        value = _value(config, row)
        if row.key == "metadata":
            parts[METADATA].update({str(key): attribute(one) for key, one in (value or {}).items()})
        elif row.where == METADATA:
            parts[METADATA].setdefault(row.field, attribute(value))
        else:
            parts[row.where][row.field] = row.convert(row.key, value)
    training = parts[TRAINING]
    if "flops_per_sample" not in callables and not training["flops_per_sample_or_fn"]:
        # v2 refuses throughput without it; v1 said so at on_train_start
        training["is_log_throughput_enabled_or_fn"] = False
        callables = [key for key in callables if key != "is_log_throughput_enabled"]
    return V2Values({**parts[BASE], "custom_metadata": parts[METADATA]}, training, callables)


def is_called(row: Row) -> bool:
    """Whether v2 may be given a callable for the key of ``row``. (Otherwise it is read once.)"""
    return row.where in (BASE, TRAINING) and row.field not in _NEVER_CALLABLE


def core_values(project: str, session: Optional[str], quiet: bool) -> V2Values:
    """v2's values for v1's core ``OneLogger``, which knows nothing about training."""
    world_size = as_number(os.environ.get("WORLD_SIZE"))
    return V2Values(
        {
            "application_name": project,
            "session_tag_or_fn": session or os.environ.get("SLURM_JOB_NAME") or project,
            "world_size_or_fn": max(1, int(world_size or 1)),
            "error_handling_strategy": quiet,
        }
    )


def disabled_values(config: Mapping[str, Any]) -> V2Values:
    """v2's values of a rank that is not enabled: nothing is validated, nothing is logged."""
    return V2Values(
        {
            "application_name": str(config.get("one_logger_project") or DEFAULTS["one_logger_project"]),
            "session_tag_or_fn": str(config.get("app_tag_run_name") or "disabled"),
            "world_size_or_fn": 1,
            "enable_for_current_rank": False,
            # given explicitly, or v2 logs a warning on each of thousands of ranks
            "error_handling_strategy": True,
        },
        enabled=False,
    )


def attribute(value: Any) -> Any:
    """``value`` as v2 can keep it: a primitive or a list of primitives of one type, else its JSON text or ``repr``."""
    if isinstance(value, (str, bool, int, float)):
        return value
    if (
        isinstance(value, list)
        and value
        and all(isinstance(one, (str, bool, int, float)) and type(one) is type(value[0]) for one in value)
    ):
        return list(value)
    try:
        return json.dumps(value)
    except (TypeError, ValueError):
        return repr(value)


def _value(config: V1Config, row: Row) -> Any:
    value = config.latest(row.key)
    if value is None and row.default is not REQUIRED:
        return row.default
    return value
