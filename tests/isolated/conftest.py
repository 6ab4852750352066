"""One environment that ``isolate`` has made, and a job's environment that holds our package and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.isolated.places import Job, path_with_uv, thin
from tests.support import ROOT, run_command


@pytest.fixture(scope="session")
def isolated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment for the worker."""
    folder: Path = tmp_path_factory.mktemp("isolated") / "environment"
    command = [sys.executable, "-m", "one_logger_v1_shim", "isolate", str(folder)]
    done = run_command(command, ROOT, env={"PATH": path_with_uv()}, timeout=300)
    assert done.stdout.splitlines()[-1] == f"export ONE_LOGGER_V1_PYTHON={folder}/bin/python"
    return folder


@pytest.fixture(scope="session")
def python(isolated: Path) -> str:
    """The worker's interpreter."""
    return str(isolated / "bin" / "python")


@pytest.fixture(scope="session")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A virtual environment into which our wheel was installed with ``--no-deps``."""
    folder: Path = tmp_path_factory.mktemp("job")
    found = Job(Path(thin(folder)))
    before = found.frozen()
    source = folder / "source"
    shutil.copytree(ROOT / "one_logger_v1_shim", source / "one_logger_v1_shim")
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip"]
    wheel = [*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder), "."]
    subprocess.run(wheel, cwd=source, check=True)
    (built,) = folder.glob("*.whl")
    shutil.rmtree(source)
    subprocess.run([*pip, "--python", str(found.python), "install", "-q", "--no-deps", str(built)], check=True)
    found.added = found.frozen() - before
    found.removed = before - found.frozen()
    return found
