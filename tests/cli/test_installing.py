"""``isolate`` shows that it is getting on, and the installer's last lines if it fails; not all that it says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from one_logger_v1_shim._cli import _environment

pytestmark = pytest.mark.slow

SAYS = "import time\nfor i in range(80): print('Collecting', i, flush=True)\n"


def test_a_line_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_environment, "_EVERY", 0.5)
    _environment._run([sys.executable, "-c", SAYS + "time.sleep(1.2)"], tmp_path, "a package cannot be had")
    lines = capsys.readouterr().out.splitlines()
    assert 1 <= len(lines) <= 5
    assert lines[-1].endswith(" s: Collecting 79")


def test_one_that_fails_shows_its_last_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(_environment.FailedError, match="a package cannot be had: Collecting 79"):
        _environment._run([sys.executable, "-c", SAYS + "raise SystemExit(1)"], tmp_path, "a package cannot be had")
    assert capsys.readouterr().out.splitlines() == [f"  Collecting {number}" for number in range(65, 80)]
