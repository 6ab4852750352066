"""What a real package called ``one_logger`` would do, and the no-edit mode does."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from tests.support import ROOT, run_command, run_python

pytestmark = pytest.mark.slow

INSTALL = "from one_logger_v1_shim._noedit import install; install()\n"
#: all names of a module are one object, one class
SAME = """
import one_logger, one_logger_utils, one_logger.core
from one_logger_utils import nemo, OneLoggerUtils
import one_logger_v1_shim as shim, one_logger_v1_shim.utils.nemo
assert one_logger.core is shim.core and one_logger.rankpulse is shim.rankpulse
assert one_logger.OneLogger is one_logger.core.OneLogger is shim.core.OneLogger is shim.OneLogger
assert one_logger_utils.core is shim.utils.core and nemo is one_logger_utils.nemo is shim.utils.nemo
assert OneLoggerUtils is one_logger_utils.core.OneLoggerUtils is shim.utils.OneLoggerUtils
assert one_logger.__name__ == one_logger.__spec__.name == "one_logger"
assert shim.core.__name__ == shim.core.__spec__.name == "one_logger_v1_shim.core"
assert __import__("importlib").import_module("one_logger.core") is shim.core
"""


def test_what_is_shown_is_what_the_shim_has() -> None:
    """A module that v1 had, and its version, stand in the table of the folder as in the package."""
    from one_logger_v1_shim._migrate.names import MODULES
    from one_logger_v1_shim._noedit import PACKAGES
    from one_logger_v1_shim.utils import VERSION

    folder = Path(PACKAGES)
    shown = {".".join(path.relative_to(folder).with_suffix("").parts) for path in folder.rglob("*.py")}
    assert {name.removesuffix(".__init__") if sys.version_info >= (3, 9) else name for name in shown} == set(MODULES)
    for name in ("one_logger", "one_logger_utils"):
        told = (folder / f"{name}-{VERSION}.dist-info" / "METADATA").read_text()
        assert f"\nName: {name.replace('_', '-')}\nVersion: {VERSION}\n" in told


@pytest.mark.parametrize(
    "code",
    [
        "import one_logger; one_logger.core.OneLogger, one_logger.rankpulse.start",
        "import one_logger_utils; one_logger_utils.core.OneLoggerUtils",
        "import one_logger_v1_shim; one_logger_v1_shim.core.OneLogger; one_logger_v1_shim.utils.core.VERSION",
    ],
)
def test_submodules_are_attributes(code: str, tmp_path: Path) -> None:
    run_python(INSTALL + code, tmp_path)


def test_who_looks_at_everything_loads_nothing_of_the_adapter(tmp_path: Path) -> None:
    """``import *``, ``getmembers``, ``help``, ``dir``: v1's names. The adapter's are there for who asks."""
    code = """
import inspect, io, pydoc, sys
import one_logger, one_logger_v1_shim
for module in (one_logger, one_logger_v1_shim):
    public = {name for name in dir(module) if not name.startswith("_")}
    assert public == {"OneLogger", "core", "rankpulse"}, public
    assert {name for name, _ in inspect.getmembers(module)} == set(dir(module))
    pydoc.Helper(output=io.StringIO()).help(module)
    names = {}
    exec(f"from {module.__name__} import *", names)
    assert set(names) - {"__builtins__"} == {"OneLogger", "rankpulse"}, names
assert not {"nv_one_logger", "pydantic", "wandb", "one_logger_v1_shim.config_adapter"} & set(sys.modules)
assert one_logger.ConfigAdapter is one_logger_v1_shim.ConfigAdapter
assert not hasattr(one_logger, "nothing") and not hasattr(one_logger, "testing")
"""
    run_python(INSTALL + code, tmp_path)


FINDERS = {
    "PathFinder, ahead": """
from importlib.machinery import PathFinder
class Finder:
    def find_spec(self, name, path=None, target=None): return PathFinder.find_spec(name, path, target)
sys.meta_path.insert(0, Finder())
""",
    "asks all others": """
class Finder:
    def __init__(self): self.asking = set()
    def find_spec(self, name, path=None, target=None):
        if name in self.asking: return None
        self.asking.add(name)
        try: return importlib.util.find_spec(name)
        finally: self.asking.discard(name)
