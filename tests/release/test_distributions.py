"""The wheel and the sdist: what is in them, that they are the same whenever they are built, and that each works."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import one_logger_v1_shim
from tests.isolated.places import site, thin
from tests.release.conftest import Distributions, build
from tests.support import ROOT, run_command, stored_rows

pytestmark = pytest.mark.ci

PACKAGE = "one_logger_v1_shim"
VERSION = one_logger_v1_shim.__version__
#: force-include of pyproject.toml
ELSEWHERE = {
    f"{PACKAGE}/_namespace/v1_adapter/": "nv_one_logger/training_telemetry/v1_adapter/",
    f"{PACKAGE}/_namespace/{PACKAGE}.pth": f"{PACKAGE}.pth",
    f"{PACKAGE}/_namespace/_{PACKAGE}_pytest.py": f"_{PACKAGE}_pytest.py",
}


def tracked() -> set[str]:
    """The files of the repository."""
    if not (ROOT / ".git").exists():
        pytest.skip("NOT RUN: no git checkout")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return {line for line in listed.splitlines() if (ROOT / line).exists()}


def test_the_names_have_the_version(distributions: Distributions) -> None:
    assert distributions.wheel.name == f"{PACKAGE}-{VERSION}-py3-none-any.whl"
    assert distributions.sdist.name == f"{PACKAGE}-{VERSION}.tar.gz"


def test_the_index_takes_them(distributions: Distributions) -> None:
    command = [sys.executable, "-m", "twine", "--no-color", "check", "--strict"]
    done = run_command([*command, str(distributions.wheel), str(distributions.sdist)], distributions.unpacked)
    assert done.stdout.count("PASSED") == 2


def test_the_wheel_has_the_package_and_nothing_else(distributions: Distributions) -> None:
    expected = set()
    for name in tracked():
        if name.startswith(f"{PACKAGE}/"):
            place = next((place for place in ELSEWHERE if name.startswith(place)), None)
            expected.add(name if place is None else name.replace(place, ELSEWHERE[place]))
    info = f"{PACKAGE}-{VERSION}.dist-info"
    expected |= {f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")}
    with zipfile.ZipFile(distributions.wheel) as archive:
        names = archive.namelist()
    assert len(names) == len(set(names))
    assert set(names) == expected


def test_the_sdist_has_the_repository_and_nothing_else(distributions: Distributions) -> None:
    with tarfile.open(distributions.sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    assert names == {*tracked(), "PKG-INFO"}


def test_built_again_elsewhere_they_have_the_same_bytes(distributions: Distributions, tmp_path: Path) -> None:
    """From what the sdist has: other folder, other times of files; so the wheel of the sdist is the tree's, too."""
    wheel, sdist = build(distributions.unpacked, tmp_path)
    assert wheel.read_bytes() == distributions.wheel.read_bytes()
    assert sdist.read_bytes() == distributions.sdist.read_bytes()


_JOB = f"""
import sys
import {PACKAGE}
from {PACKAGE} import OneLogger
assert sys.argv[1] in {PACKAGE}.__file__, {PACKAGE}.__file__
print({PACKAGE}.__version__)
logger = OneLogger({{"project": "p", "async": False}})
logger.log_metrics({{"loss": 0.5}})
logger.finish()
"""


def test_the_wheel_works_in_an_empty_environment(distributions: Distributions, tmp_path: Path) -> None:
    """The job's process needs nothing but the standard library; wandb is the worker's, which has this interpreter.

    The wheel of the sdist has the same bytes (above), and ``.ci/run pythons`` runs the tests of the sdist.
    """
    python = thin(tmp_path / "environment")
    options = ["-q", "--no-deps", "--no-index", "--disable-pip-version-check"]
    pip = [sys.executable, "-m", "pip", "--python", python]
    run_command([*pip, "install", *options, str(distributions.wheel)], tmp_path)
    told = {"PYTHONPATH": "", "WANDB_MODE": "offline", "ONE_LOGGER_V1_PYTHON": sys.executable}
    said = run_command([python, "-c", _JOB, str(tmp_path / "environment")], tmp_path, env=told).stdout
    assert said.splitlines()[0] == VERSION
    assert {"loss": 0.5} in stored_rows(tmp_path)
    script = str(Path(python).with_name("one-logger-v1-shim"))
    assert VERSION in run_command([script, "--version"], tmp_path, env={"PYTHONPATH": ""}).stdout


def test_a_callers_mistakes_are_found_by_mypy(distributions: Distributions, tmp_path: Path) -> None:
    """On the wheel's files, with no tree beside them; without ``py.typed`` every name would be ``Any``."""
    # site-packages of an environment of its own: mypy treats what lies there as an installed package
    python = thin(tmp_path / "environment")
    with zipfile.ZipFile(distributions.wheel) as archive:
        archive.extractall(site(tmp_path / "environment"))
    consumer = tmp_path / "consumer.py"
    consumer.write_bytes(Path(__file__).with_name("consumer.py").read_bytes())
    options = ["--strict", "--cache-dir", str(tmp_path / "cache"), "--python-executable", python]
    run_command(
        [sys.executable, "-m", "mypy", *options, str(consumer)], tmp_path, env={"PYTHONPATH": "", "MYPYPATH": ""}
    )
