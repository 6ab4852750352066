"""Strings that decide whether v1 is looked for at all: none is left behind without a word in a file that is swapped."""

from __future__ import annotations

from pathlib import Path

import pytest

from .trees import Commands, plant

IMPORT = "from one_logger_utils import OneLoggerUtils\n"

GUARDS = {
    "find_spec": "import importlib.util\nHAVE = importlib.util.find_spec('one_logger_utils') is not None",
    "util.find_spec": "from importlib import util\nHAVE = util.find_spec('one_logger_utils') is not None",
    "find_spec as a name": "from importlib.util import find_spec as spec\nHAVE = spec('one_logger_utils') is not None",
    "importlib as a name": "import importlib as il\nm = il.import_module('one_logger_utils.core')",
    "importlib.util as a name": "import importlib.util as iu\nHAVE = iu.find_spec('one_logger') is not None",
    "a helper": "HAVE = is_package_available('one_logger_utils')",
    "a helper of a module": "HAVE = utils.import_utils._is_package_available('one_logger_utils', False)",
    "a helper, by keyword": "HAVE = module_available(name='one_logger_utils')",
    "try_import": "m, HAVE = try_import('one_logger')",
    "a relative import_module": "import importlib\nm = importlib.import_module('.core', 'one_logger_utils')",
    "by keyword": "import importlib\nm = importlib.import_module('.core', package='one_logger_utils')",
    "sys as a name": "import sys as s\nHAVE = s.modules['one_logger_utils']",
    "pkgutil": "import pkgutil\nHAVE = pkgutil.find_loader('one_logger_utils')",
}

#: these only in a file that imports v1
IN_SWAPPED_FILES = {
    "a constant": "NAME = 'one_logger_utils'\nHAVE = find_spec(NAME) is not None",
    "a list": "for name in ['torch', 'one_logger_utils']:\n    find_spec(name)",
    "a tuple in a class": "class A:\n    needs = ('one_logger_utils', 'torch')",
    "a set": "NEEDS = {'one_logger_utils'}",
    "a default": "def check(name='one_logger_utils'): pass",
    "a dictionary's key": "NEEDS = {'one_logger_utils': 'pip install x'}",
    "a dictionary's value": "NEEDS = {'logging': 'one_logger_utils'}",
    "a function that nobody knows": "check('one_logger_utils')",
    "a comparison": "try: pass\nexcept ImportError as error:\n    if error.name == 'one_logger_utils': pass",
    "a module": "check('one_logger_utils.core')",
    "a conditional": "NAME = 'one_logger' if old else 'one_logger_utils'",
    "returned": "def name(): return 'one_logger_utils'",
    "a logger's module": "NEEDS = {'logger': 'one_logger_utils'}",
    "a keyword that is called name": "lazy = Lazy(name='one_logger_utils')",
    "a default of the environment": "NAME = os.environ.get('LOGGER_MODULE', 'one_logger_utils')",
    "a default of an option": "parser.add_argument('--module', default='one_logger_utils')",
}

#: with ``--strings`` too, these stay as they are and are listed: swapped, they would be wrong without a word
LISTED = {
    "put together": "importlib.import_module('one_logger' + '_utils')",
    "put together elsewhere": "N = 'one_logger'\nimportlib.import_module(N + '_utils')",
    "put together in a text": "N = 'one_logger'\nimportlib.import_module(f'{N}_utils.core')",
    "the beginning of a name": "importlib.import_module('one_logger_' + 'utils')",
    "formatted": "importlib.import_module('one_logger%s' % s)",
    "several in one text": "for name in 'one_logger one_logger_utils'.split(): __import__(name)",
    "several with commas": "NAMES = 'torch,one_logger'.split(',')",
    "a first name": "HAVE = any(k.split('.')[0] == 'one_logger_utils' for k in sys.modules)",
    "a first name, one of several": "OLD = cls.__module__.partition('.')[0] in ('one_logger_utils', 'torch')",
    "iter_modules": "HAVE = any(m.name == 'one_logger_utils' for m in pkgutil.iter_modules())",
    "packages_distributions": "from importlib.metadata import packages_distributions as p\n'one_logger_utils' in p()",
    "PathFinder": "HAVE = importlib.machinery.PathFinder.find_spec('one_logger_utils')",
    "sys.meta_path": "HAVE = any(one.find_spec('one_logger_utils', None) for one in sys.meta_path)",
    "a distribution": "HAVE = any(d.name == 'one-logger-utils' for d in distributions())",
    "eval": """HAVE = eval("__import__('one_logger_utils')")""",
}

