"""The small files of a journal: ``run.json`` (the job's), ``mark.json``, ``played``, ``sent`` (the worker's).

Both processes.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Optional, TypeVar, Union

from .destination import RunSpec, destination
from .files import overflow, write_json
from .outside import is_own, make_folder, open_to_read, open_to_write, read_object
from .secret import hidden

#: The version of the journal's format. 1 had rows only; 2 had v1's calls only where v2 lived with the worker.
FORMAT = 3
_READABLE = (1, 2, FORMAT)
_LONGEST = 100_000  # characters of a text; a name of a file has 4,095 at most
_MOST = 2**53  # of a number

_OWN_ID = re.compile(r"[a-z0-9]{8}")
_ANY_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")

_Record = TypeVar("_Record", bound="Union[RunRecord, Mark, Sent]")


@dataclass
class RunRecord:
    """``run.json``: what a run is. Written once, by the job, before the first row.

    Attributes:
        id: the W&B run id (8 lower-case letters and digits).
        pid, started, machine: the job's process, when it began (a text that only compares), its host.
        created: s since the epoch.
        version: of this package; format: of the journal.
        mode: ``WANDB_MODE`` as it was asked for.
        chosen, default: the two halves of :class:`~.destination.RunSpec`, without the key.
        settled: what the environment said about the destination when the run began, by the variable's name.
        base: the folder that holds W&B's ``wandb/``; keep: does the journal stay after the run was finished?
        cwd, program: the job's working directory and script.
        python: the interpreter of the worker; v2: ``job``, ``worker`` or ``none``, where v2 hears v1's calls.
        v2_values: v2's configuration (:class:`one_logger_v1_shim._conversion.V2Values`), if ``v2`` is ``worker``.
        exporters: v2's export configuration, an absolute path, if the job's environment named one. Only shown.
        category: of the job (:data:`~.words.CATEGORY`), for the run's configuration.
    """

    id: str = ""
    pid: Optional[int] = None
    started: Optional[str] = None
    machine: Optional[str] = None
    created: float = 0.0
    version: str = ""
    format: int = 1
    mode: str = ""
    chosen: dict[str, Any] = field(default_factory=dict)
    default: dict[str, Any] = field(default_factory=dict)
    settled: dict[str, str] = field(default_factory=dict)
    base: Optional[str] = None
    keep: bool = True
    cwd: str = ""
    program: str = ""
    python: str = ""
    v2: str = ""
    v2_values: Optional[dict[str, Any]] = None
    exporters: str = ""
    category: str = ""

    @classmethod
    def read(cls, folder: Path) -> RunRecord:
        """The record of the journal in ``folder``; fields that are missing or of another type have their default."""
        record = _read(cls, read_object(folder / "run.json"))
        record.chosen, record.default = destination(record.chosen), destination(record.default)
        record.settled = {name: value for name, value in record.settled.items() if isinstance(value, str)}
        return record

    def write(self, folder: Path) -> None:
        """Raises ``OSError``."""
        write_json(folder / "run.json", vars(self))

    @property
    def spec(self) -> RunSpec:
        """Where the run goes."""
        return RunSpec(chosen=self.chosen, default=self.default)

    @property
    def readable(self) -> bool:
        """Whether this version of the package knows the format."""
        return self.format in _READABLE

    @property
    def elsewhere(self) -> list[Path]:
        """The folder of the run, if this is the record of a journal in the temp directory.

        The path comes from a file that is not trusted: only read there, never write or delete.
        """
        return [Path(self.base)] if self.keep is False and self.base and os.path.isabs(self.base) else []


_WORDS = ("url", "event", "notice", "said", "v2", "otlp")  # of a mark: wandb's may have a key or a password in them

#: :attr:`Mark.v2` in the end
PLAYED, UNPLAYED = "played", "unplayed"
#: :attr:`Mark.otlp` in the end
SENT, UNSENT = "sent", "unsent"


@dataclass
class Mark:
    """``mark.json``: how far W&B has taken a journal. Written by the worker, twice a second at most.

    Attributes:
        state: ``online``, ``offline``, ``finishing``, ``finished``, ``unfinished`` or ``failed``; empty before the run
            was opened.
        rows: rows that W&B has taken.
        dir, dirs: W&B's run folder; all folders of the run, the oldest first.
        url: the run's page, if it is online.
        processes: ``[pid, started]`` of the processes that wandb has started.
        event: what the job is to log now; events: how many there have been.
        notice: what whoever looks at the run has to know.
        exit_code: the job's, when the run was finished.
        id: the run's id, if W&B gave it another one than ``run.json`` says.
        v2: ``played``: v2 has heard all of v1's calls; ``unplayed``: some are left; else why v2 hears none of them.
            Empty where the worker has nothing to do with it.
        otlp: ``sent``: a collector has taken all spans and metrics; ``unsent``: it has not; else why it gets none.
            Empty where OTLP is off.
        said: what the job is to log about single rows, v2 and OTLP, each text once.
        run: entity, project, run_name and tags as W&B has the run (:func:`.destination.told`).
    """

    state: str = ""
    rows: int = 0
    dir: Optional[str] = None
    dirs: list[str] = field(default_factory=list)
    url: Optional[str] = None
    processes: list[Any] = field(default_factory=list)
    event: Optional[str] = None
    events: int = 0
    notice: Optional[str] = None
    exit_code: Optional[int] = None
    id: str = ""
    v2: str = ""
    otlp: str = ""
    said: list[str] = field(default_factory=list)
    run: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Mark:
        """The mark of the journal in ``folder``; empty before the worker has written one."""
        more = overflow(folder)
        found = read_object(more / "mark.json") if is_own(more, folder) else {}
        mark = _read(cls, found or read_object(folder / "mark.json"))
        mark.dirs, mark.said = ([one for one in some if isinstance(one, str)] for some in (mark.dirs, mark.said))
        mark.run = destination(mark.run)
        return mark

    def write(self, folder: Path) -> None:
        """Replace the mark of the journal in ``folder``. Raises ``OSError`` when no disk takes it.

        Where somebody has removed the folder, no other takes its place: nobody would read the mark there, or remove it.
        """
        more = overflow(folder)
        content = dict(vars(self))
        for name in _WORDS:
            content[name] = _hidden(content[name])
        try:
            write_json(folder / "mark.json", content)
        except OSError:
            if not folder.is_dir():
                raise
            with suppress(FileExistsError):
                make_folder(more)
            if not is_own(more):
                raise
            write_json(more / "mark.json", content)
        else:
            if is_own(more, folder):
                with suppress(OSError):
                    (more / "mark.json").unlink()


def read_played(folder: Path) -> int:
    """How many lines of calls v2 has heard of the journal in ``folder``."""
    try:
        descriptor = open_to_read(folder / "played")
        with os.fdopen(descriptor, "rb") as file:
            return int.from_bytes(file.read(8), "big")
    except OSError:
        return 0


def write_played(folder: Path, lines: int) -> None:
    """v2 has heard that many lines of calls. A disk that does not take it: they are played again if need be."""
    with suppress(OSError):
        descriptor = open_to_write(folder / "played", os.O_WRONLY | os.O_CREAT)
        try:
            os.write(descriptor, lines.to_bytes(8, "big"))
        finally:
            os.close(descriptor)


@dataclass
class Sent:
    """``sent``: what OpenTelemetry's collector has taken of a journal. Written by the worker, after each request.

    Attributes:
        segment, line: the number of the file (``rows-<segment>.jsonl``) and how many of its lines were taken.
        resource: whose they are; the same in each worker of a run, and in `recover`, where the environment is another.
    """

    segment: int = 0
    line: int = 0
    resource: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Sent:
        """Of the journal in ``folder``; nothing was taken where there is none, or it is damaged."""
        found = _read(cls, read_object(folder / "sent"))
        found.resource = {name: one for name, one in found.resource.items() if isinstance(one, (str, int))}
        return found

    def write(self, folder: Path) -> None:
        """A disk that does not take it: the same is sent once more if need be."""
        with suppress(OSError):
            write_json(folder / "sent", vars(self))


def run_id(record: RunRecord, mark: Optional[Mark] = None) -> Optional[str]:
    """The id that W&B knows the run by, in ``mark`` if it is another one. None: ``run.json`` is damaged."""
    if not _OWN_ID.fullmatch(record.id):
        return None
    return mark.id if mark is not None and is_run_id(mark.id) else record.id


def is_run_id(text: str) -> bool:
    """Whether that can be a W&B run id, also one that is not ours. It becomes a part of file names."""
    return _ANY_ID.fullmatch(text) is not None


def _hidden(value: Any) -> Any:
    return [_hidden(one) for one in value] if isinstance(value, list) else hidden(value)


def _read(cls: type[_Record], content: dict[str, Any]) -> _Record:
    """A record from a file that may be damaged or from another version."""
    record = cls()
    for one in fields(cls):
        value = _clean(content.get(one.name))
        if one.name in content and _fits(value, getattr(record, one.name), str(one.type)):
            setattr(record, one.name, value)
    return record


def _clean(value: Any) -> Any:
    """``value`` with texts that a file's name, an environment and a terminal can take: not all of JSON's are."""
    if isinstance(value, str):
        # a file's name that is no UTF-8 has characters of this kind; another lone surrogate stands for nothing
        return (
            value.replace("\0", "?")
            .encode("utf-8", "surrogateescape" if _is_name(value) else "replace")
            .decode("utf-8", "surrogateescape")[:_LONGEST]
        )
    if isinstance(value, list):
        return [_clean(one) for one in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(one) for key, one in value.items()}
    return value


def _is_name(value: str) -> bool:
    return not any("\ud800" <= one < "\udc80" or "\udd00" <= one < "\ue000" for one in value)


def _fits(value: Any, default: Any, annotation: str) -> bool:
    if value is None:
        return default is None
    if "Any" in annotation and default is None:
        return isinstance(value, dict)
    kinds: dict[str, Any] = {"int": int, "str": str, "bool": bool, "float": (int, float)}
    expected = kinds.get(annotation.replace("Optional[", "").rstrip("]")) or type(default)
    if not isinstance(value, expected) or (expected is not bool and isinstance(value, bool)):
        return False
    return not isinstance(value, (int, float)) or abs(value) <= _MOST  # NaN is in no order
