"""Records that somebody else has written: --back writes beside the record and nowhere else, says one line, goes on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from one_logger_v1_shim._migrate.record import NAME, digest

from .trees import Commands, plant

OUTSIDE = "export A=1\n"


def record(name: str, **line: Any) -> str:
    """A record that would give "evil" for the line of OUTSIDE."""
    one = {"number": 1, "before": "evil", "after": OUTSIDE.strip(), "nth": 0, "of": 1, **line}
    swap = {"before": digest(b"evil\n"), "after": digest(OUTSIDE.encode()), "lines": [one]}
    return json.dumps({"format": 1, "files": {name: [swap]}})


@pytest.mark.parametrize(
    "name", ["../rc", "{top}/rc", "sub/../../rc", "link", "folder/rc", ".", "", "..", NAME, "a\0b"]
)
def test_nothing_outside_is_written(name: str, tmp_path: Path, commands: Commands) -> None:
    outside = plant(tmp_path, {"rc": OUTSIDE, "tree/sub/x": ""}) / "rc"
    tree = tmp_path / "tree"
    os.symlink(outside, tree / "link")
    os.symlink(tmp_path, tree / "folder")
    (tree / NAME).write_text(record(name.replace("{top}", str(tmp_path))))
    result = commands("swap", "--back", tree)
    assert (result.code, outside.read_text()) == (1, OUTSIDE)
    assert len(result.out.splitlines()) == 2, result.out


def test_what_the_same_record_does_beside_it(tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"rc": OUTSIDE, NAME: record("rc")}) / "rc"
    assert commands("swap", "--back", tmp_path).code == 0
    assert path.read_text() == "evil\n"


ODD: dict[str, Callable[[Path], object]] = {
    "a FIFO": os.mkfifo,
    "a link": lambda path: os.symlink("/dev/zero", path),
    "1 TB": lambda path: os.close(_sparse(path)),
    "half of a record": lambda path: path.write_text("{"),
    "no object": lambda path: path.write_text("[]"),
    "another format": lambda path: path.write_text('{"format": 2, "files": {}}'),
    "a swap without lines": lambda path: path.write_text('{"format": 1, "files": {"rc": [{}]}}'),
    "deep": lambda path: path.write_text("[" * 100_000),
    "no UTF-8": lambda path: path.write_bytes(b"\xff\xfe\xff"),
    "a large number": lambda path: path.write_text('{"format": ' + "9" * 5000 + "}"),
    "a list": lambda path: path.write_text('{"format": 1, "files": []}'),
    "a line beyond the end": lambda path: path.write_text(record("rc", number=10**9)),
    "a line 0": lambda path: path.write_text(record("rc", number=0)),
    "a line that is no number": lambda path: path.write_text(record("rc", number="1")),
    "nth beyond of": lambda path: path.write_text(record("rc", nth=7)),
    "a negative nth": lambda path: path.write_text(record("rc", nth=-1)),
    "before is None": lambda path: path.write_text(record("rc", before=None)),
    "after is a list": lambda path: path.write_text(record("rc", after=[])),
    "two lines in one": lambda path: path.write_text(record("rc", before="a\nb")),
    "a lone surrogate": lambda path: path.write_text(record("rc", before="\ud800")),
    "a name with one": lambda path: path.write_text(record("\ud800")),
    "a name too long": lambda path: path.write_text(record("x" * 5000)),
}


def _sparse(path: Path) -> int:
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
    os.truncate(descriptor, 1 << 40)
    return descriptor


@pytest.mark.parametrize("make", ODD.values(), ids=list(ODD))
def test_one_line_and_on(make: Callable[[Path], object], tmp_path: Path, commands: Commands) -> None:
    plant(tmp_path, {"bad/rc": "other\n", "good/p.py": "import one_logger as ol\n"})
    make(tmp_path / "bad" / NAME)
    commands("swap", "--write", tmp_path / "good")
    result = commands("swap", "--back", tmp_path)
    assert (result.code, result.err) == (1, "")
    assert sum(str(tmp_path / "bad") in line for line in result.out.splitlines()) == 1, result.out
    assert (tmp_path / "good/p.py").read_text() == "import one_logger as ol\n"
    assert (tmp_path / "bad/rc").read_text() == "other\n"


def test_a_swap_does_not_write_over_it(tmp_path: Path, commands: Commands) -> None:
    plant(tmp_path, {"p.py": "import one_logger as ol\n", NAME: "{"})
    assert commands("swap", "--write", tmp_path).out.count(NAME) == 1
    assert ((tmp_path / "p.py").read_text(), (tmp_path / NAME).read_text()) == ("import one_logger as ol\n", "{")


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["format", "files", "rc", "before", "after", "lines", "number", "nth", "of"]), inner
        )
    ),
    max_leaves=12,
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=_values, where=st.sampled_from(["", "files", "rc", "lines", "line", "number", "before", "after", "nth"]))
def test_any_record(value: Any, where: str, tmp_path: Path, commands: Commands) -> None:
    data = json.loads(record("rc"))
    swap = data["files"]["rc"][0]
    if where == "":
        data = value
    elif where in ("number", "before", "after", "nth"):
        swap["lines"][0][where] = value
    else:
        holder, key = {"files": (data, "files"), "rc": (data["files"], "rc"), "lines": (swap, "lines")}.get(
            where, (swap["lines"], 0)
        )
        holder[key] = value
    path = plant(tmp_path, {"rc": "x\n" + OUTSIDE, NAME: json.dumps(data)}) / "rc"
    assert commands("swap", "--back", tmp_path).code in (0, 1)
    assert path.read_text().count("\n") == 2


def test_names_and_lines_are_printed_without_escapes(tmp_path: Path, commands: Commands) -> None:
    name = "a\x1b[31m\nleft: forged"
    plant(tmp_path, {NAME: record(name, after="x\r\x1b[2J"), name: "y\n"})
    result = commands("swap", "--back", tmp_path)
    assert result.code == 1
    assert "\x1b" not in result.out
    assert "\r" not in result.out
    assert not [line for line in result.out.splitlines() if line.startswith("left: forged")]