#: attributes, keys and names that somebody chose
STAYS = [
    "hasattr(self, 'one_logger')",
    "getattr(args, 'one_logger', None)",
    "config['one_logger']",
    "config.get('one_logger')",
    "logger = OneLoggerUtils({'one_logger_project': 'one_logger'})",
    "parser.add_argument('--one-logger', dest='one_logger')",
    "run(project='one_logger')",
    "__all__ = ['one_logger']",
    "config = {'one_logger': 1}\nconfig['one_logger']",
    "class A: __slots__ = ('one_logger',)",
    "operator.attrgetter('one_logger')(args)",
    "@click.option('--one-logger', 'one_logger')\ndef f(one_logger): pass",
    "T = namedtuple('T', ['one_logger', 'x'])",
    "f(**{'one_logger': 1})",
    "if 'one_logger' in vars(args): args.one_logger.log({})",
    "x: 'one_logger'",
    "X = Optional['one_logger_utils.OneLoggerUtils']",
    "keys = [key for key in config if key.startswith('one_logger_')]",
    "config['one_logger_' + key] = 1",
    "logging.getLogger('one_logger_utils')",
    "name = 'a b'.split()",
]


def check(text: str, tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": text}) / "p.py"
    result = commands("swap", "--write", path)
    assert result.code == 1
    assert "names v1: --strings swaps it" in result.out
    assert commands("swap", "--write", "--strings", path).code == 0
    swapped = path.read_text()
    assert swapped == text.replace("one_logger_utils", "one_logger_v1_shim.utils").replace(
        "'one_logger'", "'one_logger_v1_shim'"
    ).replace("'one_logger.", "'one_logger_v1_shim.")
    assert commands("swap", "--write", "--strings", path).out == "nothing to do\n"
    commands("swap", "--back", path)
    assert path.read_text() == text


@pytest.mark.parametrize("text", GUARDS.values(), ids=list(GUARDS))
def test_in_any_file(text: str, tmp_path: Path, commands: Commands) -> None:
    check(text + "\n", tmp_path, commands)
    assert "string" in [one["kind"] for one in commands.scan(tmp_path)]


@pytest.mark.parametrize("text", {**GUARDS, **IN_SWAPPED_FILES}.values(), ids=[*GUARDS, *IN_SWAPPED_FILES])
def test_in_a_file_that_is_swapped(text: str, tmp_path: Path, commands: Commands) -> None:
    check(IMPORT + text + "\n", tmp_path, commands)


@pytest.mark.parametrize("text", IN_SWAPPED_FILES.values(), ids=list(IN_SWAPPED_FILES))
def test_after_the_imports_were_swapped(text: str, tmp_path: Path, commands: Commands) -> None:
    """The second run has the shim's imports before it."""
    path = plant(tmp_path, {"p.py": IMPORT + text + "\n"}) / "p.py"
    commands("swap", "--write", path)
    assert commands("swap", "--write", path).code == 1
    commands("swap", "--write", "--strings", path)
    assert "one_logger_utils" not in path.read_text()


@pytest.mark.parametrize("text", LISTED.values(), ids=list(LISTED))
def test_listed(text: str, tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": IMPORT + text + "\n"}) / "p.py"
    for options in ((), ("--strings",)):
        result = commands("swap", "--write", *options, path)
        assert result.code == 1
        assert " names v1: " in result.out
        assert "--strings swaps it" not in result.out
    assert path.read_text() == IMPORT.replace("one_logger_utils", "one_logger_v1_shim.utils") + text + "\n"


@pytest.mark.parametrize("text", STAYS)
def test_stays(text: str, tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": IMPORT + text + "\n"}) / "p.py"
    assert commands("swap", "--write", "--strings", path).code == 0
    assert path.read_text() == IMPORT.replace("one_logger_utils", "one_logger_v1_shim.utils") + text + "\n"


@pytest.mark.parametrize(
    "call",
    [
        "importlib.metadata.version('one_logger_utils')",
        "importlib.metadata.version('one-logger')",
        "pkg_resources.get_distribution('one_logger')",
    ],
)
def test_a_distribution_is_listed(call: str, tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": IMPORT + call + "\n"}) / "p.py"
    result = commands("swap", "--write", "--strings", path)
    assert result.code == 1
    assert "a distribution: the shim's is one-logger-v1-shim" in result.out
    assert call in path.read_text()
