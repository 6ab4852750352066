"""v2's configuration objects from converted v1 values. Runs where v2 does: in the job's process or in the worker's."""

from __future__ import annotations

import os
from typing import Any, Callable

from nv_one_logger.api.config import LoggerConfig, OneLoggerConfig, OneLoggerErrorHandlingStrategy
from nv_one_logger.training_telemetry.api.checkpoint import CheckPointStrategy
from nv_one_logger.training_telemetry.api.config import TrainingTelemetryConfig

from .._conversion import BASE, TABLE, TRAINING, Row, V2Values

#: the value of a v1 key that is a callable, as v1 has read it last
Read = Callable[[str], Any]


def build(values: V2Values, read: Read) -> OneLoggerConfig:
    """v2's configuration. The values of callables are read each time that v2 asks."""
    base = dict(values.base)
    base.update(_callables(BASE, values, read))
    quiet = base.pop("error_handling_strategy", False)
    strategy = OneLoggerErrorHandlingStrategy
    return OneLoggerConfig(
        **base,
        error_handling_strategy=strategy.DISABLE_QUIETLY_AND_REPORT_METRIC_ERROR
        if quiet
        else strategy.PROPAGATE_EXCEPTIONS,
        logger_config=silent_logger("ERROR" if values.enabled else "CRITICAL"),
        telemetry_config=training(values, read),
    )


def training(values: V2Values, read: Read) -> Any:
    """v2's ``TrainingTelemetryConfig``, or None where nothing is known about the training."""
    if values.training is None:
        return None
    fields = {**values.training, **_callables(TRAINING, values, read)}
    fields["save_checkpoint_strategy"] = CheckPointStrategy(fields["save_checkpoint_strategy"])
    return TrainingTelemetryConfig(**fields)


def _callables(part: str, values: V2Values, read: Read) -> dict[str, Any]:
    rows = [row for row in TABLE if row.where == part and row.key in values.callables]
    return {row.field: _converting(row, read) for row in rows}


def _converting(row: Row, read: Read) -> Callable[[], Any]:
    def value() -> Any:
        return row.convert(row.key, read(row.key))

    return value


def silent_logger(level: Any) -> LoggerConfig:
    """v2's log settings, without its two files in a working directory that may be read-only."""
    return LoggerConfig(log_level=level, log_file_path_for_info=os.devnull, log_file_path_for_err=os.devnull)
