"""Runs on a W&B server: their rows are fetched into a cache, and read from there like those of any other folder."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Optional

from .._journal import history
from .._journal.destination import WandBConfig, specification
from .._journal.environment import environment, history_command, without_working_directory
from .._journal.interpreter import find as find_interpreter
from .._journal.secret import hidden
from .._v1 import metrics as m
from ._format import clean
from ._places import NoRunError, find_all, open_download
from ._progress import progress
from ._sources import Run

# a folder's name may be anything; the names of entities and projects have no such characters
_PROJECT = re.compile(r"([^/\\#?%:~.][^/\\#?%:]*)/([^/\\#?%:.][^/\\#?%:]*)(?:/([^/\\#?%:.][^/\\#?%:]*))?/?")
_NOBODY = specification(WandBConfig())
#: of the user's own worker; what is asked for here is asked for online
_NOT_HERE = ("WANDB_MODE", "WANDB_DISABLED", "WANDB_ENTITY", "WANDB_PROJECT", "WANDB_RUN_ID", "WANDB_SERVICE")


def add_places(parser: argparse.ArgumentParser, many: bool = True) -> None:
    """The argument that says which runs."""
    parser.add_argument(
        "places",
        nargs="*" if many else "?",
        type=Path,
        metavar="DIR | ENTITY/PROJECT",
        help="journals, W&B run folders, .wandb files, or folders that have such below them"
        + ("" if many else ": then the newest run")
        + "; or a project, or ENTITY/PROJECT/RUN, on a W&B server (default: WANDB_DIR or the working directory)",
    )


def default_place() -> Path:
    """Where W&B puts its folder."""
    return Path(os.environ.get("WANDB_DIR") or ".")


def runs(paths: Sequence[Path], notes: list[str], tag: Optional[str] = None) -> list[Run]:
    """All runs of these folders, and of what is no folder and reads as ENTITY/PROJECT or ENTITY/PROJECT/RUN.

    Args:
        paths: what the user has named.
        notes: takes a line about each run that could not be fetched as a whole.
        tag: runs on a server of which it is certain that they do not have this app_tag are not fetched.

    Raises:
        NoRunError: one of them has none; the message is one line.
        OSError: one of them cannot be read.
    """
    found: dict[str, Run] = {}
    for path in paths:
        named = project(path)
        for run in find_all(path) if named is None else fetched(named, notes, tag):
            found.setdefault(os.path.realpath(run.path), run)
    return list(found.values())


def project(path: Path) -> Optional[tuple[str, ...]]:
    """Entity, project and perhaps run that ``path`` means; None: it is a folder, or can only be one."""
    said = _PROJECT.fullmatch(str(path))
    is_file = path.suffix == ".wandb" or os.path.lexists(path)
    return None if said is None or is_file else tuple(one or "" for one in said.groups())


def fetched(named: tuple[str, ...], notes: list[str], tag: Optional[str] = None, newest: bool = False) -> list[Run]:
    """The runs of a project (``newest``: the newest one) that have rows of v1, as they are on the server now.

    Raises:
        NoRunError: there is none, the server cannot be asked, or the download stopped.
    """
    said = "/".join(filter(None, named))
    where = history.cache()
    interpreter = find_interpreter(os.environ)
    if where is None or interpreter is None:
        why = "there is no home folder for its rows" if where is None else "there is no interpreter for it"
        raise NoRunError(f"{said}: no folder of that name here, and W&B cannot be asked: {why}")
    asked = {
        **dict(zip(("entity", "project", "run"), named)),
        "cache": str(where), "newest": newest, "metrics": list(m.UNITS), "tag": [m.APP_TAG, tag],
    }  # fmt: skip
    command = history_command(interpreter, json.dumps(asked))
    before = len(notes)
    with _private() as folder:
        answer = _answer(command, environment(_NOBODY, interpreter), folder, notes)
    if "folders" not in answer:
        why = clean(answer.get("error") or "its process ended without an answer", 1000)
        raise NoRunError(f"{said}: no folder of that name here, and from W&B: {why}")
    found = [open_download(Path(folder)) for folder in answer["folders"]]
    if not found:
        why = "".join(f": {note}" for note in notes[before:][:1])  # they may be there, and could not be had
        raise NoRunError(f"no v1 rows in the runs of {said} on W&B{why}")
    return found


@contextmanager
def _private() -> Iterator[Path]:
    """A folder of our own: a settings file of the working directory, which may be anybody's, does not count there."""
    folder = Path(tempfile.mkdtemp(prefix="one-logger-history-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _answer(command: list[str], environ: dict[str, str], folder: Path, notes: list[str]) -> dict[str, Any]:
    kept = {name: value for name, value in without_working_directory(environ).items() if name not in _NOT_HERE}
    # wandb leaves what it has fetched in its cache and in the temp folder
    kept.update(WANDB_CACHE_DIR=str(folder), TMPDIR=str(folder), WANDB_SILENT="true", WANDB_ERROR_REPORTING="false")
    kept.setdefault("WANDB_X_GRAPHQL_RETRY_MAX", "3")
    with (
        (folder / "stderr").open("wb") as errors,
        subprocess.Popen(
            command, cwd=folder, env=kept, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        ) as process,
    ):
        try:
            answer = _followed(process, notes)
        except KeyboardInterrupt:
            print(f"\ninterrupted; {history.said(history.cache())}", file=sys.stderr)
            raise
        finally:
            process.kill()
    lines = (folder / "stderr").read_text("utf-8", "replace").strip().splitlines()
    return answer or {"error": hidden(lines[-1], alike=True) if lines else ""}


def _followed(process: subprocess.Popen[bytes], notes: list[str]) -> dict[str, Any]:
    """What the process says at last; a bar shows how far it is."""
    assert process.stdout is not None
    for first in map(_read, process.stdout):
        if "total" not in first:
            return first
        with progress("downloading", first["total"]) as advance:
            for told in map(_read, process.stdout):
                if "more" in told:
                    advance(told["more"])
                elif "note" in told:
                    notes.append(told["note"])
                else:
                    return told
    return {}


def _read(line: bytes) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(line)
    return told
