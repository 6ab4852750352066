"""``drift``: the table of wandb's private names is whole, a copy has one name renamed, and a loss is seen."""

from __future__ import annotations

import ast
import pkgutil
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import wandb
from wandb.sdk import wandb_setup

import compat_matrix.__main__
from compat_matrix.drift.command import JOB, WORKER, Drift, main, tries_of
from compat_matrix.drift.copies import renamed
from compat_matrix.drift.names import GLOBAL, MODULE, PROPERTY, V2, WANDB, WANDB_NAMES, Name, all_names
from compat_matrix.drift.play import Heard

ROOT = Path(__file__).resolve().parents[2]
WORKER_ROOM = ROOT / "one_logger_v1_shim" / "_worker"

#: what W&B documents: arguments of ``wandb.init`` and ``wandb.Settings``, attributes of a run, variables
_PUBLIC = """wandb init log finish setup teardown settings Settings id name url dir project entity mode disabled resume
    resumed path reinit console quiet silent disable_job_creation base_url api_key init_timeout finish_timeout
    program host run_name run_tags symlink http_proxy https_proxy tags config summary model_fields"""
# words of ours, of Python and of other libraries that wandb's classes happen to have too
_NOT_WANDBS = """json os re shutil sys time threading platform logging lib sync root force display signal login step
    server offline errors util Any Path Optional Union TYPE_CHECKING suppress annotations __init__.py __main__
    worker.log"""
LEFT_OUT = {*_PUBLIC.split(), *_NOT_WANDBS.split()}


def words(tree: ast.AST) -> Iterator[str]:
    """What a module's code names: attributes, imported names, and strings that are words."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if not (isinstance(node.value, ast.Name) and node.value.id == "self"):
                yield node.attr
        elif isinstance(node, ast.ImportFrom) and node.level:
            continue  # a name of ours, whatever wandb's settings are called
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (part for alias in node.names for part in alias.name.split("."))
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg
        elif isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)):
            yield node.value if isinstance(node.value, str) else node.value.decode("latin-1")


def used() -> dict[str, str]:
    """Each word of the worker's room -> a module that has it."""
    return {word: path.name for path in sorted(WORKER_ROOM.glob("*.py")) for word in words(ast.parse(path.read_text()))}


def of_wandb() -> set[str]:
    """The names that the installed wandb has where the worker touches it."""
    own = {one.name for one in pkgutil.walk_packages(wandb.__path__) if "." not in one.name}
    own |= {one.name for one in pkgutil.iter_modules(wandb.sdk.__path__)}
    classes = (wandb.Settings, wandb.sdk.wandb_run.Run, wandb_setup._WandbSetup, wandb_setup)
    members = {name for one in classes for name in dir(one) if not name.startswith("__")}
    members -= set(dir(__import__("pydantic").BaseModel)) - {"model_fields"}
    return own | members | set(wandb.Settings.model_fields)


def unlisted(found: dict[str, str]) -> dict[str, str]:
    """Private names of wandb in ``found`` that are not in the table."""
    theirs = of_wandb()
    private = re.compile(r"x_[a-z_]+|.*\.(log|py)|_(disable|apply|prox|extra)[a-z_]*")
    return {
        word: module
        for word, module in found.items()
        if (word in theirs or private.fullmatch(word)) and word not in LEFT_OUT | WANDB_NAMES.keys()
    }


def test_every_private_name_of_wandb_in_the_workers_code_is_in_the_table() -> None:
    assert unlisted(used()) == {}


@pytest.mark.parametrize("code", ["run._finish", "getattr(s, 'x_stats_pid')", "from wandb.sdk import wandb_run"])
def test_a_new_private_name_would_be_seen(code: str) -> None:
    assert unlisted(dict.fromkeys(words(ast.parse(code)), "new.py"))


def test_no_name_of_the_table_is_out_of_date() -> None:
    text = "".join(path.read_text() for path in WORKER_ROOM.glob("*.py"))
    assert [name for name in WANDB_NAMES if name not in text] == []


# -- copies ---------------------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> Path:
    package = tmp_path / "site" / "nv_one_logger"
    for file, text in {
        "api/use.py": "from nv_one_logger.core.internal.one import a\ndef _spans_more(self):\n    return self._spans\n",
        "core/internal/one.py": "a = 1\n",
        "core/time.py": "import time\n\ndef now(timer):\n    return time.time() + timer.time()\n",
        "training_telemetry/v1_adapter/ours.py": "_spans = 1\n",
    }.items():
        (package / file).parent.mkdir(parents=True, exist_ok=True)
        (package / file).write_text(text)
    return tmp_path / "site"


