"""v1's ``one_logger_utils.core``: the callbacks of a training job. Runs in the job's process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable, Optional

from .. import rankpulse
from .._journal import clock
from .._log import off, warn, warn_once
from .._off import switched_off
from .._v1.bookkeeping import ROW, Emit
from .._v1.config import DEFAULTS, V1Config, bad_value
from .._v1.job import O_CKPT, O_MINIMAL, O_THROUGHPUT, Job
from .._v1.schema import (
    CHECKPOINT_CALLBACK_ARGS,
    MINIMAL_SCHEMA_CALLBACK_ARGS,
    THROUGHPUT_CALLBACK_ARGS,
    check,
)
from .._v1.timer import NamedTimer
from .._v1.wires import DEFAULT, OLDEST, STEP_CALLBACKS, STEPS, chosen, named
from ._callbacks import Callbacks, reported, too_many
from ._steps import Steps

if TYPE_CHECKING:
    from ..core import OneLogger

__all__ = [
    "CHECKPOINT_CALLBACK_ARGS",
    "MINIMAL_SCHEMA_CALLBACK_ARGS",
    "THROUGHPUT_CALLBACK_ARGS",
    "VERSION",
    "OneLoggerUtils",
]

#: v1's constant; an object sends the rows of the version that the environment names when it is made
VERSION = named(os.environ) or DEFAULT


class OneLoggerUtils(Callbacks):
    """Reports the phases of a training job: each callback sends the rows that v1 sent.

    Args:
        config: v1's dictionary (docs/accepted.md, "What is accepted"). Values may be callables without arguments,
            which are called as often as v1 called them. Without a true ``enable_for_current_rank`` this object does
            nothing: nothing is validated, imported, written or printed.

    Raises:
        ValueError: keys are missing, unknown or bad; ``metadata`` has the name of a metric.

    Every callback is ``on_...(set_barrier=False, **kwargs)`` and returns None. ``set_barrier=True`` calls the
    configured ``barrier`` before the clock is read (``RuntimeError`` if there is none). Missing and unknown arguments
    raise ``ValueError``. An instant that is passed as an argument is in milliseconds since the epoch, and is sent again
    by later calls of the same callback. With ``quiet=True`` nothing is raised after construction: the first failure is
    logged and telemetry stops.
    """

    O_MINIMAL = O_MINIMAL
    O_THROUGHPUT = O_THROUGHPUT
    O_CKPT = O_CKPT

    def __init__(self, config: Mapping[str, Any]) -> None:
        if config is not None and not isinstance(config, Mapping):
            raise bad_value("config", config, "a dict")
        raw = dict(config or {})
        self._job = None
        self._telemetry = None
        self._core: Optional[OneLogger] = None  # the core object that we have made
        self._first: list[Emit] = []  # what is sent at the construction
        self._config = raw
        self._steps = False  # is an iteration what on_train_step_* say?
        self.enable_for_current_rank: Any = raw.get("enable_for_current_rank", False) if not switched_off() else False
        self.one_logger_project: Any = raw.get("one_logger_project", DEFAULTS["one_logger_project"])
        self.one_logger_run_name: Any = raw.get("one_logger_run_name")
        self.quiet: bool = bool(raw.get("quiet", False))
        self.one_logger_async: Any = raw.get("one_logger_async", True)
        self.log_every_n_train_iterations: Any = raw.get("log_every_n_train_iterations", 50)
        self.barrier: Optional[Callable[[], object]] = raw.get("barrier")
        self.timer = NamedTimer(self.barrier)
        self.mode = O_MINIMAL
        self.one_logger: Optional[OneLogger] = None
        if not self.enable_for_current_rank:
            return
        if self.one_logger_run_name is None:
            self.one_logger_run_name = _default_run_name()
        self._start(raw)

    def _start(self, raw: Mapping[str, Any]) -> None:
        self._v1_config = config = V1Config(raw)
        if self.barrier is not None and not callable(self.barrier):
            raise bad_value("barrier", self.barrier, "a callable or None")
        job = Job(config, self.timer, chosen(os.environ))
        self._steps = job.wire == STEPS
        self.mode = job.mode
        job.check_config(raw)
        emits, refused = [job.tag(), *job.construction()], None
        try:
            emits[1:] = [(ROW, job.with_metadata(row)) for _, row in emits[1:]]
        except ValueError as error:  # v1 raised after the tag had been sent
            del emits[1:]
            refused = error
        self._first = emits
        self._set_one_logger()
        if self._telemetry is None:
            self._emit(emits)
        if refused is not None:
            raise refused
        if self.one_logger is not None:
            self._job = job

    def _set_one_logger(self) -> None:
        """Make the core object. If that fails the job runs on without telemetry, with v1's own words.

        v1's name of it, and v1's seam: programs put a core object of their own into :attr:`one_logger` here.
        """
        from ..core import OneLogger

        core = {
            "project": self.one_logger_project,
            "name": self.one_logger_run_name,
            "async": self.one_logger_async,
            "quiet": self.quiet,
            "no_exception": False,
        }
        try:
            from .._conversion import convert

            config = self._v1_config
            values = convert(config)
            start = config.read("app_start_time") if config.has("app_start_time") else None
            self.one_logger = OneLogger._for_utils(core, values, config.latest, start, self._first)
            self._core = self.one_logger
            self._telemetry = self.one_logger._telemetry
        except ValueError:
            raise
        except Exception as error:
            warn(off(error))

    # -- the application ---------------------------------------------------------------------------------------

    @reported
    def on_app_start(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """The application starts. ``app_start_time``: ms; default: the configured value, else now."""

    @reported
    def on_app_end(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """The application ends. ``app_finish_time``: ms. A second call is logged and ignored."""

    @reported
    def on_model_init_start(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """The initialisation of the model starts. ``app_model_init_start_time``: ms."""

    @reported
    def on_model_init_end(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """The initialisation of the model ends. ``app_model_init_finish_time``: ms."""

    @reported
    def on_dataloader_init_start(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """The data loaders are built. ``app_build_dataiters_start_time`` is accepted and ignored, as in v1."""

    @reported
    def on_dataloader_init_end(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """The data loaders are complete. ``app_build_dataiters_finish_time``: ms."""

    @reported
    def on_optimizer_init_start(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """The optimizer is built. ``app_build_optimizer_start_time``: ms."""

    @reported
    def on_optimizer_init_end(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """The optimizer is complete. ``app_build_optimizer_finish_time``: ms."""

    @reported
    def on_load_checkpoint_start(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """Loading a checkpoint starts. ``load_checkpoint_start_time``: ms."""

    @reported
    def on_load_checkpoint_end(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """Loading a checkpoint ends. ``load_checkpoint_finish_time``: ms.

        The metric ``load_checkpoint_time`` is the total of all loads in seconds.
        """

    # -- training ----------------------------------------------------------------------------------------------

    @reported
    def on_train_start(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """The training loop starts. ``train_iterations_start``: required.

        ``train_samples_start``: default: ``train_iterations_start`` times ``batch_size``.
        """
        wanted = os.environ.get("RANKPULSE_ENABLE", "0").strip().lower() in ("1", "true", "yes", "y")
        if wanted and self._job.wire != OLDEST:
            rankpulse.start()  # v1 started it here; ours says once that it collects nothing

    @reported
    def on_train_end(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """The training loop ends."""

    def on_train_batch_start(self, set_barrier: bool = False, *extra: Any, **kwargs: Any) -> None:
        """A training iteration starts. Sends nothing."""
        # no decorator: this is the path of every iteration
        if self._job is None:
            return
        if extra:
            raise too_many("on_train_batch_start", extra)
        try:
            if set_barrier:
                self.timer.wait()
            now = clock.now()
            self._job.on_train_batch_start(now)
            if kwargs:
                check("on_train_batch_start", kwargs)
            core = self._core
            if core is not None and not core._finished and not self._steps:
                self._telemetry.batch_start(now)
        except Exception as error:
            self._fail("on_train_batch_start", error)

    def on_train_batch_end(self, set_barrier: bool = False, *extra: Any, **kwargs: Any) -> None:
        """A training iteration ends. A row is sent when ``log_every_n_train_iterations`` divides the global count."""
        if self._job is None:
            return
        if extra:
            raise too_many("on_train_batch_end", extra)
        try:
            if set_barrier:
                self.timer.wait()
            now = clock.now()
            if kwargs:
                self._job.refuse_batch_end(now, kwargs)
            emits = self._job.on_train_batch_end(now)
            core = self._core
            if self._steps:
                self._send("", now, (), emits)
            elif core is not None and core is self.one_logger and not core._finished:
                self._telemetry.batch_end(now, emits)
            else:
                self._send("batch_end", now, (), emits)
        except Exception as error:
            self._fail("on_train_batch_end", error)

    # -- validation and test -----------------------------------------------------------------------------------

    @reported
    def on_validation_start(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """A validation loop starts. Sends nothing."""

    @reported
    def on_validation_end(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """A validation loop ends. Sends totals (s) and averages (ms) over all validations of the job."""

    @reported
    def on_validation_batch_start(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """A validation batch starts. Sends nothing."""

    @reported
    def on_validation_batch_end(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """A validation batch ends. Sends nothing."""

    @reported
    def on_test_start(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """A test loop starts. v1 had no metric for it; v2 has a span."""

    @reported
    def on_test_end(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """A test loop ends."""

    # -- checkpoints -------------------------------------------------------------------------------------------

    @reported
    def on_save_checkpoint_start(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """A save starts. ``global_step``: required. Sends the training progress first.

        The three save callbacks raise ``AssertionError`` if ``is_save_checkpoint_enabled`` is false, as in v1.
        """

    @reported
    def on_save_checkpoint_end(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """The part of a save that blocks training ends. ``global_step``: required."""

    @reported
    def on_save_checkpoint_success(self, set_barrier: bool = False, **kwargs: Any) -> None:
        """The checkpoint is complete. ``global_step``: required. ``set_barrier`` is ignored, as in v1."""

    def finish(self) -> None:
        """Finish the W&B run and wait for its rows, with a time limit. v1 code calls it last, after ``on_app_end``."""
        if self._job is None or self.one_logger is None:
            return
        try:
            if self.timer.is_active("app_run"):
                warn_once(
                    "unended:on_app_end", "finish() was called and on_app_end was not: v1 sends no app_finish_time then"
                )
            self.one_logger.finish()
        except Exception as error:
            self._fail("finish", error)

    # -- the object itself -------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name in STEP_CALLBACKS:
            return getattr(Steps, name).__get__(self)
        if name.startswith("__") or not self.__dict__.get("quiet", False):
            raise AttributeError(
                f"Attribute '{name}' is not found in the current version of the library. "
                "Please ensure you are using the latest version."
            )
        self.__dict__["_job"] = None
        warn_once("quiet", f"OneLoggerUtils has no attribute {name!r}; telemetry stops here (quiet=True)")
        return None

    def __deepcopy__(self, memo: dict[int, Any]) -> OneLoggerUtils:
        return self  # one job, one object: trainers copy their callbacks

    def __copy__(self) -> OneLoggerUtils:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # Sent to another process (spawned workers), where it must not log a second time.
        return (OneLoggerUtils, ({},))


if VERSION == STEPS:
    for _name in STEP_CALLBACKS:
        setattr(OneLoggerUtils, _name, getattr(Steps, _name))


def _default_run_name() -> Optional[str]:
    import uuid

    # v1 made one up; a name that the environment gives is better, and W&B reads it by itself
    return None if os.environ.get("WANDB_NAME") else str(uuid.uuid4())
