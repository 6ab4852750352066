"""The Pythons of this machine. Looked for, never assumed: COMPAT_MATRIX_PYTHONS, pyenv, PATH, uv.

``COMPAT_MATRIX_PYTHONS`` is a list like PATH, of interpreters and of folders that have some: for those that lie in no
usual place. Also a command, for ``.ci/run``: the released ones, the oldest first, but for the one that runs it:

    python -m compat_matrix.runner.interpreters     lines "3.9<tab>/path/of/python3.9"
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

VARIABLE = "COMPAT_MATRIX_PYTHONS"


def find(wanted: str) -> Optional[str]:
    """The executable of CPython ``wanted`` ("3.11"), or None. A shim that only pretends to have it is passed over."""
    for candidate in _candidates(wanted):
        if _is_cpython(candidate, wanted):
            return candidate
    return None


def _candidates(wanted: str) -> Iterator[str]:
    for named in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        # as it is written: a virtual environment's python is a link that must not be followed
        yield str(Path(named).expanduser() / f"python{wanted}" if Path(named).expanduser().is_dir() else named)
    for folder in _pyenv_roots():
        for version in sorted(folder.glob(f"versions/{wanted}.*"), reverse=True):
            yield str(version / "bin" / "python")
    for folder_name in os.environ.get("PATH", "").split(os.pathsep):
        candidate = Path(folder_name) / f"python{wanted}"
        if candidate.exists():
            yield str(candidate)
    uv = shutil.which("uv")
    if uv:
        yield _ask(uv, "python", "find", "--no-python-downloads", wanted)


def _pyenv_roots() -> Iterator[Path]:
    pyenv = shutil.which("pyenv")
    for root in (os.environ.get("PYENV_ROOT", ""), _ask(pyenv, "root") if pyenv else "", "~/.pyenv"):
        folder = Path(root).expanduser()
        if root and folder.is_dir():
            yield folder


def _is_cpython(executable: str, wanted: str) -> bool:
    if not executable:
        return False
    code = "import sys; print(sys.implementation.name, '%d.%d' % sys.version_info[:2])"
    return _ask(executable, "-I", "-c", code) == f"cpython {wanted}"


def _ask(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def released(wanted: list[str]) -> Iterator[tuple[str, str]]:
    """Those of ``wanted`` that are here, each with its interpreter; pre-releases are left out."""
    for version in wanted:
        found = find(version)
        if found and _ask(found, "-I", "-c", "import sys; print(sys.version_info.releaselevel)") == "final":
            yield version, found


if __name__ == "__main__":
    from ..planner.plan import load

    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    for line in released([version for version in load()["python"] if version != here]):
        print("\t".join(line))
