"""Strings that name v1's modules: swapped with ``--strings``, listed without; those that only look like it stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from .trees import Commands, plant

SWAPPED = {
    "importlib": ("importlib.import_module('one_logger')", "importlib.import_module('one_logger_v1_shim')"),
    "importlib, a submodule": (
        'import_module("one_logger_utils.core")',
        'import_module("one_logger_v1_shim.utils.core")',
    ),
    "a keyword": ("importlib.import_module(name='one_logger')", "importlib.import_module(name='one_logger_v1_shim')"),
    "__import__ of the package": ("__import__('one_logger.core')", "__import__('one_logger_v1_shim.core')"),
    "__import__ with a fromlist": (
        "__import__('one_logger_utils', fromlist=['x'])",
        "__import__('one_logger_v1_shim.utils', fromlist=['x'])",
    ),
    "find_spec": (
        "importlib.util.find_spec('one_logger_utils')",
        "importlib.util.find_spec('one_logger_v1_shim.utils')",
    ),
    "pytest": ("pytest.importorskip('one_logger')", "pytest.importorskip('one_logger_v1_shim')"),
    "mock.patch": (
        "@mock.patch('one_logger.OneLogger')\ndef f(): 0",
        "@mock.patch('one_logger_v1_shim.OneLogger')\ndef f(): 0",
    ),
    "a method": (
        "monkeypatch.setattr('one_logger_utils.core.OneLoggerUtils.on_app_start', f)",
        "monkeypatch.setattr('one_logger_v1_shim.utils.core.OneLoggerUtils.on_app_start', f)",
    ),
    "Hydra": (
        "{'_target_': 'one_logger_utils.pytorch_lightning.OneLoggerPTLTrainer'}",
        "{'_target_': 'one_logger_v1_shim.utils.pytorch_lightning.OneLoggerPTLTrainer'}",
    ),
    "an entry point": ("resolve('one_logger.core:OneLogger')", "resolve('one_logger_v1_shim.core:OneLogger')"),
    "sys.modules": ("sys.modules['one_logger'] = fake", "sys.modules['one_logger_v1_shim'] = fake"),
    "in sys.modules": ("'one_logger_utils' in sys.modules", "'one_logger_v1_shim.utils' in sys.modules"),
    "sys.modules.pop": ("sys.modules.pop('one_logger', None)", "sys.modules.pop('one_logger_v1_shim', None)"),
    "setitem": ("m.setitem(sys.modules, 'one_logger', fake)", "m.setitem(sys.modules, 'one_logger_v1_shim', fake)"),
    "patch.dict": (
        "patch.dict('sys.modules', {'one_logger': a, 'one_logger.core': b})",
        "patch.dict('sys.modules', {'one_logger_v1_shim': a, 'one_logger_v1_shim.core': b})",
    ),
    "a fake's names": (
        "for name in ('one_logger', 'one_logger.core'): 0",
        "for name in ('one_logger_v1_shim', 'one_logger_v1_shim.core'): 0",
    ),
    "prefix, triple quotes": ('f(r"""one_logger.core""")', 'f(r"""one_logger_v1_shim.core""")'),
    "after letters of two bytes": ("x = 'é', 'one_logger.core'", "x = 'é', 'one_logger_v1_shim.core'"),
}

LEFT = {
    "pieces": ("f('one_logger' '.core')", "in pieces"),
    "escapes": ("f('one_logger\\x2ecore')", "written with escapes"),
    "an f-string": ("mock.patch(f'one_logger.{name}')", "built at run time"),
    "a sum": ("importlib.import_module('one_logger.' + name)", "built at run time"),
    "a format": ("importlib.import_module('one_logger.' % name)", "built at run time"),
    "a keyword of patch.dict": ("patch.dict('sys.modules', one_logger=fake)", "a keyword cannot hold a dotted name"),
    "__import__, the package": ("__import__('one_logger_utils')", "without a fromlist"),
    "__import__, the package at the top": ("__import__('one_logger_utils.core')", "without a fromlist"),
    "a program": ("run([python, '-c', 'from one_logger import OneLogger; OneLogger()'])", "a program in a string"),
    "a program that a shell runs": ("run('python -m one_logger_utils.core', shell=True)", "a program in a string"),
    "a prefix": ("[m for m in sys.modules if m.startswith('one_logger_utils.')]", "built at run time"),
    "a module that v1 never had": ("importlib.import_module('one_logger.telemetry')", "the shim has no"),
}

STAYS = [
    "hasattr(self, 'one_logger')",
    "config['one_logger']",
    "'one_logger.log_interval'",
    "parser.add_argument('--one-logger', dest='one_logger')",
    "print('WARNING: one_logger package is required')",
    "'''\none_logger.core\n'''",
    "'one_logger.core'",
    "def f(x: 'one_logger.core.OneLogger') -> 'one_logger.core.OneLogger': 0",
    "x: 'one_logger.core.OneLogger' = None",
    "typing.cast('one_logger.core.OneLogger', x)",
    "b'one_logger.core'",
    "open('one_logger.core.txt')",
    "f'one_logger.{metric}'",
]


@pytest.mark.parametrize(("before", "after"), SWAPPED.values(), ids=list(SWAPPED))
def test_swapped_where_asked_for(before: str, after: str, tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": before + "\n"}) / "p.py"
    result = commands("swap", "--write", path)
    assert (result.code, path.read_text()) == (1, before + "\n")
    assert "names v1: --strings swaps it" in result.out
    result = commands("swap", "--write", "--strings", path)
    assert (result.code, path.read_text()) == (0, after + "\n"), result.out
    assert commands("swap", "--write", "--strings", path).out == "nothing to do\n"
    commands("swap", "--back", path)
    assert path.read_text() == before + "\n"


@pytest.mark.parametrize(("text", "why"), LEFT.values(), ids=list(LEFT))
def test_left(text: str, why: str, tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": text + "\n"}) / "p.py"
    result = commands("swap", "--write", "--strings", path)
    assert (result.code, path.read_text()) == (1, text + "\n")
    assert f"left: {path}:1: " in result.out
    assert why in result.out


@pytest.mark.parametrize("text", STAYS)
def test_no_module_is_meant(text: str, tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": text + "\n"}) / "p.py"
    assert commands("swap", "--write", "--strings", path) == (0, "nothing to do\n", "")
    assert path.read_text() == text + "\n"


HYDRA = """\
# _target_: one_logger_utils.core.OneLoggerUtils
trainer:
  _target_: one_logger_utils.pytorch_lightning.OneLoggerPTLTrainer  # é
  callbacks: [{_target_: "one_logger_utils.ptl.TimeEventCallback"}]
  class_path: 'one_logger.core.OneLogger'\r
  other: my.one_logger_utils.core
  one_logger: {project: one_logger, level: one_logger.level}
