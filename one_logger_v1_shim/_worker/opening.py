"""From a journal to an open W&B run: what the settings say, whether the server can be reached, ``wandb.init``.

Whatever is in the way, the run is opened offline at the end, and one line says why.

Runs in the worker's process.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, NoReturn, Optional

from .._journal import server
from .._journal.destination import FOREIGN
from .._journal.files import has_room, overflow
from .._journal.records import Mark, RunRecord
from .._journal.secret import hidden
from .._journal.words import RUN, run_mark
from . import settings, wandb_api
from .children import say
from .run import Run
from .successor import Successor

# What a server says of an entity: permission denied, entity ... not found, returned error 403. All else may pass.
# "no such host" is said of a name, a proxy's for example.
_MAY_NOT = re.compile(
    r"permission denied|forbidden|not found|no such(?! host)|(returned error|error|http) 40[34]\b", re.I
)

_LONGEST = 400  # characters of an error; wandb's process says the address twice before it says the cause

_ERROR_IN_LOG = re.compile(r'"error":"((?:[^"\\]|\\.)*)"')


class Opening:
    """Opens ``run``. Where that fails, ``successor`` tries what comes next, in a new process.

    ``stuck`` is called, in another thread, when ``wandb.init`` does not return and nothing else can be tried.

    Attributes:
        reason: why the run is offline; None: it is online.
        settings: what W&B's settings say; None where wandb can't tell.
    """

    def __init__(
        self, folder: Path, record: RunRecord, run: Run, successor: Successor, stuck: Callable[[], NoReturn]
    ) -> None:
        self.reason: Optional[str] = None
        self.settings: Optional[server.Found] = None
        self._folder = folder
        # a folder without settings: a journal that is recovered may have been filled by anybody
        self._empty = folder if run.recovery is None else Path.cwd()
        self._record = record
        self._run = run
        self._successor = successor
        self._stuck = stuck

    def open(self, offline_because: Optional[str], mark: Mark) -> None:
        """Open the run: online if W&B can, else offline. ``mark``: what an earlier worker has written."""
        with _otherwise(wandb_api.stuck_limit(), self._stuck):  # older ones start a process for that
            reason = self._ask_settings()
        reason = "; ".join(filter(None, (offline_because, reason))) or None
        if reason is None and self.settings is not None:
            # a token's file on a dead mount; the server's time is bounded
            with _otherwise(wandb_api.stuck_limit(), self._without_credentials):
                reason = server.why_offline(self._run.spec, self.settings, os.environ)
        self._run.await_older(mark)
        if reason is None and self._run.began_offline():
            reason = "it began offline"
        self.reason = reason
        if reason is None:
            self._open_online()
        else:
            self._open_offline(reason)

    def _without_credentials(self) -> NoReturn:
        os.environ.pop(server.TOKEN, None)  # offline, too, wandb would read it
        self._successor.offline(f"no credentials could be read within {wandb_api.stuck_limit():g} s")

    def _ask_settings(self) -> Optional[str]:
        """Learn what W&B's settings say. Returns why the run must be offline, None if it can be online."""
        run = self._run
        for name in FOREIGN:
            os.environ.pop(name, None)
        # A sweep, Launch and SageMaker give a run another id than the one that `wandb.init` is told, but not than this.
        os.environ["WANDB_RUN_ID"] = run.id
        os.environ[RUN] = run_mark(self._record.id, str(self._folder))  # by that wandb's process is known as ours
        refused = settings.take_refused(os.environ)
        values = settings.refused_values(run.spec)
        run.spec = run.spec.without(*values)
        refused.extend(values.values())
        try:
            self.settings = settings.read(os.environ, run.spec.host)
        except Exception as error:
            say(f"wandb's settings: {error!r}")
            refused.append(settings.mend(os.environ, error, self._empty))
            self._successor.offline("; ".join(refused))
        why = wandb_api.cannot_be_told(run.spec)
        return "; ".join([*refused, why] if why else refused) or None

    def _open_online(self) -> None:
        limit = wandb_api.init_limit() + 5.0
        late = f"no answer to wandb.init within {limit:g} s, see ONE_LOGGER_V1_INIT_TIMEOUT"
        with _otherwise(limit, self._successor.offline, late):
            try:
                self._run.open(offline=False)
            except Exception as error:
                # newer ones raise without the server's words, which are in their log
                told = self._run.last_refusal()
                say(f"wandb.init online: {error!r} {told}")
                self._refused(self._why_refused(error, told), f"{error} {told}")

    def _why_refused(self, error: BaseException, told: str) -> str:
        """The server's own words, which newer wandbs have in their log only, and what of ours they may be about."""
        said = first_line(error)
        words = _ERROR_IN_LOG.search(told)
        if words is not None and "<no message>" in said:
            said = hidden(words[1].replace('\\"', '"'), alike=True)[:_LONGEST]
        if not _MAY_NOT.search(f"{error} {told}"):
            return said
        entity = self._run.spec.arguments(os.environ).get("entity") or os.environ.get("WANDB_ENTITY") or "its default"
        return f"{said}; may this API key write to entity {entity}?"

    def _refused(self, why: str, all_told: str) -> NoReturn:
        """The server does not take the run. If it does not take its entity, which nobody chose, the account's own is
        tried next; not after a trouble that passes (429, 500, silence): a run is not to go elsewhere for that."""
        nobody_chose = self._run.spec.entity_is_documented_default(os.environ)
        in_time = "timed out" not in all_told.lower()
        if self._successor.own_entity or not nobody_chose or not in_time or not _MAY_NOT.search(all_told):
            self._successor.offline(why)
        self._successor.with_own_entity(why)

    def _open_offline(self, reason: str) -> None:
        run = self._run
        # it asks no server, but it waits for wandb's own process, which may never come up (no descriptors left)
        with _otherwise(wandb_api.stuck_limit(), self._stuck):
            try:
                run.open(offline=True)
            except Exception as error:
                say(f"wandb.init offline in {run.home}: {error!r}")
                left_out = settings.leave_out(os.environ, error) if has_room(run.home) else ""
                if left_out:
                    self._successor.offline(f"{reason}; {left_out}")
                if run.home == overflow(self._folder):
                    raise
                self._successor.offline(f"{reason}; {first_line(error)}", "--overflow")

    def notice(self, folders: Sequence[str]) -> Optional[str]:
        """What whoever looks at the run has to know: it is offline, or not where the documented default says."""
        if self.reason is not None:
            return wandb_api.notice(self._run.spec, self.reason, folders)
        if not self._successor.own_entity:
            return None
        return (
            f"the account may not write to {self._record.default.get('entity')}, v1's default entity; the run goes to "
            f"its own: {self._run.url}; set WANDB_ENTITY to choose one"
        )


@contextmanager
def _otherwise(limit: float, do: Callable[..., object], *arguments: object) -> Iterator[None]:
    """Call ``do``, in a thread of its own, if the block takes longer than ``limit`` seconds."""
    timer = threading.Timer(limit, do, arguments)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def first_line(error: BaseException) -> str:
    """An error for a log line: its type, and the first line of its text."""
    text = hidden(str(error), alike=True).strip()
    return f"{type(error).__name__}: {text.splitlines()[0][:_LONGEST]}" if text else type(error).__name__