@pytest.mark.parametrize(
    ("name", "file", "text"),
    [
        (Name(V2, "_spans"), "api/use.py", "def _spans_more(self):\n    return self._spans_renamed\n"),
        (Name(V2, "internal", MODULE), "api/use.py", "from nv_one_logger.core.internal_renamed.one import a\n"),
        (Name(V2, "internal", MODULE), "core/internal_renamed/one.py", "a = 1\n"),
        (Name(V2, "time", GLOBAL, "core/time.py"), "core/time.py", "return time_renamed.time() + timer.time()"),
        (Name(V2, "now", PROPERTY), "core/time.py", "def now_renamed(timer)"),
    ],
)
def test_a_copy_has_one_name_renamed(name: Name, file: str, text: str, site: Path, tmp_path: Path) -> None:
    before = {path: path.read_text() for path in site.rglob("*.py")}
    copy = tmp_path / "copy"
    assert renamed(site, name, copy) == sum(not path.is_symlink() for path in copy.rglob("*.py")) == 1
    assert text in (copy / "nv_one_logger" / file).read_text()
    assert (copy / "nv_one_logger" / "training_telemetry/v1_adapter/ours.py").read_text() == "_spans = 1\n"
    assert {path: path.read_text() for path in site.rglob("*.py")} == before


# -- the judgement --------------------------------------------------------------------------------------------


@pytest.fixture
def drift(tmp_path: Path) -> Drift:
    one = Drift(tmp_path)
    one.expect({JOB: {"utils": [{"a": 1}, {"a": 2}]}}, Counter({("start", "application", None): 1}))
    return one


WHOLE = Counter({("start", "application", None): 2, ("close", None, None): 1})


def test_more_in_v2s_stream_is_no_loss(drift: Drift) -> None:
    assert drift.judge(Heard({"utils": [{"a": 1}, {"a": 2}]}, WHOLE, "", ""), JOB) == ""


@pytest.mark.parametrize(
    ("rows", "stream", "trouble", "said"),
    [
        ([{"a": 1}], WHOLE, "", "run utils: 1 of 2 rows"),
        ([{"a": 1}, {"a": 3}], WHOLE, "", "run utils, row 1: a is 3, was 2"),
        ([{"a": 1}, {"a": 2}, {"a": 2}], WHOLE, "", "run utils: 3 of 2 rows"),
        ([{"a": 1}, {"a": 2}], Counter(), "", "was not told 1 things, among them start application"),
        ([{"a": 1}, {"a": 2}], WHOLE, "exit code 1: x", "exit code 1: x"),
    ],
)
def test_a_loss_is_seen(
    drift: Drift, rows: list[dict[str, int]], stream: Counter[tuple[str, ...]], trouble: str, said: str
) -> None:
    assert said in drift.judge(Heard({"utils": rows}, stream, trouble, ""), JOB)


def test_the_whole_tries_every_name_of_v2_in_both_places() -> None:
    names = all_names()
    tried = tries_of(names, quick=False)
    assert len(tried) == len(names) + sum(name.package == V2 for name in names)
    assert {(name.text, mode) for name, mode in tried if name.package == V2} >= {("_spans", JOB), ("_spans", WORKER)}
    quick = [name for name, _ in tries_of(names, quick=True)]
    assert [name for name in names if name.package == V2] == [name for name in quick if name.package == V2]
    assert {"wandb_setup", "singleton", "sync_dir"} <= {name.text for name in quick if name.package == WANDB}


def test_an_unknown_name_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--name", "_no_such"])
    assert "no such name: _no_such; expected one of _closed _spans" in capsys.readouterr().err


@pytest.mark.slow
def test_a_name_that_cannot_be_missed_is_missed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The copies are really what job and worker import: without these public names something is lost."""
    tries = [
        (Name(V2, "on_training_loop_start"), JOB),
        (Name(WANDB, "init", PROPERTY, "sdk/wandb_init.py"), WORKER),
        (Name(V2, "_no_such"), JOB),
    ]
    assert Drift(tmp_path).run(tries) == 1
    said = capsys.readouterr().out
    assert "LOST v2:on_training_loop_start" in said
    assert "v2's exporter was not told" in said
    assert "LOST wandb:init" in said
    assert "_no_such is not in this nv_one_logger" in said
    assert "drift: 0 kept, 3 lost" in said


# -- the grid ------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the grid is planned by CPython 3.11 or later")
@pytest.mark.parametrize(
    ("arguments", "runs"), [([], True), (["--quick"], False), (["--job", "golden"], False), (["--here"], False)]
)
def test_the_whole_grid_ends_with_it(arguments: list[str], runs: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, list[str]]] = []

    def command(name: str, given: list[str]) -> int:
        asked.append((name, given))
        return 1

    monkeypatch.setattr(compat_matrix.__main__, "_run", lambda *_: 0)
    monkeypatch.setattr(compat_matrix.__main__, "_command", command)
    assert compat_matrix.__main__.main(arguments) == int(runs)
    assert asked == ([("drift", [])] if runs else [])
