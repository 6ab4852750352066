"""Files that cannot be looked at or written: one line each, the others go on, nothing is written by halves."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from one_logger_v1_shim._migrate import files, record, whole

from .test_notebooks import notebook
from .trees import Commands, plant

GOOD = "import one_logger as ol\n"
SWAPPED = "import one_logger_v1_shim as ol\n"

BAD = {
    "does not parse": (b"import one_logger\ndef (:\n", ":2: does not parse: "),
    "Python 2": (b"import one_logger\nprint 'x'\n", ":2: does not parse: "),
    "not UTF-8": (b"import one_logger\n\n\n\n# caf\xe9\n", ":5: not UTF-8: byte 0xe9"),
    "not UTF-8 in its first line": (b"# caf\xe9\nimport one_logger\n", ":1: not UTF-8: byte 0xe9"),
    "an unknown encoding": (b"# coding: klingon\nimport one_logger\n", ":1: unknown encoding: klingon"),
    "NUL bytes": (b"import one_logger\n\x00\n", "does not parse: "),
    "too deep": (b"import one_logger\nx = " + b"(" * 3000 + b")" * 3000 + b"\n", "does not parse: "),
    "rot13": (b"# coding: rot13\nvzcbeg bar_ybttre # one_logger\n", ""),
    "hex": (b"# coding: hex\none_logger\n", ""),
    "punycode": (b"# coding: punycode\none_logger\n" + b"a" * 100_000, ""),
    "idna": (b"# coding: idna\none_logger\n" + b"a" * 100_000, ""),
    "undefined": (b"# coding: undefined\none_logger\n", ""),
    "utf-7": (b"# coding: utf-7\none_logger = '+2AA-'\n", ""),
    "unicode_escape": (b"# coding: unicode_escape\none_logger = '\\ud800'\n", ""),
    "a chain of attributes": (b"one_logger" + b".a" * 100_000 + b"\n", ""),
    "a chain of calls": (b"one_logger" + b"()" * 20_000 + b"\n", ""),
    "many signs": (b"one_logger = " + b"-" * 50_000 + b"1\n", ""),
    "a long sum": (b"one_logger = " + b"+".join([b"1"] * 50_000) + b"\n", ""),
    "nots": (b"one_logger = " + b"not " * 1400 + b"1\n", ""),
    "lambdas": (b"one_logger = " + b"lambda: " * 1400 + b"1\n", ""),
    "half a surrogate pair": (
        json.dumps(notebook("import one_logger\nx = '\ud800'")).encode(),
        "cell 1 does not parse",
    ),
    "deep JSON": (b'{"cells": one_logger' + b"[" * 100_000, "no JSON: "),
    "deep JSON inside": (b'{"cells": 1, "one_logger": ' + b"[" * 100_000, "no JSON: "),
}


def _lines(text: str, path: Path) -> list[str]:
    return [line for line in text.splitlines() if str(path) in line]


@pytest.mark.parametrize(("data", "why"), BAD.values(), ids=list(BAD))
def test_one_line(data: bytes, why: str, tmp_path: Path, commands: Commands) -> None:
    bad, good = tmp_path / ("bad.ipynb" if data.startswith(b'{"cells"') else "bad.py"), tmp_path / "good.py"
    bad.write_bytes(data)
    good.write_text(GOOD)
    scanned = commands("scan", tmp_path)
    swapped = commands("swap", "--write", tmp_path)
    for result in (scanned, swapped):
        assert result.code == 1
        assert result.err == ""
        assert len(_lines(result.out, bad)) == 1
    assert why in swapped.out
    assert why.partition(": ")[2] in scanned.out
    assert bad.read_bytes() == data
    assert good.read_text() == SWAPPED


def test_which_python_read_it(tmp_path: Path, commands: Commands) -> None:
    """A program for a newer Python is no error of the program: one sees with what to scan it."""
    path = plant(tmp_path, {"p.py": "import one_logger\ndef (:\n"}) / "p.py"
    assert f"(Python {sys.version_info[0]}.{sys.version_info[1]})" in commands("scan", path).out


def test_what_does_not_mention_v1_is_not_looked_at(tmp_path: Path, commands: Commands) -> None:
    for number, (data, _) in enumerate(BAD.values()):
        (tmp_path / f"p{number}.py").write_bytes(data.replace(b"one_logger", b"os"))
    (tmp_path / "conf.yml").write_bytes(b"logger: caf\xe9\n")
    assert commands("scan", tmp_path).code == 2
    assert commands("swap", tmp_path) == (0, "", "nothing to do\n")


def test_generated_code(tmp_path: Path, commands: Commands) -> None:
    with open(tmp_path / "generated.py", "wb") as file:
        file.write(b"import one_logger\n")
        line = b"x = {'key': [1, 2, 3], 'other': (4.0, 'text')}\n"
        for _ in range(50):
            file.write(line * (1024 * 1024 // len(line)))
    with open(tmp_path / "unrelated.py", "wb") as file:
        file.truncate(50 * 1024 * 1024)
    with open(tmp_path / "border.py", "wb") as file:  # the name lies on the border of two blocks
        file.write(b"#" * (6 * 1024 * 1024 - 5) + b"one_logger\n")
    for command in (("scan",), ("swap", "--write")):
        result = commands(*command, tmp_path)
        assert result.code == 1
        assert "too large to be looked at" in _lines(result.out, tmp_path / "generated.py")[0]
        assert len(_lines(result.out, tmp_path / "border.py")) == 1
        assert not _lines(result.out, tmp_path / "unrelated.py")


def test_deep_expressions(tmp_path: Path, commands: Commands) -> None:
    """What the parser takes is read without recursion; libcst's own limit is one line."""
    text = GOOD + "x = " + " + ".join(["1"] * 3000) + "\n"
    path = plant(tmp_path, {"p.py": text}) / "p.py"
    assert len([one for one in commands.scan(path) if one["kind"] == "import"]) in (0, 1)
    deep = (
        plant(tmp_path, {"deep.py": "from one_logger import OneLogger\nOneLogger(" + "+ ".join(["1"] * 3000) + ")\n"})
        / "deep.py"
    )
    result = commands("scan", deep)
    assert (result.code, len(result.out.splitlines())) in [(1, 2), (0, 3)], result.out
    result = commands("swap", "--write", path)
    assert (result.code, path.read_text()) in [(0, SWAPPED + text[len(GOOD) :]), (1, text)]
    assert "Traceback" not in result.out + result.err


