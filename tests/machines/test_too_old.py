"""An interpreter that is too old: an ``ImportError`` that names the version, which consumers' guards catch."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Optional

import pytest

from compat_matrix.runner.interpreters import find
from tests.support import clean_environment

pytestmark = pytest.mark.slow

_GUARDED = """
try:
    from one_logger_v1_shim.utils import OneLoggerUtils
except ImportError as error:
    print(error)
"""


@pytest.mark.parametrize("version", ["3.8", "3.7", "3.6"])
def test_it_is_said(version: str, tmp_path: Path) -> None:
    python: Optional[str] = find(version)
    if python is None:
        pytest.skip(f"not run: there is no CPython {version} here")
    text = f"one_logger_v1_shim needs Python 3.9 or newer; this is {version}\n"

    def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        environ = clean_environment(tmp_path)
        return subprocess.run([str(python), *arguments], cwd=tmp_path, env=environ, capture_output=True, check=False)

    assert run("-c", _GUARDED).stdout.decode() == text
    doctor = run("-m", "one_logger_v1_shim", "doctor")
    assert (doctor.returncode, doctor.stderr.decode()) == (1, text)