"""


def test_yaml(tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"conf/trainer.yaml": HYDRA}) / "conf" / "trainer.yaml"
    assert [(one["line"], one["kind"], one["level"]) for one in commands.scan(tmp_path)] == [
        (3, "string", "ok"),
        (4, "string", "ok"),
        (5, "string", "ok"),
    ]
    assert commands("swap", "--write", tmp_path).code == 1
    assert path.read_bytes() == HYDRA.encode()
    assert commands("swap", "--write", "--strings", tmp_path).code == 0
    lines = path.read_bytes().decode().split("\n")
    assert lines[2:5] == [
        "  _target_: one_logger_v1_shim.utils.pytorch_lightning.OneLoggerPTLTrainer  # é",
        '  callbacks: [{_target_: "one_logger_v1_shim.utils.ptl.TimeEventCallback"}]',
        "  class_path: 'one_logger_v1_shim.core.OneLogger'\r",
    ]
    assert [lines[0], *lines[5:]] == [line for n, line in enumerate(HYDRA.split("\n")) if n not in (1, 2, 3, 4)]
    commands("swap", "--back", tmp_path)
    assert path.read_bytes() == HYDRA.encode()


YAML_VALUES = {
    "module: one_logger_utils": "module: one_logger_v1_shim.utils",
    "import_modules: ['one_logger']": "import_modules: ['one_logger_v1_shim']",
    "x: !!python/object/apply:one_logger_utils.OneLoggerUtils []": (
        "x: !!python/object/apply:one_logger_v1_shim.utils.OneLoggerUtils []"
    ),
    "x: !!python/module:one_logger_utils": "x: !!python/module:one_logger_v1_shim.utils",
    "project: one_logger_utils": "",
    "modules: one_logger_utils-more": "",
}


@pytest.mark.parametrize("text", YAML_VALUES)
def test_values_of_yaml(text: str, tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"a.yaml": text + "\n"}) / "a.yaml"
    assert commands("swap", "--write", tmp_path).code == int(bool(YAML_VALUES[text]))
    commands("swap", "--write", "--strings", tmp_path)
    assert path.read_text() == (YAML_VALUES[text] or text) + "\n"