sys.meta_path.insert(0, Finder()); sys.meta_path.append(Finder())
""",
    "stands for all others": """
class Finder:
    def __init__(self, all_of_them): self.all_of_them = all_of_them
    def find_spec(self, name, path=None, target=None):
        found = (one.find_spec(name, path, target) for one in self.all_of_them)
        return next((one for one in found if one), None)
sys.meta_path[:] = [Finder(sys.meta_path[:])]
""",
    "typeguard": "import typeguard; typeguard.install_import_hook(['one_logger', 'one_logger_utils'])",
    "beartype": "from beartype.claw import beartype_packages; beartype_packages(['one_logger', 'one_logger_utils'])",
    "pytest": "import pytest; from _pytest.assertion import install_importhook\n"
    "from _pytest.config import get_config; install_importhook(get_config())\n"
    "pytest.register_assert_rewrite('one_logger', 'one_logger_utils', 'one_logger_v1_shim')",
}


@pytest.mark.parametrize("name", FINDERS)
def test_other_finders_do_not_make_a_second_class(name: str, tmp_path: Path) -> None:
    if name in ("typeguard", "beartype") and importlib.util.find_spec(name) is None:
        pytest.skip(f"NOT RUN: {name} is not installed")
    run_python(INSTALL + "import sys, importlib.util\n" + FINDERS[name] + SAME, tmp_path)


def test_a_finder_that_raises_raises_as_without_us(tmp_path: Path) -> None:
    code = """
import sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "one_logger": raise OSError("of the finder")
sys.meta_path.append(Finder())
import one_logger
"""
    for first in (INSTALL, ""):
        result = run_python(first + code, tmp_path, check=False)
        assert "OSError: of the finder" in result.stderr
        assert "_noedit" not in result.stderr


REAL = {
    "without __init__.py": "import os; os.mkdir('one_logger'); open('one_logger/mine.py', 'w').close()\n"
    "import one_logger.mine",
    "the same, deeper": "import os; os.makedirs('one_logger/some'); open('one_logger/some/mine.py', 'w').close()\n"
    "import one_logger.some.mine",
    "in a zip file": "import zipfile\nwith zipfile.ZipFile('a.zip', 'w') as file:\n"
    "    file.writestr('one_logger/', ''); file.writestr('one_logger/mine.py', '')\n"
    "sys.path.append('a.zip'); import one_logger.mine",
    "one module": "open('one_logger.py', 'w').close(); import one_logger",
    "a spec without origin": """
import importlib.machinery
class Loader:
    def create_module(self, spec): return None
    def exec_module(self, module): pass
class Finder:
    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, Loader()) if name == "one_logger" else None
sys.meta_path.append(Finder())
import one_logger
""",
    "a finder of old": """
class Finder:
    def find_module(self, name, path=None): return self if name == "one_logger" else None
    def load_module(self, name): return sys.modules.setdefault(name, type(sys)(name))
if sys.version_info < (3, 12):
    sys.meta_path.append(Finder())
    import one_logger
""",
}


@pytest.mark.parametrize("kind", REAL)
def test_a_real_one_wins(kind: str, tmp_path: Path) -> None:
    code = f"import sys; sys.path.append('.')\n{REAL[kind]}\n"
    run_python(INSTALL + code + "assert 'one_logger_v1_shim.core' not in sys.modules", tmp_path)


@pytest.mark.parametrize("files", [[], ["log.txt", "1/events.log"], ["run-1/code.py"], ["__pycache__/core.pyc"]])
def test_a_folder_without_code_is_no_package(files: list[str], tmp_path: Path) -> None:
    (tmp_path / "one_logger").mkdir()
    for file in files:
        (tmp_path / "one_logger" / file).parent.mkdir(exist_ok=True)
        (tmp_path / "one_logger" / file).touch()
    run_python(INSTALL + "from one_logger import OneLogger", tmp_path)


def test_metadata(tmp_path: Path) -> None:
    code = """
from importlib import metadata
for name in ("one-logger", "one_logger", "one-logger-utils"):
    assert metadata.version(name) == "1.0.2", name
