"""All that the shim touches of v2's private names. No other module of it may. Runs where v2 does.

Each name is looked up where it is needed, and each has a way that uses public names only, for a v2 that has renamed it:
what v2 then hears is what its own public calls would have told it. Rows do not depend on any of them.
``python -m compat_matrix drift`` renames each one in a copy of v2.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Optional

from nv_one_logger.api.one_logger_provider import OneLoggerProvider
from nv_one_logger.core.span import Span
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider

#: private name -> what is done where v2 does not have it
NAMES: dict[str, str] = {
    "_closed": "a recorder that the application has closed refuses each call",
    "_spans": "a thread of its own begins a nesting of its own, as in v2's public calls",
    "_latest_active_span": "the same",
    "_get_active_span": "a sync success after the end of its save is not told: v2's public calls refuse it",
    "_mutable_config": "set_training_telemetry_config, once an application span is open",
    "core.internal": "a provider that could not be configured is not used: v2 hears nothing; tests get no spans",
    "_instances": "the same",
    "time": "core.time reads the worker's clock: events without a time of their own are later than in the job",
    "uuid": "core.span makes random ids: a worker that goes on for another one uses other ids for its open spans",
}


def is_closed(recorder: Any) -> bool:
    """Whether the recorder is known to be closed."""
    return bool(getattr(recorder, "_closed", False))


def adopt_thread(recorder: Any) -> None:
    """Let this thread continue the process's nesting: v2 keeps the innermost span in a ContextVar, per thread."""
    latest, spans = getattr(recorder, "_latest_active_span", None), getattr(recorder, "_spans", None)
    if isinstance(latest, ContextVar) and spans is not None:
        span = latest.get()
        if span is None or span.id not in spans:
            latest.set(next(reversed(spans.values())) if spans else None)


@contextmanager
def active_span(recorder: Any, span: Span) -> Iterator[bool]:
    """Inside of the block v2 takes ``span`` for the active one, whatever name it looks for. False: it cannot."""
    if not hasattr(recorder, "_get_active_span"):
        yield False
        return
    recorder._get_active_span = lambda name: span
    try:
        yield True
    finally:
        del recorder._get_active_span


def set_training_config(config: Any) -> None:
    """Set the training configuration without an open application span: v2's own setter raises then, and yet sets it."""
    get = getattr(TrainingTelemetryProvider.instance(), "_mutable_config", None)
    if get is not None:
        get().telemetry_config = config
    else:
        with suppress(Exception):
            TrainingTelemetryProvider.instance().set_training_telemetry_config(config)


def forget_provider() -> bool:
    """Make v2 forget a provider that was configured by half. False: it can't be done."""
    instances = _singletons()
    if instances is None:
        return False
    instances.pop(TrainingTelemetryProvider, None)
    instances.pop(OneLoggerProvider, None)
    return True


def exchange_singletons(new: dict[Any, Any]) -> Optional[dict[Any, Any]]:
    """Put other singletons (provider classes and instances) in place of v2's, which are returned. None: it cannot."""
    instances = _singletons()
    if instances is None:
        return None
    before = dict(instances)
    instances.clear()
    instances.update(new)
    return before


def _singletons() -> Optional[dict[Any, Any]]:
    try:
        from nv_one_logger.core.internal.singleton import SingletonMeta

        return SingletonMeta._instances
    except (ImportError, AttributeError):
        return None


def module_clock() -> Any:
    """The module whose global ``time`` v2 reads for events without a time of their own; None where it has none."""
    from nv_one_logger.core import time as module

    return module if hasattr(module, "time") else None


def module_ids() -> Any:
    """The module whose global ``uuid`` makes the ids of spans; None where it has none."""
    from nv_one_logger.core import span as module

    return module if hasattr(module, "uuid") else None
