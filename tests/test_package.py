"""What the package says of itself."""

from __future__ import annotations

import ast
import json
import re
import runpy
import sys
from pathlib import Path
from typing import Optional

import pytest

import one_logger_v1_shim
from one_logger_v1_shim.__main__ import COMMANDS
from tests.support import ROOT, run_command, run_python, stored_rows

SOURCE = ROOT / "one_logger_v1_shim"
NEEDS_TOML = pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib is new in Python 3.11")


def version_of(folder: Path, project: Optional[str]) -> str:
    """What the package in ``folder`` says, with this ``pyproject.toml`` beside it."""
    module = folder / SOURCE.name / "_version.py"
    module.parent.mkdir()
    module.write_bytes((SOURCE / "_version.py").read_bytes())
    if project is not None:
        (folder / "pyproject.toml").write_text(project)
    return str(runpy.run_path(str(module))["VERSION"])


def test_the_version_stands_in_pyproject_and_nowhere_else(tmp_path: Path) -> None:
    text = (ROOT / "pyproject.toml").read_text()
    version = one_logger_v1_shim.__version__
    assert text.count(f'version = "{version}"\n') == 1
    assert version_of(tmp_path, text.replace(f'version = "{version}"', 'version = "12.3.4rc1"')) == "12.3.4rc1"
    for path in SOURCE.rglob("*.py"):
        assert version not in path.read_text(), path


@NEEDS_TOML
def test_the_version_is_read_as_a_reader_of_toml_does() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == one_logger_v1_shim.__version__


@pytest.mark.parametrize("project", [None, '[project]\nname = "another"\nversion = "7.0"\n'], ids=["none", "another's"])
def test_a_copy_of_the_package_alone_has_no_version(project: Optional[str], tmp_path: Path) -> None:
    assert version_of(tmp_path, project) == "0+unknown"


def test_readme_has_the_two_commands() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert "python -m pip install '.[test]' && python -m pytest" in lines
    assert any(line.startswith("python -m pip install . && python -m one_logger_v1_shim run ") for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help(name: str, tmp_path: Path) -> None:
    result = run_command([sys.executable, "-m", "one_logger_v1_shim", name, "--help"], tmp_path)
    assert name in result.stdout


def _imports(path: Path) -> set[str]:
    """Modules that ``path`` imports, spelled from the root of the package."""
    package = path.relative_to(ROOT).parent.parts
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *filter(None, [node.module])])
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return found


_SHIM = "one_logger_v1_shim"
_V2 = ("nv_one_logger", f"{_SHIM}._v2")

# room -> what it must not import, directly
RULES = {
    "_v1": ("wandb", *_V2, f"{_SHIM}._job", f"{_SHIM}._journal", f"{_SHIM}._worker", "time"),
    "_v2": ("wandb", f"{_SHIM}.utils", f"{_SHIM}.core", f"{_SHIM}._worker"),
    "_journal": ("wandb", *_V2, f"{_SHIM}._job", f"{_SHIM}._worker", f"{_SHIM}._v1", f"{_SHIM}.utils"),
    "_job": ("wandb", "nv_one_logger", f"{_SHIM}.utils", f"{_SHIM}.core"),
    "_worker": ("nv_one_logger", f"{_SHIM}._v1", f"{_SHIM}.utils", f"{_SHIM}.core"),
    "_migrate": ("wandb", *_V2, f"{_SHIM}._job", f"{_SHIM}._worker"),
    "_goodput": ("wandb", *_V2, f"{_SHIM}._job", f"{_SHIM}._worker"),
    "utils": ("wandb", "nv_one_logger", f"{_SHIM}._worker", f"{_SHIM}._v2"),
}


@pytest.mark.parametrize("room", sorted(RULES))
def test_rooms_do_not_know_each_others_words(room: str) -> None:
    for path in sorted((SOURCE / room).rglob("*.py")):
        for name in _imports(path):
            for forbidden in RULES[room]:
                assert name != forbidden, path
                assert not name.startswith(f"{forbidden}."), (path, name)


def test_wandb_is_imported_in_one_room_only() -> None:
    for path in sorted(SOURCE.rglob("*.py")):
        if "_worker" not in path.parts:
            assert not any(name.split(".")[0] == "wandb" for name in _imports(path)), path


def test_private_names_of_v2_stand_in_one_module() -> None:
    from one_logger_v1_shim._v2.private import NAMES

    private = {name for name in NAMES if name.startswith("_")}
    for path in sorted((SOURCE / "_v2").glob("*.py")):
        if path.name == "private.py":
            continue
        tree = ast.parse(path.read_text())
        foreign = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and not (isinstance(node.value, ast.Name) and node.value.id == "self")
        }
        assert not foreign & private, path


