"""``scan``: where v1 is used without its name, or in a file that is no ``.py``."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from .test_notebooks import notebook
from .trees import Commands, plant

BASE = "from one_logger_utils.ptl import OneLoggerPTLTrainer\n"


def seen(commands: Commands, tree: Path, name: str) -> list[tuple[int, str, str]]:
    found: list[dict[str, Any]] = commands.scan(tree)
    return [(one["line"], one["kind"], one["level"]) for one in found if one["file"].endswith(name)]


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("trainer.time_event_callback.logtimeevent.on_model_init_start()", "ok"),
        ("self.trainer.time_event_callback.logtimeevent.on_train_start()", "error"),
        ("lte = trainer.time_event_callback.logtimeevent\nlte.on_train_start()", "error"),
        ("cb = self.trainer.time_event_callback\ncb.logtimeevent.on_train_start()", "error"),
        ("trainer.time_event_callback.on_model_init_start(x=1)", "warning"),
        ("getattr(trainer.time_event_callback.logtimeevent, 'on_train_start')()", "error"),
        ("getattr(getattr(trainer, 'time_event_callback', None), 'logtimeevent').on_train_start()", "error"),
        ("callbacks['one_logger'].on_train_start()", "warning"),
        ("start = trainer.time_event_callback.logtimeevent.on_train_start\nstart()", "not judged"),
        ("partial(trainer.time_event_callback.logtimeevent.on_app_start, 1)()", "not judged"),
        ("start = getattr(trainer.time_event_callback.logtimeevent, 'on_train_start')", "not judged"),
    ],
)
def test_through_attributes(text: str, level: str, tmp_path: Path, commands: Commands) -> None:
    """NeMo's modules name nothing of v1 but these attributes."""
    tree = plant(tmp_path, {"base.py": BASE, "model.py": "def f(trainer, self):\n" + textwrap.indent(text, "    ")})
    assert [(kind, found) for _, kind, found in seen(commands, tree, "model.py")] == [("call", level)]


