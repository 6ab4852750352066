"""Programs that embed Python: `sys.executable` is the training itself, and must never be started as a worker."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from tests.delivery import jobs
from tests.support import ROOT, mode

JOB = """
one = one_logger()
log(one, 5)
one.finish()
print("done", sys.executable)
"""
# What such a program is to the system: whatever is given to it, it runs the training.
KIT = """#!/bin/bash
echo started "$@" >> "{home}/starts"
export PYTHONHOME={base} PYTHONPATH={path}
exec -a "{home}/kit" {python} {options} "{home}/job.py"
"""
NO_OTHER_PYTHON = "import sys; sys.prefix = sys.exec_prefix = sys.base_prefix = '/nowhere'\n"
#: name -> (the first lines of the program, what the one line says; None: nothing)
PROGRAMS: dict[str, tuple[str, Optional[str]]] = {
    "a Python lies beside it": ("", None),
    "no other Python": (NO_OTHER_PYTHON, "this process is no Python interpreter ("),
    "PyInstaller, cx_Freeze": ("import sys; sys.frozen = True\n", "this process is a frozen program"),
    "Nuitka": ("__compiled__ = True\n", "this process is a frozen program"),
    "without a name": ("import sys; sys.executable = ''\n", None),
    "None for a name": (NO_OTHER_PYTHON + "sys.executable = None\n", "no Python interpreter (without a name)"),
    "the variable names the program itself": (
        "import sys, os; sys.frozen = True; os.environ['ONE_LOGGER_V1_PYTHON'] = sys.executable\n",
        "this process is a frozen program",
    ),
    "the variable names a real Python": (
        f"import sys, os; sys.frozen = True; os.environ['ONE_LOGGER_V1_PYTHON'] = {sys.executable!r}\n", None,
    ),
}  # fmt: skip


def embedded(begin: str, **environ: str) -> Callable[[Path], jobs.Result]:
    def scenario(home: Path) -> jobs.Result:
        home.mkdir(parents=True)
        kit = home / "kit"
        path = os.pathsep.join([str(ROOT), *(one for one in sys.path if one.endswith("site-packages"))])
        text = KIT.format(home=home, base=sys.base_prefix, path=path, python=real_python(), options="-s")
        kit.write_text(text)
        kit.chmod(0o755)
        return jobs.run(JOB, home, environ, begin=begin, command=[str(kit), "--train"])

    return scenario


def real_python() -> str:
    version = sysconfig.get_python_version()
    return os.path.join(sys.base_prefix, "bin", f"python{version}")


def starts_at_every_start(home: Path) -> jobs.Result:
    """The user's ``sitecustomize`` opens a run in each process: in the worker's, too."""
    home.mkdir(parents=True)
    (home / "site").mkdir()
    (home / "site" / "sitecustomize.py").write_text(
        f"open({str(home / 'starts')!r}, 'a').write('started\\n')\n"
        "import one_logger_v1_shim\n"
        "always = one_logger_v1_shim.OneLogger({'project': 'delivery', 'name': 'always'})\n"
        "always.log_metrics({'always': 1})\n"
    )
    path = os.pathsep.join([str(home / "site"), str(ROOT)])
    return jobs.run("one = one_logger(); log(one, 5); one.finish(); print('done')", home, {"PYTHONPATH": path})


SCENARIOS: dict[str, Callable[[Path], Any]] = {
    **{name: embedded(begin) for name, (begin, _) in PROGRAMS.items()},
    "at every start": starts_at_every_start,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_second_training(name: str, outcome: Callable[[str], jobs.Result]) -> None:
    said = PROGRAMS[name][1]
    result = outcome(name)
    assert result.code == 0, result.err
    assert result.out.startswith("done")
    assert (result.home / "starts").read_text() == "started --train\n"
    own = [line for line in result.lines if not line.startswith("wandb: ")]  # up to 0.20 it says "frozen" itself
    others = [line for line in own if "W&B run is offline" not in line]
    assert jobs.journal_values(result.home) == list(range(5))
    if said is None or (mode() and "variable" not in name):
        assert (others, result.values()) == ([], list(range(5)))
    else:
        (line,) = others
        assert said in line
        assert "set ONE_LOGGER_V1_PYTHON" in line


def test_a_run_is_not_opened_inside_of_a_worker(outcome: Callable[[str], jobs.Result]) -> None:
    result = outcome("at every start")
    assert (result.code, result.out) == (0, "done\n"), result.err
    starts = (result.home / "starts").read_text().splitlines()
    if mode():
        assert len(starts) == 1, "no other interpreter sees the job's path"
    else:
        assert 2 <= len(starts) <= 4, "the job, its worker, what wandb starts; and no more"
    (run,) = result.runs()
    assert [row["i"] for row in run.rows if "i" in row] == list(range(5))
    assert len([row for row in run.rows if "always" in row]) == 1
    (journal,) = jobs.journals(result.home)
    if mode():
        return
    assert "a OneLogger run inside of the W&B process is not logged" in (journal / "worker.log").read_text()
