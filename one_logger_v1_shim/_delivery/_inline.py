"""The run in the job's own process: for debugging, and where no process may be started."""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from typing import Any, Optional

from .._log import logger, warn_once
from . import _wandb
from ._journal import FINISH, Journal, make_folder, new_run_id, write_json
from ._spec import RunSpec, mode


class InlineSink:
    """Calls ``run.log`` inside ``put``, in sync and async alike. Our run is hidden from the user's wandb calls."""

    def __init__(self, spec: RunSpec, asynchronous: bool) -> None:
        self.asynchronous = asynchronous
        self._lock = threading.RLock()
        self._finished = False
        self._run: Any = None
        self._journal: Optional[Journal] = None
        run_id = new_run_id()
        base = spec.folder(os.environ)
        if os.environ.get("ONE_LOGGER_V1_JOURNAL", "1") != "0":
            self._journal = Journal(make_folder(base, run_id, keep=True))
            write_json(self._journal.folder / "run.json", {"id": run_id, "pid": os.getpid(), "delivery": "inline"})
        try:
            reason = _wandb.why_offline(spec, os.environ)
            self._run = self._open(spec, run_id, str(base), reason is not None)
        except Exception as error:
            try:
                reason = f"{type(error).__name__} when it was opened online"
                self._run = self._open(spec, run_id, str(base), True)
            except Exception as second:
                warn_once("inline:open", f"no W&B run could be opened: {second!r}; {self._left()}")
                return
        if reason is not None:
            self._mark("offline")
            silent = os.environ.get("WANDB_SILENT", "").lower() in ("1", "true")
            if not (silent and mode(os.environ) == "offline"):
                logger.warning(_wandb.notice(spec, reason, _wandb.run_folder(self._run)))

    def _open(self, spec: RunSpec, run_id: str, base: str, offline: bool) -> Any:
        """Open our run and hide it: the user's ``wandb.init()`` would return it, their ``finish()`` end it."""
        before = _global_settings()
        run = _wandb.init(spec, run_id, base, offline, reinit="create_new")
        after = _global_settings()
        for name in before.keys() & after.keys():
            if before[name] != after[name]:
                with suppress(Exception):
                    setattr(_setup().settings, name, before[name])
        with suppress(Exception):
            _setup().remove_active_run(run)
        return run

    def put(self, text: str) -> None:
        """One row, to the journal and to W&B."""
        with self._lock:
            if self._finished:
                warn_once("put:finished", "a row came after the run was finished; it is dropped")
                return
            if self._journal is not None:
                self._journal.append(text)
            if self._run is None:
                return
            try:
                said = _wandb.log(self._run, json.loads(text))
                if said:
                    warn_once("wandb:row", said)
            except Exception as error:
                self._run = None
                warn_once("wandb:log", f"W&B takes no more rows ({error!r}); {self._left()}")

    def finish(self, exit_code: int = 0) -> None:
        """Finish the run."""
        with self._lock:
            if self._finished:
                return
            self._finished = True
            if self._journal is not None:
                self._journal.append(f"{FINISH} {exit_code}")
                self._journal.close()
            run, self._run = self._run, None
            if run is None:
                return
            try:
                run.finish(exit_code=exit_code)
                self._mark("finished")
            except Exception as error:
                warn_once("wandb:finish", f"the W&B run could not be finished ({error!r}); {self._left()}")

    def abandon(self) -> None:
        """In a forked child: forget the run."""
        self._finished = True
        self._run = None
        if self._journal is not None:
            self._journal.close()

    def _mark(self, state: str) -> None:
        if self._journal is not None:
            with suppress(OSError):
                mark = {"state": state, "dir": _wandb.run_folder(self._run), "rows": self._journal.rows}
                write_json(self._journal.folder / "mark.json", mark)

    def _left(self) -> str:
        return f"rows are kept in {self._journal.folder}" if self._journal is not None else "rows are lost"


def _setup() -> Any:
    from wandb.sdk import wandb_setup

    return wandb_setup.singleton()


def _global_settings() -> dict[str, Any]:
    try:
        found = _setup().settings
        return {name: getattr(found, name) for name in ("base_url", "api_key")}
    except Exception:
        return {}
