"""Fetches the rows of a project's runs from a W&B server into a cache. In a process that is started as a worker is.

A run is a folder: ``rows.jsonl``, one row on each line, and ``history.json``, which is replaced in one step and says
how much of the file counts. So whoever ends this process ends it between two pages: the next one goes on from there.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Callable, Optional

from .._journal import server
from .._journal.destination import WandBConfig, specification
from .._journal.files import write_json
from .._journal.history import FORMAT, ROWS, STATE, said
from .._journal.outside import json_value, open_to_write, read_object
from .._journal.secret import without_user
from .._variables import seconds
from . import settings

_TIMEOUT = 60  # seconds for one answer of the server
_QUIET = 600.0  # seconds without a row from a server that answers: it may be a large file that comes first
_PAGE = 1000  # rows
_MORE = ("_step", "_runtime", "_wandb")  # what W&B adds, beside the time

_OF_A_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.EIO, errno.EINVAL)


class _StopError(Exception):
    """Nothing more can be fetched; the message is one line."""


def main(arguments: list[str]) -> None:
    """``--history --attached QUESTION``: a JSON object.

    ``cache`` (a folder), ``entity``, ``project``, ``run`` (empty: all of them), ``newest`` (of them only that one),
    ``metrics``: a run whose summary has none of these is not wanted; ``tag``: a name and a value, of which the same
    holds where the summary has the name.

    Prints JSON lines: ``total`` and ``more`` (rows), ``note``, and at last ``folders`` or ``error``.
    """
    with _only_ours() as out:
        os.umask(0o077)  # for this user alone: a history may say what is in training
        watch = _Watch(out)
        try:
            folders = _Fetch(watch, out, json.loads(arguments[2])).all()
            _say(out, folders=folders)
        except _StopError as error:
            _say(out, error=str(error))
        except Exception as error:
            _say(out, error=settings.reason(error))


@contextmanager
def _only_ours() -> Iterator[BinaryIO]:
    """What the command reads; whatever else is printed goes to stderr."""
    with os.fdopen(os.dup(1), "wb", buffering=0) as out:
        os.dup2(2, 1)
        yield out


def _say(out: BinaryIO, **what: Any) -> None:
    out.write(json.dumps(what).encode() + b"\n")


class _Watch(threading.Thread):
    """Ends this process when nothing comes any more: wandb itself asks a server that has gone again without an end."""

    def __init__(self, out: BinaryIO) -> None:
        super().__init__(daemon=True)
        self._out, self._patience = out, 4 * seconds(os.environ, "ONE_LOGGER_V1_CONNECT_TIMEOUT")
        self._last = time.monotonic()
        self.folder: Optional[Path] = None

    def seen(self) -> None:
        """Something has come."""
        self._last = time.monotonic()

    def run(self) -> None:
        while True:
            time.sleep(self._patience / 4)
            quiet = time.monotonic() - self._last
            why = _why_not() if quiet > self._patience else None
            if why is None and quiet > _QUIET:
                why = f"no answer in {_QUIET:g} s"
            if why is not None and time.monotonic() - self._last > self._patience:
                _say(self._out, error=f"the download stopped: {why}; {said(self.folder)}")
                os._exit(0)


class _Fetch:
    def __init__(self, watch: _Watch, out: BinaryIO, asked: dict[str, Any]) -> None:
        self._out, self._asked = out, asked
        self._path = f"{asked['entity']}/{asked['project']}"
        self._address, self._api = _connect()
        self._folder = Path(asked["cache"], *map(_name, (self._address, asked["entity"], asked["project"])))
        self._watch = watch
        watch.folder = self._folder
        watch.seen()
        watch.start()

    def all(self) -> list[str]:
        """The folders of the runs that have rows of v1, all that could be fetched."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = open_to_write(self._folder / "lock", os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise _StopError(f"{error.filename} cannot be written ({error.strerror}); set XDG_CACHE_HOME") from None
        try:  # two commands at a time: the second one has less to fetch
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        except (ImportError, OSError):  # Windows; a file system without locks
            pass
        found = [one for one in self._runs() if self._is_wanted(one)]
        if self._asked["newest"]:
            found = found[-1:]
        kept = [_Kept(self._folder / _name(run.id), run) for run in found]
        _say(self._out, total=sum(one.missing for one in kept))
        return [str(one.folder) for one in kept if self._fetched(one)]

    def _runs(self) -> list[Any]:
        path = self._path
        try:
            if self._asked["run"]:
                return [self._api.run(f"{path}/{self._asked['run']}")]
            try:
                found = self._api.runs(path, order="+created_at", lazy=False)  # with their summaries
            except TypeError:  # in older releases they always come with them
                found = self._api.runs(path, order="+created_at")
            runs = []
            for run in found:
                self._watch.seen()
                runs.append(run)
            return runs
        except Exception as error:
            raise _StopError(f"{path}: {self._address}: {settings.reason(error)}") from None

    def _is_wanted(self, run: Any) -> bool:
        """Whether it has rows of v1, with the tag that was asked for. An empty summary tells nothing."""
        summary = dict(run.summary.items())
        if not any(not name.startswith("_") for name in summary):
            return True
        name, tag = self._asked["tag"]
        tags = summary.get(name)
        fits = not tag or not isinstance(tags, list) or tag in tags
        return fits and not summary.keys().isdisjoint(self._asked["metrics"])

    def _fetched(self, kept: _Kept) -> bool:
        try:
            if not kept.is_whole:
                kept.fetch(self._watch.seen, lambda rows: _say(self._out, more=rows))
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _OF_A_DISK:  # those of a network are OSErrors, too
                raise _StopError(f"{kept.folder} cannot be written ({error.strerror})") from None
            why = _why_not()
            if why is not None:
                raise _StopError(f"the download stopped: {why}; {said(self._folder)}") from None
            _say(self._out, note=f"{kept.id}: not all of its rows could be fetched ({settings.reason(error)})")
        return kept.rows > 0


