"""What the package says of itself."""

from __future__ import annotations

import ast
import json
import re
import runpy
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Optional

import pytest

import one_logger_v1_shim
from compat_matrix.bench.process import isolated_mode
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


@cache
def _imports(path: Path) -> frozenset[str]:
    """Modules that ``path`` imports, spelled from the root of the package; not those for type checkers."""
    package = path.relative_to(ROOT).parent.parts
    found: set[str] = set()
    todo: list[ast.AST] = [ast.parse(path.read_text())]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *filter(None, [node.module])])
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            todo.extend(node.orelse)
        else:
            todo.extend(ast.iter_child_nodes(node))
    return frozenset(found)


_SHIM = "one_logger_v1_shim"


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_name(path): path for path in sorted(SOURCE.rglob("*.py"))}


def _rooms(*names: str) -> tuple[str, ...]:
    return tuple(f"{_SHIM}.{name}" for name in names)


_V2 = ("nv_one_logger", *_rooms("_v2"))
_FACES = _rooms("utils", "core", "rankpulse", "_adapter", "v1_compatible_wandb_exporter", "otlp_exporter")
_COMMANDS = _rooms("_cli", "_goodput", "_migrate")

#: room -> what none of its modules may import, by whatever way. CROSSINGS are left out of the way.
RULES = {
    "_v1": ("wandb", *_V2, *_rooms("_job", "_journal", "_worker", "_testing"), *_FACES, *_COMMANDS),
    "_journal": ("wandb", *_V2, *_rooms("_job", "_worker", "_v1", "_testing"), *_FACES, *_COMMANDS),
    "_job": ("wandb", *_V2, *_rooms("_worker", "_testing"), *_FACES, *_COMMANDS),
    "_worker": (*_V2, *_rooms("_job", "_v1", "_testing"), *_FACES, *_COMMANDS),
    "_v2": ("wandb", *_rooms("_job", "_worker"), *_FACES, *_COMMANDS),
    "_otlp": ("wandb", *_V2, *_rooms("_job", "_worker", "_testing"), *_FACES, *_COMMANDS),
    "utils": ("wandb", *_V2, *_rooms("_worker", "_testing"), *_COMMANDS),
    "_testing": ("wandb", *_V2, *_rooms("_worker"), *_FACES, *_COMMANDS),
    "_goodput": ("wandb", *_V2, *_rooms("_job", "_worker", "_testing"), *_FACES),
    "_migrate": ("wandb", *_V2, *_rooms("_job", "_worker", "_testing", "_adapter")),  # it looks at signatures
    "_cli": ("wandb", *_V2, *_rooms("_job", "_worker", "_testing", "_adapter")),
}

#: imports that cross a border on purpose -> why
CROSSINGS = {
    (f"{_SHIM}._job.telemetry", f"{_SHIM}._v2.here"): "the application itself has imported v2",
    (f"{_SHIM}._worker.player", f"{_SHIM}._v2.replay"): "v2 lives with the worker",
    (f"{_SHIM}._worker.dry", f"{_SHIM}._v2.dry"): "the same, for doctor",
    (f"{_SHIM}._worker.otlp", f"{_SHIM}._otlp"): "OpenTelemetry is asked for; its names of v1's metrics are v1's",
    (f"{_SHIM}._testing.block", f"{_SHIM}._v2.recording"): "a test wants v2's spans",
    (f"{_SHIM}._migrate.judging", f"{_SHIM}.utils"): "calls are held against the signatures, which are the product",
    (f"{_SHIM}._migrate.judging", f"{_SHIM}.core"): "the same",
    (f"{_SHIM}.config_adapter", f"{_SHIM}._v2.config"): "ConfigAdapter makes v2's own objects",
}