@pytest.mark.parametrize(
    "text",
    [
        "for callback in self.callbacks:\n    getattr(callback, name)(*args)",
        "u = OneLoggerUtils(c)\ngetattr(u, name)()",
        "method = getattr(self.one_logger, 'on_' + name)",
        "getattr(one_logger_callback, f'on_{name}')()",
    ],
)
def test_names_that_are_known_at_run_time(text: str, tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": "from one_logger_utils import OneLoggerUtils\n" + text + "\n"}) / "p.py"
    result = commands("scan", path)
    assert result.out.count("such calls are not followed") == 1
    assert "not judged" in result.out


def test_other_getattr(tmp_path: Path, commands: Commands) -> None:
    text = "from one_logger import OneLogger\ngetattr(args, name)\ngetattr(OneLogger, name)\n"
    path = plant(tmp_path, {"p.py": text}) / "p.py"
    assert [kind for _, kind, _ in seen(commands, path, "p.py")] == ["import"]


CELLS = (
    "%%writefile train.py\nimport one_logger.core\none_logger.core.OneLogger()\n",
    "%%bash\npip install one-logger\npython - <<EOF\nimport one_logger\nEOF\n",
    "%%writefile requirements.txt\ntorch\none-logger==1.0\n",
    "%%writefile -a notes.txt\nimport one_logger\n",
    "\n%%sh\npython -m one_logger.x\n",
    "%%script python3\nimport one_logger as a\n",
    "%%memit -r 1\nimport one_logger as b\n",
    "%%writefile 'a b.py'\nimport one_logger as c\n",
    "%%writefile $NAME\nimport one_logger as d\n",
    "%%html\n<b>import one_logger</b>\n",
    "!pip install \\\n  one-logger\n%time import one_logger\n",
)


def test_cells(tmp_path: Path, commands: Commands) -> None:
    text = json.dumps(notebook(*CELLS), indent=1)
    path = plant(tmp_path, {"n.ipynb": text}) / "n.ipynb"
    lines = text.split("\n")
    found = [(kind, lines[line - 1].strip()) for line, kind, _ in seen(commands, path, "n.ipynb")]
    assert sorted(found) == sorted(
        [
            ("import", '"import one_logger.core\\n",'),
            ("construction", '"one_logger.core.OneLogger()\\n"'),
            ("pin", '"pip install one-logger\\n",'),
            ("string", '"import one_logger\\n",'),
            ("pin", '"one-logger==1.0\\n"'),
            ("string", '"python -m one_logger.x\\n"'),
            *(("import", f'"import one_logger as {name}\\n"') for name in "abcd"),
            ("pin", '"  one-logger\\n",'),
            ("string", '"%time import one_logger\\n"'),
        ]
    )
    result = commands("swap", "--write", path)
    assert result.code == 1, "what the shells run is listed"
    assert result.out.count("a program in a script") == 3
    assert "import one_logger_v1_shim.core\\n" in path.read_text()
    assert '"one_logger_v1_shim.core.OneLogger()\\n"' in path.read_text()
    commands("swap", "--back", path)
    assert path.read_text() == text


FILES = {
    "Makefile": ("install:\n\tpip install one-logger\n", [(2, "pin", "warning")]),
    "tools/deps.mk": ("x:\n\tpip install \\\n\t  one-logger\n", [(3, "pin", "warning")]),
    "justfile": ("install:\n  uv pip install one-logger\n", [(2, "pin", "warning")]),
    ".github/workflows/ci.yml": (
        "jobs:\n  a:\n    steps:\n      - run: pip install one-logger\n      - run: python -c 'import one_logger'\n",
        [(4, "pin", "warning"), (5, "string", "warning")],
    ),
    ".gitlab-ci.yml": ("a:\n  script:\n    - pip install one-logger-utils\n", [(3, "pin", "warning")]),
    ".travis.yml": ("install:\n  - pip install one-logger\n", [(2, "pin", "warning")]),
    "cloudbuild.yaml": ("steps:\n- args: [pip, install, one-logger]\n", [(2, "pin", "warning")]),
    "alone.py": (
        "x = 1\n# /// script\n# dependencies = [\n#   'one-logger',\n# ]\n# ///\nimport one_logger as o\n",
        [(4, "pin", "warning"), (7, "import", "ok")],
    ),
    "conf.yml": ("one_logger: {project: one-logger}\n", []),
    "rules.mk": (
        "DEPS = torch one-logger\nNAME = one-logger\nx:\n\tpip install $(DEPS)\n", [(1, "pin", "warning")],
    ),
    "CMakeLists.txt": ("execute_process(COMMAND pip install one-logger)\n", [(1, "pin", "warning")]),
    "noxfile.py": ("def t(session):\n    session.install('one-logger')\n", [(2, "pin", "warning")]),
    "azure-pipelines.yml": ("- script: pip install one-logger\n", [(1, "pin", "warning")]),
    "Jenkinsfile": ("sh 'pip install one-logger'\n", [(1, "pin", "warning")]),
    "train": ("#!/usr/bin/env python3\nimport one_logger\n", [(2, "import", "ok")]),
    "submit": ("#!/bin/bash -l\npip install one-logger\n", [(2, "pin", "warning")]),
    "run.sh": ("python -c 'from one_logger import OneLogger'\n", [(1, "string", "warning")]),
    "notes": ("import one_logger\npip install one-logger\n", []),
    "tool": ("#!/usr/bin/env torchrun\nimport one_logger\n", [(2, "import", "ok")]),
    "shell.ipynb": (json.dumps(notebook("%%bash\npip install one-logger\n")), [(1, "pin", "warning")]),
    "pip.ipynb": (json.dumps(notebook("pip install one-logger\nx = 1\n")), [(1, "pin", "warning")]),
    "text.ipynb": (json.dumps(notebook("%%markdown\nimport one_logger\n")), []),
    "kernel.ipynb": (
        json.dumps(notebook("import one_logger as o\n") | {"metadata": {"kernelspec": {"name": "my-venv"}}}),
        [(1, "import", "ok")],
    ),
    "project/pyproject.toml": (
        "[project.entry-points.x]\nlog = 'one_logger_utils.core:OneLoggerUtils'\n", [(2, "string", "warning")],
    ),
    "project/setup.cfg": (
        "[options.entry_points]\nx =\n  log = one_logger_utils:OneLoggerUtils\n", [(3, "string", "warning")],
    ),
    "v2.py": ("from nv_one_logger.api.config import OneLoggerConfig\n", [(1, "import", "ok")]),
    "w2.py": ("import nv_one_logger.training_telemetry.api as a\n", [(1, "import", "ok")]),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_files(name: str, tmp_path: Path, commands: Commands) -> None:
    text, expected = FILES[name]
    tree = plant(tmp_path, {name: text})
    assert seen(commands, tree, name) == expected
    if expected:
        assert seen(commands, tree / name, name) == expected, "also where it is named"
    assert commands("swap", "--write", tree).code == 0
    commands("swap", "--back", tree)
    assert (tree / name).read_text() == text


def test_a_script_with_a_dot_in_its_name(tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"job-1.2": "#!/bin/bash\npip install one-logger\n"}) / "job-1.2"
    assert seen(commands, tmp_path, path.name) == []
    path.chmod(0o755)
    assert seen(commands, tmp_path, path.name) == [(2, "pin", "warning")]


def test_a_script_without_a_suffix_is_swapped(tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"train": "#!/usr/bin/env python\nimport one_logger as ol\n"}) / "train"
    assert commands("swap", "--write", tmp_path).code == 0
    assert path.read_text().endswith("import one_logger_v1_shim as ol\n")
    commands("swap", "--back", tmp_path)
    assert path.read_text().endswith("import one_logger as ol\n")