_WHOLE_JOB = """
import importlib.abc, sys

class Hidden(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in sys.stdlib_module_names | {"one_logger_v1_shim"}:
            raise ModuleNotFoundError(f"hidden: {name}", name=name)

sys.meta_path.insert(0, Hidden())
before = set(sys.modules)

from one_logger_v1_shim import OneLogger
from one_logger_v1_shim.utils import OneLoggerUtils

job = OneLoggerUtils({
    "enable_for_current_rank": True, "one_logger_project": "p", "app_tag": "tag", "app_tag_run_name": "job",
    "world_size": 1, "global_batch_size": 8, "log_every_n_train_iterations": 2, "is_train_iterations_enabled": True,
    "is_validation_iterations_enabled": True,
})
OneLogger({"project": "p"}).log_metrics({"mine": 1.5, "none": None, "list": [1, "a"]})
job.on_app_start()
job.on_train_start(train_iterations_start=0)
for _ in range(4):
    job.on_train_batch_start()
    job.on_train_batch_end()
job.on_save_checkpoint_start(global_step=4)
job.on_save_checkpoint_end(global_step=4)
job.on_save_checkpoint_success(global_step=4)
job.on_train_end()
job.on_app_end()
job.finish()
print(sorted({name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)))
"""


# what every job runs, in its own process; the framework modules (utils/pytorch_lightning.py ...) need their framework
_OF_EVERY_JOB = ["_v1", "_journal", "_job", *("core.py", "config_adapter.py", "rankpulse.py", "__init__.py")]
_OF_EVERY_JOB += ["_log.py", "_variables.py", "_version.py", "_noedit.py", "utils/core.py", "utils/__init__.py"]

NEEDS_THE_NAMES = pytest.mark.skipif(sys.version_info < (3, 10), reason="sys.stdlib_module_names is new in Python 3.10")


@NEEDS_THE_NAMES
@pytest.mark.parametrize("room", _OF_EVERY_JOB)
def test_what_every_job_runs_names_no_third_party_package_but_these(room: str) -> None:
    known = {*sys.stdlib_module_names, _SHIM, ""}
    # numpy: where the program logs an array of its; v2: for annotations and conversions that are asked for
    known |= {"numpy"} if room == "_job" else {"nv_one_logger"} if room == "config_adapter.py" else set()
    paths = sorted((SOURCE / room).rglob("*.py")) or [SOURCE / room]
    for path in paths:
        assert {name.partition(".")[0] for name in _imports(path)} <= known, path


V2S_FILE = {
    "exporters": [
        {"class_name": "nv_one_logger.exporter.file_exporter.FileExporter", "config": {"file_path": "v2.jsonl"}}
    ]
}


@pytest.mark.slow
@NEEDS_THE_NAMES
@pytest.mark.parametrize("forward", [None, "worker", "job"])
def test_what_the_job_runs_needs_the_standard_library_alone(forward: Optional[str], tmp_path: Path) -> None:
    """Every third-party package is hidden from the job; its rows are in W&B's file and v2 has its calls all the same.

    With ``job`` too, which asks for what is not there: v2 then hears the job in the worker.
    """
    (tmp_path / "one_logger_exporters_config.json").write_text(json.dumps(V2S_FILE))
    env = {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}
    if forward is not None:
        env |= {"ONE_LOGGER_V1_FORWARD": forward, "ONE_LOGGER_V1_PYTHON": sys.executable}
    result = run_python(_WHOLE_JOB, tmp_path, env=env)
    assert result.stdout.strip() == "['one_logger_v1_shim']"
    rows = stored_rows(tmp_path)
    assert {"mine": 1.5, "none": None, "list": [1, "a"]} in rows
    assert [row["train_iterations"] for row in rows if "train_iterations" in row] == [2, 4, 4]
    assert {"app_finish_time"} in [set(row) for row in rows]
    # the second line: on a machine that is busy wandb takes its time
    usual = ("joins it", "waiting for W&B")
    assert [line for line in result.stderr.splitlines() if not any(part in line for part in usual)] == []
    told = (tmp_path / "v2.jsonl").read_text()
    assert all(span in told for span in ("application", "training_loop", "checkpoint_save_sync"))


def test_metric_names_stand_in_one_table() -> None:
    from one_logger_v1_shim._v1 import metrics

    # Names that are also arguments or configuration keys of v1 are written where these are meant.
    arguments = re.compile(
        r"_(start|finish)_time$|^is_|_target$|_size$|^app_tag|_version$|_type$|^train_(iterations|samples)_start$"
    )
    for path in sorted((SOURCE / "_v1").glob("*.py")) + sorted((SOURCE / "_v2").glob("*.py")):
        if path.name == "metrics.py":
            continue
        texts = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
        twice = {text for text in texts & metrics.UNITS.keys() if not arguments.search(str(text))}
        assert twice <= {
            "save_checkpoint_strategy", "app_metrics_feature_tags", "train_iterations", "train_tokens",
            "train_tokens_target", "train_throughput_per_gpu", "train_throughput_per_gpu_max",
        }, path  # fmt: skip