def _reached(module: str) -> dict[str, list[str]]:
    """What importing ``module`` imports, each with the way there."""
    ways: dict[str, list[str]] = {module: [module]}
    todo = [module]
    while todo:
        here = todo.pop()
        for name in sorted(_imports(MODULES[here])):
            if (
                name in ways
                or name == _SHIM
                or any(name.startswith(target) for one, target in CROSSINGS if one == here)
            ):
                continue
            ways[name] = [*ways[here], name]
            if name in MODULES:
                todo.append(name)
    return ways


@pytest.mark.parametrize("room", sorted(RULES))
def test_rooms_do_not_know_each_others_words(room: str) -> None:
    for module in (one for one in MODULES if f"{one}.".startswith(f"{_SHIM}.{room}.")):
        for name, way in _reached(module).items():
            for forbidden in RULES[room]:
                assert name != forbidden, way
                assert not name.startswith(f"{forbidden}."), way


def test_every_room_has_a_rule() -> None:
    rooms = {path.parent.relative_to(SOURCE).parts[0] for path in MODULES.values() if path.parent != SOURCE}
    assert rooms - {"_namespace", "_startup", "_v1_packages"} == set(RULES)


@pytest.mark.parametrize("room", ["_v1", "_v2", "_job", "_journal", "_otlp", "_worker", "utils"])
def test_every_module_says_in_which_process_it_runs(room: str) -> None:
    for path in sorted((SOURCE / room).glob("*.py")):
        said = ast.get_docstring(ast.parse(path.read_text())) or ""
        assert re.search(r"process|where v2 does", said), path


def test_every_crossing_is_there() -> None:
    for module, target in CROSSINGS:
        assert any(name.startswith(target) for name in _imports(MODULES[module])), (module, target)


def test_there_is_no_circle_among_modules() -> None:
    known = {one: _imports(MODULES[one]) & (MODULES.keys() - {_SHIM, one}) for one in MODULES}
    graph = {one: {name for name in names if (one, name) not in CROSSINGS} for one, names in known.items()}
    tuple(TopologicalSorter(graph).static_order())  # raises CycleError, with the circle


def test_wandb_is_imported_in_one_room_only() -> None:
    for path in sorted(SOURCE.rglob("*.py")):
        if "_worker" not in path.parts:
            assert not any(name.split(".")[0] == "wandb" for name in _imports(path)), path


def test_opentelemetry_is_imported_in_one_module_only() -> None:
    for path in sorted(SOURCE.rglob("*.py")):
        if path.relative_to(SOURCE).as_posix() != "_otlp/sender.py":
            assert not any(name.split(".")[0] == "opentelemetry" for name in _imports(path)), path


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
_OF_EVERY_JOB = ["_v1", "_journal", "_job", *("core.py", "_conversion.py", "rankpulse.py", "__init__.py")]
_OF_EVERY_JOB += [
    "_state.py",
    "_log.py",
    "_variables.py",
    "_version.py",
    "_noedit.py",
    "utils/core.py",
    "utils/__init__.py",
]

NEEDS_THE_NAMES = pytest.mark.skipif(sys.version_info < (3, 10), reason="sys.stdlib_module_names is new in Python 3.10")


@NEEDS_THE_NAMES
@pytest.mark.parametrize("room", _OF_EVERY_JOB)
def test_what_every_job_runs_names_no_third_party_package_but_these(room: str) -> None:
    known = {*sys.stdlib_module_names, _SHIM, ""}
    known |= {"numpy"} if room == "_job" else set()  # where the program logs an array of its
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
@pytest.mark.parametrize("own", [True, False], ids=["the job's interpreter", "another one"])
def test_what_the_job_runs_needs_the_standard_library_alone(own: bool, tmp_path: Path) -> None:
    """Every third-party package is hidden from the job; W&B's file has its rows and v2 its calls all the same."""
    (tmp_path / "one_logger_exporters_config.json").write_text(json.dumps(V2S_FILE))
    env = {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}
    if not own:
        env |= isolated_mode(tmp_path / "mode")
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
