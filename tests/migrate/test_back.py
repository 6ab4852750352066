"""The way back: to the byte, as often as one likes, and around what was edited since."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from one_logger_v1_shim._migrate.record import NAME

from .trees import Commands, plant

TEXT = "import os\nfrom one_logger import OneLogger\n\nimport one_logger.core\nx = one_logger.core.OneLogger()\n"


def test_twice_is_once(tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": TEXT}) / "p.py"
    commands("swap", "--write", path)
    swapped = path.read_bytes()
    commands("swap", "--write", path)
    assert path.read_bytes() == swapped
    assert commands("swap", "--back", path) == (0, f"given back: {path} (3 places)\n", "")
    assert path.read_bytes() == TEXT.encode()
    assert not (tmp_path / NAME).exists()
    assert commands("swap", "--back", path) == (0, "nothing to do\n", "")
    assert path.read_bytes() == TEXT.encode()


def test_diff_writes_nothing(tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": TEXT}) / "p.py"
    plain, named = commands("swap", path), commands("swap", "--diff", path)
    assert plain == named
    assert plain.code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["p.py"]
    assert "-from one_logger import OneLogger\n+from one_logger_v1_shim import OneLogger\n" in plain.out
    commands("swap", "--write", path)
    swapped = path.read_bytes()
    result = commands("swap", "--back", "--diff", path)
    assert "-from one_logger_v1_shim import OneLogger\n+from one_logger import OneLogger\n" in result.out
    assert path.read_bytes() == swapped
    assert (tmp_path / NAME).exists()


def test_two_swaps_one_way_back(tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": TEXT}) / "p.py"
    commands("swap", "--write", path)
    path.write_text(path.read_text() + "import one_logger_utils as u\nf('one_logger.core')\n")
    commands("swap", "--write", path)
    commands("swap", "--write", "--strings", path)
    assert "import one_logger_v1_shim.utils as u\nf('one_logger_v1_shim.core')" in path.read_text()
    assert commands("swap", "--back", tmp_path).code == 0
    assert path.read_text() == TEXT + "import one_logger_utils as u\nf('one_logger.core')\n"
    assert not (tmp_path / NAME).exists()


def test_edited_elsewhere_since(tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": TEXT}) / "p.py"
    commands("swap", "--write", path)
    swapped = path.read_text()
    path.write_text("# a new line\n" + swapped.replace("import os", "import sys") + "y = 2\n")
    assert commands("swap", "--back", path).code == 0
    assert path.read_text() == "# a new line\n" + TEXT.replace("import os", "import sys") + "y = 2\n"
    assert not (tmp_path / NAME).exists()


def test_a_swapped_line_was_edited_since(tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": TEXT}) / "p.py"
    commands("swap", "--write", path)
    edited = path.read_text().replace("import OneLogger\n", "import OneLogger, rankpulse\n")
    path.write_text(edited)
    result = commands("swap", "--back", path)
    assert result.code == 1
    assert "edited since, line 2 of then: from one_logger_v1_shim import OneLogger" in result.out
    lines = path.read_text().splitlines()
    assert lines[1] == "from one_logger_v1_shim import OneLogger, rankpulse", "what the user wrote stays"
    assert lines[3] == "import one_logger.core", "the others go back"
    # once more: the same line is listed, and goes back when it is again as it was
    assert commands("swap", "--back", path).code == 1
    path.write_text(path.read_text().replace(", rankpulse", ""))
    assert commands("swap", "--back", path).code == 0
    assert path.read_bytes() == TEXT.encode()


def test_equal_lines_of_two_origins(tmp_path: Path, commands: Commands) -> None:
    """A line that the user had swapped by hand before is not given back, also after an edit."""
    text = "from one_logger_v1_shim import OneLogger\nfrom one_logger import OneLogger\n"
    path = plant(tmp_path, {"p.py": text}) / "p.py"
    commands("swap", "--write", path)
    path.write_text("x = 1\n" + path.read_text())
    assert commands("swap", "--back", path).code == 0
    assert path.read_text() == "x = 1\n" + text


@pytest.mark.parametrize("line_end", ["\r\n", "\r", "\n"])
@pytest.mark.parametrize("head", [b"", b"\xef\xbb\xbf", b"# coding: latin-1\n# \xe9\n"])
def test_bytes_stay(line_end: str, head: bytes, tmp_path: Path, commands: Commands) -> None:
    before = head + f"import one_logger as ol{line_end}x = 1  \x0c".encode()
    path = tmp_path / "p.py"
    path.write_bytes(before)
    assert commands("swap", "--write", path).code == 0
    assert path.read_bytes() == before.replace(b"import one_logger as", b"import one_logger_v1_shim as")
    commands("swap", "--back", path)
    assert path.read_bytes() == before


def test_mode_stays(tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": TEXT}) / "p.py"
    path.chmod(0o751)
    commands("swap", "--write", path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o751
    commands("swap", "--back", path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o751
    assert os.listdir(tmp_path) == ["p.py"]


def test_a_folder_below(tmp_path: Path, commands: Commands) -> None:
    plant(tmp_path, {"a/p.py": TEXT, "a/q.pyi": TEXT, "b/p.py": TEXT})
    commands("swap", "--write", tmp_path)
    assert commands("swap", "--back", tmp_path / "a").code == 0
    assert (tmp_path / "a/p.py").read_text() == (tmp_path / "a/q.pyi").read_text() == TEXT
    assert (tmp_path / "b/p.py").read_text() != TEXT
    assert commands("swap", "--back", tmp_path).code == 0
    assert (tmp_path / "b/p.py").read_text() == TEXT


def test_file_gone(tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": TEXT}) / "p.py"
    commands("swap", "--write", path)
    path.unlink()
    result = commands("swap", "--back", tmp_path)
    assert (result.code, "cannot be given back: no such file" in result.out) == (1, True)
