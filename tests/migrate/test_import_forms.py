"""Every form of import that Python's grammar has, in every place where a statement may stand: swapped, or left and
listed. A row is ``(form, before, after)``; after None: left, and ``left`` says so.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from .trees import Commands

# import_name and import_from of the grammar: what it is, before, after
SWAPPED = [
    ("a module", "import one_logger", "import one_logger_v1_shim as one_logger"),
    ("a module of the other package", "import one_logger_utils", "import one_logger_v1_shim.utils as one_logger_utils"),
    ("a module, with a name", "import one_logger as ol", "import one_logger_v1_shim as ol"),
    ("its own name", "import one_logger as one_logger", "import one_logger_v1_shim as one_logger"),
    ("a submodule", "import one_logger.core", "import one_logger_v1_shim.core"),
    ("a submodule, with a name", "import one_logger_utils.core as c", "import one_logger_v1_shim.utils.core as c"),
    ("rankpulse", "import one_logger.rankpulse as rankpulse", "import one_logger_v1_shim.rankpulse as rankpulse"),
    ("several modules", "import os, one_logger.core, sys", "import os, one_logger_v1_shim.core, sys"),
    (
        "several of ours",
        "import one_logger as a, one_logger_utils as b",
        "import one_logger_v1_shim as a, one_logger_v1_shim.utils as b",
    ),
    (
        "after a semicolon",
        "import os; import one_logger as ol; x = 1",
        "import os; import one_logger_v1_shim as ol; x = 1",
    ),
    ("a backslash", "import one_logger \\\n    as ol", "import one_logger_v1_shim \\\n    as ol"),
    ("blanks in a dotted name", "import one_logger . core as c", "import one_logger_v1_shim . core as c"),
    ("a comment", "import one_logger as ol  # one_logger", "import one_logger_v1_shim as ol  # one_logger"),
    ("a name", "from one_logger import OneLogger", "from one_logger_v1_shim import OneLogger"),
    ("a name of a submodule", "from one_logger.core import OneLogger", "from one_logger_v1_shim.core import OneLogger"),
    ("a submodule as a name", "from one_logger import core", "from one_logger_v1_shim import core"),
    (
        "a name, with a name",
        "from one_logger_utils.core import OneLoggerUtils as OneLogger",
        "from one_logger_v1_shim.utils.core import OneLoggerUtils as OneLogger",
    ),
    (
        "several names",
        "from one_logger_utils import OneLoggerUtils, VERSION as v",
        "from one_logger_v1_shim.utils import OneLoggerUtils, VERSION as v",
    ),
    (
        "parentheses, comments, a last comma",
        "from one_logger_utils.huggingface import (  # noqa\n    TimeEventCallback,  # a\n    hook_trainer_cls,\n)",
        "from one_logger_v1_shim.utils.huggingface import (  # noqa\n    TimeEventCallback,  # a\n"
        "    hook_trainer_cls,\n)",
    ),
    ("names after a backslash", "from one_logger \\\n  import core", "from one_logger_v1_shim \\\n  import core"),
    ("all names", "from one_logger_utils import *", "from one_logger_v1_shim.utils import *"),
    ("no blank before *", "from one_logger_utils import*", "from one_logger_v1_shim.utils import*"),
    ("tabs", "from\tone_logger\timport\tOneLogger", "from\tone_logger_v1_shim\timport\tOneLogger"),
    (
        "the framework modules",
        "import one_logger_utils.ptl as p, one_logger_utils.pytorch_lightning as q, one_logger_utils.nemo as n",
        "import one_logger_v1_shim.utils.ptl as p, one_logger_v1_shim.utils.pytorch_lightning as q, "
        "one_logger_v1_shim.utils.nemo as n",
    ),
]

# what is none of v1's: not a byte changes, and nothing is listed
NOT_V1 = [
    ("a relative import", "from . import one_logger"),
    ("a name of a relative module", "from .one_logger import OneLogger"),
    ("two levels", "from ..one_logger_utils import OneLoggerUtils"),
    ("three dots", "from ...one_logger.core import OneLogger"),
    ("another package's module", "from megatron.training.one_logger_utils import on_train_start"),
    ("another package's name", "from eaglevl.train import one_logger"),
    ("a longer name", "import one_logger_utils_nemo, one_logger2"),
    ("the future", "from __future__ import annotations  # one_logger"),
    ("v2", "from nv_one_logger.api.config import OneLoggerConfig"),
    ("the shim", "import one_logger_v1_shim.core; from one_logger_v1_shim.utils import OneLoggerUtils"),
]

# v1's, and not to be swapped by a machine: listed, not a byte changes
LEFT = [
    ("a module that v1 never had", "import one_logger.telemetry", "the shim has no one_logger.telemetry"),
    ("a name that v1 never had", "from one_logger_utils.core import OneLogger", "no one_logger_utils.core.OneLogger"),
    ("one such name among others", "from one_logger import OneLogger, Nothing", "no one_logger.Nothing"),
]

# where a statement may stand; {} is an import
PLACES = {
    "module": "{}",
    "function": "def f():\n    {}",
    "async function": "async def f():\n    {}",
    "method": "class A:\n    def f(self):\n        {}",
    "class": "class A:\n    {}",
    "if": "if True:\n    {}\nelse:\n    pass",
    "elif, on one line": "if a: pass\nelif b: {}",
    "else": "if a:\n    pass\nelse:\n    {}",
    "try": "try:\n    {}\nexcept ImportError:\n    HAVE = False",
    "except": "try:\n    import other\nexcept ImportError:\n    {}",
    "try's else": "try:\n    pass\nexcept E:\n    pass\nelse:\n    {}",
    "finally": "try:\n    pass\nfinally:\n    {}",
    "with": "with a as b:\n    {}",
    "for": "for i in x:\n    {}",
    "while's else": "while a:\n    pass\nelse:\n    {}",
    "nested function": "def f():\n    def g():\n        {}\n    return g",
    "a tab's indent": "def f():\n\t{}",
    "after a docstring, without a last line end": '"""one_logger"""\n{}',
}


def _of(rows: list[tuple[str, ...]]) -> list[object]:
    return [pytest.param(*row[1:], id=row[0]) for row in rows]


@pytest.mark.parametrize(("before", "after"), _of(SWAPPED))
def test_form(before: str, after: str, tmp_path: Path, commands: Commands) -> None:
    path = tmp_path / "program.py"
    path.write_text(before + "\n")
    result = commands("swap", "--write", path)
    assert (result.code, path.read_text()) == (0, after + "\n"), result.out
    assert commands("swap", "--write", path).out == "nothing to do\n", "twice is once"
    assert path.read_text() == after + "\n"
    assert commands("swap", "--back", path).code == 0
    assert path.read_text() == before + "\n"


@pytest.mark.parametrize("before", _of(NOT_V1))
def test_not_v1(before: str, tmp_path: Path, commands: Commands) -> None:
    path = tmp_path / "program.py"
    path.write_text(before + "\n")
    assert commands("swap", "--write", "--strings", path) == (0, "nothing to do\n", "")
    assert path.read_text() == before + "\n"
    assert not [one for one in commands.scan(path) if not one["why"].startswith(("the shim already", "v2:"))]


@pytest.mark.parametrize(("before", "why"), _of(LEFT))
def test_left(before: str, why: str, tmp_path: Path, commands: Commands) -> None:
    path = tmp_path / "program.py"
    path.write_text(before + "\n")
    result = commands("swap", "--write", path)
    assert result.code == 1
    assert f"left: {path}:{before.count(chr(10)) + 1}: " in result.out
    assert why in result.out
    assert path.read_text() == before + "\n"


@pytest.mark.parametrize("place", PLACES.values(), ids=list(PLACES))
def test_every_form_in_every_place(place: str, tmp_path: Path, commands: Commands) -> None:
    forms = [row for row in SWAPPED if place != "" and "\n" not in row[1] and "*" not in row[1]]
    for number, (_, before, _) in enumerate(forms):
        (tmp_path / f"form{number}.py").write_text(place.format(before))
    assert commands("swap", "--write", tmp_path).code == 0
    for number, (name, before, after) in enumerate(forms):
        text = (tmp_path / f"form{number}.py").read_text()
        kept = after.replace("one_logger_v1_shim.core", "one_logger_v1_shim.core, one_logger_v1_shim as one_logger", 1)
        if place == PLACES["class"] and before in ("import one_logger.core", "import os, one_logger.core, sys"):
            after = kept  # the name is an attribute of the class
        assert text == place.format(after), name
        assert "one_logger" not in _imported_roots(text), name
    assert commands("swap", "--back", tmp_path).code == 0
    assert all((tmp_path / f"form{n}.py").read_text() == place.format(row[1]) for n, row in enumerate(forms))
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".py"] * len(forms), "no record is left"


def _imported_roots(text: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found
