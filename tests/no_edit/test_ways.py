"""One program, started in all ways: with a real v1 in the environment, and with the shim. It sees the same.

The real one is the second oracle, laid into an environment as an installer does. What may differ stands in
:data:`DIFFERENT`, and in docs/differences.md.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from compat_matrix.runner import interpreters
from one_logger_v1_shim._cli._interpreter_options import split
from tests.isolated.places import site, thin
from tests.support import ROOT, clean_environment

pytestmark = pytest.mark.ci

PYTHONS = ("3.9", "3.13", "3.14")

#: tells all that a program can see of how it was started
PROGRAM = """
import sys
loaded = set(sys.modules)
import json, os
import random  # the user's own, beside the program
spec = globals().get("__spec__")
told = {
    "argv": sys.argv, "name": __name__, "file": globals().get("__file__"), "spec": spec and [spec.name, spec.origin],
    "package": __package__, "globals": sorted(globals()), "main": sys.modules["__main__"].__dict__ is globals(),
    "path": sys.path, "flags": str(sys.flags), "warnoptions": sys.warnoptions, "xoptions": sys._xoptions,
    "through": sys.stdout.write_through, "stdin": sys.stdin.read() if "-" not in sys.argv else None,
    "loaded": sorted(loaded), "random": vars(random).get("MINE"), "environ": dict(os.environ),
    "sitecustomize": "sitecustomize" in loaded, "orig_argv": getattr(sys, "orig_argv", [])[1:],
}
import one_logger, one_logger_utils
told["names"] = [one_logger.__name__, one_logger.__spec__.name, one_logger_utils.__name__, repr(one_logger.OneLogger)]
with open(os.environ["OUT"], "w") as out:
    json.dump(told, out)
