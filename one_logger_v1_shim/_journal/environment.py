"""How a worker is started: its command and its environment.

Asked by the job, by a worker for its successor, and by commands; the standard library only.

Both processes.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Optional

from .destination import FOREIGN, RunSpec
from .files import write_json
from .interpreter import Interpreter
from .secret import without_user
from .words import HOST, INSIDE, PATH, PATH_FILE

# What the job's interpreter was told is not meant for the worker: its warnings would become errors, for one.
_NOT_FOR_THE_WORKER = (
    "ONE_LOGGER_V1_SHIM",
    "PYTHONASYNCIODEBUG",
    "PYTHONDEVMODE",
    "PYTHONINSPECT",
    "PYTHONPROFILEIMPORTTIME",
    "PYTHONSTARTUP",
    "PYTHONTRACEMALLOC",
    "PYTHONVERBOSE",
    "PYTHONWARNINGS",
)

# What an environment of its own must not hear of: where the job's Python, virtual environment or conda environment
# lies, and which libraries are to be loaded first.
_OF_THE_JOBS_PYTHON = ("PYTHON", "CONDA_", "_CONDA_", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__", "LD_PRELOAD", "DYLD_")
_LIBRARIES = "LD_LIBRARY_PATH"

# One variable may have 128 KiB on Linux, with its name and its end; a longer one starts no process at all.
_LONGEST = 128 * 1024 - 1

_PACKAGE = Path(__file__).resolve().parent.parent
_START = "_worker/start.py"


def start_command(interpreter: Interpreter, folder: Path, *options: str) -> list[str]:
    """The command that starts a worker for the journal in ``folder``."""
    return [*_start(interpreter), str(folder), *options]


def dry_command(interpreter: Interpreter, ask: bool) -> list[str]:
    """The command that prints what a worker would decide; ``ask``: may it ask W&B's server?"""
    return [*_start(interpreter), "--dry", "--attached", *([] if ask else ["--offline"])]


def settings_command(interpreter: Interpreter) -> list[str]:
    """The command that prints what wandb's settings are for a worker."""
    return [*_start(interpreter), "--settings", "--attached"]


def history_command(interpreter: Interpreter, question: str) -> list[str]:
    """The command that fetches rows from W&B's server. ``question``: see :mod:`.._worker.history`."""
    return [*_start(interpreter), "--history", "--attached", question]


def _start(interpreter: Interpreter) -> list[str]:
    # -I: no PYTHONPATH, no user site, and not the folder of start.py on sys.path
    flags = ["-I"] if interpreter.isolated else []
    return [interpreter.path, *flags, *_script(), str(_PACKAGE.parent)]


def _script() -> list[str]:
    """What an interpreter is to run: our first lines, wherever this package lies."""
    for script in (_PACKAGE / _START, _PACKAGE / f"{_START}c"):
        if script.is_file():
            return [str(script)]
    package = __package__.partition(".")[0]
    import pkgutil  # only here: a script's own modules may hide what it imports

    try:  # in a zip file (PEX, Spark's --py-files)
        return ["-c", (pkgutil.get_data(package, _START) or b"").decode()]
    except OSError:  # in a frozen program, without its source: the interpreter has to have the package
        return ["-m", f"{package}._worker.start"]


def environment(
    spec: RunSpec,
    interpreter: Interpreter,
    environ: Optional[Mapping[str, str]] = None,
    libraries: bool = False,
    folder: Optional[Path] = None,
) -> dict[str, str]:
    """The worker's environment: the job's, without what would make it the job.

    Args:
        spec: where the run goes.
        interpreter: the worker's.
        environ: the job's environment; None: this process's.
        libraries: keep ``LD_LIBRARY_PATH`` for an interpreter of its own, which may need it to start.
        folder: of the journal; what is too long for the environment goes there.
    """
    given = os.environ if environ is None else environ
    without = (*FOREIGN, *_NOT_FOR_THE_WORKER, HOST, PATH)
    found = {key: value for key, value in given.items() if key not in without and _fits(key, value)}
    found[INSIDE] = "1"
    # What is secret goes this way and not into run.json.
    if spec.api_key:
        found["WANDB_API_KEY"] = spec.api_key
    if spec.host and without_user(spec.host) != spec.host:
        found[HOST] = spec.host
    if interpreter.isolated:
        for key in list(found):
            if key.startswith(_OF_THE_JOBS_PYTHON) or (key == _LIBRARIES and not libraries):
                del found[key]
        return found
    found.update(path_variable(job_path(), folder))
    return found


def _fits(name: str, value: str) -> bool:
    return len(name) + 1 + len(os.fsencode(value)) < _LONGEST


def path_variable(path: list[str], folder: Optional[Path]) -> dict[str, str]:
    """The variable that tells a worker of ``path``: as JSON (a name may have ``os.pathsep`` in it), or in which file
    of ``folder`` it stands. Nothing, if no disk takes that: the interpreter has a path of its own."""
    text = json.dumps(path)
    if _fits(PATH, text):
        return {PATH: text}
    with suppress(OSError):
        if folder is not None:
            write_json(folder / PATH_FILE, path)
            return {PATH: f"@{folder / PATH_FILE}"}
    return {}


def without_working_directory(environ: Mapping[str, str]) -> dict[str, str]:
    """``environ`` for a Python that is to import nothing from the folder in which it is started."""
    path = [entry for entry in environ.get("PYTHONPATH", "").split(os.pathsep) if os.path.isabs(entry)]
    found = {**environ, "PYTHONPATH": os.pathsep.join(path), "PYTHONSAFEPATH": "1"}  # heard since Python 3.11
    if not path:
        del found["PYTHONPATH"]
    return found


def job_path() -> list[str]:
    """The job's ``sys.path``, absolute; what stands for the script's folder or the working directory comes last."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    last: list[str] = []
    first: list[str] = []
    for entry in sys.path:
        with suppress(OSError, TypeError):  # a relative one and no working directory any more; no text
            entry = os.fsdecode(entry)  # bytes, a Path
            whole = os.path.abspath(entry)
            own = entry in ("", ".") or (main is not None and whole == os.path.dirname(os.path.abspath(main)))
            (last if own else first).append(whole)
    return list(dict.fromkeys([*first, *last]))
