"""No printed command names a program that is no interpreter: pasted, it would start the training again."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support import ROOT

CODE = """
import sys
sys.path.insert(0, {root!r})
{program}
from one_logger_v1_shim._journal.destination import RunSpec
from one_logger_v1_shim._worker.wandb_api import sync_command
print(sync_command(RunSpec({{}}, {{}}), ["/runs/offline-run-1"]))
"""
PROGRAMS = {
    "cx_Freeze": ("sys.executable, sys.frozen = '/opt/train', True", "wandb sync"),
    "a name that says Python": ("sys.executable, sys.frozen = '/opt/python3', True", "wandb sync"),
    "Nuitka": ("sys.executable, __compiled__ = '/opt/train', 1", "wandb sync"),
    "uwsgi": ("sys.executable = '/usr/bin/uwsgi'", "wandb sync"),
    "no name": ("sys.executable = ''", "wandb sync"),
    "an interpreter": ("", f"{sys.executable} -m wandb sync"),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_command_is_no_program(name: str) -> None:
    program, expected = PROGRAMS[name]
    code = CODE.format(root=str(ROOT), program=program)
    said = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.startswith(expected + " "), said
