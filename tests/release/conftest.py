"""What is released, built once: a wheel and an sdist of this tree."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import ROOT


@dataclass(frozen=True)
class Distributions:
    """``unpacked``: the folder of what the sdist has."""

    wheel: Path
    sdist: Path
    unpacked: Path


def build(tree: Path, into: Path) -> tuple[Path, Path]:
    """The wheel and the sdist of ``tree``, by way of PEP 517."""
    for kind in ("--wheel", "--sdist"):
        command = [sys.executable, "-m", "build", "--no-isolation", kind, "--outdir", str(into), str(tree)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = into.glob("*.whl")
    (sdist,) = into.glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture(scope="package")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """Of this tree."""
    folder = tmp_path_factory.mktemp("distributions")
    wheel, sdist = build(ROOT, folder / "first")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return Distributions(wheel, sdist, folder / sdist.name.removesuffix(".tar.gz"))
