"""Every command of every page is run, as printed, in the order of the page, or stands in a list with the reason."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from one_logger_v1_shim.__main__ import COMMANDS
from tests.documents.samples import DOCUMENTS, samples
from tests.support import ROOT, clean_environment

#: what a line has in it -> why it is not run here
NOT_RUN = {
    "pip install": "it needs an index; .ci/run and tests/release install",
    "pip uninstall": "it removes the package that is tested",
    "venv .venv": "its next line needs an index",
    "pytest": "the tests do not run themselves: .ci/run, tests/testing/test_plugin.py",
    "wandb sync": "it needs an account",
    "srun ": "it needs SLURM",
    "#SBATCH": "the same",
    "isolate": "it needs an index; tests/isolated",
    "/opt/one-logger": "what `isolate` would have made there",
    "$WANDB_DIR": "the line before it is not run",
    "[": "a form, not a command: tests/documents/test_documents.py looks for its options in --help",
    "compat_matrix --here": "minutes; .ci/run matrix",
    "compat_matrix --quick": "minutes; .ci/run matrix",
    "compat_matrix --canary": "it needs an index; canary.yml",
    "compat_matrix             #": "an hour",
    "compat_matrix drift": "minutes; .ci/run drift",
    "compat_matrix mutations": "minutes; tests/matrix",
    "compat_matrix random": "minutes; tests/matrix/test_random_jobs.py",
    "compat_matrix changes": "a minute; tests/matrix/test_verify.py",
    "compat_matrix launchers": "it needs an index, Ray, Java and a C compiler",
    "compat_matrix mutants": "minutes; tests/matrix",
    " team/": "it needs an account; tests/cli/test_online.py",
    "BEFORE": "names of runs that the reader has; tests/documents/test_leaving.py",
    "compat_matrix clean": "it removes the developer's environments",
    "compat_matrix --list": "it looks for every Python of the machine; tests/matrix/test_plan.py",
    "mutmut": "an hour",
    "PYTHONDONTWRITEBYTECODE": "for the line after it, which is not run",
    '--runner "': "the second line of one that is not run",
    "survivors": "it needs mutmut's results",
}

PROGRAM = """
from one_logger_utils import OneLoggerUtils

utils = OneLoggerUtils({
    "enable_for_current_rank": True, "one_logger_project": "demo", "app_tag": "llama", "app_tag_run_name": "job",
    "world_size": 1, "global_batch_size": 8, "is_train_iterations_enabled": True,
    "is_validation_iterations_enabled": False, "log_every_n_train_iterations": 2,
})
utils.on_app_start()
utils.on_train_start(train_iterations_start=0)
for _ in range(4):
    utils.on_train_batch_start()
    utils.on_train_batch_end()
utils.on_train_end()
utils.on_app_end()
utils.finish()
"""


def lines(document: Path) -> list[str]:
    """The commands of a page's blocks for a shell."""
    texts = [one.text for one in samples("sh") if one.document == document]
    return [line for text in texts for line in text.replace("\\\n", " ").splitlines() if line.strip(" #")]


def reason(line: str) -> str:
    """Why that line is not run; "": it is."""
    return next((why for part, why in NOT_RUN.items() if part in line), "")


PAGES = [page for page in DOCUMENTS if any(not reason(line) for line in lines(page))]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the commands name."""
    place = tmp_path_factory.mktemp("scene")
    for name in ("train.py", "path/to/train.py", "path/to/your/train.py", "package/train.py", "src/train.py"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(PROGRAM)
    (place / "package" / "__init__.py").touch()
    (place / "bin").mkdir()
    (place / "bin" / "python").symlink_to(sys.executable)
    torchrun = place / "bin" / "torchrun"  # any command would do
    torchrun.write_text('#!/bin/sh\nexec python "$@"\n')
    torchrun.chmod(0o755)
    bash(place, "python -m one_logger_v1_shim run train.py")
    (run,) = place.glob("wandb/offline-run-*")
    for name in ("OLD", "NEW"):
        shutil.copytree(run, place / name)
    return place


def bash(place: Path, line: str) -> subprocess.CompletedProcess[str]:
    # wandb does not read what all packages say of themselves
    environ = clean_environment(place, {"WANDB_MODE": "offline", "WANDB_X_SAVE_REQUIREMENTS": "false"})
    environ["PATH"] = f"{Path(sys.executable).parent}:{place / 'bin'}:{environ['PATH']}"
    return subprocess.run(["bash", "-c", line], cwd=place, env=environ, capture_output=True, text=True, timeout=120)


@pytest.mark.ci
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page(page: Path, scene: Path) -> None:
    for line in filter(lambda line: not reason(line), lines(page)):
        done = bash(scene, line)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stdout + done.stderr, line


def test_no_reason_is_too_much() -> None:
    every = [line for page in DOCUMENTS for line in lines(page)]
    assert [part for part in NOT_RUN if not any(part in line for line in every)] == []


def test_commands_in_the_text_exist() -> None:
    """Those that stand in a sentence: the command, not what comes after it."""
    from compat_matrix.__main__ import COMMANDS as OURS

    known = {"one_logger_v1_shim": {*COMMANDS, "COMMAND"}, "compat_matrix": set(OURS)}
    for page in DOCUMENTS:
        for module, name in re.findall(r"`python -m (one_logger_v1_shim|compat_matrix) ([a-z]\w*)", page.read_text()):
            assert name in known[module], f"{page.name}: python -m {module} {name}"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_has_a_section_and_tests(name: str) -> None:
    assert f"one_logger_v1_shim {name}" in (ROOT / "docs" / "commands.md").read_text(), "docs/commands.md"
    texts = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__))
    imported, called = f"_cli import {name}", f'"{name}"'
    assert any(imported in text or called in text or f"_cli.{name} " in text for text in texts), f"tests of {name}"
