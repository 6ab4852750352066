"""A swap that is ended in the middle, hard links, and what git or a person has done to the files since."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from one_logger_v1_shim._migrate.record import NAME

from .trees import Commands, plant

GOOD = "import one_logger as ol\n"
SWAPPED = "import one_logger_v1_shim as ol\n"


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ended(how: signal.Signals, tmp_path: Path, commands: Commands) -> None:
    tree = plant(tmp_path / "tree", {f"p{number}.py": GOOD for number in range(300)})
    command = [sys.executable, "-m", "one_logger_v1_shim", "swap", "--write", str(tree)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not (tree / NAME).exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(how)
    _, said = process.communicate()
    if process.returncode != 0:  # it was not faster
        assert process.returncode == 130
        assert said.startswith("one_logger_v1_shim swap: interrupted: ")
        assert len(said.splitlines()) == 1
    assert {path.suffix for path in tree.iterdir()} == {".py", ".json"}
    assert {path.read_text() for path in tree.glob("*.py")} <= {GOOD, SWAPPED}
    assert commands("swap", "--back", tree).code == 0
    assert {path.read_text() for path in tree.iterdir()} == {GOOD}


def test_what_a_killed_swap_has_left_goes_with_the_next(tmp_path: Path, commands: Commands) -> None:
    number = 4_194_305  # above Linux's highest process number
    stray = tmp_path / f".one_logger_v1_swap.{number}.0123456789abcdef.tmp"
    living = tmp_path / f".one_logger_v1_swap.{os.getppid()}.0123456789abcdef.tmp"
    plant(tmp_path, {"p.py": GOOD, stray.name: "half", living.name: "half"})
    commands("swap", "--write", tmp_path)
    assert not stray.exists()
    assert living.exists(), "another swap's that is at work"


@pytest.mark.parametrize("at", [1, 2])
def test_ctrl_c_between_any_two_steps(
    at: int, tmp_path: Path, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = plant(tmp_path, {"p.py": GOOD}) / "p.py"
    real = os.replace
    calls: list[str] = []

    def replace(old: Path, new: Path) -> None:
        calls.append(str(new))
        if len(calls) == at:
            raise KeyboardInterrupt
        real(old, new)

    monkeypatch.setattr(os, "replace", replace)
    assert commands("swap", "--write", tmp_path).code == 130
    monkeypatch.setattr(os, "replace", real)
    assert set(os.listdir(tmp_path)) <= {"p.py", NAME}
    commands("swap", "--back", tmp_path)
    assert (path.read_text(), os.listdir(tmp_path)) == (GOOD, ["p.py"])


def test_hard_links(tmp_path: Path, commands: Commands) -> None:
    tree = plant(tmp_path / "tree", {"a/p.py": GOOD, "b/other.py": "import os\n"})
    os.link(tree / "a/p.py", tree / "b/q.py")
    assert commands("swap", "--write", tree).code == 0
    for text in (SWAPPED, GOOD):
        assert (tree / "a/p.py").read_text() == (tree / "b/q.py").read_text() == text
        assert (tree / "a/p.py").samefile(tree / "b/q.py")
        commands("swap", "--back", tree)
    assert not list(tree.rglob(NAME))


def test_a_hard_link_outside_of_the_tree(tmp_path: Path, commands: Commands) -> None:
    """A package manager's store, or somebody's file: it is not ours to write, and the line says so."""
    tree = plant(tmp_path, {"tree/p.py": GOOD}) / "tree"
    os.link(tree / "p.py", tmp_path / "store.py")
    result = commands("swap", "--write", tree)
    assert (result.code, (tmp_path / "store.py").read_text()) == (0, GOOD)
    assert f"note: {tree / 'p.py'}: has another name elsewhere" in result.out
    commands("swap", "--back", tree)
    assert (tree / "p.py").read_text() == GOOD


def test_one_of_two_equal_lines_was_edited(tmp_path: Path, commands: Commands) -> None:
    text = "try:\n    from one_logger import OneLogger\nexcept E:\n    from one_logger import OneLogger\n"
    path = plant(tmp_path, {"p.py": text}) / "p.py"
    commands("swap", "--write", path)
    lines = path.read_text().split("\n")
    lines[1] += "  # mine"
    path.write_text("\n".join(lines))
    result = commands("swap", "--back", path)
    assert result.code == 1
    assert result.out.count("edited since, line 2 of then") == result.out.count("edited since") == 1
    lines[3] = "    from one_logger import OneLogger"
    assert path.read_text() == "\n".join(lines)
    path.write_text(path.read_text().replace("  # mine", ""))
    assert commands("swap", "--back", path).code == 0
    assert path.read_text() == text
    assert os.listdir(tmp_path) == ["p.py"]


def test_equal_lines_of_two_origins_and_one_edited(tmp_path: Path, commands: Commands) -> None:
    """Which of them was swapped is not known any more: both stay."""
    path = plant(tmp_path, {"p.py": SWAPPED + GOOD}) / "p.py"
    commands("swap", "--write", path)
    path.write_text(SWAPPED + "x = 1\n")
    assert commands("swap", "--back", path).code == 1
    assert path.read_text() == SWAPPED + "x = 1\n"


@pytest.mark.parametrize("swaps", [1, 2])
def test_after_git_checkout(swaps: int, tmp_path: Path, commands: Commands) -> None:
    text = GOOD + "importlib.import_module('one_logger.core')\n"
    path = plant(tmp_path, {"p.py": text}) / "p.py"
    commands("swap", "--write", path)
    if swaps == 2:
        commands("swap", "--write", "--strings", path)
    path.write_text(text)
    result = commands("swap", "--back", path)
    assert (result.code, result.out) == (0, "nothing to do\n")
    assert (path.read_text(), os.listdir(tmp_path)) == (text, ["p.py"])


def test_after_git_checkout_and_an_edit(tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": GOOD + "x = 1\n"}) / "p.py"
    commands("swap", "--write", path)
    path.write_text(GOOD + "x = 2\n")
    assert commands("swap", "--back", path).code == 0
    assert (path.read_text(), os.listdir(tmp_path)) == (GOOD + "x = 2\n", ["p.py"])


def test_after_git_checkout_and_another_swap(tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": GOOD + "x = 1\n"}) / "p.py"
    for _ in range(2):
        commands("swap", "--write", path)
        swapped = path.read_text()
        path.write_text(GOOD + "x = 1\n")
    path.write_text(swapped.replace("x = 1", "x = 2"))
    assert commands("swap", "--back", path).code == 0
    assert (path.read_text(), os.listdir(tmp_path)) == (GOOD + "x = 2\n", ["p.py"])


def test_a_diff_shows_no_escapes(tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": "a = '\x1b[31m'\r\n\x0c\r\n# x\rleft: forged\n" + GOOD}) / "p.py"
    result = commands("swap", "--diff", path)
    assert "\x1b" not in result.out
    assert "x\ufffdleft: forged" in result.out
    assert " \x0c\r\n" in result.out
    assert "-" + GOOD + "+" + SWAPPED in result.out


@pytest.mark.slow
def test_a_large_diff_is_a_patch(tmp_path: Path, commands: Commands) -> None:
    lines = [f"x{number % 7} = {number % 13}\n" if number % 5 else GOOD for number in range(3_000)]
    tree = plant(tmp_path, {"p.py": "".join(lines) + "end = 1"})
    patch = commands("swap", "--diff", tree).out
    (tmp_path / "q.py").write_text("".join(lines) + "end = 1")
    command = ["patch", "-s", str(tmp_path / "q.py")]
    subprocess.run(command, input=patch, text=True, check=True)
    commands("swap", "--write", tree / "p.py")
    assert (tree / "p.py").read_bytes() == (tree / "q.py").read_bytes()
