"""The documents say what the code says: tables, links, commands and samples."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml

from compat_matrix.__main__ import COMMANDS
from compat_matrix.commands import documents
from compat_matrix.reporting import terminal
from compat_matrix.reporting.results import CellReport, Result
from one_logger_v1_shim._v1 import metrics as m
from one_logger_v1_shim._v1.wires import DEFAULT, VARIABLE, WIRES
from one_logger_v1_shim._variables import VARIABLES
from tests.cli.browser import CHROMIUM, OPTIONS
from tests.documents.samples import DOCUMENTS, Sample, links, name, samples
from tests.support import GOLDENS, ROOT, clean_environment

#: blocks that say that they can't be run here: a scheduler, a cluster, an account
SYNTAX_ONLY = 3

#: tests/testing/test_plugin.py runs the samples of this one, which belong together
ELSEWHERE = "testing-your-code.md"

DOCS = ROOT / "docs"


@pytest.mark.parametrize("file", documents.TABLES)
def test_tables_are_those_of_the_code(file: str) -> None:
    text, wanted = documents.written(file)
    assert text == wanted, "run `python -m compat_matrix documents`"


def test_the_figures_of_the_grid_are_those_of_its_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = [Result("c", name, status, rows=5) for name, status in (("a", "passed"), ("b", "not run"))]
    cells = [CellReport(f"eagle-2.5-py3.{9 + number % 2}-x", results=results, expected=2) for number in range(120)]
    monkeypatch.setattr(terminal, "REPORT", tmp_path)
    assert documents.last_run() is None
    terminal.write(cells[:20], tmp_path)
    assert documents.last_run() is None  # a part of the grid
    terminal.write(cells, tmp_path)
    said = " ".join((documents.last_run() or "").split())
    assert "(CPython 3.9, 3.10): 120 of 120 cells green, 120 jobs equal to v1 with 600 rows, 0 different" in said


def test_a_metric_names_the_callbacks_that_send_it() -> None:
    """Held against the recorded jobs, in which the core's `log_metrics` sends what the program likes."""
    seen: dict[str, dict[str, set[str]]] = {wire: {} for wire in WIRES}
    for path in sorted(GOLDENS.glob("*.json")):
        job = json.loads(path.read_text())
        wire = job.get("environment", {}).get(VARIABLE, DEFAULT)
        for step in job["expect"]:
            for kind, *content in step["emits"]:
                if kind == "log_metrics" and step["call"] != "log_metrics":
                    for metric in content[0]:
                        seen[wire].setdefault(metric, set()).add(step["call"])
    for wire, found in seen.items():
        ours = {metric: set(m.sent(metric, wire)) for metric in m.UNITS}
        assert {metric: calls for metric, calls in found.items() if not calls <= ours.get(metric, calls)} == {}, wire
        whole = {metric for metric, sent in ours.items() if not sent & {m.FIRST_ROW, m.EVERY_ROW, m.TAG}}
        progress = {metric for metric in whole if set(m.PROGRESS) & ours[metric] or metric in m.ONLY}
        for metric in whole if wire == DEFAULT else progress:  # the jobs of another wire show what is otherwise there
            assert ours[metric] == found.get(metric, set()), (wire, metric)


#: metrics of callbacks that the translation computes from several of v2's attributes, or from more than one span
COMPUTED = {
    "load_checkpoint_time",
    "train_tflop",
    "save_checkpoint_sync_count",
    "save_checkpoint_async_count",
    "save_checkpoint_sync_time_total_productive",
}


def test_a_metric_of_a_callback_has_a_source_in_v2() -> None:
    """Fails for a new metric that was forgotten in ``_v2/translation.py``: v2-native programs would not send it."""
    sent = {metric for metric in m.UNITS if any(call.startswith("on_") for call in m.sent(metric, DEFAULT))}
    assert sent - set(documents._sources()) == COMPUTED


def test_each_variable_is_read_and_each_that_is_read_is_documented() -> None:
    package = ROOT / "one_logger_v1_shim"
    files = [path for path in package.rglob("*.py") if path.name != "_variables.py"]
    read = {found for path in files for found in re.findall(r'"(ONE_LOGGER_V1_[A-Z_]*[A-Z])"', path.read_text())}
    # between the job's process and those that it starts; the last one is of the pytest plugin
    words = ("WORKER", "WORKER_PATH", "WORKER_ELSEWHERE", "HOST", "RUN", "STARTED_BY_TEST")
    internal = {f"ONE_LOGGER_V1_{word}" for word in words}
    assert read - internal == set(VARIABLES)


def test_documents_are_short() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in DOCUMENTS}
    assert lengths["README.md"] <= 120
    assert {path: length for path, length in lengths.items() if length >= 300} == {}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for link in links(document):
        target, _, anchor = link.partition("#")
        path = document.parent / target if target else document
        assert path.exists(), link
        if anchor:
            heads = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}, link


def test_every_document_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text()
    assert [path.name for path in DOCS.glob("*.md") if path.name not in text] == []


def test_what_cannot_be_run_is_counted() -> None:
    assert sum(one.syntax_only for one in samples("sh", "yaml", "python")) == SYNTAX_ONLY


@pytest.mark.slow
@pytest.mark.parametrize("sample", [one for one in samples("python") if one.document.name != ELSEWHERE], ids=name)
def test_python_samples_run(sample: Sample, tmp_path: Path) -> None:
    (tmp_path / "sample.py").write_text(sample.text)
    environ = clean_environment(tmp_path, {"WANDB_MODE": "offline", "WANDB_SILENT": "true"})
    done = subprocess.run([sys.executable, "sample.py"], cwd=tmp_path, env=environ, capture_output=True, text=True)
    said = [line for line in done.stderr.splitlines() if not line.startswith("waiting for W&B")]
    assert (done.returncode, said) == (0, [])


