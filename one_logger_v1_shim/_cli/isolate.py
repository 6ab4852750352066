"""``isolate``: an environment for the worker, so that the job's own environment stays as it is."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from .._job.interpreter import MARKER, VARIABLE, default_place
from .._requirements import REQUIREMENTS
from .._version import VERSION

#: stands in the folder while the environment is being made
BEGUN = "one-logger-isolated.begun"

_CHECK = """
import importlib.metadata as metadata, json, platform
import wandb
from nv_one_logger.exporter import export_config_manager
from nv_one_logger.training_telemetry.api import training_telemetry_provider
names = %r
print(json.dumps({"python": platform.python_version(), **{name: metadata.version(name) for name in names}}))
"""


class _Failed(Exception):
    """The environment can't be made; the message says why."""


def main(arguments: Sequence[str]) -> int:
    """Returns 0 when the environment is there, 1 when it could not be made, 2 for a folder that is something else."""
    parser = argparse.ArgumentParser(
        prog="python -m one_logger_v1_shim isolate",
        description="Makes a Python environment with wandb and v2 for the worker. The job's environment needs nothing "
        "but this package (pip install --no-deps).",
    )
    parser.add_argument("dir", nargs="?", type=Path, metavar="DIR", help="default: below the user's data folder")
    given = parser.parse_args(list(arguments))
    place: Optional[Path] = given.dir if given.dir is not None else default_place(os.environ)
    if place is None:
        return _refused("there is no home folder for the default place; name a folder")
    folder = Path(os.path.abspath(os.path.expanduser(str(place))))
    if (folder / MARKER).is_file():
        print(f"{folder} is there and whole")
        return _told(folder, given.dir is None)
    if os.path.lexists(folder) and not _is_free(folder):
        return _refused(f"{folder} is there and is no environment that `isolate` has made; it is left as it is")
    try:
        _make(folder)
    except (_Failed, OSError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        print(f"one_logger_v1_shim isolate: {error}; {folder} is removed again", file=sys.stderr)
        return 1
    except BaseException:  # Ctrl-C
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return _told(folder, given.dir is None)


def _is_free(folder: Path) -> bool:
    """May the environment be made there? An empty folder, or what an `isolate` that was killed has left."""
    return folder.is_dir() and not folder.is_symlink() and ((folder / BEGUN).is_file() or not any(folder.iterdir()))


def _make(folder: Path) -> None:
    """Make the environment; the marker, without which it does not count, comes last."""
    if (folder / BEGUN).is_file():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / BEGUN).write_text(f"{os.getpid()}\n")
    began = time.monotonic()
    wanted = [one.specifier for one in REQUIREMENTS if one.worker]
    uv = shutil.which("uv")
    python = folder / "bin" / "python"
    print(f"making {folder} with {'uv' if uv else 'venv and pip'}", flush=True)
    # --copies would not help on another machine: an environment is tied to the path of its interpreter
    _run([sys.executable, "-m", "venv", *(["--without-pip"] if uv else []), str(folder)], "the environment")
    print(f"installing {', '.join(wanted)}", flush=True)
    if uv:
        _run([uv, "pip", "install", "--python", str(python), *wanted], "a package")
    else:
        _run([str(python), "-I", "-m", "pip", "install", "--disable-pip-version-check", *wanted], "a package")
    found = _check(python)
    content = {"version": VERSION, "made": time.time(), "installed": found}
    (folder / f"{MARKER}.partial").write_text(json.dumps(content, indent=2) + "\n")
    os.replace(folder / f"{MARKER}.partial", folder / MARKER)
    (folder / BEGUN).unlink()
    listed = ", ".join(f"{name} {version}" for name, version in found.items())
    print(f"done in {time.monotonic() - began:.0f} s: {listed}")


def _run(command: list[str], what: str) -> None:
    """Run a command whose progress the user sees; its last words are the reason if it fails."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=_clean(), check=False)
    text = done.stderr.decode("utf-8", "replace")
    if done.returncode == 0:
        return
    sys.stderr.write(text)
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("[notice]")]
    named = [line for line in lines if "o matching distribution" in line or "not found" in line or "could not" in line]
    raise _Failed(f"{what} can not be had: {(named or lines or [f'exit code {done.returncode}'])[-1][:300]}")


def _check(python: Path) -> dict[str, str]:
    """The versions that the environment has, asked as the worker would run there."""
    names = [one.name for one in REQUIREMENTS if one.worker]
    done = subprocess.run(
        [str(python), "-I", "-c", _CHECK % (names,)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=_clean(),
        check=False,
    )
    try:
        found: dict[str, str] = json.loads(done.stdout.decode().splitlines()[-1])
    except (ValueError, IndexError):
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise _Failed(f"what was installed can not be imported: {''.join(last)}") from None
    return found


def _clean() -> dict[str, str]:
    """The environment without what points at the job's own Python."""
    away = ("PYTHON", "VIRTUAL_ENV", "CONDA_", "LD_PRELOAD", "LD_LIBRARY_PATH")
    return {key: value for key, value in os.environ.items() if not key.startswith(away)}


def _told(folder: Path, default: bool) -> int:
    python = folder / "bin" / "python"
    if default:
        print(f"jobs of this user find it by themselves; elsewhere: export {VARIABLE}={shlex.quote(str(python))}")
    else:
        print(f"export {VARIABLE}={shlex.quote(str(python))}")
    return 0


def _refused(message: str) -> int:
    print(f"one_logger_v1_shim isolate: {message}", file=sys.stderr)
    return 2