@pytest.mark.parametrize("tail", ["\n   \n\n", " # c\n  ", "\n\n # a\n# b", "   ", "", "\r\n \r\n\r\n", "# one_logger"])
def test_what_libcst_loses_at_the_end(tail: str, tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": GOOD + tail}) / "p.py"
    assert commands("swap", "--write", path).code == 0
    assert path.read_bytes() == (SWAPPED + tail).encode()


def test_symbolic_links(tmp_path: Path, commands: Commands) -> None:
    tree = plant(tmp_path / "tree", {"real.py": GOOD})
    os.symlink("loop.py", tree / "loop.py")
    os.symlink("real.py", tree / "link.py")
    os.symlink("nowhere.py", tree / "dangling.py")
    os.symlink(".", tree / "circle")
    result = commands("scan", tree)
    assert result.code == 1
    assert len(_lines(result.out, tree / "loop.py")) == 1
    assert "a symbolic link that leads to itself" in result.out
    assert result.out.count("import one_logger as ol") == 1, "real.py once"
    result = commands("swap", "--write", tree)
    assert (result.code, result.out.count("symbolic link")) == (1, 1)
    assert (tree / "link.py").is_symlink()
    assert (tree / "real.py").read_text() == SWAPPED
    result = commands("scan", tree / "loop.py")
    assert (result.code, "a symbolic link that leads to itself" in result.out) == (1, True)


def test_a_link_that_is_given_is_followed(tmp_path: Path, commands: Commands) -> None:
    plant(tmp_path, {"there/real.py": GOOD})
    os.symlink("there/real.py", tmp_path / "link.py")
    assert commands("swap", "--write", tmp_path / "link.py").code == 0
    assert (tmp_path / "link.py").is_symlink()
    assert (tmp_path / "there/real.py").read_text() == SWAPPED
    assert commands("swap", "--back", tmp_path / "link.py").code == 0
    assert (tmp_path / "there/real.py").read_text() == GOOD


def test_read_only(tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": GOOD}) / "p.py"
    path.chmod(0o444)
    result = commands("swap", "--write", path)
    assert (result.code, result.out) == (1, f"left: {path}: not written: read-only\n0 files swapped; 1 place left\n")
    assert path.read_text() == GOOD
    assert os.listdir(tmp_path) == ["p.py"]


def test_disk_full(tmp_path: Path, commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file stays as it was, and so does the record."""
    plant(tmp_path, {"a.py": GOOD, "b.py": GOOD})
    commands("swap", "--write", tmp_path / "a.py")
    kept = (tmp_path / record.NAME).read_bytes()
    real = os.fsync
    synced: list[int] = []

    def full(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) == 2:  # the record, then the file
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    result = commands("swap", "--write", tmp_path)
    assert (result.code, "not written: no space left on device" in result.out) == (1, True)
    assert (tmp_path / "b.py").read_text() == GOOD
    assert (tmp_path / record.NAME).read_bytes() == kept


def test_a_write_that_fails_leaves_no_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = plant(tmp_path, {"p.py": GOOD}) / "p.py"

    def fails(old: object, new: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OSError, match="Input/output error"):
        whole.write_whole(path, b"other")
    assert os.listdir(tmp_path) == ["p.py"]
    assert path.read_text() == GOOD


def test_somebody_else_writes_meanwhile(tmp_path: Path) -> None:
    from one_logger_v1_shim._migrate.changes import Writer
    from one_logger_v1_shim._migrate.swapping import swap

    path = plant(tmp_path, {"p.py": GOOD}) / "p.py"
    (change,) = swap([path], strings=False)
    path.write_text(GOOD + "x = 1\n")
    assert Writer().write(change) == "not written: somebody has changed it meanwhile"
    assert path.read_text() == GOOD + "x = 1\n"


def test_what_is_not_entered(tmp_path: Path, commands: Commands) -> None:
    names = [".git", "node_modules", "__pycache__", "lib/site-packages", ".tox"]
    plant(tmp_path, {f"{name}/p.py": GOOD for name in names})
    plant(tmp_path, {"env/pyvenv.cfg": "", "env/p.py": GOOD})
    assert commands("scan", tmp_path).code == 2
    assert commands("scan", tmp_path / "lib" / "site-packages").code == 0, "what is named is looked at"
    assert files.MOST_BYTES >= 1024 * 1024
