"""``doctor --offline``: each dependency absent, too old, or broken in its own way: a line each, never a traceback."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from one_logger_v1_shim._cli import _checks_packages, _installed
from one_logger_v1_shim._journal.interpreter import Interpreter
from one_logger_v1_shim._requirements import REQUIREMENTS
from tests.isolated.places import distribution, script
from tests.support import ROOT, run_command

pytestmark = pytest.mark.slow

FILES = {
    "wandb": "wandb",
    "wrapt": "wrapt",
    "nv-one-logger-core": "nv_one_logger/api/one_logger_provider",
    "nv-one-logger-training-telemetry": "nv_one_logger/training_telemetry/api/training_telemetry_provider",
    "PyYAML": "yaml",
}
BROKEN = {
    "error": ("raise RuntimeError('broken\\nsecond line')", r"cannot be imported \(RuntimeError: broken\)"),
    "renamed": ("from os import no_such_name", r"cannot be imported \(ImportError: .*no_such_name.*"),
    "exit": ("raise SystemExit(3)", r"cannot be imported \(SystemExit: 3\)"),
    "killed": ("import os; print('bye', flush=True); os._exit(0)", r"ends the interpreter when it is imported"),
    "syntax": ("def", r"cannot be imported \(SyntaxError: .*"),
}


def doctor(home: Path, python: str, path: list[str], **env: str) -> tuple[int, dict[str, str]]:
    """The exit code, and the line about each thing."""
    (home / "tmp").mkdir(exist_ok=True)
    told = {"PYTHONPATH": os.pathsep.join([*path, str(ROOT)]), "TMPDIR": str(home / "tmp"), **env}
    done = run_command([python, "-m", "one_logger_v1_shim", "doctor", "--offline"], home, env=told, check=False)
    assert "Traceback" not in done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert all(re.fullmatch(r"(ok     |warning|error  )  [^:]+: .+", line) for line in lines), done.stdout
    assert "could not be looked at" not in done.stdout
    found = {line[9:].partition(":")[0]: line for line in lines}
    for name in FILES:
        assert sum(line[9:].startswith(f"{name}: ") for line in lines) == 1, done.stdout
    return done.returncode, found


def level(name: str) -> str:
    return "error  " if name == "wandb" else "warning"


@pytest.mark.parametrize("how", BROKEN)
def test_all_of_them_broken(how: str, bare: str, tmp_path: Path) -> None:
    code, pattern = BROKEN[how]
    for file in FILES.values():
        path = tmp_path / "fake" / f"{file}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code + "\n")
    returned, lines = doctor(tmp_path, bare, [str(tmp_path / "fake")])
    assert returned == 1
    for name in FILES:
        assert re.match(rf"{level(name)}  {re.escape(name)}: it {pattern}", lines[name]), lines[name]
        assert "-> " in lines[name]


def test_one_broken_does_not_hide_the_others(tmp_path: Path) -> None:
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "yaml.py").write_text("import os; os._exit(0)\n")
    returned, lines = doctor(tmp_path, sys.executable, [str(tmp_path / "fake")])
    assert returned == 0
    assert lines["PyYAML"].startswith("warning  PyYAML: ")
    assert lines["wrapt"].startswith("ok  ")


def test_all_of_them_absent(bare: str, tmp_path: Path) -> None:
    returned, lines = doctor(tmp_path, bare, [])
    assert returned == 1
    for name in FILES:
        expected = "ok     " if name == "wrapt" else level(name)
        assert lines[name].startswith(f"{expected}  {name}: not installed"), lines[name]
    assert "with the worker" in lines["v2 hears v1's calls"]


def test_a_folder_of_that_name_is_no_package(bare: str, tmp_path: Path) -> None:
    """W&B's run folder, in a folder of PYTHONPATH: a checkout in which a job has run."""
    folder = tmp_path / "checkout" / "wandb"
    folder.mkdir(parents=True)
    returned, lines = doctor(tmp_path, bare, [str(folder.parent)])
    assert returned == 1
    assert lines["wandb"].startswith(f"error    wandb: not installed ({folder} is something else)")


def test_all_of_them_too_old_or_too_new(bare: str, tmp_path: Path) -> None:
    for version in ("0.1", "9999", "none"):
        fake = tmp_path / version
        for name, file in FILES.items():
            path = fake / f"{file}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")
            distribution(fake, name, version)
        returned, lines = doctor(tmp_path, bare, [str(fake)])
        bad = [one for one in REQUIREMENTS if version != "9999" or one.below]
        assert returned == int(version != "9999")
        for one in REQUIREMENTS:
            if one in bad:
                assert lines[one.name].startswith(f"{level(one.name)}  {one.name}: {version}, expected {one.specifier}")
            else:
                assert lines[one.name] == f"ok       {one.name}: {version}"


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("/nowhere/python", "cannot be started (No such file or directory)"),
        ("/bin/true", "is no Python that works"),
        ("/bin/cat", "is no Python that works"),
        ("/", "cannot be started (Permission denied)"),
    ],
)
def test_no_interpreter_for_the_worker(named: str, said: str, tmp_path: Path) -> None:
    told = {"PYTHONPATH": str(ROOT), "ONE_LOGGER_V1_PYTHON": named}
    command = [sys.executable, "-m", "one_logger_v1_shim", "doctor", "--offline"]
    done = run_command(command, tmp_path, env=told, check=False)
    errors = [line for line in done.stdout.splitlines() if line.startswith("error")]
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert len(errors) == 1
    assert f"runs on {named} (ONE_LOGGER_V1_PYTHON), which {said}" in errors[0]


def test_an_interpreter_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_installed, "_START", 0.5)
    path = script(tmp_path / "python3", "#!/bin/sh\nexec sleep 600\n")
    found = _checks_packages.ask_worker(Interpreter(path, "test", isolated=True), list(REQUIREMENTS))
    assert found == {"": "does not answer within 0.5 s"}


def test_an_import_that_hangs(bare: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_installed, "_LIMIT", 2.0)
    monkeypatch.setattr(_installed, "_START", 1.0)
    (tmp_path / "wandb.py").write_text("import threading; threading.Event().wait()\n")
    environ = {"PYTHONPATH": str(tmp_path)}
    found = _installed.ask(bare, [], list(REQUIREMENTS[:1]), environ)
    assert found["wandb"] == "it cannot be imported within 2 s"