def _connect() -> tuple[str, Any]:
    """The server's address, and ``wandb.Api`` for it. Prompts for nothing: without a key it is not asked."""
    try:
        import wandb
    except ImportError as error:
        raise _StopError(f"wandb cannot be imported ({error}); see `isolate`") from None
    settings.take_refused(os.environ)
    found = settings.read(os.environ)
    address = server.address(specification(WandBConfig()), found)
    shown = without_user(address)
    key, known = server.credentials(found.api_key, os.environ, address)
    why = f"no API key for {shown}" if not known else server.malformed(key)
    why = why or _why_not()
    if why is not None:
        raise _StopError(why)
    try:
        return shown, wandb.Api(timeout=_TIMEOUT)
    except Exception as error:
        raise _StopError(f"{shown}: {settings.reason(error)}") from None


def _why_not() -> Optional[str]:
    """Why the server gives nothing now."""
    found = settings.read(os.environ)
    return server.why_incomplete(specification(WandBConfig()), found, os.environ)


def _name(text: str) -> str:
    """A folder's name for any text: one can read it, and no two texts have the same."""
    return f"{re.sub(r'[^A-Za-z0-9_-]', '_', text)[:60]}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


class _Kept:
    """A run on the server, and what of it is in the cache."""

    def __init__(self, folder: Path, run: Any) -> None:
        self.folder, self._api_run, self.id = folder, run, str(run.id)
        state = read_object(folder / STATE)
        size = 0
        with suppress(OSError):
            size = (folder / ROWS).stat().st_size
        # a run that was deleted and made again, an older format, a file that was cut: all again
        fits = state.get("format") == FORMAT and state.get("made") == str(run.created_at)
        counts: list[Any] = [state.get(name) for name in ("rows", "bytes", "next_step", "last_row")]
        fits = fits and all(isinstance(one, int) and one >= 0 for one in counts) and size >= state["bytes"]
        self._old = state if fits else {}
        kept: list[int] = counts if fits else [0, 0, 0, 0]
        # rows, their bytes, the step of the next one, where the last one begins
        self.rows, self._bytes, self._next, self._last = kept
        self._lines = getattr(run, "historyLineCount", None)
        self._seen = [str(run.state), self._lines, str(getattr(run, "heartbeatAt", None))]

    @property
    def is_whole(self) -> bool:
        """It has ended, and nothing was added since it was fetched to its end."""
        return bool(self._old.get("whole")) and self._old.get("seen") == self._seen and self._seen[0] != "running"

    @property
    def missing(self) -> int:
        """About how many rows are to be fetched."""
        return 0 if self.is_whole else max(1, int(self._lines or 0) - self.rows)

    def fetch(self, seen: Callable[[], None], advance: Callable[[int], None]) -> None:
        """The rows that are missing. Raises what wandb raises; what has come by then is kept.

        Args:
            seen: is called for each row.
            advance: hears how many rows are kept, from time to time.
        """
        self.folder.mkdir(mode=0o700, exist_ok=True)
        with os.fdopen(open_to_write(self.folder / ROWS, os.O_RDWR | os.O_CREAT), "r+b") as file:
            new = 0
            try:
                for row in self._missing(file):
                    self._next, self._last = int(row["_step"]) + 1, self._bytes
                    self._bytes += file.write(json.dumps(_values(row)).encode() + b"\n")
                    self.rows += 1
                    new += 1
                    seen()
                    if new == _PAGE:
                        self._keep(file, whole=False)
                        advance(new)
                        new = 0
                self._keep(file, whole=True)
                advance(new)
            except BaseException:
                self._keep(file, whole=False)
                raise

    def _missing(self, file: BinaryIO) -> Iterator[dict[str, Any]]:
        """The rows that ``file``, which stands where the next one belongs then, has not.

        A run may have been rewound on the server and have gone on since then: W&B's API does not tell. The last row
        that is kept is asked for, too: if the run has another one in its place, all rows are fetched again.
        """
        rows = self._scan(max(0, self._next - 1))
        if self._next:
            file.seek(self._last)
            if not _is_same(file.read(self._bytes - self._last), next(rows, {}), self._next - 1):
                self.rows = self._bytes = self._next = self._last = 0
                self._keep(file, whole=False)
                rows = self._scan(0)
        file.seek(self._bytes)
        file.truncate()
        return rows

    def _scan(self, first: int) -> Iterator[dict[str, Any]]:
        yield from self._api_run.scan_history(page_size=_PAGE, min_step=first)  # each iter() of it begins at the first

    def _keep(self, file: BinaryIO, whole: bool) -> None:
        file.flush()
        run = self._api_run
        about = {
            "id": self.id, "project": run.project, "entity": run.entity, "run_name": run.name, "url": run.url,
            "tags": list(run.tags or []), "config": dict(run.config or {}),
        }  # fmt: skip
        state = {
            "format": FORMAT, "made": str(run.created_at), "seen": self._seen, "whole": whole, "rows": self.rows,
            "bytes": self._bytes, "next_step": self._next, "last_row": self._last, "state": str(run.state),
            "about": about,
        }  # fmt: skip
        write_json(self.folder / STATE, state)


def _values(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in _MORE and value is not None}


def _is_same(line: bytes, row: dict[str, Any], step: int) -> bool:
    """Whether ``line`` is what was kept of ``row``, and that has the number ``step``."""
    with suppress(ValueError, RecursionError):
        kept, values = json_value(line), _values(row)
        same = kept == values or json.dumps(kept, sort_keys=True) == json.dumps(values, sort_keys=True)  # with NaN
        return row.get("_step") == step and same
    return False
