"""Makes an environment of the worker's own: a virtual environment with wandb and v2, and a mark that says it is whole.

Our own package is not installed there: the worker runs the job's version of it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT

from .._journal.interpreter import MARKER, is_interpreter
from .._journal.outside import is_own, open_to_write, writers
from .._requirements import OTEL, REQUIREMENTS, Requirement
from .._version import VERSION
from ._format import clean
from ._installed import ask, is_usable

#: stands in the folder while the environment is being made, locked by who makes it
BEGUN = "one-logger-isolated.begun"

_WORKERS = tuple(one for one in REQUIREMENTS if one.worker)

_EVERY = 5.0  # seconds between two lines about an installer at work
_LAST = 15  # lines that are shown of one that fails

# The job's Python, and what would make an installer put packages elsewhere, or take other versions because of the job's
# environment (NVIDIA's images set PIP_CONSTRAINT, with the pins of the image's own packages).
_AWAY = ("PYTHON", "VIRTUAL_ENV", "CONDA_", "_CONDA_", "__PYVENV_LAUNCHER__", "LD_", "DYLD_")
# What an installer, and the code of packages that are being built, has nothing to do with.
_SECRET = ("WANDB", "ONE_LOGGER_", "OTEL_")
_NOT_FOR_THE_INSTALLER = (
    *("PIP_CONSTRAINT", "PIP_DRY_RUN", "PIP_NO_DEPS", "PIP_PREFIX", "PIP_PYTHON", "PIP_REQUIREMENT", "PIP_ROOT"),
    *("PIP_TARGET", "PIP_USER", "UV_CONSTRAINT", "UV_OVERRIDE", "UV_PYTHON", "UV_SYSTEM_PYTHON"),
)

# The line of pip or uv that names the package, the most telling first.
_REASONS = (
    r"No matching distribution found for (\S+)",
    r"[Ff]ailed to fetch: `?(\S+?)`?$",
    r"[Ff]ailed to (?:download|build)(?: and build)? (.+)$",
    r"Because (\S+) was not found",
    r"[Bb]ecause there are no versions of (\S+)",
    r"Could not find a version that satisfies the requirement (\S+)",
)


class NotOursError(Exception):
    """The folder is something else, or another process is at work in it; nothing was touched."""


class FailedError(Exception):
    """The environment can't be made, or does not work; the message says why."""


def is_whole(folder: Path) -> bool:
    """Whether ``isolate`` has finished an environment there."""
    return (folder / MARKER).is_file()


def look(folder: Path, otel: bool = False) -> dict[str, str]:
    """The versions in the environment, which must work. ``otel``: OpenTelemetry's exporters must be there, too.

    Raises:
        FailedError: it does not (it was moved, or its base interpreter is gone), or they are not.
    """
    try:
        found = _check(folder, _WORKERS)
    except FailedError as error:
        raise FailedError(
            f"{folder} was made here and does not work any more ({error}); remove it, then again"
        ) from None
    try:
        return {**found, **(_check(folder, OTEL) if otel else {})}
    except FailedError:
        raise FailedError(f"{folder} is there without OpenTelemetry's exporters; remove it, then again") from None


def make(folder: Path, otel: bool = False) -> dict[str, str]:
    """Make the environment; the mark, without which it does not count, comes last. Returns the versions, Python's too.

    ``otel``: with OpenTelemetry's exporters.

    Raises:
        NotOursError: the folder holds something that ``isolate`` has not begun.
        FailedError: it could not be made; what was made is removed.
        OSError: the folder can't be written.
    """
    if not is_interpreter():
        raise FailedError(f"this program has no Python interpreter of its own ({sys.executable or 'without a name'})")
    if os.path.lexists(folder):
        if not _is_free(folder):
            raise NotOursError(f"{folder} is there and is no environment that `isolate` has made; it is left as it is")
        why = "it belongs to another user" if not is_own(folder) else writers(folder)
        if why is not None:  # what lies there will be run
            raise NotOursError(f"{folder} is not this user's alone: {why}; it is left as it is")
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    with _for_one_writer(), _begun(folder):
        try:
            _clear(folder)
            found = _fill(folder, (*_WORKERS, *OTEL) if otel else _WORKERS)
            _mark(folder, found)
            return found
        except BaseException as error:  # Ctrl-C, too
            _clear(folder)
            (folder / BEGUN).unlink()
            for one in missing:
                with suppress(OSError):
                    one.rmdir()
            if isinstance(error, FailedError):
                raise FailedError(f"{error}; what was made in {folder} is removed again") from None
            raise


def _is_free(folder: Path) -> bool:
    """Whether the environment may be made there: an empty folder, or what an ``isolate`` that was killed has left."""
    return folder.is_dir() and ((folder / BEGUN).is_file() or not any(folder.iterdir()))


