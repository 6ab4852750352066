"""``isolate``: the environment is whole or it is none, and nothing of somebody else's is touched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from one_logger_v1_shim._cli._environment import BEGUN
from one_logger_v1_shim._journal.interpreter import MARKER, default_place, find
from one_logger_v1_shim._requirements import REQUIREMENTS
from one_logger_v1_shim._version import VERSION
from tests.delivery.jobs import until
from tests.isolated.places import Job, script, uv
from tests.support import clean_environment, run_command

COMMAND = [sys.executable, "-m", "one_logger_v1_shim", "isolate"]


def isolate(place: Path, home: Path, **env: str) -> tuple[int, str, str]:
    done = run_command([*COMMAND, str(place)], home, env=env, check=False)
    return done.returncode, done.stdout, done.stderr


def content(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*") if "__pycache__" not in str(path)}


def nothing_to_be_had(home: Path) -> dict[str, str]:
    """Neither an index nor a cache."""
    (home / "empty").mkdir(exist_ok=True)
    empty = str(home / "empty")
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": empty, "PIP_NO_CACHE_DIR": "1", "PIP_CONFIG_FILE": os.devnull,
            "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple", "UV_HTTP_RETRIES": "0", "UV_NO_CACHE": "1"}  # fmt: skip


def test_what_is_in_it(isolated: Path, python: str) -> None:
    mark = json.loads((isolated / MARKER).read_text())
    needed = {one.name for one in REQUIREMENTS if one.worker}
    assert mark["version"] == VERSION
    assert mark["python"] == ".".join(map(str, sys.version_info[:3]))
    assert set(mark["installed"]) == {"python", *needed}
    assert not (isolated / BEGUN).exists()
    ask = "import importlib.metadata as m; print(*sorted(d.metadata['Name'].lower() for d in m.distributions()))"
    names = subprocess.run([python, "-I", "-c", ask], capture_output=True, text=True, check=True).stdout.split()
    assert {name.lower() for name in needed} <= set(names)
    assert "one-logger-v1-shim" not in names, "the worker runs the job's version of our code"


def test_a_whole_one_is_left_alone(isolated: Path, tmp_path: Path) -> None:
    before = content(isolated)
    code, out, err = isolate(isolated, tmp_path, PATH="/nowhere", **nothing_to_be_had(tmp_path))
    assert (code, err) == (0, "")
    first, last = out.splitlines()
    assert first.startswith(f"{isolated} is there and whole: python ")
    assert last == f"export ONE_LOGGER_V1_PYTHON={isolated}/bin/python"
    assert content(isolated) == before


def test_the_default_place_needs_no_variable(isolated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data of mine"))
    place = default_place(os.environ)
    assert place is not None
    place.parent.mkdir(parents=True)
    place.symlink_to(isolated)
    done = run_command(COMMAND, tmp_path)
    last = done.stdout.splitlines()[-1]
    assert last.startswith("jobs of this user find it without a variable")
    assert last.endswith(f"export ONE_LOGGER_V1_PYTHON='{place}/bin/python'")
    found = find(os.environ)
    assert found is not None
    assert (found.path, found.isolated) == (f"{place}/bin/python", True)


def test_something_else_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    file = tmp_path / "file"
    file.write_text("mine, too")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    for place in (folder, file, tmp_path / "venv"):
        before = content(tmp_path)
        code, out, err = isolate(place, tmp_path)
        assert (code, out) == (2, "")
        assert err.splitlines() == [f"one_logger_v1_shim isolate: {place} is there and is no environment that "
                                    "`isolate` has made; it is left as it is"]  # fmt: skip
        assert content(tmp_path) == before


@pytest.mark.parametrize(("installer", "there"), [("uv", False), ("pip", True)])
def test_no_network(installer: str, there: bool, tmp_path: Path) -> None:
    program = uv()
    if installer == "uv" and program is None:
        pytest.skip("uv is not installed")
    place = tmp_path / "a" / "b"
    if there:
        place.mkdir(parents=True)
    path = program or "" if installer == "uv" else "/nowhere"
    code, out, err = isolate(place, tmp_path, PATH=path, **nothing_to_be_had(tmp_path))
    assert code == 1
    assert f"making {place} with {'uv' if installer == 'uv' else 'venv and pip'}" in out
    (line,) = err.splitlines()
    assert line.startswith("one_logger_v1_shim isolate: a package cannot be had: ")
    assert any(one.name in line for one in REQUIREMENTS if one.worker), line
    assert line.endswith(f"what was made in {place} is removed again")
    # what was there before stays, and no more
    assert list(place.iterdir()) == [] if there else not (tmp_path / "a").exists()


def test_killed_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts as none, and the next call begins again."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    place = default_place(os.environ)
    assert place is not None
    tools = tmp_path / "tools"
    tools.mkdir()
    script(tools / "uv", f"#!/bin/sh\n: > {tmp_path}/installing\nexec /bin/sleep 600\n")
    with (tmp_path / "out").open("w") as out:
        process = subprocess.Popen(
            [*COMMAND, str(place)],
            env=clean_environment(tmp_path, {"PATH": str(tools)}),
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        until((tmp_path / "installing").exists, "the installation has begun")
        code, _, err = isolate(place, tmp_path, PATH=str(tools))
        assert (code, err.splitlines()) == (2, [f"one_logger_v1_shim isolate: another `isolate` is at work in {place}"])
        assert (place / "bin" / "python").exists()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert (place / BEGUN).is_file()
    assert not (place / MARKER).exists()
    found = find(os.environ)
    assert found is None or not found.isolated
    (place / "left over").touch()

    script(tools / "uv", f"#!/bin/sh\n/bin/ls {place} > {tmp_path}/anew\necho no >&2\nexit 1\n")
    assert isolate(place, tmp_path, PATH=str(tools))[0] == 1
    assert "pyvenv.cfg" in (tmp_path / "anew").read_text().split()
    assert "left over" not in (tmp_path / "anew").read_text()
    assert not (place / "bin").exists()


def test_one_that_was_moved_is_not_called_whole(isolated: Path, tmp_path: Path) -> None:
    (tmp_path / "moved").mkdir()
    (tmp_path / "moved" / MARKER).write_bytes((isolated / MARKER).read_bytes())
    before = content(tmp_path / "moved")
    code, out, err = isolate(tmp_path / "moved", tmp_path)
    assert (code, out) == (1, "")
    assert "does not work any more" in err
    assert content(tmp_path / "moved") == before


def test_doctor_in_the_jobs_environment(isolated: Path, python: str, job: Job, tmp_path: Path) -> None:
    """What the job's environment lacks is no error where the worker has it."""
    program = script(tmp_path / "doctor.py", "import sys\nfrom one_logger_v1_shim.__main__ import main\n"
                     "sys.exit(main(['doctor', '--offline']))\n")  # fmt: skip
    done = job.run(Path(program), env={"ONE_LOGGER_V1_PYTHON": python})
    lines = done.stdout.splitlines()
    assert done.stderr == ""
    assert not [line for line in lines if line.startswith("error")]
    version = json.loads((isolated / MARKER).read_text())["installed"]
    for name in ("wandb", "nv-one-logger-core", "nv-one-logger-training-telemetry", "PyYAML"):
        assert f"ok       {name}: {version[name]} in {python}" in lines
    origin = f"runs on {python} (ONE_LOGGER_V1_PYTHON), Python {version['python']}"
    assert f"ok       worker: {origin}" in lines
    assert any(line.startswith("ok       v2 hears v1's calls: with the worker; ") for line in lines)
    assert any("ONE_LOGGER_V1_SHIM is off" in line for line in lines)
