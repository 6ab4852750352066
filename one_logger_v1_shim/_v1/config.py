"""A v1 configuration as v1 read it: raw values, and callables that are called at each reading.

Runs in the job's process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional, Union

from .._log import warn_once
from .._off import switched_off

Number = Union[int, float]

#: what v1 (or the v1 that consumers had installed) assumed for a key that is absent (docs/accepted.md)
DEFAULTS: dict[str, Any] = {
    "enable_for_current_rank": False,
    "one_logger_project": "e2e-tracking",
    "one_logger_async": True,
    "log_every_n_train_iterations": 50,
    "quiet": False,
    "app_tag_run_version": "1.0.0",
    "is_baseline_run": False,
    "is_test_iterations_enabled": True,
    "is_save_checkpoint_enabled": True,
    "is_log_throughput_enabled": False,
    "save_checkpoint_strategy": "sync",
    "summary_data_schema_version": "1.0.0",
    "app_run_type": "training",
    "app_metrics_feature_tags": "full",
}

#: keys whose values take part in arithmetic: a number, a numeric string (NeMo, VILA pass ``os.environ[...]``) or None
NUMERIC = (
    "world_size",
    "global_batch_size",
    "batch_size",
    "micro_batch_size",
    "seq_length",
    "flops_per_sample",
    "train_iterations_target",
    "train_samples_target",
    "log_every_n_train_iterations",
)


def is_enabled(config: Optional[Mapping[str, Any]]) -> bool:
    """Whether v1's flag names this rank. Absent means no; v1 tested truth, so a callable counts as yes."""
    named = bool(config) and bool((config or {}).get("enable_for_current_rank", False))
    return named and not switched_off()


def as_number(value: Any) -> Optional[Number]:
    """``value`` as an int or a float, or None for what is neither a number nor the text of one."""
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, str):
        for kind in (int, float):
            try:
                return kind(value)
            except ValueError:
                continue
        return None
    item = getattr(value, "item", None)  # numpy and torch scalars
    if callable(item):
        try:
            number = item()
        except Exception:
            return None
        return number if isinstance(number, (int, float)) else None
    return None


def bad_value(key: str, value: Any, expected: str) -> ValueError:
    """The one error for a bad value: it names the key, the value and what was expected."""
    return ValueError(f"OneLogger v1 config: {key}={value!r} ({type(value).__name__}); expected {expected}")


class V1Config:
    """Reads of a v1 configuration; remembers what each reading gave.

    ``last`` holds the latest value of every key that was read. v2 reads its callables often and at moments of its
    own, so it is given ``last`` and the user's callable is called as often as v1 called it.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._raw = dict(config)
        self.last: dict[str, Any] = {}
        for key in NUMERIC:
            value = self._raw.get(key)
            if value is not None and not callable(value) and as_number(value) is None:
                raise bad_value(key, value, "a number, the text of a number, None or a callable that returns one")
        metadata = self._raw.get("metadata")
        if metadata is not None and not isinstance(metadata, Mapping) and not callable(metadata):
            raise bad_value("metadata", metadata, "a dict of metric names and values, or a callable that returns one")

    def has(self, key: str) -> bool:
        """Whether ``key`` was given at all. (``None`` counts as given.)"""
        return key in self._raw

    def read(self, key: str) -> Any:
        """The value of ``key``: called if it is callable, v1's default if it is absent, else None."""
        value = self._raw.get(key, DEFAULTS.get(key))
        if callable(value):
            try:
                value = value()
            except Exception as error:
                # A job that has been running must not end because a size can't be told for once.
                if key not in self.last:
                    raise
                warn_once(f"callable:{key}", f"{key}: its callable raised {error!r}; the last value is used")
                value = self.last[key]
        self.last[key] = value
        return value

    def number(self, key: str, otherwise: Number) -> Number:
        """``read(key)`` for arithmetic; ``otherwise`` (said once in the log) when it is no number."""
        value = self.read(key)
        if value.__class__ is int:  # the usual case, on the path of every iteration
            return value
        number = as_number(value)
        if number is None:
            if value is not None:
                warn_once(f"config:{key}", f"{key}={value!r} is not a number; {otherwise} is used in its place")
            return otherwise
        return number

    def latest(self, key: str) -> Any:
        """What v1 read last of ``key``, for v2; reads it where nothing was read yet."""
        return self.last[key] if key in self.last else self.read(key)

    def is_callable(self, key: str) -> bool:
        """Whether a callable was given for ``key``."""
        return callable(self._raw.get(key))
