"""Lightning's events as v1's callbacks, for both of its families.

``lightning.pytorch`` and ``pytorch_lightning`` are the same code under two names and may both be installed (the first
brings the second); their classes are strangers to each other. Nothing here imports either of them: the classes that
need a base of the right family are made when it is known (:mod:`one_logger_v1_shim.utils.pytorch_lightning`).
Runs in the job's process.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from .._journal.clock import now
from .._log import warn, warn_once
from ._hooks import JobCallback

FAMILIES = ("lightning.pytorch", "pytorch_lightning")
# Where the families' checkpoint IO lives.
_FABRIC = {"lightning.fabric": "lightning.pytorch", "lightning_fabric": "pytorch_lightning"}

_loaded_by_us: set[str] = set()


def family_of(thing: Any) -> Optional[str]:
    """The family that the class of ``thing`` (or ``thing``, if it is a class) comes from."""
    cls = thing if isinstance(thing, type) else type(thing)
    for base in cls.__mro__:
        for root, family in (*zip(FAMILIES, FAMILIES), *_FABRIC.items()):
            if base.__module__ == root or base.__module__.startswith(root + "."):
                return family
    return None


def installed() -> list[str]:
    """The families that can be imported."""
    return [one for one in FAMILIES if sys.modules.get(one) or importlib.util.find_spec(one.partition(".")[0])]


def usual_family() -> str:
    """The family to use where nothing says which: the one that the program has imported, else the installed one."""
    found = installed()
    for loaded in ([one for one in found if one in sys.modules and one not in _loaded_by_us], found):
        if loaded:
            return loaded[0]
    raise ImportError("neither lightning nor pytorch_lightning is installed")


def load(family: str) -> Any:
    """The module ``family``."""
    if family not in sys.modules:
        _loaded_by_us.add(family)
    return importlib.import_module(family)


class LightningEvents(JobCallback):
    """v1's callbacks from Lightning's hooks: one v1 iteration is one batch (``on_train_batch_*``), as v1 had it;
    with the rows of 1.0.3 one optimizer step (``on_train_step_*``).

    ``train_iterations_start`` is ``trainer.global_step``, which Lightning counts in optimizer steps. The validation
    batches of the sanity check are counted, as v1 did. The job ends with the first ``fit`` (v1's teardown finished the
    run there), with an exception in it, or when the process exits; a ``fit`` after that is a run of its own.
    """

    _held = False  # a hooked trainer closes the job itself, when ``fit`` is over
    _failed = False
    _step = 0  # optimizer steps that have been reported, where an iteration is one
    _trained = False  # Lightning's tuner calls ``fit`` too, and trains without us: that is not the job

    # -- the job -----------------------------------------------------------------------------------------------

    def setup(self, trainer: Any, pl_module: Any, stage: Any = None) -> None:
        """A stage begins: the application starts, once. v1 sent seconds here; these are ms, as everywhere else."""
        stage = _name(stage)
        self._arrive(trainer)
        if not self.enabled:
            return
        self._take_place(trainer)
        if self._app == "finished":
            if stage == "fit":
                self._open()
                self._trained = False
            elif stage == "validate":
                warn_once("framework:late", "the run was finished when training ended; what comes after is not logged")
        # a start that the configuration gives is better than now
        given = {} if "app_start_time" in self.callback_config else {"app_start_time": now() * 1000}
        self._start_app(**given)

    def teardown(self, trainer: Any, pl_module: Any, stage: Any = None) -> None:
        """A stage ends: with ``fit`` the application ends and the run is finished."""
        self._app_finish_ms = now() * 1000
        if _name(stage) == "fit" and not self._held and self._trained:
            self._report_saves(trainer)
            self._close()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Something ends the stage (Ctrl-C included). The error is the user's: nothing is raised from here."""
        with _quietly("the end of the job"):
            io = getattr(trainer, "augmented_async_checkpoint_io", None)
            if io is not None:
                io.interrupted = True
            self._failed = True
            self._end_train()
            if not self._held:
                self._report_saves(trainer)
                self._close(failed=True)

    @contextlib.contextmanager
    def around_fit(self, trainer: Any) -> Iterator[None]:
        """``trainer.fit`` of a hooked trainer. Its end is the end of the job: checkpoints that other callbacks save in
        their ``on_exception`` or ``teardown`` are still reported."""
        outer, self._held = self._held, True
        failed = True
        self._failed = False
        try:
            yield
            failed = self._failed  # older Lightnings keep Ctrl-C to themselves
        finally:
            self._held = outer
            if not outer and self._app in ("started", "ended") and (self._trained or failed):
                with _quietly("the end of the job"):
                    if failed:
                        self._end_train()
                    self._report_saves(trainer)
                    self._close(failed)

    def _arrive(self, trainer: Any) -> None:
        if self._pid == os.getpid():
            return
        if self._pid == -1:  # unpickled: a worker that Lightning spawned, or a copy
            self._pid = os.getpid()
            if not self.enabled and self.callback_config.get("enable_for_current_rank") and trainer.is_global_zero:
                self._open()
        elif self.enabled:
            warn_once("framework:fork", "the run belongs to the process that forked; this worker's rows are not logged")

    def _take_place(self, trainer: Any) -> None:
        """Stand in ``trainer.callbacks`` once, before the checkpoint callbacks: a save belongs to finished batches."""
        checkpoint = load(family_of(trainer) or usual_family()).callbacks.Checkpoint
        now = list(trainer.callbacks)
        others = [one for one in now if one is not self]
        place = next((at for at, one in enumerate(others) if isinstance(one, checkpoint)), len(others))
        mine = [at for at, one in enumerate(now) if one is self]
        if len(mine) != 1 or mine[0] > place:
            trainer.callbacks = [*others[:place], self, *others[place:]]

    # -- training ----------------------------------------------------------------------------------------------

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """The loop starts, at ``trainer.global_step``."""
        if not self.enabled:
            return
        self._trained = True
        self._step = trainer.global_step
        self._start_train(self._step)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """The loop ends."""
        self.logtimeevent.on_train_end()

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """An iteration starts."""
        if self.logtimeevent._steps:
            self.logtimeevent.on_train_step_start()
        self.logtimeevent.on_train_batch_start()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """An iteration ends; saves that have finished since are reported, from this thread."""
        self.logtimeevent.on_train_batch_end()
        if self.logtimeevent._steps and trainer.global_step != self._step:
            self._step = trainer.global_step
            self.logtimeevent.on_train_step_end()
        self._report_saves(trainer)

    # -- validation and test -----------------------------------------------------------------------------------

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        """A validation loop starts."""
        self.logtimeevent.on_validation_start()

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """A validation loop ends."""
        self.logtimeevent.on_validation_end()

    def on_validation_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """A validation batch starts."""
        self.logtimeevent.on_validation_batch_start()

    def on_validation_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """A validation batch ends."""
        self.logtimeevent.on_validation_batch_end()

    def on_test_start(self, trainer: Any, pl_module: Any) -> None:
        """A test loop starts: a span for v2, nothing for v1."""
        self.logtimeevent.on_test_start()

    def on_test_end(self, trainer: Any, pl_module: Any) -> None:
        """A test loop ends."""
        self.logtimeevent.on_test_end()

    # -- checkpoints -------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def around_save(self, trainer: Any) -> Iterator[None]:
        """``trainer.save_checkpoint``: start, end, success; that of an asynchronous save comes when it is written."""
        if not self.saves:
            yield
            return
        events = self.logtimeevent
        step = trainer.global_step
        io = getattr(trainer, "augmented_async_checkpoint_io", None)
        before = io.submitted if io is not None else 0
        events.on_save_checkpoint_start(global_step=step)
        try:
            yield
        finally:
            events.on_save_checkpoint_end(global_step=step)
        # A rank that logs and does not write hands nothing to the IO: the collective save is over when it returns.
        if io is None or io.submitted == before:
            events.on_save_checkpoint_success(global_step=step)

    def _report_saves(self, trainer: Any) -> None:
        io = getattr(trainer, "augmented_async_checkpoint_io", None)
        if io is not None:
            for step in io.collect_finished_saves():
                if self.saves:
                    self.logtimeevent.on_save_checkpoint_success(global_step=step)


def merge(ours: Any, theirs: Any) -> list[Any]:
    """``theirs`` (None, one, or several callbacks or plugins) and ``ours``; the user's list is not changed."""
    if theirs is None:
        several = []
    elif isinstance(theirs, (str, bytes, Mapping)) or not hasattr(theirs, "__iter__"):
        several = [theirs]
    else:
        several = list(theirs)
    return several if any(one is ours for one in several) else [*several, ours]


def _name(stage: Any) -> str:
    return str(getattr(stage, "value", stage))


@contextlib.contextmanager
def _quietly(what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        warn(f"{what} could not be reported: {error!r}")
