"""Environments that the tests of the isolated mode need."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from tests.support import run_command


def uv() -> Optional[str]:
    """The folder of the package ``uv``'s program, if it is installed here."""
    beside = Path(sys.executable).parent
    try:
        from uv import find_uv_bin

        return os.path.dirname(find_uv_bin())
    except (ImportError, FileNotFoundError):
        return str(beside) if (beside / "uv").exists() else None


def path_with_uv() -> str:
    return os.pathsep.join(filter(None, [uv(), os.environ.get("PATH", "")]))


@dataclass
class Job:
    """A job's environment. ``added`` and ``removed``: what the installation of our package has changed."""

    python: Path
    added: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)

    def frozen(self) -> set[str]:
        command = [sys.executable, "-m", "pip", "--python", str(self.python), "freeze", "--all"]
        return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines())

    def run(
        self, script: Path, *arguments: str, env: Optional[dict[str, str]] = None
    ) -> subprocess.CompletedProcess[str]:
        """Run ``script`` in its own folder; the tree of this project is not visible there."""
        command = [str(self.python), str(script), *arguments]
        return run_command(command, script.parent, env={"WANDB_MODE": "offline", "PYTHONPATH": "", **(env or {})})


def thin(folder: Path, packages: Optional[Path] = None, python: str = sys.executable) -> str:
    """The interpreter of a virtual environment without packages, or with those of another environment."""
    subprocess.run([python, "-m", "venv", "--without-pip", str(folder)], check=True)
    if packages is not None:
        (site(folder) / "others.pth").write_text(f"{site(packages)}\n")
    return str(folder / "bin" / "python")


def site(environment: Path) -> Path:
    (found,) = environment.glob("lib/python*/site-packages")
    return found


def distribution(folder: Path, name: str, version: str) -> None:
    """What an installed distribution leaves as its metadata."""
    place = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    place.mkdir(parents=True)
    (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def script(path: Path, text: str) -> str:
    """A program; returns its path."""
    path.write_text(text)
    path.chmod(0o755)
    return str(path)
