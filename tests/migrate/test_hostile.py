"""Trees that somebody else has made: one line for what cannot be read, and no file that takes for ever."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable

import pytest

from tests.support import ROOT

from .test_notebooks import notebook
from .trees import Commands, plant

GOOD = "import one_logger as ol\n"

FINE: dict[str, str] = {
    "a large number": "OneLoggerUtils({'world_size': 0x" + "f" * 9000 + "}).on_app_start(0x" + "f" * 9000 + ")",
    "a large power": "OneLoggerUtils({'world_size': 9**9**9})",
    "an endless number": "OneLoggerUtils({'world_size': 1e999, 'app_start_time': -1e999})",
    "escapes": "OneLoggerUtils('\x1b[31m\\x1b]0;x\\x07', '''a\nok       forged.py:1''')",
    "a key with escapes": "OneLoggerUtils({'enable_for_current_rank': True, 'x\\x1b[2J\\nok  forged': 1})",
}  # fmt: skip


@pytest.mark.parametrize("text", FINE.values(), ids=list(FINE))
def test_it_is_read_and_printed_on_one_line(text: str, tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": "from one_logger_utils import OneLoggerUtils\n" + text + "\n"}) / "p.py"
    result = commands("scan", path)
    assert "\x1b" not in result.out
    assert all(str(path) in line for line in result.out.splitlines()[:-1])
    assert "not looked at" not in result.out
    assert "Exceeds the limit" not in result.out


SLOW: dict[str, tuple[str, str]] = {
    "blanks in a notebook": ("n.ipynb", json.dumps(notebook("one_logger\n!x\n" + " " * 400_000 + "x" + "\n" * 9))),
    "blanks and a sign": ("n.ipynb", json.dumps(notebook("!one_logger\n" + "a, " * 60_000 + "\n"))),
    "many cells": ("n.ipynb", json.dumps(notebook(*["import one_logger as o\n"] * 500))),
    "one cell of many lines": (
        "n.ipynb", json.dumps(notebook({"cell_type": "code", "source": "import one_logger as é\n" * 500})),
    ),
    "an endless line": ("requirements.txt", "one-logger" + "@one-logger" * 200_000),
    "pip after pip": ("run.sh", "pip " * 400_000 + "one-logger\n"),
    "words": ("run.sh", "pip install " + "git+x" * 300_000 + " one-logger\n"),
    "scalars": ("a.yaml", "a: " + ":one_logger" * 200_000),
    "blanks in YAML": ("a.yaml", ("a: " + " " * 5000 + "one_logger.core" + " " * 5000 + "x\n") * 200),
    "type comments": ("p.py", GOOD + "# type: " * 100_000 + "\nimport one_logger.core\n"),
    "many arguments": ("p.py", GOOD + "f(" + "'one_logger', " * 1_000 + ")\n"),
    "many keys": ("p.py", GOOD + "x = {" + "'one_logger': 1, " * 1_000 + "}\n"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("name", "text"), SLOW.values(), ids=list(SLOW))
def test_bounded(name: str, text: str, tmp_path: Path, commands: Commands) -> None:
    plant(tmp_path, {name: text})
    began = time.process_time()
    commands("scan", tmp_path)
    commands("swap", "--write", tmp_path)
    commands("swap", "--diff", "--back", tmp_path)
    assert time.process_time() - began < 30


def _touched(path: Path) -> Path:
    path.touch()
    return path


SPECIAL: dict[str, Callable[[Path], object]] = {
    "a FIFO": lambda path: os.mkfifo(path.with_suffix(".py")),
    "1 TB": lambda path: os.truncate(_touched(path.with_suffix(".py")), 1 << 40),
    "a link to a device": lambda path: os.symlink("/dev/zero", path.with_suffix(".ipynb")),
}


@pytest.mark.parametrize("make", SPECIAL.values(), ids=list(SPECIAL))
def test_special_files(make: Callable[[Path], object], tmp_path: Path, commands: Commands) -> None:
    plant(tmp_path, {"good.py": GOOD})
    make(tmp_path / "special")
    assert len(commands.scan(tmp_path)) == 1
    for path in tmp_path.glob("special*"):
        assert commands("scan", path).code in (1, 2)
    assert commands("swap", "--write", tmp_path).code == 0


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs another user to close a folder to")
def test_a_closed_folder(tmp_path: Path) -> None:
    tree = plant(tmp_path / "tree", {"closed/p.py": GOOD, "open/p.py": GOOD, "one.py": GOOD, "shut.py": GOOD})
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_uid == 0 and path != Path("/") and not path.stat().st_mode & 0o005:
            path.chmod(path.stat().st_mode | 0o005)
    (tree / "closed").chmod(0)
    (tree / "shut.py").chmod(0)
    code = (
        "import os, shutil, sys\nfrom one_logger_v1_shim.__main__ import main\n"
        "import libcst, libcst.metadata, one_logger_v1_shim._migrate.swapping, one_logger_v1_shim._migrate.scanning\n"
        "import one_logger_v1_shim._cli.scan, one_logger_v1_shim._cli.swap\n"
        "os.setgid(65534); os.setuid(65534)\n"
        f"sys.exit(10 * main(['scan', {str(tree)!r}]) + main(['swap', {str(tree)!r}]))\n"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 11, result.stderr
    assert "Traceback" not in result.stderr
    for name in ("closed", "shut.py"):
        assert sum(str(tree / name) in line for line in result.stdout.splitlines()) == 1
        assert sum(str(tree / name) in line for line in result.stderr.splitlines()) == 1
    assert result.stdout.count("+import one_logger_v1_shim as ol") == 2
