"""Notebooks: cells share their names, IPython's lines are no Python, and no byte outside the changed names changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .trees import Commands, plant


def notebook(*cells: Any, **more: Any) -> dict[str, Any]:
    made = [
        cell if isinstance(cell, dict)
        else {"cell_type": "code", "metadata": {}, "outputs": [], "source": cell.splitlines(keepends=True)}
        for cell in cells
    ]  # fmt: skip
    return {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **more}


def planted(tmp_path: Path, text: str) -> Path:
    return plant(tmp_path, {"n.ipynb": text}) / "n.ipynb"


CELLS = (
    "%pip install one-logger\n!ls\nimport one_logger.core\nfiles = !ls",
    {"cell_type": "markdown", "metadata": {}, "source": ["import one_logger\n"]},
    "%%bash\nimport one_logger",
    "from one_logger_utils import OneLoggerUtils  # é\nOneLoggerUtils?\n",
    "logger = one_logger.core.OneLogger({'project': 'p'})\nawait x",
    "%%time\nimport one_logger_utils",
)


@pytest.mark.parametrize("indent", [None, 1, 4])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_swapped_and_back(indent: int, ascii_only: bool, tmp_path: Path, commands: Commands) -> None:
    before = json.dumps(notebook(*CELLS), indent=indent, ensure_ascii=ascii_only)
    path = planted(tmp_path, before)
    result = commands("swap", "--write", path)
    assert result.code == 0, result.out
    expected = (
        before.replace("import one_logger.core", "import one_logger_v1_shim.core")
        .replace("from one_logger_utils import", "from one_logger_v1_shim.utils import")
        .replace("= one_logger.core.One", "= one_logger_v1_shim.core.One")
        .replace(
            '%%time\\n", "import one_logger_utils', '%%time\\n", "import one_logger_v1_shim.utils as one_logger_utils'
        )
    )
    time_cell = '"import one_logger_utils"'
    expected = expected.replace(time_cell, '"import one_logger_v1_shim.utils as one_logger_utils"')
    assert path.read_bytes() == expected.encode()
    assert commands("swap", "--write", path).out == "nothing to do\n"
    commands("swap", "--back", path)
    assert path.read_bytes() == before.encode()


def test_source_as_one_string_with_escapes(tmp_path: Path, commands: Commands) -> None:
    source = 'x = "\U0001f600"; import one_logger as ol\n'
    cell = {"cell_type": "code", "source": source, "outputs": [], "metadata": {}}
    before = json.dumps(notebook(cell)).replace("one_logger as", "\\u006fne_logge\\u0072 as")
    assert "\\ud83d\\ude00" in before, "a surrogate pair before the import"
    path = planted(tmp_path, before + "  one_logger".replace("one_logger", ""))
    commands("swap", "--write", path)
    after = before.replace("\\u006fne_logge\\u0072 as", "one_logger_v1_shim as")
    assert path.read_text() == after + "  "
    assert json.loads(path.read_text())["cells"][0]["source"] == source.replace("one_logger", "one_logger_v1_shim")


def test_outputs_are_not_touched(tmp_path: Path, commands: Commands) -> None:
    cell = {
        "cell_type": "code",
        "source": ["import one_logger as ol\n"],
        "outputs": [{"output_type": "stream", "text": ["import one_logger as ol\n"]}],
    }
    path = planted(tmp_path, json.dumps(notebook(cell, cell), indent=1))
    commands("swap", "--write", path)
    assert path.read_text().count("import one_logger as ol") == 2
    assert path.read_text().count("import one_logger_v1_shim as ol") == 2


def test_scan_says_the_cell_and_the_files_line(tmp_path: Path, commands: Commands) -> None:
    text = json.dumps(notebook(*CELLS), indent=1)
    path = planted(tmp_path, text)
    found = {(one["kind"], one["cell"]): one["line"] for one in commands.scan(path)}
    lines = text.split("\n")
    assert '"import one_logger.core\\n",' in lines[found["import", 1] - 1]
    assert '"from one_logger_utils import' in lines[found["import", 4] - 1]
    assert '"logger = one_logger.core' in lines[found["construction", 5] - 1]
    assert ("pin", None) in found
    assert ("import", 2) not in found, "a markdown cell is text"
    assert ("import", 3) not in found, "a shell's cell is no Python"


def test_a_cell_that_does_not_parse_does_not_hold_up_the_others(tmp_path: Path, commands: Commands) -> None:
    path = planted(tmp_path, json.dumps(notebook("import one_logger as ol\n", "import one_logger as (\n"), indent=1))
    result = commands("swap", "--write", path)
    assert result.code == 1
    assert "cell 2 does not parse" in result.out
    assert "import one_logger_v1_shim as ol" in path.read_text()
    assert "import one_logger as (" in path.read_text()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"cells": [ one_logger', "no JSON: "),
        ('{"one_logger": 1}', "no notebook: it has no list of cells"),
        ('["one_logger"]', "no notebook: it has no list of cells"),
    ],
)
def test_no_notebook(text: str, why: str, tmp_path: Path, commands: Commands) -> None:
    path = planted(tmp_path, text)
    for command in (("scan",), ("swap", "--write")):
        result = commands(*command, path)
        assert result.code == 1
        assert why in result.out
    assert path.read_text() == text


def test_another_language(tmp_path: Path, commands: Commands) -> None:
    julia = json.dumps(notebook("import one_logger\n") | {"metadata": {"language_info": {"name": "julia"}}})
    path = planted(tmp_path, julia)
    assert commands("swap", "--write", path).out == "nothing to do\n"
    python = json.dumps(
        notebook("import one_logger\n") | {"metadata": {"kernelspec": {"name": "my-env", "language": "python"}}}
    )
    path = planted(tmp_path, python)
    assert commands("swap", "--write", path).out.startswith("swapped: ")
