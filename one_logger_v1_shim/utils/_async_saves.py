"""Checkpoints saved in a thread, for both families of Lightning. Imports neither. Runs in the job's process."""

from __future__ import annotations

import importlib
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Callable, Optional

from .._log import warn


class AsyncSaves:
    """A checkpoint IO that saves in a thread and remembers what it has saved (mixed into Lightning's wrapping IO).

    Attributes:
        submitted: number of saves handed over so far.
        interrupted: the training ends with an exception: a failed save is logged and does not hide it.
    """

    checkpoint_io: Any

    def __init__(self, checkpoint_io: Any = None) -> None:
        super().__init__(checkpoint_io)  # type: ignore[call-arg]
        self._executor: Optional[ThreadPoolExecutor] = None
        self._saves: list[tuple[Any, Future[Any]]] = []
        self._finished: list[Any] = []
        self._errors: list[BaseException] = []
        self.submitted = 0
        self.interrupted = False

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Save a copy of ``checkpoint`` in the background. Raises what an earlier save raised, if one did."""
        self._settle()
        more = {} if storage_options is None else {"storage_options": storage_options}
        save = self._submit(self.checkpoint_io.save_checkpoint, _snapshot(checkpoint), path, **more)
        self._saves.append((checkpoint.get("global_step"), save))
        self.submitted += 1
        self._raise()  # afterwards, as Lightning does: this checkpoint is not lost with an earlier one

    def remove_checkpoint(self, path: Any) -> None:
        """Remove a checkpoint, after the saves that were asked for before."""
        if self._saves:
            self._saves.append((None, self._submit(self.checkpoint_io.remove_checkpoint, path)))
        else:
            self.checkpoint_io.remove_checkpoint(path)

    def load_checkpoint(self, *args: Any, **kwargs: Any) -> Any:
        """Load a checkpoint, when the saves under way are done."""
        self._wait()
        return self.checkpoint_io.load_checkpoint(*args, **kwargs)

    def collect_finished_saves(self) -> list[int]:
        """The ``global_step`` of each save that has succeeded since the last call, in the order of the saves."""
        if self._saves:
            self._settle()
        finished, self._finished = self._finished, []
        return finished

    def teardown(self) -> None:
        """Wait for the saves. Raises what a save raised, if one did."""
        self._wait()
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=True)
        self._settle()
        try:
            self._raise()
        finally:
            self.interrupted = False
        # Not super(): Lightning's closes an executor of its own, and up to 2.1 fails where there is none.

    def _submit(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Future[Any]:
        if self._executor is None:  # after a teardown too: one trainer may fit several times
            self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        return self._executor.submit(function, *args, **kwargs)

    def _wait(self) -> None:
        wait([save for _, save in self._saves])

    def _settle(self) -> None:
        """Sort what is done into successes and errors."""
        pending = []
        for step, save in self._saves:
            if not save.done():
                pending.append((step, save))
                continue
            error = save.exception()
            if error is not None:
                self._errors.append(error)
            elif step is not None:
                self._finished.append(step)
        self._saves = pending

    def _raise(self) -> None:
        """Raise the first error of a save, once; the others are logged, and all are while an exception is under way."""
        errors, self._errors = self._errors, []
        for error in errors if self.interrupted else errors[1:]:
            warn(f"an asynchronous checkpoint could not be saved: {error!r}")
        if errors and not self.interrupted:
            raise errors[0]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_executor": None, "_saves": [], "_finished": [], "_errors": []}


def _snapshot(checkpoint: Any) -> Any:
    """``checkpoint`` with its tensors copied: the training goes on changing the originals."""
    torch: Any = importlib.import_module("torch")
    utilities: Any = importlib.import_module("lightning_utilities.core.apply_func")
    return utilities.apply_to_collection(checkpoint, torch.Tensor, lambda tensor: tensor.detach().clone())
