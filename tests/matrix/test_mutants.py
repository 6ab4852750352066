"""The mutants: what is changed and what is left alone, which are drawn, and what is said of those that live."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from compat_matrix.mutants import command
from compat_matrix.mutants.operators import is_python, mutants
from compat_matrix.mutants.tests import Control, Copy

ROOT = Path(__file__).resolve().parents[2]
SOURCE = b'''"""A docstring."""
__all__ = ["left"]
LIMIT = 3
if TYPE_CHECKING:
    import left


@decorated(1)
def function(one: "Annotated", most: int = 5) -> "Left":
    """Another."""
    if one < most and not one.ends:
        raise ValueError("a sentence stays")
    told(one)
    return [x for x in one if x == "key"] or most - 1
'''


def changed() -> set[str]:
    """The changed lines."""
    before = SOURCE.decode().splitlines()
    return {
        line.strip()
        for one in mutants(SOURCE)
        for line, was in zip(one.apply(SOURCE).decode().splitlines(), before)
        if line != was
    }


def test_what_is_changed() -> None:
    assert changed() == {
        "LIMIT = 4",
        'def function(one: "Annotated", most: int = 6) -> "Left":',
        "if one <= most and not one.ends:",
        "if one < most or not one.ends:",
        "if one < most and one.ends:",
        "if (not (one < most and not one.ends)):",
        "pass",
        'return [x for x in one if x == "key"] and most - 1',
        'return [x for x in one if x != "key"] or most - 1',
        'return [x for x in one if (not (x == "key"))] or most - 1',
        "return [x for x in one if x == 'xkey'] or most - 1",
        'return [x for x in one if x == "key"] or most + 1',
        'return [x for x in one if x == "key"] or most - 2',
        "return None",
    }


def test_places() -> None:
    at_import = {SOURCE[one.start : one.end] for one in mutants(SOURCE) if one.at_import}
    assert at_import == {b"3", b"5"}
    assert all(one.lines.start <= one.lines.stop - 1 <= SOURCE.count(b"\n") for one in mutants(SOURCE))
    assert not is_python(b"return None")


@pytest.mark.parametrize("room", command.ROOMS)
def test_every_room_has_files_and_tests(room: str) -> None:
    name, files = command._chosen(room)
    assert name == room
    assert files
    assert command._chosen(files[-1]) == (room, [files[-1]])
    for test in (*command.ROOMS[room].fast, *command.ROOMS[room].whole):
        assert (command.ROOT / test).exists()


def test_a_sample_is_drawn_again() -> None:
    _, files = command._chosen("_goodput")
    one, again, other = (list(command._sample(files, 5, seed)) for seed in (1, 1, 2))
    assert one == again != other
    assert len(one) == 5
    for file, mutant in one:
        ast.parse(mutant.apply((command.ROOT / file).read_bytes()))


def test_what_lives_is_listed_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "LISTED", tmp_path / "survivors.toml")
    sample = list(command._sample(["one_logger_v1_shim/_goodput/values.py"], 10, 0))
    ends = [command.Tried(file, mutant, "lives" if at == 0 else "noticed") for at, (file, mutant) in enumerate(sample)]
    assert command._tell("_goodput", ends, 1.0) == 1
    assert "9 of 10 mutants noticed (90%" in capsys.readouterr().out
    before, after = command._change(ends[0])
    assert before != after
    entry = [f"file = '{ends[0].file}'", f"line = '''{before}'''", f"mutant = '''{after}'''", "why = 'the same'"]
    command.LISTED.write_text("\n".join(["[[survivor]]", *entry]))
    assert command._tell("_goodput", ends, 1.0) == 0
    assert command._tell("_goodput", ends[:5], 1.0) == 1
    assert "1 listed with a reason, 0 not" in capsys.readouterr().out


def test_what_is_no_room(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("coverage")
    assert command.main(["_nothing"]) == 2
    assert "neither a room nor a file of one; rooms: _job," in capsys.readouterr().err


@pytest.mark.slow
def test_a_test_that_fails_on_the_unchanged_code_does_not_count(tmp_path: Path) -> None:
    """In a process of its own: the runner forks, and this one has a thread that watches the time."""
    code = f"from tests.matrix.test_mutants import tried; tried({str(tmp_path)!r})"
    quick = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=quick, capture_output=True, text=True, check=True)
    ends, failed_at_first, failed = json.loads(done.stdout.splitlines()[-1])
    assert ends == ["lives", "lives, not reached", "noticed", "noticed by processes"]
    assert failed_at_first == ["test_broken.py::test_it"]
    assert failed == ["test_broken.py::test_it", "test_broken.py"]


def tried(folder: str) -> None:
    """Prints how a mutant of a small program ends with tests that see it, that do not, and that always fail."""
    copy = Copy(Path(folder))
    copy.root.mkdir()
    command.ROOT = copy.root
    (copy.root / "pytest.ini").write_text("[pytest]\nmarkers = fast")
    (copy.root / "doubled.py").write_text("def doubled(x):\n    return x * 2\n")
    fast = "import pytest, doubled\n\n@pytest.mark.fast\ndef test_it():\n    assert "
    lines = {"sees": "doubled.doubled(2) == 4", "does_not": "not doubled.doubled(0)", "broken": "doubled.doubled(0)"}
    for name, line in lines.items():
        (copy.root / f"test_{name}.py").write_text(fast + line)
    mutant = next(one for one in mutants((copy.root / "doubled.py").read_bytes()) if one.new == "/")
    sees, does_not, broken = (f"test_{name}.py::test_it" for name in lines)
    control = Control(copy, [sees, does_not, broken])
    failed_at_first = list(control.failed)
    ends = []
    for tests, whole in (
        ((does_not, broken), "test_broken.py"), ((broken,), "test_broken.py"), ((sees, broken), ""),
        ((does_not,), "test_sees.py"),
    ):  # fmt: skip
        room = command.Room("", (), (whole,))
        ends.append(command._try(control, room, "doubled.py", mutant, tests, whole=bool(whole)).end)
    print(json.dumps([ends, failed_at_first, control.failed]))