@pytest.mark.parametrize("sample", samples("yaml"), ids=name)
def test_yaml_samples_are_yaml(sample: Sample) -> None:
    assert yaml.safe_load(sample.text)


@pytest.mark.slow
@pytest.mark.parametrize("sample", samples("sh"), ids=name)
def test_shell_samples(sample: Sample) -> None:
    """The shell takes each; each command of ours exists and has the options that stand there."""
    bash = shutil.which("bash")
    assert bash is not None
    text = re.sub(r"[\[\]|]", " ", sample.text) if "[" in sample.text else sample.text
    text = re.sub(r"\$'.*?'", "x", text)
    done = subprocess.run([bash, "-n"], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for line in re.split(r"\n|&&", text.replace("\\\n", " ")):
        words = shlex.split(line, comments=True)
        if words[:2] != ["python", "-m"] or words[2] not in ("one_logger_v1_shim", "compat_matrix"):
            continue
        command = words[3] if len(words) > 3 and not words[3].startswith("-") else ""
        ours = words[3:]
        for stop in ("--", "run"):
            ours = ours[: ours.index(stop)] if stop in ours else ours
        options = [one for one in ours if one.startswith("--")]
        told = help_of(words[2], command) if options else ""  # without one the command may have no help
        assert [one for one in options if one not in told] == [], line


@cache
def help_of(module: str, command: str) -> str:
    words = [sys.executable, "-m", module, *([command] if command else []), "--help"]
    if module == "compat_matrix" and command in ("clean",):
        assert command in COMMANDS
        return ""
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"})
    assert done.returncode == 0, done.stderr
    return done.stdout


#: pages with the largest tables
WIDEST = ("cost", "dictionary", "messages", "accepted", "goodput")


@pytest.mark.ci
def test_the_site_is_built_strictly(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="the extra docs is not installed: .ci/run installs it")
    pytest.importorskip("mkdocstrings")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site" / "dictionary" / "index.html").read_text()
    assert "train_<wbr>iterations_<wbr>end" in page  # a name in a table is broken at its underscores
    assert not re.findall(r'(?:src|href)="(?:https?:)?//[^"]*\.(?:js|css)', page)
    reference = (tmp_path / "site" / "api" / "index.html").read_text()
    for public in ("OneLogger", "OneLoggerUtils.on_save_checkpoint_success", "configure_v2_adapter", "capture"):
        assert re.search(rf'id="one_logger_v1_shim[\w.]*\.{re.escape(public)}"', reference), public
    if CHROMIUM is not None:
        pages = [tmp_path / "site" / page / "index.html" for page in WIDEST]
        too_wide = {page.parent.name: over for page in pages if (over := wide(page, tmp_path))}
        assert too_wide == {}


def wide(page: Path, home: Path) -> str:
    """Tables that are wider than what is around them, in a window of 1280 pixels."""
    script = """<script>addEventListener("load", () => {
      const wide = [...document.querySelectorAll("table")].filter(
        one => one.scrollWidth > one.parentElement.clientWidth + 1 || one.getBoundingClientRect().right > innerWidth)
      document.title = "WIDE " + wide.map(one => one.innerText.slice(0, 40)).join("; ") + " END"
    })</script></body>"""
    copy = page.with_name("looked-at.html")
    copy.write_text(page.read_text().replace("</body>", script))
    options = [*OPTIONS, "--window-size=1280,900", f"--user-data-dir={home / 'browser'}", "--dump-dom", copy.as_uri()]
    environ = {**os.environ, "HOME": str(home)}
    done = subprocess.run(
        [str(CHROMIUM), *options], capture_output=True, text=True, env=environ, stdin=subprocess.DEVNULL
    )
    found = re.search(r"<title>WIDE (.*?) END</title>", done.stdout, re.DOTALL)
    return found[1].strip() if found else f"not looked at: {done.stderr[-200:]}"


#: a document that a module names, perhaps with a section: `docs/v1.md, "What v1 was"`
_NAMED = re.compile(r'(?<![\w./])((?:\w+/)*[A-Za-z_-]+\.md)\b(?:,?\s+"([^"]{3,60})")?')

_NAMES_ANY = ROOT / "tests" / "migrate" / "test_report.py"  # files that a test writes


def test_documents_that_modules_name_are_there() -> None:
    """Files and their sections, in what the modules of all three trees say."""
    wrong = []
    for tree in ("one_logger_v1_shim", "compat_matrix", "tests"):
        for path in (ROOT / tree).rglob("*.py"):
            if any(part.startswith(".") for part in path.relative_to(ROOT).parts):  # environments of the grid
                continue
            text = re.sub(r"\s+#?\s*", " ", path.read_text(encoding="utf-8"))
            for named, section in _NAMED.findall(text) if path not in (Path(__file__), _NAMES_ANY) else ():
                found = next((one for one in (ROOT / named, DOCS / named, path.parent / named) if one.is_file()), None)
                known = found is not None and (not section or f"# {section}" in found.read_text(encoding="utf-8"))
                if not known:
                    wrong.append((str(path.relative_to(ROOT)), named, section))
            if re.search(r"\b(the CONTRACT|CONTRACT,)", text) and path != Path(__file__):
                wrong.append((str(path.relative_to(ROOT)), "CONTRACT", ""))
    assert wrong == []
