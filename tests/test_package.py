"""What the package says of itself."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

import one_logger_v1_shim
from one_logger_v1_shim.__main__ import COMMANDS
from tests.support import ROOT, run_command

SOURCE = ROOT / "one_logger_v1_shim"


def test_version_stands_in_two_places_and_is_the_same() -> None:
    found = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert found is not None
    assert found[1] == one_logger_v1_shim.__version__


def test_readme_has_the_two_commands() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert "python -m pip install '.[test]' && python -m pytest" in lines
    assert any(line.startswith("python -m pip install . && python -m one_logger_v1_shim run ") for line in lines)


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


# room -> what it must not know
RULES = {
    "_v1": ("wandb", "nv_one_logger", "one_logger_v1_shim._v2", "one_logger_v1_shim._delivery", "time"),
    "_v2": ("wandb", "one_logger_v1_shim.utils", "one_logger_v1_shim.core"),
    "_delivery": ("nv_one_logger", "one_logger_v1_shim._v1", "one_logger_v1_shim._v2", "one_logger_v1_shim.utils"),
    "utils": ("wandb", "nv_one_logger", "one_logger_v1_shim._delivery"),
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
        if "_delivery" not in path.parts:
            assert not any(name.split(".")[0] == "wandb" for name in _imports(path)), path


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
