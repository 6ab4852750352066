"""The worker's W&B run: opened or continued, given rows, finished, and looked at, whether W&B has everything.

Runs in the worker's process.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from .._journal import server
from .._journal.destination import RunSpec
from .._journal.files import as_text, overflow
from .._journal.outside import json_value, open_regular
from .._journal.process_table import is_running, variable
from .._journal.records import Mark, RunRecord, is_run_id, run_id
from .._journal.secret import hidden
from .._journal.server import Found
from .._journal.system import KILL
from .._journal.wandb_file import FOLDERS, Scanner, is_offline, run_files
from .._journal.words import RUN, run_mark
from . import wandb_api
from .children import children, end_children, say
from .too_long import LIMIT, TooLong

_LOG = Path("logs") / "debug-internal.log"  # in the run's folder
# A request that wandb's process makes again and again, though its status will not change by that.
_AGAIN = re.compile(
    rb'"api: retrying HTTP error","status":(40[25-7]|41[1-8]|42[1-46-8]|431|451|501|505|508),"url":"[^"]*/file_stream"'
)
_MOST_AGAIN = 3  # times in a row; with the pauses of wandb that is some ten seconds
_NO_ROW = 60.0  # seconds between two of them at most
_LEAVE = 5.0  # seconds for wandb's process of an earlier worker to write down what it has


@dataclass(frozen=True)
class Recovery:
    """What `recover` has found out about the run: its id, W&B's files of it, and those that are another run's."""

    id: str = ""
    known: frozenset[Path] = frozenset()
    foreign: frozenset[Path] = frozenset()

    def options(self) -> list[str]:
        """For a worker's command line."""
        named = [("--known", self.known), ("--foreign", self.foreign)]
        files = [word for option, paths in named for path in sorted(paths) for word in (option, str(path))]
        return ["--recover", self.id, *files]


