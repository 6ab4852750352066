"""A progress bar where somebody looks, nothing where nobody does; memory that does not grow with the rows."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest

from one_logger_v1_shim._cli import _progress
from one_logger_v1_shim._cli.recover import main as recover
from one_logger_v1_shim._cli.show import main as show
from tests.cli.journals import job_rows, journal, training
from tests.support import run_python

T = 1_700_000_000_000.0


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """stderr is a terminal from now on, and a bar comes at once."""
    found = Terminal()
    monkeypatch.setattr(sys, "stderr", found)
    monkeypatch.setattr(_progress, "_DELAY", 0.0)
    monkeypatch.setattr(_progress, "_EVERY", 0.0)
    return found


def large(base: Path, rows: int) -> Path:
    return journal(base, [training(done, T) for done in range(1, rows + 1)])


@pytest.mark.parametrize("rich", [True, False])
def test_a_bar_where_somebody_looks(
    tmp_path: Path, rich: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if rich:
        pytest.importorskip("rich", reason="not run: rich is not installed")
    else:
        monkeypatch.setattr(_progress.importlib.util, "find_spec", lambda name: None)
    folder, said = large(tmp_path, 3000), terminal(monkeypatch)
    assert show([str(folder)]) == 0
    drawn = said.getvalue()
    assert "reading" in drawn
    assert "100" in drawn
    assert drawn.rstrip(" ").endswith("\r") or "\x1b[2K" in drawn, "it is wiped away"
    assert "reading" not in capsys.readouterr().out


def test_no_bar_where_nobody_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_progress, "_DELAY", 0.0)
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    assert show([str(large(tmp_path, 3000))]) == 0
    assert said.getvalue() == ""


def test_no_bar_for_what_is_quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = terminal(monkeypatch)
    monkeypatch.setattr(_progress, "_DELAY", 60.0)
    assert show([str(journal(tmp_path, job_rows()))]) == 0
    assert said.getvalue() == ""


@pytest.mark.slow
def test_recover_says_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(_progress.importlib.util, "find_spec", lambda name: None)
    folder = journal(tmp_path, [{"i": i} for i in range(2000)], state="", finish=False, keep=True)
    said = terminal(monkeypatch)
    assert recover([str(folder)]) == 0
    percents = [int(one) for one in re.findall(r"sending rows: (\d+) %", said.getvalue())]
    assert percents == sorted(percents)
    assert percents, "no bar"
    out = capsys.readouterr().out
    assert "2000 rows, W&B has 0 of them on disk" in out
    assert "sending rows" not in out


# Not getrusage: a child begins there with what its parent had.
MEMORY = """
import re, sys
from one_logger_v1_shim.__main__ import main
assert main(sys.argv[1:]) == 0
with open("/proc/self/status") as file:
    print(re.search(r"VmHWM:\\s+(\\d+) kB", file.read())[1], file=sys.stderr)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="not run: the peak is read from /proc")
@pytest.mark.parametrize("command", ["show", "goodput"])
def test_memory_is_flat(tmp_path: Path, command: str) -> None:
    peaks = []
    for rows in (20_000, 120_000):
        folder = tmp_path / str(rows)
        large(folder, rows)
        peaks.append(int(run_python(MEMORY, tmp_path, command, str(folder)).stderr.splitlines()[-1]))
    assert peaks[1] - peaks[0] < 6 * 1024, f"KiB: {peaks}"