assert {"one-logger", "one-logger-utils"} <= {one.metadata["Name"] for one in metadata.distributions()}
assert [*metadata.distributions(path=["."])] == [] and [*metadata.distributions(name="one-logger", path=["."])] == []
import one_logger, one_logger_utils
assert one_logger.__version__ == one_logger_utils.VERSION == "1.0.2"
"""
    run_python(INSTALL + code, tmp_path)
    (tmp_path / "one_logger-9.9.dist-info").mkdir()
    (tmp_path / "one_logger-9.9.dist-info" / "METADATA").write_text("Name: one-logger\nVersion: 9.9\n")
    code = "from importlib import metadata; assert metadata.version('one-logger') == '9.9'"
    run_python(f"import sys; sys.path.append('.')\n{INSTALL}{code}", tmp_path)
    run_python("import sys; open('one_logger_utils.py', 'w').close()\n" + INSTALL + "sys.path.append('.')\n"
               "from importlib import metadata\n"
               "try: print(metadata.version('one-logger-utils'))\n"
               "except metadata.PackageNotFoundError: pass\n"
               "else: raise SystemExit('the version of another package')", tmp_path)  # fmt: skip


def test_pkg_resources(tmp_path: Path) -> None:
    if importlib.util.find_spec("pkg_resources") is None:
        pytest.skip("NOT RUN: setuptools here has no pkg_resources")
    code = """
import sys; before = list(sys.path)
import pkg_resources
assert pkg_resources.get_distribution("one-logger").version == "1.0.2"
assert pkg_resources.require("one-logger-utils")[0].version == "1.0.2"
assert "_noedit" not in type(pkg_resources.__loader__).__module__ and sys.path == before
"""
    run_python(INSTALL + code, tmp_path)


def test_hooks_of_wrapt_fire(tmp_path: Path) -> None:
    code = """
import wrapt
fired = []
for name in ("one_logger", "one_logger.core", "one_logger_utils", "one_logger_utils.core"):
    wrapt.when_imported(name)(lambda module, name=name: fired.append(name) or setattr(module, "HOOKED", name))
import one_logger, one_logger_utils
assert sorted(fired) == ["one_logger", "one_logger.core", "one_logger_utils", "one_logger_utils.core"], fired
assert one_logger.HOOKED == "one_logger" and one_logger.core.HOOKED == "one_logger.core"
"""
    run_python(INSTALL + code + SAME, tmp_path)


def test_python_m(tmp_path: Path) -> None:
    """One line, the one of every package without ``__main__``."""
    environment = {
        "ONE_LOGGER_V1_SHIM": "1",
        "PYTHONPATH": str(ROOT / "one_logger_v1_shim" / "_startup"),
    }
    for name in ("one_logger", "one_logger_utils"):
        result = run_command([sys.executable, "-m", name], tmp_path, env=environment, check=False)
        assert result.returncode == 1
        (line,) = result.stderr.splitlines()
        assert f"No module named {name}.__main__" in line


def test_threads_that_import_the_same_at_once(tmp_path: Path) -> None:
    """Different names at once are a deadlock of Python's own, for every package that imports its submodules."""
    code = """
import importlib, threading
for name in ("one_logger.core", "one_logger_utils.core", "one_logger_utils.nemo"):
    start = threading.Barrier(8)
    got = []
    def load():
        start.wait()
        module = importlib.import_module(name)
        got.append(getattr(module, "OneLogger", None) or module.OneLoggerUtils)
    threads = [threading.Thread(target=load) for _ in range(8)]
    for one in threads: one.start()
    for one in threads: one.join()
    assert len(got) == 8 and len(set(got)) == 1, got
"""
    run_python(INSTALL + code + SAME, tmp_path)


def test_an_import_that_fails_leaves_nothing(tmp_path: Path) -> None:
    code = """
import sys
sys.modules["transformers"] = None
for _ in range(2):
    try: import one_logger_utils.huggingface
    except ImportError as error: assert "one-logger-v1-shim[huggingface]" in str(error)
    else: raise SystemExit("imported")
assert "one_logger_utils.huggingface" not in sys.modules
import importlib, one_logger
importlib.reload(one_logger); importlib.reload(one_logger.core)
"""
    run_python(INSTALL + code, tmp_path)
