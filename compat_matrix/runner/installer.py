"""The wheel, built once, and one virtual environment for each combination that a cell names. Cached."""

from __future__ import annotations

import contextlib
import email
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Callable, Optional

HOME = Path(__file__).resolve().parent.parent
TREE = HOME.parent
ENVIRONMENTS = HOME / ".envs"
_STAMP = "compat_matrix.json"
_ADDED = "compat_matrix-added.json"


@contextlib.contextmanager
def alone(say: Callable[[str], None]) -> Iterator[None]:
    """Wait until no other run of the matrix uses the environments: it would change the wheel in them."""
    ENVIRONMENTS.mkdir(exist_ok=True)
    with (ENVIRONMENTS / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another run of the matrix, which uses the environments")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class EnvironmentTrouble(Exception):
    """The environment could not be made; the cell is *not run*, and this says why."""


def build_wheel(into: Path) -> Path:
    """Build the wheel of this tree."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    uv = _uv()
    if uv:
        _run([uv, "build", "--quiet", "--wheel", "--out-dir", str(into), "--python", sys.executable, str(TREE)])
    else:
        _run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(into), str(TREE)])
    return next(into.glob("*.whl"))


def digest(wheel: Path) -> str:
    """Of what is in a wheel, not of when it was built."""
    with zipfile.ZipFile(wheel) as archive:
        content = sorted((entry.filename, entry.CRC) for entry in archive.infolist())
    return hashlib.sha256(repr(content).encode()).hexdigest()[:16]


def dependencies(wheel: Path) -> list[str]:
    """What the wheel asks for, as its metadata have it."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(entry for entry in archive.namelist() if entry.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    return [str(line) for line in metadata.get_all("Requires-Dist", [])]


class Environment:
    """A virtual environment with exactly the named versions; made by uv where there is one, else by venv and pip."""

    _locks: dict[str, threading.Lock] = {}
    _locks_lock = threading.Lock()

    def __init__(self, name: str, interpreter: str, by_pip: bool = False) -> None:
        self._uv = None if by_pip else _uv()
        self.folder = ENVIRONMENTS / name
        self.interpreter = interpreter
        self.python = self.folder / "bin" / "python"
        with self._locks_lock:
            self._lock = self._locks.setdefault(name, threading.Lock())

    def make(self, requirements: Sequence[str], wheel: Optional[Path] = None, forced: Sequence[str] = ()) -> None:
        """Make it with the wheel's dependencies, or leave it as it is when it is this already.

        Args:
            requirements: resolved together with the wheel.
            wheel: ours.
            forced: requirements that hold whatever the wheel's metadata say. uv can do that; pip can't.
        """
        wanted = {
            "interpreter": self.interpreter,
            "requirements": [*requirements, *forced],
            "wheel": dependencies(wheel) if wheel else [],
        }
        wheel_digest = digest(wheel) if wheel else None
        with self._lock:
            stamp = self._stamp()
            if stamp.get("wanted") != wanted:
                shutil.rmtree(self.folder, ignore_errors=True)
                self._create()
                packages = [*requirements, *forced, *([str(wheel)] if wheel else [])]
                if packages:
                    self._install([*packages, *self._overrides(forced)])
            elif stamp.get("wheel") == wheel_digest:
                return
            else:
                self._install(["--no-deps", "--force-reinstall", str(wheel)])
            text = json.dumps({"wanted": wanted, "wheel": wheel_digest})
            (self.folder / _STAMP).write_text(text, encoding="utf-8")

    def add(self, packages: Mapping[str, str]) -> None:
        """``pip install --no-deps``: name -> what is installed, and nothing for its sake."""
        (self.folder / _ADDED).write_text(json.dumps(list(packages)), encoding="utf-8")
        self._install(["--no-deps", *packages.values()])

    def restore(self) -> None:
        """Take out what :meth:`add` has put in, in an earlier run as well."""
        path = self.folder / _ADDED
        if path.exists():
            self._pip("uninstall", [*([] if self._uv else ["--yes"]), *json.loads(path.read_text(encoding="utf-8"))])
            path.unlink()

    def _overrides(self, forced: Sequence[str]) -> list[str]:
        if not forced or self._uv is None:
            return []
        path = self.folder / "overrides.txt"
        path.write_text("\n".join(forced) + "\n", encoding="utf-8")
        return ["--overrides", str(path)]

    def _stamp(self) -> Mapping[str, object]:
        try:
            stamp: Mapping[str, object] = json.loads((self.folder / _STAMP).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return stamp

    def _create(self) -> None:
        if self._uv:
            _run([self._uv, "venv", "--quiet", "--python", self.interpreter, str(self.folder)])
        else:
            _run([self.interpreter, "-m", "venv", str(self.folder)])

    def _install(self, arguments: Sequence[str]) -> None:
        # the first job compiles what it imports: a quarter of what lies there
        self._pip("install", arguments)

    def _pip(self, command: str, arguments: Sequence[str]) -> None:
        if self._uv:
            tool = [self._uv, "pip", command, "--quiet", "--python", str(self.python)]
        else:
            tool = [str(self.python), "-m", "pip", command, "--quiet", "--disable-pip-version-check"]
        _run([*tool, *arguments])


def requirement(package: str, version: str) -> str:
    """``wandb==0.20.1``; "1.16" means any 1.16.x, "newest" whatever the registry gives this Python."""
    if version == "newest":
        return package
    return f"{package}=={version}" if version.count(".") == 2 else f"{package}=={version}.*"


def has_wheels_at_hand() -> bool:
    """Whether uv is told of a folder of wheels: then it takes a CPU build of torch from there, as pip does."""
    return any(os.environ.get(name) for name in ("PIP_FIND_LINKS", "UV_FIND_LINKS"))


def _uv() -> Optional[str]:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")


def _run(command: Sequence[str]) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    if "PIP_FIND_LINKS" in environment:  # uv has a variable of its own for it
        environment.setdefault("UV_FIND_LINKS", environment["PIP_FIND_LINKS"])
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["(it said nothing)"]
        raise EnvironmentTrouble(f"{Path(command[0]).name} {command[1]}: {' | '.join(lines[-3:])}")