class Run:
    """The run of a journal, which an earlier worker may have begun.

    Its id is the one in ``record``, unless W&B gave it another one: that stands in ``mark``.

    Raises:
        ValueError: the id is none of ours.
    """

    def __init__(
        self, spec: RunSpec, folder: Path, record: RunRecord, mark: Mark, recovering: Optional[Recovery] = None
    ) -> None:
        self.spec = spec
        # what the mark says was written by a worker of this run, if there is a job that has just begun it
        known = run_id(record, mark) if recovering is None else recovering.id or run_id(record)
        if known is None:
            raise ValueError(f"{folder}: run.json has no run id")
        self.id = known
        self._record = record
        self._overflow = overflow(folder)
        #: the folder that holds ``wandb/``
        self.home = folder.parent.parent if folder.parent.name == "wandb" else folder
        if recovering is None and record.base:
            self.home = Path(record.base)
        self.home = as_text(self.home, folder, "base")
        self._began_in = self.home
        self._elsewhere = record.elsewhere if recovering is not None else []
        self.recovery = recovering
        self._folder = folder
        #: rows that W&B has had before
        self.skip = 0
        self.url: Optional[str] = None
        self._run: Any = None
        self._offline = True
        self._read = 0  # bytes of wandb's log
        self._refused = False
        self._again: list[float] = []  # when the server was seen to refuse what wandb's process sends again
        self._processes: list[int] = []
        self._scanners: dict[Path, Scanner] = {}
        #: rows that W&B's server will not take as they are
        self.too_long = TooLong(folder)

    def await_older(self, mark: Mark) -> None:
        """Wait until wandb's process of an earlier worker has gone: it may still be writing rows."""
        older = []
        for entry in mark.processes:
            if isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], int) and isinstance(entry[1], str):
                older.append((entry[0], entry[1]))
        limit = time.monotonic() + _LEAVE
        while any(is_running(*one) for one in older) and time.monotonic() < limit:
            time.sleep(0.05)
        for pid, began in older:
            if is_running(pid, began) and run_mark(self._record.id, str(self._folder)) == variable(pid, RUN):
                say(f"ending wandb's process {pid} of an earlier worker")
                with suppress(OSError):
                    os.kill(pid, KILL)

    def open(self, offline: bool) -> None:
        """``wandb.init``, after the rows that W&B has on disk; raises whatever wandb raises."""
        # what a file calls its program is none whose text W&B may upload
        more: dict[str, Any] = {"program": self._record.program if self.recovery is None else None}
        if self._record.category:
            more["config"] = {"job_category": self._record.category}
        again = bool(self._files())
        if again:
            more["resume"] = "allow"
        self.forget_attempts()
        self.skip = self.rows_on_disk()
        self._offline = offline
        self._run = wandb_api.init(self.spec, self.id, str(self.home), offline, **more)
        url = getattr(self._run, "url", None)
        self.url = None if url is None else hidden(str(url))
        given = str(getattr(self._run, "id", "") or self.id)
        if is_run_id(given):
            self.id = given
        self._processes = children()
        if again and not offline:
            # The server may have more than is on disk, and less: what it lacks is sent again.
            self.skip = max(0, int(getattr(self._run, "starting_step", 0) or 0))

    def log(self, step: int, line: bytes) -> tuple[bool, list[str]]:
        """Give W&B the row ``step`` (from 0), unless it has it.

        Returns whether W&B gets less than the row, and what is to be logged about it.
        """
        if step < self.skip and len(line) < LIMIT:
            return False, []
        row = json_value(line)
        if not isinstance(row, dict):
            raise ValueError("no JSON object")
        row, changed, too_long = self.too_long.fit(step + 1, line, row)
        refused = None
        if step >= self.skip:
            refused = wandb_api.log(self._run, row, **({"step": step, "commit": True} if self.skip else {}))
        return changed, [text for text in (too_long, refused) if text]

    def destination(self) -> dict[str, Any]:
        """Where the run is, as W&B has it: by the names of :class:`RunSpec`."""
        return wandb_api.destination(self._run)

    def alive(self) -> bool:
        """Whether wandb's own process is there."""
        return all(map(is_running, self._processes))

    def _files(self, all_of_them: bool = True) -> list[Path]:
        more = self._elsewhere if all_of_them else []
        homes = dict.fromkeys([*more, self._began_in, self.home, self._overflow])
        found = [path for home in homes for folder in FOLDERS for path in run_files(home / folder, self.id)]
        if self.recovery is not None:
            found = [path for path in found if path not in self.recovery.foreign]
        if self._run is not None:  # wandb itself knows where it writes, should it name folders and files otherwise
            known = {path.resolve() for path in found}
            own = Path(wandb_api.run_folder(self._run)).glob("*.wandb")
            found.extend(path for path in own if path.resolve() not in known)
        return found

    def began_offline(self) -> bool:
        """Whether there are rows in an offline folder: then the rest follows there; all is synced together."""
        return any(is_offline(path.parent) for path in self._files())

    def forget_attempts(self, online_only: bool = False) -> None:
        """Remove folders of this run that hold no row: of an online run that never came to be, or of a process that
        was killed before it wrote (wandb writes 32 KiB at a time). The journal has their rows. In recovery only those
        that have come since it began: whose the older ones are nobody knows for certain."""
        before = self.recovery.known if self.recovery is not None else frozenset()
        for path in self._files(all_of_them=False):
            if path not in before and not (online_only and is_offline(path.parent)) and Scanner(path).advance() == 0:
                shutil.rmtree(path.parent, ignore_errors=True)

    def folders(self) -> list[str]:
        """The W&B folders of the run, oldest first."""
        return [str(path.parent) for path in self._files()] or [wandb_api.run_folder(self._run)]

    def rows_on_disk(self) -> int:
        """How many rows are whole in W&B's files."""
        return max(
            (self._scanners.setdefault(path, Scanner(path)).advance() for path in self._files()),
            default=0,
        )

    def finish(self, exit_code: int, rows: int, limit: float, found: Optional[Found]) -> str:
        """``run.finish``, in ``limit`` seconds. Returns what W&B lacks of the first ``rows`` rows; ``""``: nothing."""
        done = threading.Event()

        def run() -> None:
            try:
                self._run.finish(exit_code=exit_code)
                done.set()
            except Exception as error:
                say(f"run.finish: {error!r}")

        def teardown() -> None:
            import wandb

            wandb.teardown()

        _bounded(run, limit)
        _bounded(teardown, 10.0)  # the run's file is complete on disk when wandb's process has gone
        end_children(grace=2.0)
        stored = self.rows_on_disk()
        if stored < rows:
            return f"W&B has {stored} of {rows} rows on disk{wandb_api.settings_in_force()}"
        if self._offline:
            return ""
        if not done.is_set():
            return f"the W&B server did not take all rows within {limit:g} s, see ONE_LOGGER_V1_DRAIN_TIMEOUT"
        if self.refused():
            return "the W&B server refused rows"
        why = server.why_incomplete(self.spec, found, os.environ) if found is not None else None
        return f"W&B's server may not have all rows ({why})" if why else ""

    def refused(self) -> bool:
        """Whether wandb has given the upload up, or should. It says so in its log only, and goes on as if all were
        well."""
        if self._offline or self._run is None:
            return False
        try:
            with open_regular(Path(wandb_api.run_folder(self._run)) / _LOG) as lines:
                lines.seek(self._read)
                for line in lines:
                    if not line.endswith(b"\n"):  # it is being written
                        break
                    self._read += len(line)
                    if _AGAIN.search(line):
                        seen = time.monotonic()
                        self._again = [*(one for one in self._again if seen - one < _NO_ROW), seen]
                    self._refused = (
                        self._refused or b"filestream: fatal error" in line or len(self._again) >= _MOST_AGAIN
                    )
        except OSError:
            pass
        return self._refused

    def last_refusal(self) -> str:
        """What the server said to the last ``wandb.init``, as far as wandb's log of it tells."""
        told = ""
        for folder in sorted((self.home / "wandb").glob(f"*run-*-{self.id}")):
            with suppress(OSError):
                lines = (folder / _LOG).read_bytes()[-65536:].decode("utf-8", "replace").splitlines()
                told = next((line for line in reversed(lines) if "failed to init run" in line), told)
        return told


def _bounded(function: Any, limit: float) -> None:
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    thread.join(limit)