print("printed"); print("an error", file=sys.stderr)
sys.exit(7)
"""

WAYS: dict[str, list[str]] = {
    "script": ["train.py", "--flag", "x y", "-m", "-c"],
    "script, by its whole path": ["HERE/train.py"],
    "module": ["-m", "train", "-O"],
    "module of a package": ["-m", "package.train"],
    "package": ["-m", "package", "a"],
    "folder": ["package"],
    "zipapp": ["app.pyz", "a"],
    "code": ["-c", PROGRAM, "a", "-b"],
    "standard input": ["-", "a"],
    "optimised": ["-OO", "train.py"],
    "many options": ["-O", "-u", "-W", "error::UserWarning", "-X", "dev", "-X", "mine=1", "-B", "-q", "train.py"],
    "in one word": ["-OuWdefault", "-Xutf8", "-mtrain", "a"],
    "without the user's folder": ["-s", "train.py"],
    "isolated": ["-I", "train.py"],
    "without the environment": ["-E", "-m", "package"],
}

#: how the shim is asked for, before the options of a way
STARTS = {
    "run": lambda python, way: [python, *_split(way)[0], "-m", "one_logger_v1_shim", "run", *_split(way)[1]],
    "run, options after it": lambda python, way: [python, "-m", "one_logger_v1_shim", "run", *way],
    "variable": lambda python, way: [python, *way],
    "run --": lambda python, way: [python, "-m", "one_logger_v1_shim", "run", "--", python, *way],
}

#: told -> why it is not the same
DIFFERENT = {
    "loaded": "one_logger_v1_shim, one_logger_v1_shim._noedit",
    "environ": "ONE_LOGGER_V1_SHIM; where the .pth file is not read, the first entry of PYTHONPATH",
    "orig_argv": "options written in one word come one by one",
    "names": "the class is one_logger_v1_shim.core.OneLogger",
}


def _split(way: list[str]) -> tuple[list[str], list[str]]:
    options, rest = split(way)
    return [word for option in options for word in option], rest


@pytest.fixture(scope="module", params=PYTHONS)
def environments(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("environments")
    python = interpreters.find(request.param)
    if python is None:
        pytest.skip(f"NOT RUN: no Python {request.param} here")
    real, shim, bare = (thin(base / name, python=python) and base / name for name in ("real", "shim", "bare"))
    for name in ("one_logger", "one_logger_utils"):
        shutil.copytree(ROOT / "compat_matrix" / "oracle" / name, site(real) / name)
    for one in (real, bare):  # Python reads a .pth file by a codec of its own
        (site(one) / "other.pth").write_text("import sys\n")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "one_logger_v1_shim", site(shim) / "one_logger_v1_shim", ignore=ignored)
    shutil.copy(ROOT / "one_logger_v1_shim" / "_namespace" / "one_logger_v1_shim.pth", site(shim))
    return {name: base / name / "bin" / "python" for name in ("real", "shim", "bare")}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("program")
    (folder / "package").mkdir()
    for name in ("train.py", "package/__init__.py", "package/train.py", "package/__main__.py"):
        (folder / name).write_text("" if name.endswith("__init__.py") else PROGRAM)
    for name in ("random.py", "package/random.py"):
        (folder / name).write_text("MINE = True\n")
    shutil.make_archive(str(folder / "app"), "zip", folder / "package")
    (folder / "app.zip").rename(folder / "app.pyz")
    return folder


def started(command: list[str], folder: Path, out: Path, **more: str) -> dict[str, Any]:
    """What the program told, what it printed, how it ended."""
    environment = {**clean_environment(folder), "OUT": str(out), **more}
    if "PYTHONPATH" not in more:
        del environment["PYTHONPATH"]
    command = [word.replace("HERE", str(folder)) for word in command]
    typed = PROGRAM if "-" in command else "typed\n"
    done = subprocess.run(command, cwd=folder, env=environment, input=typed, capture_output=True, text=True, timeout=60)
    told = json.loads(out.read_text()) if out.exists() else {}
    return {**told, "printed": done.stdout, "errors": done.stderr, "code": done.returncode}


def _comparable(told: dict[str, Any], python: Path, startup: str = "") -> dict[str, Any]:
    """Without what differs because it must: the folder of the environment, what :data:`DIFFERENT` lists."""
    text = json.dumps(told).replace(str(python.parent.parent), "ENVIRONMENT")
    result: dict[str, Any] = json.loads(text)
    result["loaded"] = [name for name in result["loaded"] if not name.startswith("one_logger_v1_shim")]
    for name in ("ONE_LOGGER_V1_SHIM", "_", "OUT"):
        result["environ"].pop(name, None)
    if startup:
        path = result["environ"].get("PYTHONPATH", "").split(os.pathsep)
        assert path.pop(0) == startup
        result["environ"]["PYTHONPATH"] = os.pathsep.join(path)
    del result["orig_argv"]
    result["names"] = [name.replace("one_logger_v1_shim.core", "one_logger.core") for name in result["names"]]
    return result


@pytest.mark.parametrize("way", WAYS)
def test_the_program_sees_the_same(way: str, environments: dict[str, Path], program: Path, tmp_path: Path) -> None:
    real, shim = environments["real"], environments["shim"]
    want = started([str(real), *WAYS[way]], program, tmp_path / "real.json")
    assert (want["code"], want["printed"]) == (7, "printed\n"), want["errors"]
    for number, (start, command) in enumerate(STARTS.items()):
        more = {"ONE_LOGGER_V1_SHIM": "1"} if start == "variable" else {}
        got = started(command(str(shim), WAYS[way]), program, tmp_path / f"{number}.json", **more)
        assert got["code"] == 7, (start, got)
        assert got["names"][-1] == "<class 'one_logger_v1_shim.core.OneLogger'>"
        assert _comparable(got, shim) == _comparable(want, real), start


@pytest.mark.parametrize("place", ["target", "zip", "another environment's"])
def test_where_no_start_up_file_is_read(
    place: str, environments: dict[str, Path], program: Path, tmp_path: Path
) -> None:
    """`pip install --target`, a zip file on the path, an interpreter that has no package of ours."""
    real, shim, bare = (environments[name] for name in ("real", "shim", "bare"))
    installed = site(shim.parent.parent)
    folder = installed if place == "another environment's" else tmp_path / "target"
    if place != "another environment's":
        shutil.copytree(installed, folder)
    if place == "zip":
        folder = Path(shutil.make_archive(str(tmp_path / "packages"), "zip", folder))
    way = WAYS["many options"]
    if place == "another environment's":
        got = started(
            [str(shim), "-m", "one_logger_v1_shim", "run", "--", str(bare), *way], program, tmp_path / "got.json"
        )
        want = started([str(real), *way], program, tmp_path / "want.json")
        got["environ"].setdefault("PYTHONPATH", "")
        want["environ"]["PYTHONPATH"] = ""
    else:
        path = {"PYTHONPATH": str(folder)}
        got = started(STARTS["run"](str(bare), way), program, tmp_path / "got.json", **path)
        want = started([str(real), *way], program, tmp_path / "want.json", **path)
    if place == "zip":  # what Python reads it with, and loads whoever lies in it
        got["loaded"] = [name for name in got["loaded"] if name in want["loaded"]]
    assert got["code"] == 7, got
    startup = str(folder / "one_logger_v1_shim" / "_startup")
    assert _comparable(got, bare, startup.replace(str(bare.parent.parent), "ENVIRONMENT")) == _comparable(want, real)


def test_start_of_a_process(environments: dict[str, Path], tmp_path: Path) -> None:
    """Nothing of the standard library is loaded for the mode, and nothing at all while it is off."""
    code = "import sys; print(sorted(sys.modules))"

    def modules(python: Path, **more: str) -> set[str]:
        environment = {**clean_environment(tmp_path), **more}
        del environment["PYTHONPATH"]
        done = subprocess.run([str(python), "-c", code], env=environment, capture_output=True, text=True, check=True)
        return set(eval(done.stdout))

    bare = modules(environments["bare"])
    assert modules(environments["shim"]) == bare
    on = modules(environments["shim"], ONE_LOGGER_V1_SHIM="1")
    assert on - bare == {"one_logger_v1_shim", "one_logger_v1_shim._noedit"}
