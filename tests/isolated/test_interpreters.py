"""Interpreters that the worker cannot run on, and a job whose environment is poisoned."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Callable, Optional

import pytest

from one_logger_v1_shim._version import VERSION
from tests.delivery import jobs
from tests.isolated.places import distribution, script, site, thin
from tests.support import run_command

CODE = """
one = one_logger()
log(one, 5)
one.finish()
"""


def old_python() -> Optional[str]:
    """A Python before 3.9, where pyenv has one."""
    for version in ("3.8", "3.7", "3.6"):
        for found in sorted(Path(os.path.expanduser("~/.pyenv/versions")).glob(f"{version}.*/bin/python{version}")):
            return str(found)
    return None


def other_shim(folder: Path, isolated: Path) -> str:
    python = thin(folder / "other", isolated)
    distribution(site(folder / "other"), "one-logger-v1-shim", "99.0")
    return python


Make = Callable[[Path, Path], str]
#: how to make it, and what the one line says
BAD: dict[str, tuple[Make, str]] = {
    "does not exist": (lambda folder, _: str(folder / "nowhere"), "No such file or directory"),
    "/bin/true": (lambda *_: "/bin/true", "before our code ran"),
    "/bin/cat": (lambda *_: "/bin/cat", "before our code ran"),
    "a folder": (lambda folder, _: str(folder), "Permission denied"),
    "no wandb": (lambda folder, _: thin(folder / "thin"), "wandb is not installed in "),
    "another shim": (other_shim, f"has one-logger-v1-shim 99.0 and the job has {VERSION}"),
    "hangs": (lambda folder, _: script(folder / "python3", "#!/bin/sh\nexec sleep 600\n"), "no answer in 10 s"),
    "too old": (lambda *_: old_python() or "", "it is older than Python 3.9"),
}


@pytest.mark.parametrize("kind", BAD)
def test_one_line_and_every_row_is_kept(kind: str, tmp_path: Path, isolated: Path, python: str) -> None:
    make, said = BAD[kind]
    bad = make(tmp_path, isolated)
    if not bad:
        pytest.skip("pyenv has no Python before 3.9 here")
    home = tmp_path / "home"
    env = {"ONE_LOGGER_V1_PYTHON": bad, "ONE_LOGGER_V1_FINISH_TIMEOUT": "10" if kind == "hangs" else "30"}
    result = jobs.run(CODE, home, env)
    assert result.code == 0
    (line,) = result.lines
    assert said in line
    assert bad in line
    assert "recover" in line
    assert jobs.journal_values(home) == list(range(5))
    assert result.values() == []
    assert not jobs.processes(tmp_path, "sleep")

    command = [sys.executable, "-m", "one_logger_v1_shim", "recover"]
    if kind != "hangs":  # nobody waits for `recover` but who has called it; it has no limit
        done = run_command(command, home, env={"ONE_LOGGER_V1_PYTHON": bad}, check=False)
        assert done.returncode == 1
        assert "Traceback" not in done.stdout + done.stderr
    if kind == "no wandb":  # once: what the journal has is the same for all
        run_command(command, home, env={"ONE_LOGGER_V1_PYTHON": python})
        assert result.values() == list(range(5))


POISON = """
import os, sys
with open(os.path.join({home!r}, "reached"), "a") as file:
    file.write(__name__ + " in " + sys.executable + chr(10))
if sys.prefix == {prefix!r}:
    raise RuntimeError("poison")
"""

POISONED = """
os.environ.update(PYTHONHOME="/nowhere", PYTHONSTARTUP=os.path.abspath("poison/wandb.py"), PYTHONPLATLIBDIR="poison",
                  PYTHONUSERBASE=os.path.abspath("base"), PYTHONWARNINGS="error", VIRTUAL_ENV="/nowhere",
                  CONDA_PREFIX="/nowhere", LD_LIBRARY_PATH="/nowhere")
sys.path.insert(0, os.path.abspath("poison"))
"""


def test_nothing_of_the_jobs_python_reaches_the_worker(tmp_path: Path, isolated: Path, python: str) -> None:
    home = tmp_path / "home"
    text = POISON.format(home=str(home), prefix=str(isolated))
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    folders = [home / "poison", home / "base/lib" / version / "site-packages"]
    folders.append(home / ".local/lib" / version / "site-packages")
    for folder in folders:
        folder.mkdir(parents=True)
        for name in ("wandb", "nv_one_logger", "sitecustomize", "usercustomize", "json", "yaml"):
            if name != "json" or folder is not folders[0]:
                (folder / f"{name}.py").write_text(text)
        (folder / "poison.pth").write_text("import usercustomize\n")
    path = os.pathsep.join([str(home / "poison"), str(Path(jobs.__file__).parents[2])])
    env = {"ONE_LOGGER_V1_PYTHON": python, "PYTHONPATH": path}
    result = jobs.run(POISONED + CODE, home, env)
    assert (result.code, result.values()) == (0, list(range(5))), result.err
    reached = (home / "reached").read_text().splitlines()
    assert any(line.startswith("sitecustomize in ") for line in reached), "the job's own process hears of it"
    assert not [line for line in reached if python in line]
    assert all("nv_one_logger" not in line and "wandb" not in line for line in reached)
