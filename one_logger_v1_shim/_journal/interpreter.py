"""Which interpreter the worker runs on. Asked before a worker is started.

A worker is never started on a program that only embeds Python (PyInstaller, Nuitka, uwsgi ...): there
``sys.executable`` is the training itself, and starting it would start a second training.

Both processes.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from .._version import VERSION

VARIABLE = "ONE_LOGGER_V1_PYTHON"

#: written into an environment by `isolate`, when it is whole
MARKER = "one-logger-isolated.json"

_PYTHON = re.compile(r"(python|pypy)\d*(\.\d+)?t?d?(\.exe)?", re.IGNORECASE)


@dataclass(frozen=True)
class Interpreter:
    """An interpreter for the worker.

    Attributes:
        path: of the executable; nobody has looked yet whether it is there.
        origin: who names it, for messages.
        isolated: it has an environment of its own: nothing of the job's packages is visible there.
    """

    path: str
    origin: str
    isolated: bool


def find(environ: Mapping[str, str]) -> Optional[Interpreter]:
    """The variable, else the environment that ``isolate`` made, else the job's own; None: there is none."""
    named = environ.get(VARIABLE, "").strip()
    if named:
        path = os.path.expanduser(named)
        if os.sep not in path:
            import shutil

            path = shutil.which(path) or path
        path = os.path.abspath(path)
        names_own = path == os.path.abspath(sys.executable or os.devnull)
        if not names_own or next(_own(), None) == sys.executable:  # else it names the training
            return Interpreter(path, VARIABLE, isolated=not names_own)
    made = default_place(environ)
    if made is not None and (made / MARKER).is_file():
        return Interpreter(str(made / "bin" / "python"), f"made by `isolate` in {made}", isolated=True)
    own = next(_own(), None)
    return None if own is None else Interpreter(own, "the job's own", isolated=False)


def default_place(environ: Mapping[str, str]) -> Optional[Path]:
    """Where ``isolate`` makes an environment if it is not told: below the user's data folder, by our version."""
    data = environ.get("XDG_DATA_HOME", "")
    if not os.path.isabs(data):
        home = os.path.expanduser("~")
        if not os.path.isabs(home):
            return None
        data = os.path.join(home, ".local", "share")
    return Path(data) / "one-logger-v1-shim" / VERSION


def _own() -> Iterator[str]:
    """Interpreters that have the job's packages, the likeliest first."""
    if is_interpreter():
        yield sys.executable
    if is_frozen():
        return  # its packages are inside of the program; another Python would not have them
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for prefix in dict.fromkeys((sys.prefix, sys.exec_prefix, sys.base_prefix)):
        for name in (version, "python3", "python"):
            path = os.path.join(prefix, "bin", name)
            if os.access(path, os.X_OK):
                yield path


def is_interpreter() -> bool:
    """Whether ``sys.executable`` may stand in a command: it is no program that would begin its work again."""
    return bool(sys.executable) and is_python(sys.executable) and not is_frozen()


def is_python(executable: str) -> bool:
    """Whether that is, by its name or that of what it links to, a Python interpreter and no program that embeds one."""
    names = {os.path.basename(executable), os.path.basename(os.path.realpath(executable))}
    return any(_PYTHON.fullmatch(name) for name in names)


def is_frozen() -> bool:
    """Whether this process is a program that PyInstaller, cx_Freeze, Nuitka or the like has made."""
    main = sys.modules.get("__main__")
    return bool(getattr(sys, "frozen", False)) or hasattr(main, "__compiled__")
