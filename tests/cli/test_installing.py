"""``isolate`` shows that it is getting on, and the installer's last lines if it fails; not all that it says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from one_logger_v1_shim._cli import _environment, _installing

SAYS = "for i in range(80): print('Collecting', i)\n"


@pytest.mark.slow
def test_an_installer_that_succeeds_is_quiet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _environment._run([sys.executable, "-c", SAYS], tmp_path, "a package cannot be had")
    assert len(capsys.readouterr().out.splitlines()) <= 2


@pytest.mark.slow
def test_one_that_fails_shows_its_last_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(_environment.FailedError, match="a package cannot be had"):
        _environment._run([sys.executable, "-c", SAYS + "raise SystemExit(1)"], tmp_path, "a package cannot be had")
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "  Collecting 79"
    assert 10 < len(lines) < 20


def test_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = iter(range(0, 100, 2))
    monkeypatch.setattr(_installing.time, "monotonic", lambda: float(next(now)))
    installing = _installing.Installing()
    for number in range(6):
        installing.hear(f"Collecting {number}\n")
    assert capsys.readouterr().out.splitlines() == ["  6 s: Collecting 2", "  12 s: Collecting 5"]
