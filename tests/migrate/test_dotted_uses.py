"""``import one_logger.core`` binds ``one_logger``: which reads of that name are rewritten, and which never are."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from .trees import Commands, plant

KEPT = "import one_logger_v1_shim.core, one_logger_v1_shim as one_logger\n"

# name: (before, after); "=" stands for a line that is as before
REWRITTEN = {
    "calls, attributes, annotations, decorators, defaults, f-strings": (
        "import one_logger.core\n"
        "@one_logger.core.decorate\n"
        "def f(x: one_logger.core.OneLogger = one_logger.core.OneLogger()) -> one_logger.OneLogger:\n"
        "    return f'{one_logger.core!r:>10}', [one_logger for _ in range(2)], lambda: one_logger.core\n"
        "class A(one_logger.core.OneLogger, key=one_logger):\n"
        "    x: one_logger.core.OneLogger = one_logger.core\n",
        "import one_logger_v1_shim.core\n"
        "@one_logger_v1_shim.core.decorate\n"
        "def f(x: one_logger_v1_shim.core.OneLogger = one_logger_v1_shim.core.OneLogger()) -> "
        "one_logger_v1_shim.OneLogger:\n"
        "    return f'{one_logger_v1_shim.core!r:>10}', [one_logger_v1_shim for _ in range(2)], "
        "lambda: one_logger_v1_shim.core\n"
        "class A(one_logger_v1_shim.core.OneLogger, key=one_logger_v1_shim):\n"
        "    x: one_logger_v1_shim.core.OneLogger = one_logger_v1_shim.core\n",
    ),
    "both packages": (
        "import one_logger.core, one_logger_utils.core\n"
        "o = one_logger.core.OneLogger()\nu = one_logger_utils.core.OneLoggerUtils({})\nm = one_logger_utils\n",
        "import one_logger_v1_shim.core, one_logger_v1_shim.utils.core\n"
        "o = one_logger_v1_shim.core.OneLogger()\nu = one_logger_v1_shim.utils.core.OneLoggerUtils({})\n"
        "m = one_logger_v1_shim.utils\n",
    ),
    "a plain import of the same name": (
        "import one_logger\nimport one_logger.core\none_logger.OneLogger()\n",
        "import one_logger_v1_shim\nimport one_logger_v1_shim.core\none_logger_v1_shim.OneLogger()\n",
    ),
    "Megatron's local variable": (
        "import one_logger.core\n"
        "def train():\n    one_logger = get_one_logger()\n    one_logger and one_logger.log_metrics({})\n"
        "logger = one_logger.core.OneLogger()\n",
        "import one_logger_v1_shim.core\n"
        "def train():\n    one_logger = get_one_logger()\n    one_logger and one_logger.log_metrics({})\n"
        "logger = one_logger_v1_shim.core.OneLogger()\n",
    ),
    "parameters, attributes, keywords of that name": (
        "import one_logger.core\n"
        "def f(one_logger, *, x=one_logger.core):\n    return one_logger.core\n"
        "self.one_logger.core(one_logger=one_logger.core)\n"
        "g = lambda one_logger: one_logger.core\n"
        "h = [one_logger.core for one_logger in x]\n",
        "import one_logger_v1_shim.core\n"
        "def f(one_logger, *, x=one_logger_v1_shim.core):\n    return one_logger.core\n"
        "self.one_logger.core(one_logger=one_logger_v1_shim.core)\n"
        "g = lambda one_logger: one_logger.core\n"
        "h = [one_logger.core for one_logger in x]\n",
    ),
    "in a function, seen by its inner functions": (
        "def f():\n    import one_logger.core\n    def g():\n        return one_logger.core.OneLogger\n    return g\n"
        "one_logger = 1\n",
        "def f():\n    import one_logger_v1_shim.core\n    def g():\n        return one_logger_v1_shim.core.OneLogger\n"
        "    return g\none_logger = 1\n",
    ),
    "over several lines": (
        "import one_logger.core\nx = (one_logger\n     .core  # c\n     .OneLogger())\n",
        "import one_logger_v1_shim.core\nx = (one_logger_v1_shim\n     .core  # c\n     .OneLogger())\n",
    ),
}

# name: what follows ``import one_logger.core``, and why the name is kept. Not a byte of it changes.
KEEPING = {
    "an assignment": ("one_logger = one_logger.core.OneLogger()\none_logger.log_metrics({})\n", "bound by something"),
    "the fallback of a try": ("try: pass\nexcept E:\n    one_logger = None\none_logger.core\n", "bound by something"),
    "a loop": ("for one_logger in x: one_logger.core\n", "bound by something"),
    "a with": ("with x as one_logger: one_logger.core\n", "bound by something"),
    "del": ("one_logger.core\ndel one_logger\n", "bound by something"),
    "a walrus": ("(one_logger := 1)\none_logger\n", "bound by something"),
    "an except clause": ("try: pass\nexcept E as one_logger: one_logger\n", "bound by something"),
    "a function of that name": ("def one_logger(): pass\none_logger.core\n", "bound by something"),
    "a global statement": ("def f():\n    global one_logger\n    one_logger = 1\none_logger.core\n", ""),
    "globals()": ("globals()['one_' + 'logger'].core\n", "globals()"),
    "eval": ("eval('one_' + 'logger.core')\n", "eval()"),
    "__all__": ("__all__ = ['one_logger']\n", "a string has it"),
    "an annotation in a string": ("def f(x: 'one_logger.core.OneLogger'): pass\n", "a string has it"),
    "a type comment": ("x = y  # type: one_logger.core.OneLogger\n", "a type comment has it"),
    "an f-string that prints the name": ("print(f'{one_logger.core=}')\n", "an f-string"),
    "a scope in between that binds the shim's name": (
        "def f():\n    one_logger.core\n    import one_logger_v1_shim.rankpulse\n",
        "binds one_logger_v1_shim",
    ),
}


@pytest.mark.parametrize(("before", "after"), REWRITTEN.values(), ids=list(REWRITTEN))
def test_rewritten(before: str, after: str, tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": before}) / "p.py"
    assert commands.swapped(path) == after
    assert commands("swap", "--write", path).out == "nothing to do\n"
    commands("swap", "--back", path)
    assert path.read_text() == before


@pytest.mark.parametrize(("rest", "why"), KEEPING.values(), ids=list(KEEPING))
def test_name_is_kept(rest: str, why: str, tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": "import one_logger.core\n" + rest}) / "p.py"
    result = commands("swap", "--write", path)
    assert path.read_text() == KEPT + rest
    assert f"note: {path}:1: the name one_logger is kept: " in result.out
    assert why in result.out


@pytest.mark.skipif(sys.version_info < (3, 10), reason="the grammar has match since 3.10")
@pytest.mark.parametrize(
    "pattern", ["one_logger", "{'k': one_logger}", "[*one_logger]", "{**one_logger}", "A() as one_logger"]
)
def test_match_statement(pattern: str, tmp_path: Path, commands: Commands) -> None:
    text = f"match x:\n    case one_logger.core.A: pass\n    case {pattern}: pass\n"
    path = plant(tmp_path, {"p.py": "import one_logger.core\n" + text}) / "p.py"
    assert commands.swapped(path) == KEPT + text


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the grammar has type parameters since 3.12")
@pytest.mark.parametrize(
    "statement", ["type one_logger = int", "def f[one_logger](): pass", "class A[*one_logger]: pass"]
)
def test_type_parameters(statement: str, tmp_path: Path, commands: Commands) -> None:
    text = f"{statement}\n"
    path = plant(tmp_path, {"p.py": "import one_logger.core\n" + text}) / "p.py"
    assert commands.swapped(path) in (KEPT + text, "import one_logger_v1_shim.core\n" + text)


def test_class_keeps_its_attribute(tmp_path: Path, commands: Commands) -> None:
    text = "class A:\n    import one_logger.core\nA.one_logger.core.OneLogger\n"
    path = plant(tmp_path, {"p.py": text}) / "p.py"
    assert commands.swapped(path) == text.replace("import one_logger.core\n", KEPT)


@pytest.mark.parametrize(
    "other",
    [
        "from pkg.base import one_logger\n",
        "from .base import one_logger as ol\n",
        "from .base import *\none_logger.core.OneLogger()\n",
        "import pkg.base as base\nbase.one_logger.core\n",
        "from unittest import mock\nmock.patch('pkg.base.one_logger.core.OneLogger')\n",
    ],
)
def test_other_files_take_the_name(other: str, tmp_path: Path, commands: Commands) -> None:
    text = "import one_logger.core\none_logger.core.OneLogger()\n"
    plant(tmp_path, {"pkg/base.py": text, "pkg/other.py": other})
    result = commands("swap", "--write", tmp_path)
    assert (tmp_path / "pkg/base.py").read_text() == KEPT + "one_logger.core.OneLogger()\n", result.out
    assert (tmp_path / "pkg/other.py").read_text() == other
    assert "other files take it from this one" in result.out


def test_the_shims_name_is_a_variable(tmp_path: Path, commands: Commands) -> None:
    text = "import one_logger.core\none_logger_v1_shim = 1\none_logger.core\n"
    path = plant(tmp_path, {"p.py": text}) / "p.py"
    result = commands("swap", "--write", path)
    assert (result.code, path.read_text()) == (1, text)
    assert f"left: {path}:1: one_logger_v1_shim is a name of the program's own" in result.out