@contextmanager
def _begun(folder: Path) -> Iterator[None]:
    """The folder, and the mark that it is ours and not whole; its lock ends with this process."""
    folder.mkdir(parents=True, exist_ok=True)
    with os.fdopen(open_to_write(folder / BEGUN, os.O_WRONLY | os.O_CREAT | os.O_APPEND), "a") as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotOursError(f"another `isolate` is at work in {folder}") from None
        except (ImportError, OSError):
            pass  # a system, or a file system, without locks
        yield


def _clear(folder: Path) -> None:
    """Remove what an `isolate` has made there, but not the mark that says so."""
    for one in folder.iterdir():
        if one.name == BEGUN:
            continue
        if one.is_dir() and not one.is_symlink():
            shutil.rmtree(one, ignore_errors=True)
        else:
            one.unlink()


def _fill(folder: Path, needed: Sequence[Requirement]) -> dict[str, str]:
    """A virtual environment and its packages; returns the versions."""
    wanted = [one.specifier for one in needed]
    uv = shutil.which("uv")
    python = str(folder / "bin" / "python")
    print(f"making {folder} with {'uv' if uv else 'venv and pip'}", flush=True)
    _run([sys.executable, "-I", "-m", "venv", *(["--without-pip"] if uv else []), str(folder)], folder, "venv")
    print(f"installing {', '.join(wanted)}", flush=True)
    if uv:
        # In "/": uv obeys a uv.toml or pyproject.toml in the folder that it works in and in all above it, whoever has
        # put it there; the user's own settings count. Compiled, as pip does it: on a read-only image each worker would
        # have to compile wandb again.
        install = [uv, "pip", "install", "--compile-bytecode", "--python", python, *wanted]
        _run(install, Path("/"), "a package cannot be had")
    else:
        pip = [python, "-I", "-m", "pip", "install", "--disable-pip-version-check", *wanted]
        _run(pip, Path.cwd(), "a package cannot be had")
    return _check(folder, needed)


def _mark(folder: Path, installed: dict[str, str]) -> None:
    content = {"version": VERSION, "python": installed["python"], "made": time.time(), "installed": installed}
    partial = folder / f"{MARKER}.partial"
    partial.write_text(json.dumps(content, indent=2) + "\n")
    (folder / BEGUN).unlink()
    os.replace(partial, folder / MARKER)


@contextmanager
def _for_one_writer() -> Iterator[None]:
    """Nobody else can write what is made in the block, or by a process that is started there: it will be run."""
    before = os.umask(0o077)
    os.umask(before | 0o022)
    try:
        yield
    finally:
        os.umask(before)


def _run(command: list[str], where: Path, what: str) -> None:
    """Run an installer. The user sees a line now and then, and its last lines if it fails."""
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=where, env=_clean(), stdin=DEVNULL, stdout=PIPE, stderr=STDOUT)
    try:
        while process.returncode is None:
            try:
                said = process.communicate(timeout=_EVERY)[0]
            except subprocess.TimeoutExpired as slow:
                last = "".join(f": {line[:110]}" for line in _lines(slow.output or b"")[-1:])
                print(f"  {time.monotonic() - began:.0f} s{last}", flush=True)
    except BaseException:  # Ctrl-C, too
        process.kill()
        process.wait()
        raise
    if process.returncode:
        lines = _lines(said)
        print(*(f"  {line}" for line in lines[-_LAST:]), sep="\n", flush=True)
        raise FailedError(f"{what}: {_reason(lines or [f'exit code {process.returncode}'])}")


def _lines(said: bytes) -> list[str]:
    lines = (clean(line, 1000).strip() for line in said.decode("utf-8", "replace").splitlines())
    return [line for line in lines if line]


def _reason(lines: list[str]) -> str:
    for pattern in _REASONS:
        for line in lines:
            if re.search(pattern, line):
                return line[:300]
    return lines[-1][:300]


def _check(folder: Path, needed: Sequence[Requirement]) -> dict[str, str]:
    """The versions that the environment has, asked as the worker would run there. Raises :class:`FailedError`."""
    python = str(folder / "bin" / "python")
    found = ask(python, ["-I"], needed, _clean())
    if "" in found:
        raise FailedError(f"{python} {found['']}")
    for one in needed:
        if not is_usable(found[one.name]):
            raise FailedError(f"what is installed cannot be used: {one.name}: {found[one.name]}")
    return {name: found[name] for name in ("python", *(one.name for one in needed))}


def _clean() -> dict[str, str]:
    """The environment without what points at the job's own Python.

    An interpreter that a module system has set up may need its ``LD_LIBRARY_PATH`` to start; it keeps it then.
    """
    left_out = (*_AWAY, *_SECRET)
    found = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(left_out) and key not in _NOT_FOR_THE_INSTALLER
    }
    libraries = os.environ.get("LD_LIBRARY_PATH")
    if libraries and "" in ask(sys.executable, ["-I"], (), found):
        found["LD_LIBRARY_PATH"] = libraries
    return found
