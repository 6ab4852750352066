"""``try``, ``mutations`` and the command line around them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from compat_matrix.commands.mutations import MUTATIONS, Mutation, mutate
from compat_matrix.jobs import PROGRAMS

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "one_logger_v1_shim"


def matrix(*arguments: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(cwd), **more}
    command = [sys.executable, "-m", "compat_matrix", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow
def test_try_shows_calls_rows_and_what_v1_would_have_refused_and_leaves_what_it_is_told(tmp_path: Path) -> None:
    """That nothing is left where nothing is said is in each test of ``test_try.py``."""
    temporary, kept = tmp_path / "t", tmp_path / "kept"
    temporary.mkdir()
    program = str(PROGRAMS / "longlive" / "train.py")
    done = matrix("try", "--keep", str(kept), program, cwd=tmp_path, TMPDIR=str(temporary))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "20 x OneLoggerUtils#0.on_train_batch_end" in done.stdout
    assert "project 'self-forcing', run 'longlive-1.3b': 25 rows" in done.stdout
    refused = "OneLoggerUtils.on_app_end(): RuntimeError: Cannot end timer = 'app_run' since it is not active"
    assert refused in done.stdout
    assert "the same rows, in the same order" in done.stdout
    assert len(list(kept.rglob("*.wandb"))) == 1
    assert list(temporary.iterdir()) == []
    again = matrix("try", "--keep", str(kept), program, cwd=tmp_path)
    assert (again.returncode, again.stderr.strip()) == (2, f"--keep {kept}: expected a new or an empty folder")


@pytest.mark.slow
def test_try_passes_arguments_callables_and_errors_on(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        """
import sys
from one_logger_utils import OneLoggerUtils
sizes = iter([8, 8, 16])
logger = OneLoggerUtils({
    "enable_for_current_rank": True, "one_logger_project": sys.argv[1], "app_tag": "t", "app_tag_run_name": "n",
    "world_size": 1, "global_batch_size": lambda: next(sizes), "log_every_n_train_iterations": 1,
    "is_train_iterations_enabled": True, "is_validation_iterations_enabled": False, "batch_size": 8,
    "train_iterations_target": 2, "train_samples_target": 24,
})
logger.on_train_start(train_iterations_start=0)
for _ in range(2):
    logger.on_train_batch_start()
    logger.on_train_batch_end()
try:
    logger.on_train_start()
except ValueError:
    sys.exit(3)
"""
    )
    done = matrix("try", "train.py", "--", "mine", cwd=tmp_path)
    assert done.returncode == 3
    assert "project 'mine'" in done.stdout
    assert "raised: OneLoggerUtils.on_train_start(): ValueError" in done.stdout
    assert "without 'one_logger_async'" in done.stdout
    assert "the same rows, in the same order" in done.stdout, done.stdout
    assert not (tmp_path / "wandb").exists()


@pytest.mark.slow
def test_try_says_what_is_wrong_with_its_arguments(tmp_path: Path) -> None:
    assert matrix("try", cwd=tmp_path).returncode == 2
    done = matrix("try", "missing.py", cwd=tmp_path)
    assert (done.returncode, done.stderr.strip()) == (2, "no such file: missing.py")
    assert matrix("retry", cwd=tmp_path).returncode == 2
    assert matrix("--here", "--job", "no such job", cwd=tmp_path).returncode == 2


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.kind)
def test_each_mutation_applies_to_the_package_as_it_is(mutation: Mutation, tmp_path: Path) -> None:
    wheel = tmp_path / "one_logger_v1_shim-0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(PACKAGE / mutation.file, f"one_logger_v1_shim/{mutation.file}")
    broken = mutate(wheel, mutation, tmp_path / "broken")
    with zipfile.ZipFile(broken) as archive:
        source = archive.read(f"one_logger_v1_shim/{mutation.file}").decode()
    compile(source, mutation.file, "exec")
    assert source != (PACKAGE / mutation.file).read_text(encoding="utf-8")


def test_a_mutation_that_no_longer_applies_is_an_error(tmp_path: Path) -> None:
    wheel = tmp_path / "x.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("one_logger_v1_shim/a.py", "old = 1\n")
    with pytest.raises(ValueError, match="write this mutation again"):
        mutate(wheel, Mutation("kind", "a.py", "gone", "new"), tmp_path / "out")


def test_there_are_ten_mutations_of_several_kinds() -> None:
    assert len(MUTATIONS) == 10
    assert {"name", "off by one", "dropped row", "wrong order"} <= {mutation.kind for mutation in MUTATIONS}


@pytest.mark.slow
def test_an_interrupted_run_leaves_a_report(tmp_path: Path) -> None:
    code = (  # tests in the background of a shell ignore Ctrl-C, and so would it
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "import sys; from pathlib import Path; from compat_matrix import __main__ as m;"
        "from compat_matrix.reporting import terminal;"
        f"terminal.write = lambda reports, w=terminal.write: w(reports, Path({str(tmp_path / 'report')!r}));"
        "sys.exit(m.main(['--here', '--job', 'golden']))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    limit = time.monotonic() + 60
    while not list(tmp_path.glob("compat_matrix-*/*/golden-*")) and time.monotonic() < limit:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    assert "unfinished" in output
    assert (tmp_path / "report" / "index.html").exists()
