"""A situation: environment, files, server; what ``doctor`` says there, and where the rows of a small job then are.

The table of them is in :mod:`.situations_table`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Optional

from one_logger_v1_shim._journal.locks import locked
from one_logger_v1_shim._journal.records import PLAYED
from tests.cli.odd_server import OddServer
from tests.delivery import jobs
from tests.delivery.server import KEY
from tests.support import clean_environment

#: where the rows of a job are in the end
ONLINE, OFFLINE, NOWHERE, JOURNAL = "online", "offline", "nowhere", "in the journal"

#: how the small jobs begin
CORE = "from one_logger_v1_shim import OneLogger\nlogger = OneLogger()\n"
CHOSEN = "from one_logger_v1_shim import OneLogger\nlogger = OneLogger({'project': 'chosen', 'name': 'mine'})\n"
#: with v2
UTILS = (
    "from one_logger_v1_shim.utils import OneLoggerUtils\n"
    "utils = OneLoggerUtils({'enable_for_current_rank': True, 'one_logger_project': 'e2e-tracking',\n"
    "    'one_logger_run_name': 'x',\n"
    "    'app_tag': 'a', 'app_tag_run_name': 'r', 'world_size': 1, 'global_batch_size': 1,\n"
    "    'batch_size': 1, 'log_every_n_train_iterations': 1, 'one_logger_async': True,\n"
    "    'is_train_iterations_enabled': True, 'is_validation_iterations_enabled': True})\n"
    "logger = utils.one_logger\n"
)
_REST = "for number in range(3):\n    logger.log_metrics({'i': number})\nlogger.finish()\n"

Prepare = Callable[[Path, OddServer], None]

LIMITS = {
    "ONE_LOGGER_V1_CONNECT_TIMEOUT": "3",
    "ONE_LOGGER_V1_INIT_TIMEOUT": "15",
    "ONE_LOGGER_V1_FINISH_TIMEOUT": "60",
    "ONE_LOGGER_V1_DRAIN_TIMEOUT": "20",
}
#: for a server that does not answer
SHORT = {**LIMITS, "ONE_LOGGER_V1_CONNECT_TIMEOUT": "1", "ONE_LOGGER_V1_INIT_TIMEOUT": "4"}


@dataclass(frozen=True)
class Situation:
    """One row of the table.

    Attributes:
        environ: ``SERVER``, ``HOST``, ``PORT``, ``HOME`` and ``KEY`` in the values stand for those; None: not set.
        prepare: gets the home folder, which is the working folder, too, and the server.
        key: is ``WANDB_API_KEY`` set? server: is ``WANDB_BASE_URL``?
        mode, prefix: of the :class:`OddServer`.
        wanted: where the rows are to go: what the user has asked for.
        job: how the job begins.
        python: what runs it: ``warm``, ``without v2`` (nothing of v2 is loaded yet) or ``real``.
        folder: in which both run, below the home folder; umask: of both.
    """

    environ: dict[str, Optional[str]] = field(default_factory=dict)
    prepare: Optional[Prepare] = None
    key: bool = True
    server: bool = True
    mode: str = "ok"
    prefix: str = ""
    wanted: str = ONLINE
    job: str = CORE
    python: str = "warm"
    folder: str = "."
    umask: int = 0o022


def write(name: str, text: str, mode: int = 0o600) -> Prepare:
    """A file; the words of :class:`Situation` stand in ``text`` for what they name."""

    def prepare(home: Path, server: OddServer) -> None:
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_filled(text, home, server).encode("utf-8", "surrogateescape"))
        path.chmod(mode)

    return prepare


def settings_file(text: str, name: str = ".config/wandb/settings") -> Prepare:
    return write(name, f"[default]\n{text}\n")


def netrc(text: str, name: str = ".netrc", mode: int = 0o600) -> Prepare:
    return write(name, f"{text}\n", mode)


def exporters(text: str) -> Prepare:
    return write("one_logger_exporters_config.yaml", text)


def all_of(*prepared: Prepare) -> Prepare:
    def prepare(home: Path, server: OddServer) -> None:
        for one in prepared:
            one(home, server)

    return prepare


def link(name: str, target: str) -> Prepare:
    def prepare(home: Path, server: OddServer) -> None:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).symlink_to(target)

    return prepare


def folder(name: str, mode: int = 0o755) -> Prepare:
    def prepare(home: Path, server: OddServer) -> None:
        (home / name).mkdir(parents=True)
        (home / name).chmod(mode)

    return prepare


def _filled(text: str, home: Path, server: OddServer) -> str:
    host, _, port = server.url.partition("//")[2].partition(":")
    for word, value in {"SERVER": server.url, "HOST": host, "PORT": port, "HOME": str(home), "KEY": KEY}.items():
        text = re.sub(rf"\b{word}\b", lambda _, value=value: value, text)
    return text


@dataclass
class Outcome:
    """What was said, and what happened."""

    code: int
    said: str
    happened: str
    #: entity, project, run name and tags of the run, as W&B has it
    run: dict[str, Any]
    #: does v2 hear all, and does it complain of nothing?
    v2: bool
    log: str

    @property
    def predicted(self) -> str:
        """Where the rows of a job will be, by what ``doctor`` prints."""
        if re.search(r"^warning +W&B mode: disabled|^error +ONE_LOGGER_V1_(WORKER|DISABLED):", self.said, re.MULTILINE):
            return NOWHERE
        if re.search(r"^error +(worker|wandb|disk):", self.said, re.MULTILINE):
            return JOURNAL
        offline = r"runs are offline|W&B mode: offline|^error +W&B (reachable|setting|API key)"
        return OFFLINE if re.search(offline, self.said, re.MULTILINE) else ONLINE

    def told(self, what: str) -> str:
        found = re.search(rf"^\w+ +{re.escape(what)}: (.*)$", self.said, re.MULTILINE)
        return found[1] if found else ""


def play(situation: Situation, home: Path, pythons: dict[str, str]) -> Outcome:
    """Ask ``doctor``, and run a job after it."""
    server = OddServer(situation.mode, situation.prefix)
    try:
        (home / "tmp").mkdir(parents=True)
        if situation.prepare is not None:
            situation.prepare(home, server)
        where = home / situation.folder
        where.mkdir(exist_ok=True)
        (home / "job.py").write_text(situation.job + _REST)
        environ = _environment(situation, home, server)
        python = pythons[situation.python]
        asked = _run([python, "-m", "one_logger_v1_shim", "doctor"], where, environ, situation)
        assert "Traceback" not in asked.stderr, asked.stderr
        done = _run([python, str(home / "job.py")], where, environ, situation)
        assert done.returncode == 0, done.stderr
        _await_worker(home)
        return _outcome(asked, done, home, server)
    finally:
        server.stop()


def _environment(situation: Situation, home: Path, server: OddServer) -> dict[str, str]:
    given: dict[str, Optional[str]] = {**LIMITS, "TMPDIR": str(home / "tmp")}
    if situation.key:
        given["WANDB_API_KEY"] = KEY
    if situation.server:
        given["WANDB_BASE_URL"] = server.url + situation.prefix
    given.update(situation.environ)
    return clean_environment(
        home, {name: _filled(value, home, server) for name, value in given.items() if value is not None}
    )


def _run(
    command: list[str], where: Path, environ: dict[str, str], situation: Situation
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=where,
        env=environ,
        umask=situation.umask,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=150,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def _await_worker(home: Path) -> None:
    """Until nobody delivers the job's journals any more, and wandb's processes have gone."""
    quiet, end = 0, time.monotonic() + 90
    while quiet < 3 and time.monotonic() < end:
        at_work = jobs.processes(home, "start.py") or any(map(locked, jobs.journals(home)))
        quiet = 0 if at_work else quiet + 1
        time.sleep(0.1)
    pids = [pid for pid, _ in jobs.mark(home).get("processes", [])]
    jobs.until(lambda: not any(map(jobs.alive, pids)), f"wandb's processes {pids} are gone")


def _outcome(
    asked: subprocess.CompletedProcess[str],
    done: subprocess.CompletedProcess[str],
    home: Path,
    server: OddServer,
) -> Outcome:
    def complete(rows: list[dict[str, Any]]) -> bool:
        return [row["i"] for row in rows if "i" in row] == [0, 1, 2]

    log = "".join(path.read_text(errors="replace") for path in home.rglob("worker.log"))
    mark: dict[str, Any] = jobs.mark(home)
    if any(complete([rows[step] for step in sorted(rows)]) for rows in server.runs.values()):
        happened = ONLINE
    elif any(complete(run.rows) for run in jobs.stored(home)):
        happened = OFFLINE
    else:
        happened = JOURNAL if complete([json.loads(line) for line in jobs.journal_lines(home)]) else NOWHERE
    said = f"{done.stderr}\n{log}\n{json.dumps(mark)}\n{server.requests[-5:]}"
    heard = mark.get("v2") == PLAYED and not mark.get("said")
    return Outcome(asked.returncode, asked.stdout, happened, mark.get("run") or {}, heard, said)


def real_python() -> str:
    return os.path.abspath(sys.executable)
