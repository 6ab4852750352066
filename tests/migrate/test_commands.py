"""The commands as a user and CI see them: options, exit codes, output, and what they need to have installed."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

from one_logger_v1_shim._migrate.names import MODULES, PARAMETERS, ROOTS
from tests.support import ROOT, run_command, run_python

from .trees import Commands, plant

PROGRAM = "from one_logger import OneLogger\nOneLogger({'project': 'p'}).log_metrics({'a': 1})\n"


def test_exit_codes_of_scan(tmp_path: Path, commands: Commands) -> None:
    plant(tmp_path, {"good/p.py": PROGRAM, "bad/p.py": "from one_logger import Nothing\n", "none/p.py": "import os\n"})
    assert commands("scan", tmp_path / "good").code == 0
    assert commands("scan", tmp_path / "good", tmp_path / "bad").code == 1
    assert commands("scan", tmp_path / "none") == (2, "no use of OneLogger v1 found\n", "")
    assert commands("scan").code == 2
    assert commands("scan", "--colour", tmp_path).code == 2
    result = commands("scan", tmp_path / "missing")
    assert result == (2, "", f"one_logger_v1_shim scan: no such file or folder: {tmp_path / 'missing'}\n")
    plant(tmp_path, {"x.bin": "import one_logger"})
    assert commands("scan", tmp_path / "x.bin").code == 1, "a file that is named and cannot be looked at"


def test_exit_codes_of_swap(tmp_path: Path, commands: Commands) -> None:
    plant(tmp_path, {"good/p.py": PROGRAM, "bad/p.py": "from one_logger import Nothing\n", "none/p.py": "import os\n"})
    assert commands("swap", tmp_path / "good").code == 0
    assert commands("swap", tmp_path / "good", tmp_path / "bad").code == 1
    assert commands("swap", tmp_path / "none") == (0, "", "nothing to do\n")
    assert commands("swap").code == 2
    assert commands("swap", "--diff", "--write", tmp_path).code == 2
    result = commands("swap", tmp_path / "missing")
    assert result == (2, "", f"one_logger_v1_shim swap: no such file or folder: {tmp_path / 'missing'}\n")


def test_table(tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": PROGRAM}) / "p.py"
    assert commands("scan", path).out.splitlines() == [
        f"ok       {path}:1  import        from one_logger import OneLogger",
        f"ok       {path}:2  call          OneLogger({{'project': 'p'}}).log_metrics({{'a': 1}})",
        f"ok       {path}:2  construction  OneLogger({{'project': 'p'}})",
        "3 uses in 1 file: 3 ok",
    ]


def test_json(tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": "from one_logger import Nothing\n"}) / "p.py"
    assert json.loads(commands("scan", "--json", path).out) == {
        "format": 1,
        "paths": [str(path)],
        "exit_code": 1,
        "counts": {"ok": 0, "warning": 0, "error": 1},
        "findings": [
            {
                "file": str(path),
                "line": 1,
                "cell": None,
                "kind": "import",
                "level": "error",
                "what": "from one_logger import Nothing",
                "why": "ImportError: one_logger had no Nothing",
            }
        ],
    }


def test_the_diff_is_a_patch(tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": "import one_logger as ol"}) / "p.py"
    name = str(path).lstrip("/")
    assert commands("swap", path).out == (
        f"--- a/{name}\n+++ b/{name}\n@@ -1 +1 @@\n-import one_logger as ol\n\\ No newline at end of file\n"
        "+import one_logger_v1_shim as ol\n\\ No newline at end of file\n"
    )


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p\x1b[31m.py": "from one_logger import Nothing\n"}) / "p\x1b[31m.py"
    assert "\x1b" not in commands("scan", path).out
    assert "\x1b" not in commands("swap", "--write", path).out
    path.write_text("import one_logger as ol\n")
    assert "\x1b" not in commands("swap", path).out


NO_LIBCST = """
import sys
sys.modules["libcst"] = None
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "libcst":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Hide())
del sys.modules["libcst"]
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "libcst" else real(name, package)
from one_logger_v1_shim.__main__ import main
"""


@pytest.mark.slow
def test_without_libcst(tmp_path: Path) -> None:
    path = plant(tmp_path, {"p.py": PROGRAM}) / "p.py"
    for command, options in (("swap", "'--write', "), ("scan", "")):
        code = NO_LIBCST + f"sys.exit(main([{command!r}, {options}'p.py']))"
        result = run_python(code, tmp_path, check=False)
        assert result.returncode == 2
        assert result.stderr.splitlines() == [
            f"one_logger_v1_shim {command}: needs libcst, which is not installed: "
            "python -m pip install 'one-logger-v1-shim[migrate]'"
        ]
    assert path.read_text() == PROGRAM
    run_command([sys.executable, "-m", "one_logger_v1_shim", "swap", "--write", "p.py"], tmp_path)
    run_python(NO_LIBCST + "sys.exit(main(['swap', '--back', 'p.py']))", tmp_path)
    assert path.read_text() == PROGRAM


@pytest.mark.slow
def test_scan_needs_libcst_alone(tmp_path: Path) -> None:
    """Nothing but ours, the standard library and libcst with what it needs is imported."""
    plant(tmp_path, {"p.py": PROGRAM, "requirements.txt": "one-logger", "a.yaml": "x: one_logger.core.OneLogger"})
    code = (
        "import sys; before = set(sys.modules)\n"
        "from one_logger_v1_shim.__main__ import main; assert main(['scan', '.']) == 1\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "assert not new & {'wandb', 'nv_one_logger', 'pydantic', 'pydantic_core', 'wrapt', 'torch'}, new\n"
    )
    run_python(code, tmp_path)


@pytest.mark.parametrize("module", MODULES)
def test_the_table_of_names_is_what_the_shim_has(module: str) -> None:
    extra = {"huggingface": "transformers", "pytorch_lightning": "lightning", "ptl": "lightning"}
    needs = extra.get(module.rpartition(".")[2])
    if needs is not None:
        pytest.importorskip(needs)
    root, _, rest = module.partition(".")
    shim = importlib.import_module(".".join(filter(None, [ROOTS[root], rest])))
    for name, thing in MODULES[module].items():
        found = getattr(shim, name)
        assert not thing or callable(found), name
        assert not thing or list(_parameters(found)) == [one.rstrip("?") for one in PARAMETERS[thing]], name
        assert not thing or [one.endswith("?") for one in PARAMETERS[thing]] == list(_parameters(found).values()), name
    if module != "one_logger":  # whose module has the names of the v2 adapter, too
        assert set(shim.__all__) == set(MODULES[module])


def _parameters(function: object) -> dict[str, bool]:
    """Parameters, and whether they may be left out."""
    import inspect

    target = function
    if inspect.isclass(function):
        target = (
            function.__new__ if "__new__" in vars(function) and "__init__" not in vars(function) else function.__init__
        )
    found = [one for one in inspect.signature(target).parameters.values() if one.name not in ("self", "cls_")]  # type: ignore[arg-type]
    if inspect.isclass(function) and found and found[0].name == "cls":
        found = found[1:]
    return {one.name: one.default is not one.empty for one in found}


@pytest.mark.slow
def test_the_packages_own_sources_are_left_alone(commands: Commands) -> None:
    result = commands("swap", ROOT / "one_logger_v1_shim")
    assert result.out == ""
