"""v1's ``one_logger.core``: the class that Megatron-LM and its forks use. Runs in the job's process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Optional

from ._handlers import raised_by_handler
from ._journal.clock import now
from ._log import logger, off, warn_once
from ._off import switched_off
from ._v1.bookkeeping import TAG, Emit
from ._v1.core_config import CoreConfig

if TYPE_CHECKING:
    from ._conversion import V2Values
    from ._job.telemetry import Telemetry

__all__ = ["OneLogger"]


class OneLogger:
    """Sends dictionaries of metrics to W&B, one row each.

    Args:
        config: ``{"project": str, "name": str or None, "async": bool, "quiet": bool, "no_exception": bool,
            "entity": str}``, all optional; or the form of January 2024, ``{"enable_one_logger": bool,
            "wandb": {"host", "api_key", "entity", "project", "name", "tags", "save_dir"}}``; or None.
            ``async`` and ``no_exception`` are True by default. With ``no_exception``, no exception of this object or
            of a :meth:`get_context_manager` block reaches the caller.

    Raises:
        ValueError: a value has the wrong type.

    A ``OneLogger`` is always true: consumers write ``if one_logger:``.
    """

    _telemetry: Optional[Telemetry]

    def __init__(self, config: Optional[Mapping[str, Any]] = None) -> None:
        settings = CoreConfig.of_disabled(config) if switched_off() else CoreConfig.read(config)
        self._begin(settings)
        if not settings.enabled:
            return
        try:
            from ._conversion import core_values

            values = core_values(settings.project, settings.run_name, settings.quiet)
            self._telemetry = _attach(settings, values)
        except Exception as error:
            if not settings.no_exception:
                raise
            warn_once("core:attach", off(error))

    def _begin(self, settings: CoreConfig) -> None:
        self._store: dict[Any, Any] = {}
        self._no_exception = settings.no_exception
        self._quiet = settings.quiet
        self._telemetry = None
        self._finished = False

    @classmethod
    def _for_utils(
        cls,
        config: Mapping[str, Any],
        values: V2Values,
        read: Callable[[str], Any],
        app_start_ms: Any,
        emits: list[Emit],
    ) -> OneLogger:
        """The core of a ``OneLoggerUtils``, which knows more about the job than a core configuration can say.

        ``read``: the value of a key that is a callable, as v1 has read it last; ``emits``: what v1 sends now.
        """
        settings = CoreConfig.read(config)
        self = cls.__new__(cls)
        self._begin(settings)
        self._telemetry = _attach(settings, values, read, app_start_ms, emits)
        return self

    def log_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Send ``metrics`` as one W&B row; an empty dict sends nothing. The dict is neither changed nor kept.

        Any value is accepted: None stays null, numpy and torch scalars become numbers, and a value that W&B cannot
        store becomes its ``repr`` (logged once per key).
        """
        telemetry = self._telemetry
        if telemetry is None or self._finished:
            return
        try:
            if type(metrics) is not dict and not isinstance(metrics, Mapping):
                raise TypeError(f"log_metrics: {metrics!r} ({type(metrics).__name__}); expected a dict of metrics")
            if metrics:
                telemetry.log_metrics(metrics, now())
        except Exception as error:
            self._swallow("log_metrics", error)

    def log_app_tag(self, app_tag: Any) -> None:
        """Add a tag (str) or several (list of str) to the list of the process; a row is sent when the list changes.

        The row has ``app_tag`` (all tags so far), ``app_tag_id`` (the md5 of each) and ``app_tag_count``.
        """
        telemetry = self._telemetry
        if telemetry is None or self._finished:
            return
        try:
            telemetry.call("", now(), emits=[(TAG, app_tag)])
        except Exception as error:
            self._swallow("log_app_tag", error)

    def store_set(self, key: Any, value: Any) -> None:
        """Keep ``value`` (of any type, also a callable) under ``key`` in this object."""
        self._store[key] = value

    def store_get(self, key: Any) -> Any:
        """The value under ``key``. Raises ``KeyError`` if there is none."""
        return self._store[key]

    def store_has_key(self, key: Any) -> bool:
        """Whether there is a value under ``key``."""
        return key in self._store

    def store_pop(self, key: Any) -> Any:
        """Remove and return the value under ``key``. Raises ``KeyError`` if there is none."""
        return self._store.pop(key)

    def get_context_manager(self) -> _NoException:
        """A context manager for a block of telemetry code; it nests.

        With ``no_exception`` (the default) an ``Exception`` raised inside ends the block, is logged once and is not
        raised to the caller; ``KeyboardInterrupt`` and ``SystemExit`` are.
        """
        return _NoException(self)

    def finish(self) -> None:
        """Finish the run and wait until W&B has its rows, with a time limit. Further calls do nothing."""
        if self._telemetry is not None and not self._finished:
            self._finished = True
            try:
                self._telemetry.leave()
            except Exception as error:
                self._swallow("finish", error)

    def __deepcopy__(self, memo: dict[int, Any]) -> OneLogger:
        return self  # one run, one object: trainers copy what they hold

    def __copy__(self) -> OneLogger:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # Sent to another process, where it must not log a second time.
        return (_silent, ())

    def _swallow(self, where: str, error: Exception) -> None:
        if not self._no_exception or raised_by_handler(error):
            raise error
        message = f"OneLogger: {type(error).__name__} in {where}: {error}"
        if self._quiet:
            logger.debug(message)
        else:
            warn_once(f"core:{where}:{type(error).__name__}", message)


def _silent() -> OneLogger:
    return OneLogger({"enable_one_logger": False})


class _NoException:
    """``with one_logger.get_context_manager():``"""

    def __init__(self, owner: OneLogger) -> None:
        self._owner = owner

    def __enter__(self) -> OneLogger:
        return self._owner

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> bool:
        if not isinstance(error, Exception) or not self._owner._no_exception:
            return False
        place = traceback
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = f"{place.tb_frame.f_code.co_name}:{place.tb_lineno}" if place is not None else "a block"
        self._owner._swallow(where, error)
        return True


def _attach(
    settings: CoreConfig,
    values: V2Values,
    read: Optional[Callable[[str], Any]] = None,
    app_start_ms: Any = None,
    emits: Iterable[Emit] = (),
) -> Telemetry:
    from ._job.telemetry import attach
    from ._journal.destination import WandBConfig, specification

    return attach(
        specification(WandBConfig(**settings.chosen), settings.chosen),
        settings.asynchronous,
        values,
        read or (lambda key: None),
        now(),
        app_start_ms,
        described=f"project {settings.project!r}, run {settings.run_name!r}",
        emits=emits,
    )
