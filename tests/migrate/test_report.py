"""``scan --report FILE``: what going on to v2 or OpenTelemetry would take for a tree."""

from __future__ import annotations

import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.support import CONFIG

from .test_notebooks import notebook
from .trees import Commands, plant

TREE = {
    "train.py": f"""
from one_logger_utils import OneLoggerUtils as Telemetry
import importlib.util
if importlib.util.find_spec("one_logger_utils") is None:
    raise SystemExit
callbacks = Telemetry({CONFIG!r})
callbacks.on_app_start(set_barrier=True)
callbacks.on_train_start(train_iterations_start=0)
for _ in range(3):
    callbacks.on_train_batch_start()
    callbacks.on_train_batch_end()
getattr(callbacks, name)()
class Mine(Telemetry): ...
""",
    "core.py": """
from one_logger.core import OneLogger
logger = OneLogger({"project": "p", "name": "n"})
logger.log_metrics({"a": 1})
logger.log_metrics({"b": 2})
logger.store_set("x", 1)
""",
    "hf.py": "from one_logger_utils.huggingface import hook_trainer_cls\nhook_trainer_cls(T, cb)\n",
    "requirements.txt": "one-logger-utils==1.0.2\n",
    "broken.py": "import one_logger\ndef (:\n",
    "a.ipynb": json.dumps(notebook("import one_logger")),
}

HOSTILE = '<script>alert(1)</script>"onload=x|`[a](https://evil.invalid)'


def report(commands: Commands, top: Path, suffix: str = "md") -> str:
    path = top.parent / f"report.{suffix}"
    result = commands("scan", top, "--report", path)
    assert result.err == ""
    assert "uses in" in result.out, "the table is printed all the same"
    return path.read_text()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return plant(tmp_path / "tree", TREE)


def test_summary(commands: Commands, tree: Path) -> None:
    text = report(commands, tree)
    for line in (
        "- calls: 9",
        "- constructions: 2",
        "- pins and installations: 1",
        "- guards and names in strings: 1",
        "- notebooks: 1",
        "- kind of program: Hugging Face `Trainer`, callbacks (`OneLoggerUtils`), core (`OneLogger`, as Megatron-LM)",
        "- written for: v1 1.0.0 to 1.0.2",
        "- by hand: 7",
        "- subclasses: 1",
        "- not looked at: 1",
    ):
        assert line in text.splitlines(), text[:1500]


def test_each_use_by_file_and_line(commands: Commands, tree: Path) -> None:
    text = report(commands, tree)
    every = text[text.index("## Every use") :]
    rows = {
        cells[1].strip("` ") + " " + cells[3].strip("` "): cells
        for line in every.splitlines()
        if (cells := line.split("|"))[1:2]
    }

    def row(place: str, written: str) -> list[str]:
        return [one.strip() for one in rows[f"{tree}/{place} {written}"]]

    assert row("train.py:8", "callbacks.on_train_start(train_iterations_start=0)")[4:6] == [
        "`on_train_start`; needs a `TrainingTelemetryConfig`",
        "span `training_loop` starts",
    ]
    assert "call your barrier before it" in row("train.py:7", "callbacks.on_app_start(set_barrier=True)")[4]
    assert row("core.py:4", 'logger.log_metrics({"a": 1})')[5] == "gauge"
    assert row("requirements.txt:1", "one-logger-utils==1.0.2")[2] == "`pin`"
    assert any("ipynb:1 (cell 1)" in one for one in rows)


def test_an_alias_is_known(commands: Commands, tree: Path) -> None:
    (line,) = (one for one in report(commands, tree).splitlines() if "`Telemetry({" in one)
    assert "`ConfigAdapter`" in line


def test_what_cannot_be_translated(commands: Commands, tree: Path) -> None:
    text = report(commands, tree)
    part = text[text.index("## What cannot be translated") : text.index("## Every use")]
    for what in (
        "getattr(callbacks, name)",
        "class Mine",
        "hook_trainer_cls(T, cb)",
        "log_metrics",
        "store_set",
        "broken.py",
    ):
        assert what in part
    assert "on_train_start" not in part


def test_calls_are_counted(commands: Commands, tree: Path) -> None:
    assert "| `log_metrics` | `2` |" in report(commands, tree)


def test_wire(commands: Commands, tmp_path: Path) -> None:
    lines = "from one_logger_utils import OneLoggerUtils\nu = OneLoggerUtils(c)\nu.on_train_step_start()\n"
    assert "- written for: v1 1.0.3 (on_train_step_*)" in report(commands, plant(tmp_path / "tree", {"a.py": lines}))


class Page(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def hostile(tmp_path: Path) -> Path:
    calls = f"x.log_app_tag({HOSTILE!r})\nx.log_metrics({{{HOSTILE!r}: 1}})"
    name = HOSTILE.replace("/", "_") + "\n.py"
    source = f"from one_logger import OneLogger\nx = OneLogger()\n{calls}\n"
    return plant(tmp_path / "tree<b>&", {name: source, "good.py": "import one_logger\n"})


@pytest.mark.parametrize("suffix", ["html", "HTM"])
def test_hostile_text_in_a_page(suffix: str, commands: Commands, tmp_path: Path) -> None:
    page = Page(report(commands, hostile(tmp_path), suffix))
    assert page.tags.isdisjoint({"script", "a", "b", "img", "iframe"})
    allowed = {"lang", "charset", "http-equiv", "content", "name", "class", "scope", "data-name", "style"}
    assert page.attributes <= allowed
    assert any("<script>alert(1)" in text for text in page.texts)


def test_hostile_text_in_markdown(commands: Commands, tmp_path: Path) -> None:
    """Nothing of it stands outside of a code span, and no cell has more columns than its head."""
    text = report(commands, hostile(tmp_path))
    for line in text.splitlines():
        outside = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", line)
        assert "script" not in outside, line
        assert "evil" not in outside, line
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) in (5, 7)


@pytest.mark.parametrize("name", ["report.txt", "report", "report.html.gz", ".md"])
def test_another_suffix_is_one_error(name: str, commands: Commands, tree: Path, tmp_path: Path) -> None:
    result = commands("scan", tree, "--report", tmp_path / name)
    assert (result.code, result.out) == (2, "")
    assert len(result.err.splitlines()) == 1
    assert "the file is to end in .md or .html" in result.err
    assert not (tmp_path / name).exists()


def test_report_that_cannot_be_written(commands: Commands, tree: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere" / "r.md", tree / "r.md"):
        if path.parent == tree:
            path.mkdir()
        result = commands("scan", tree, "--report", path)
        assert result.code == 2
        (line,) = result.err.splitlines()
        assert line.startswith("one_logger_v1_shim scan: the report cannot be written: ")
    assert [name for name in os.listdir(tree) if "partial" in name] == []


def test_tree_without_v1(commands: Commands, tmp_path: Path) -> None:
    path = tmp_path / "r.md"
    top = plant(tmp_path / "tree", {"a.py": "import os\n"})
    assert commands("scan", top, "--report", path).code == 2
    assert "- uses of v1: none found" in path.read_text()


def test_with_json(commands: Commands, tree: Path, tmp_path: Path) -> None:
    result = commands("scan", tree, "--json", "--report", tmp_path / "r.html")
    assert json.loads(result.out)["findings"]
    assert (tmp_path / "r.html").stat().st_size > 1000
