"""Wherever the job's packages lie, the worker finds them; what only happens to be called `wandb` is not wandb."""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, Callable, Optional

import pytest
import wandb

from tests.delivery import jobs
from tests.isolated.places import site, thin
from tests.support import ROOT, package_alone

JOB = """
one = one_logger()
log(one, 5)
one.finish()
print("done")
"""


def entries() -> list[str]:
    """The folders of this environment's packages, that of wandb first."""
    own = str(Path(wandb.__file__).resolve().parent.parent)
    return list(dict.fromkeys([own, *(one for one in sys.path if os.path.basename(one).endswith("-packages"))]))


def links(folder: Path) -> list[str]:
    """Links to the folders of packages, none of which is called ``*-packages``."""
    folder.mkdir(parents=True)
    found = []
    for number, entry in enumerate(entries()):
        (folder / f"deps{number}").symlink_to(entry)
        found.append(str(folder / f"deps{number}"))
    return found


def appended(path: list[str]) -> str:
    return f"import sys; sys.path[1:1] = {path!r}\n"


def bare(home: Path, begin: str, code: str = JOB, **environ: str) -> jobs.Result:
    """The job on an interpreter that has no package, not even ours, but for what ``begin`` does."""
    home.mkdir(parents=True, exist_ok=True)
    python = thin(home / "bare")
    # the worker too is to have nothing but that, also when all jobs of the run are isolated
    wanted: dict[str, Optional[str]] = {"PYTHONPATH": "", "ONE_LOGGER_V1_PYTHON": None, **environ}
    return jobs.run(code, home, wanted, begin=begin, command=[python, "job.py"])


def opt_deps(home: Path) -> jobs.Result:
    return bare(home, appended([package_alone(home / "ours"), *links(home / "opt")]))


def pex(home: Path) -> jobs.Result:
    """Each distribution in a folder of its own, as PEX and Bazel have it; wandb's first."""
    (home / "whl" / "wandb.whl").mkdir(parents=True)
    (home / "whl" / "wandb.whl" / "wandb").symlink_to(Path(wandb.__file__).parent)
    rest = home / "whl" / "rest.whl"
    rest.mkdir()
    for entry in entries():
        for one in Path(entry).iterdir():
            of_v2 = one.name != "nv_one_logger" or (one / "api").exists()  # else it is our portion of that namespace
            if one.name != "wandb" and of_v2 and not (rest / one.name).exists() and one.suffix != ".pth":
                (rest / one.name).symlink_to(one)
    return bare(home, appended([package_alone(home / "ours"), str(home / "whl" / "wandb.whl"), str(rest)]))


def zipped(home: Path) -> jobs.Result:
    """Spark's --py-files: this package in a zip file."""
    deps = links(home / "deps")
    with zipfile.ZipFile(home / "files.zip", "w") as file:
        for path in (ROOT / "one_logger_v1_shim").rglob("*.py"):
            file.write(path, path.relative_to(ROOT))
    return bare(home, appended([str(home / "files.zip"), *deps]))


def sourceless(home: Path, to: Path) -> None:
    """This package as byte code alone, in ``to``."""
    shutil.copytree(ROOT / "one_logger_v1_shim", to / "one_logger_v1_shim")
    compileall.compile_dir(to, quiet=2, legacy=True)
    for path in to.rglob("*.py"):
        path.unlink()


def without_sources(home: Path) -> jobs.Result:
    sourceless(home, home / "pyc")
    return bare(home, appended([str(home / "pyc"), *links(home / "deps")]))


def frozen(home: Path) -> jobs.Result:
    """As PyInstaller has it: byte code that no other interpreter reads. The one that is named has this package."""
    sourceless(home, home / "pyc")
    with zipfile.ZipFile(home / "program.zip", "w") as file:
        for path in (home / "pyc").rglob("*.pyc"):
            file.write(path, path.relative_to(home / "pyc"))
    python = thin(home / "other")
    (site(home / "other") / "others.pth").write_text("\n".join([package_alone(home / "ours"), *entries()]))
    begin = "import sys; sys.frozen = True\n" + appended([str(home / "program.zip")])
    return bare(home, begin, ONE_LOGGER_V1_PYTHON=python)


def runfiles(home: Path) -> jobs.Result:
    """Bazel: relative entries, and a working directory that is not the script's."""
    deps = [os.path.relpath(one, home) for one in links(home / "job.runfiles")]
    return bare(home, appended([package_alone(home / "ours"), *deps]))


def colon(home: Path) -> jobs.Result:
    """A folder whose name has the character that stands between the entries of a path."""
    return bare(home, appended([package_alone(home / "ours"), *links(home / "run:1")]))


def run_folder_on_the_path(home: Path) -> jobs.Result:
    """wandb's own run folder lies in a folder of PYTHONPATH, before wandb."""
    (home / "wandb").mkdir(parents=True)
    return jobs.run(JOB, home, {"PYTHONPATH": os.pathsep.join([str(home), package_alone(home / "ours")])})


SCENARIOS: dict[str, Callable[[Path], Any]] = {
    "sys.path.append": opt_deps,
    "PEX": pex,
    "a zip file": zipped,
    "byte code alone": without_sources,
    "a frozen program": frozen,
    "Bazel's runfiles": runfiles,
    "a colon in a name": colon,
    "a folder wandb on PYTHONPATH": run_folder_on_the_path,
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_worker_finds_what_the_job_finds(name: str, outcome: Callable[[str], jobs.Result]) -> None:
    result = outcome(name)
    assert (result.code, result.out) == (0, "done\n"), result.err
    (line,) = result.lines
    assert "W&B run is offline (WANDB_MODE=offline)" in line
    assert result.values() == list(range(5))


@pytest.mark.parametrize("kind", ["W&B's run folder", "a module of the user's"])
def test_something_else_is_called_wandb(kind: str, tmp_path: Path) -> None:
    """wandb is not installed; the line says what was found in its place."""
    place = tmp_path / "place"
    if kind == "a module of the user's":
        place.mkdir()
        (place / "wandb.py").write_text("print('mine')\n")
        found = place / "wandb.py"
    else:
        found = place / "wandb"
        found.mkdir(parents=True)
    result = bare(tmp_path, appended([package_alone(tmp_path / "ours"), str(place)]))
    assert (result.code, result.out) == (0, "done\n"), result.err
    (line,) = [line for line in result.lines if "nv_one_logger" not in line]
    assert f"{found} is something else" in line
    assert "wandb is not installed in " in line
    assert jobs.journal_values(tmp_path) == list(range(5))


def test_the_interpreter_has_no_packages_of_its_own(tmp_path: Path) -> None:
    """What the tests above rest on."""
    command = [thin(tmp_path / "bare"), "-c", "import wandb"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env={})
    assert "No module named 'wandb'" in done.stderr
