"""``python -m compat_matrix launchers``: launchers that are too large for each run of the tests, the real ones.

Each has a virtual environment of its own with the wheel. A program is right if W&B has all rows of both runs. Where the
launcher ends its processes without exit handlers, its output has to say where their journals lie, too.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from ..runner.installer import TREE, Environment, EnvironmentTrouble, alone, build_wheel
from ..wandb_file import read
from .job import ROWS

#: launcher -> what is installed beside the wheel, its programs
LAUNCHERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "ray": (("ray[train,tune]>=2.40",), ("ray_tune", "ray_train")),
    "spark": (("pyspark>=3.5",), ("spark",)),  # Java has to be there
    "uwsgi": (("uwsgi>=2.0.28",), ("uwsgi_server",)),  # a C compiler has to be there
}
#: they end their processes without exit handlers: a line has to say where the journal is
_SILENT = ("ray_tune", "ray_train", "spark")
_RUNS = 2
_LIMIT = 600.0  # seconds for a program, and for W&B's files after it
_ENVIRON = {
    "WANDB_MODE": "offline",
    "RAY_AUTH_MODE": "disabled",  # it would write a token into the user's home
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TRAIN_V2_ENABLED": "1",
    "RAY_worker_niceness": "0",
    "RAY_raylet_start_wait_time_s": "60",  # a busy machine
    "RAY_gcs_server_request_timeout_seconds": "300",
    "RAY_agent_register_timeout_ms": "300000",
    "RAY_worker_register_timeout_seconds": "300",
}


def main(arguments: Sequence[str] = ()) -> int:
    """0: all that was asked for held. 1: something did not. 2: an environment could not be made."""
    parser = argparse.ArgumentParser(prog="python -m compat_matrix launchers", description=__doc__)
    parser.add_argument("launcher", nargs="*", metavar="NAME", help=f"{', '.join(LAUNCHERS)}; default: all")
    parser.add_argument("--python", help="an interpreter that has the launcher and this package")
    options = parser.parse_args(list(arguments))
    unknown = [name for name in options.launcher if name not in LAUNCHERS]
    if unknown:
        parser.error(f"no such launcher: {', '.join(unknown)}; expected one of {', '.join(LAUNCHERS)}")
    return max(_try(name, options.python) for name in options.launcher or LAUNCHERS)


def _try(name: str, python: Optional[str]) -> int:
    requirements, programs = LAUNCHERS[name]
    try:
        python = python or _environment(name, requirements)
    except EnvironmentTrouble as trouble:
        print(f"{name}: not run: {trouble}", file=sys.stderr)
        return 2
    code = 0
    for program in programs:
        began = time.monotonic()
        wrong = run(python, program)
        print(f"{program}: {wrong or 'ok'} ({time.monotonic() - began:.0f} s)", flush=True)
        code = code or int(bool(wrong))
    return code


def _environment(name: str, requirements: Sequence[str]) -> str:
    with alone(print):
        environment = Environment(f"launcher-{name}", sys.executable)
        environment.make(requirements, build_wheel(environment.folder.with_name("launchers-dist")))
        return str(environment.python)


def run(python: str, program: str) -> str:
    """Run one program. Returns what is wrong; ``""``: nothing."""
    folder = Path(tempfile.mkdtemp(prefix="ol-"))  # short: Ray's sockets lie below it
    try:
        return _run(python, program, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(python: str, program: str, folder: Path) -> str:
    home = folder / "home"
    home.mkdir()
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("WANDB_", "ONE_LOGGER_"))}
    environ.update(
        _ENVIRON, HOME=str(home), PYTHONPATH=str(TREE), RAY_FOLDER=str(folder / "ray"), PYSPARK_PYTHON=python
    )
    with (folder / "output").open("w") as output:
        try:
            code = subprocess.call(
                [python, "-P", str(Path(__file__).with_name(f"{program}.py"))],
                cwd=home,
                env=environ,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=_LIMIT,
            )
        except subprocess.TimeoutExpired:
            code = -1
    text = (folder / "output").read_text(errors="replace")
    if code:
        return f"exit code {code}\n{text[-4000:]}"
    journals = sorted(path.parent for path in folder.rglob("one-logger-*/run.json"))
    if len(journals) != _RUNS:
        return f"{len(journals)} journals, expected {_RUNS}\n{text[-4000:]}"
    untold = [str(one) for one in journals if program in _SILENT and str(one) not in text]
    if untold:
        return f"no line says where the run is: {', '.join(untold)}\n{text[-4000:]}"
    return _rows(folder)


def _rows(folder: Path) -> str:
    expected = {f"run {number}": list(range(ROWS)) for number in range(_RUNS)}
    limit = time.monotonic() + _LIMIT
    found: dict[str, list[int]] = {}
    while found != expected:
        if time.monotonic() > limit:
            return f"W&B has {found}, expected {expected}"
        time.sleep(0.5)
        runs = [read(path) for path in folder.rglob("*.wandb")]
        finished = [one for one in runs if one.exit_code is not None]
        found = {str(one.name): [row["i"] for row in one.rows if "i" in row] for one in finished}
    return ""