NO_PINS = {
    "setup.cfg": "[isort]\nknown_third_party = one_logger,one_logger_utils\nknown_other =\n    one_logger\n    torch\n",
    "tox.ini": "[flake8]\nignore-names = one_logger\n[isort]\nknown_third_party=one_logger\n",
    "pyproject.toml": '[tool.isort]\nknown_third_party = ["one_logger"]\n[tool.ruff.lint.isort]\n'
    'known-third-party = [\n  "one_logger_utils",\n]\n[[tool.mypy.overrides]]\nmodule = ["one_logger", "x"]\n',
}


@pytest.mark.parametrize("name", NO_PINS)
def test_no_pin(name: str, tmp_path: Path, commands: Commands) -> None:
    assert commands("scan", plant(tmp_path, {name: NO_PINS[name]})).code == 2


def test_beside_them_pins_are_found(tmp_path: Path, commands: Commands) -> None:
    more = "[options]\ninstall_requires =\n    one-logger\n[options.extras_require]\nlog = one_logger_utils\n"
    tree = plant(tmp_path, {"setup.cfg": NO_PINS["setup.cfg"] + more})
    assert [line for line, _, _ in seen(commands, tree, "setup.cfg")] == [8, 10]


@pytest.mark.parametrize("name", ["self._nv_one_logger_callback", "nv_one_logger", "callback.nv_one_logger_utils"])
def test_v2s_objects_are_not_v1s(name: str, tmp_path: Path, commands: Commands) -> None:
    """v2's own integration calls its callback by such names, with other arguments."""
    call = f"{name}.on_save_checkpoint_end()\n"
    tree = plant(tmp_path, {"base.py": BASE, "v2.py": "import nv_one_logger.api.config\n" + call})
    assert [kind for _, kind, _ in seen(commands, tree, "v2.py")] == ["import"]


def test_a_tree_that_uses_v2_alone_has_no_guesses(tmp_path: Path, commands: Commands) -> None:
    text = "import nv_one_logger.api.config\nself.one_logger.on_save_checkpoint_end()\n"
    tree = plant(tmp_path, {"p.py": text})
    assert seen(commands, tree, "p.py") == [(1, "import", "ok")]
    plant(tree, {"v1.py": BASE})
    assert seen(commands, tree, "p.py") == [(1, "import", "ok"), (2, "call", "warning")]


OTHERS = {
    "bound again": "u = U({})\nu = Other()\nu.info('x')",
    "one of two": "u = U({}) if y else Dummy()\nu.info('x')",
    "or another": "u = U({}) or Dummy()\nu.info('x')",
    "another class's attribute": (
        "class A:\n    def __init__(self): self.logger = U({})\nclass B:\n    def f(self): self.logger.info('x')"
    ),
    "another object's attribute": "class A:\n    def f(self): self.cb = U({}); self.model.cb.info('x')",
    "a method that was put on it": "u = U({})\nu.info = print\nu.info('x')",
    "a function that may give another": "def f():\n    if y: return U({})\n    return Dummy()\nf().info('x')",
}
ITS_OWN = {
    "one": "u = U({})\nu.info('x')",
    "or None": "u = None\nif y: u = U({})\nu.info('x')",
    "its class's attribute": "class A:\n    def f(self):\n        self.u = U({})\n        self.u.info('x')",
    "what a function gives": "def f(): return U({})\nu = f()\nu.info('x')",
}


@pytest.mark.parametrize("text", {**OTHERS, **ITS_OWN}.values(), ids=[*OTHERS, *ITS_OWN])
def test_a_method_that_v1_had_not(text: str, tmp_path: Path, commands: Commands) -> None:
    """It is no error where the object may be somebody else's."""
    path = plant(tmp_path, {"p.py": "from one_logger_utils import OneLoggerUtils as U\n" + text + "\n"}) / "p.py"
    errors = [one["why"] for one in commands.scan(path) if one["level"] == "error"]
    assert errors == ["AttributeError: OneLoggerUtils 1.0.2 has no 'info'"] * (text in ITS_OWN.values())
