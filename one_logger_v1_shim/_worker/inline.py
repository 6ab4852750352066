"""The run in the job's own process: for debugging, and where no process may be started.

The one module of this room that the job's process imports, and only if somebody asks for it.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import threading
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Optional

from .._job.record import new_record
from .._job.writer import Journal, begin
from .._journal.destination import FOREIGN, RunSpec, is_quietly_offline
from .._journal.files import recover_command
from .._journal.records import Mark, RunRecord
from .._log import warn, warn_once
from .._variables import switch
from . import server, settings, wandb_api
from .too_long import TooLong


def impossible(spec: RunSpec) -> Optional[str]:
    """Why the run can't be kept in this process, apart from the user's own runs; None: it can."""
    why = wandb_api.unusable()
    if why is not None:
        return why
    if not wandb_api.keeps_runs_apart():
        return "this wandb has no reinit='create_new'"
    # The user's run needs those settings as they are; ours can't live with them. A worker's environment is its own.
    refused = [*settings.take_refused(dict(os.environ)), *settings.refused_values(spec).values()]
    if refused:
        return "; ".join(refused)
    found = [name for name in _OF_THE_USERS_RUN if os.environ.get(name)]
    return f"{found[0]} decides which run wandb opens in this process" if found else None


_OF_THE_USERS_RUN = ("WANDB_LAUNCH", "WANDB_SWEEP_ID", "TRAINING_JOB_NAME")  # Launch, a sweep, SageMaker


@contextmanager
def _without(environ: MutableMapping[str, str], *names: str) -> Iterator[None]:
    """``environ`` without ``names`` for the length of the block."""
    taken = {name: environ.pop(name) for name in names if name in environ}
    try:
        yield
    finally:
        environ.update(taken)


class InlineSink:
    """Calls ``run.log`` inside ``put``, in sync and async alike. Our run is hidden from the user's wandb calls."""

    def __init__(self, spec: RunSpec, asynchronous: bool) -> None:
        self.asynchronous = asynchronous
        self._lock = threading.RLock()
        self._finished = False
        self._run: Any = None
        self._journal: Optional[Journal] = None
        record = new_record(spec, delivery="inline", keep=True, python=sys.executable, v2="job")
        base = spec.folder(os.environ)
        if switch(os.environ, "ONE_LOGGER_V1_JOURNAL"):
            self._journal = _begin(base, record)
        self._rows = 0
        self._too_long = TooLong(self._journal.folder if self._journal is not None else None)
        home = base
        if self._journal is not None and self._journal.folder.parent != base / "wandb":
            home = self._journal.folder  # the base can't be written
        try:
            reason = wandb_api.cannot_be_told(spec) or server.why_offline(spec, settings.read(os.environ), os.environ)
        except Exception as error:
            reason = type(error).__name__
        try:
            self._run = self._open(spec, record.id, str(home), reason is not None)
        except Exception as error:
            if reason is None:
                reason = f"{type(error).__name__} when it was opened online"
                with suppress(Exception):
                    self._run = self._open(spec, record.id, str(home), True)
            if self._run is None:
                warn_once("inline:open", f"no W&B run could be opened: {error!r}; {self._left()}")
                return
        # wandb's own exit handler ends its process; ours must come before it
        atexit.register(self._at_exit)
        if reason is not None:
            self._mark("offline")
            if not is_quietly_offline(os.environ):
                warn(wandb_api.notice(spec, reason, [wandb_api.run_folder(self._run)]))

    def _open(self, spec: RunSpec, run_id: str, home: str, offline: bool) -> Any:
        """Open our run and hide it: the user's ``wandb.init()`` would return it, their ``finish()`` end it."""
        before = _global_settings()
        try:
            with _without(os.environ, *FOREIGN):
                run = wandb_api.init(spec, run_id, home, offline, reinit="create_new", wanted=wandb_api.IMPATIENT)
        finally:
            after = _global_settings()
            for name in before.keys() & after.keys():
                if before[name] != after[name]:
                    with suppress(Exception):
                        setattr(_setup().settings, name, before[name])
        with suppress(Exception):
            _setup().remove_active_run(run)
        return run

    def put(self, row: bytes, before: bytes = b"") -> None:
        """One row, to the journal and to W&B."""
        with self._lock:
            if self._finished:
                warn_once("put:finished", "a row came after the run was finished; it is dropped")
                return
            self._rows += 1
            if self._journal is not None:
                written = self._journal.written
                try:
                    self._journal.append(row)
                except Exception as error:
                    self._journal.missed(row, written, error)
            if self._run is None:
                return
            try:
                fitting, changed, too_long = self._too_long.fit(self._rows, row, json.loads(row))
                if changed and self._journal is not None:
                    self._journal.hold()
                if too_long:
                    warn_once(f"wandb:{too_long}", too_long)
                said = wandb_api.log(self._run, fitting)
                if said:
                    warn_once("wandb:row", said)
            except Exception as error:
                self._mark("failed")
                self._run = None
                warn_once("wandb:log", f"W&B takes no more rows ({error!r}); {self._left()}")

    def call(self, line: bytes) -> None:
        """Inline delivery has no worker that could play calls; v2 hears them in this process."""

    def finish(self, exit_code: int = 0) -> None:
        """Finish the run."""
        with self._lock:
            if self._finished:
                return
            self._finished = True
            atexit.unregister(self._at_exit)
            run, self._run = self._run, None
            if self._journal is not None:
                self._journal.end(exit_code)
            if run is None:
                return
            try:
                run.finish(exit_code=exit_code)
                self._mark("finished", run)
            except Exception as error:
                self._mark("failed", run)
                warn_once("wandb:finish", f"the W&B run could not be finished ({error!r}); {self._left()}")

    def _at_exit(self) -> None:
        self.finish(1 if getattr(sys, "last_type", None) else 0)

    def abandon(self) -> None:
        """In a forked child: forget the run."""
        self._finished = True
        self._run = None
        self._lock = threading.RLock()  # another thread of the parent may have held it
        atexit.unregister(self._at_exit)
        if self._journal is not None:
            self._journal.close()

    def _mark(self, state: str, run: Any = None) -> None:
        if self._journal is not None:
            where = wandb_api.run_folder(run or self._run)
            with suppress(Exception):
                Mark(state=state, dir=where, dirs=[where], rows=self._journal.rows).write(self._journal.folder)

    def _left(self) -> str:
        if self._journal is None:
            return "rows are lost"
        folder = self._journal.folder
        return f"rows are kept in {folder}; send them with: {recover_command(folder)}"


def _begin(base: Path, record: RunRecord) -> Optional[Journal]:
    try:
        return begin(base, record, followed=False)
    except OSError as error:
        warn_once("journal:none", f"no journal can be kept anywhere ({error.strerror})")
        return None


def _setup() -> Any:
    from wandb.sdk import wandb_setup

    return wandb_setup.singleton()


def _global_settings() -> dict[str, Any]:
    try:
        found = _setup().settings
        return {name: getattr(found, name) for name in ("base_url", "api_key")}
    except Exception:
        return {}
