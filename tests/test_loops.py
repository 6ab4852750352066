"""The guards of the test suite itself: a test that is not fast, and a run that leaves something, are noticed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import left_behind, loops
from tests.delivery.jobs import alive
from tests.support import ROOT, clean_environment


def run(folder: Path, body: str, *options: str) -> subprocess.CompletedProcess[str]:
    """A run of pytest of its own, with this suite's hooks, on one test."""
    return run_file(folder, f"def test_it():\n    {body}\n", *options)


def run_file(folder: Path, tests: str, *options: str) -> subprocess.CompletedProcess[str]:
    """The same, on a file of tests."""
    (folder / "test_it.py").write_text(f"import os, subprocess, sys, tempfile\n\n{tests}")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider", *options]
    # patience: processes that end by themselves are waited for
    shorter = "from tests import left_behind, loops; left_behind.PATIENCE, loops.LIMIT = 1.0, 0.5"
    temporary = folder / "temporary"
    temporary.mkdir()
    return subprocess.run(
        [sys.executable, "-c", f"import pytest, sys; {shorter}; sys.exit(pytest.main({command[3:]!r}))"], cwd=folder,
        env=clean_environment(folder, {"TMPDIR": str(temporary)}), capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip


#: what a fast test may not do -> what is said
NOT_FAST = {
    "subprocess.run(['true'], check=True)": r"starts a process \(subprocess.Popen: \('true',\)\)",
    "os.waitpid(os.fork() or os._exit(0), 0)": r"starts a process \(os.fork",
    "os.system('true')": r"starts a process \(os.system",
    "import wandb": "imports wandb",
    "sum(range(10**8))": r"takes \d+\.\d s of CPU time",
}


@pytest.mark.ci
def test_a_test_that_is_not_fast_is_noticed(tmp_path: Path) -> None:
    """And one that uses threads and files is not."""
    (tmp_path / "wandb.py").touch()  # the name counts
    bodies = [*NOT_FAST, "open(tempfile.mkstemp(dir='.')[1]).close()"]
    done = run_file(tmp_path, "\n".join(f"def test_{number}():\n    {body}\n" for number, body in enumerate(bodies)))
    assert done.returncode == 1
    said = re.findall(r"a test of the fast loop (.*)", done.stdout.partition("short test summary")[0])
    assert len(said) == len(NOT_FAST), done.stdout
    for line, expected in zip(said, NOT_FAST.values()):
        assert re.match(expected, line)
        assert "mark it with pytest.mark.slow" in line
    assert f"{len(bodies)} passed, {len(NOT_FAST)} errors" in done.stdout


@pytest.mark.ci
@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "two processes"])
def test_a_run_that_leaves_something_has_failed(options: tuple[str, ...], tmp_path: Path) -> None:
    body = "tempfile.mkdtemp(prefix='ours-'); subprocess.Popen(['sleep', '600'], start_new_session=True)"
    done = run(tmp_path, f"{body}\n\ntest_it.pytestmark = [__import__('pytest').mark.slow]", *options)
    assert done.returncode == 1
    assert "1 passed" in done.stdout
    said = [line for line in done.stdout.splitlines() if line.startswith("LEFT BEHIND: ")]
    assert len(said) == 2
    assert "is left: sleep 600" in said[0]
    assert "/ours-" in said[1]
    (kept,) = (tmp_path / "temporary").iterdir()
    assert f"kept in {kept}" in done.stdout
    assert any(entry.name.startswith("ours-") for entry in kept.iterdir())
    pid = int(said[0].split("process ")[1].split()[0])
    assert not alive(pid)


@pytest.mark.ci
def test_a_green_run_leaves_no_folder(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    (tmp_path / "test_it.py").write_text("def test_it(tmp_path):\n    (tmp_path / 'file').touch()\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider"], cwd=tmp_path,
        env=clean_environment(tmp_path, {"TMPDIR": str(temporary)}), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert list(temporary.iterdir()) == []


@pytest.mark.ci
@pytest.mark.parametrize("options", [(), ("-n", "1")], ids=["one process", "pytest-xdist"])
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("while True: pass", r"FAILED \S*test_it.py::test_it - Failed: Timeout \(>1\.0s\)"),
        (
            "while True:\n        try: open(os.devnull).close()\n        except BaseException: pass",
            r"Timeout \(0:00:02\)!\n(?s:.*)test_it\.py\", line \d+ in test_it\n",
        ),
    ],
    ids=["it can be interrupted", "it cannot"],
)
def test_a_test_that_runs_away_is_ended_and_named(
    body: str, said: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    shorter = "from tests import loops\nloops.ENDED_AFTER['slow'], loops.GRACE = 1.0, 1.0\n"  # in each process
    done = run(tmp_path, f"{body}\n\n{shorter}test_it.pytestmark = [__import__('pytest').mark.slow]", *options)
    assert done.returncode == 1
    assert re.search(said, done.stdout + done.stderr), done.stdout + done.stderr
    if options:
        assert re.search(r"FAILED \S*test_it.py::test_it|crashed while running '\S*test_it.py::test_it'", done.stdout)


@pytest.mark.ci
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "1 passed"),
        (["-n0", "-m", "ci"], "1 passed"),
        (["test_it.py"], "2 passed"),
        (["test_it.py::test_long"], "1 passed"),
        (["-k", "long"], "1 passed"),
    ],
)
def test_the_plain_command_leaves_out_what_is_for_ci_only(arguments: list[str], expected: str, tmp_path: Path) -> None:
    """Who names a test, a file or a word means it."""
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\ntestpaths = ['.']\n")
    (tmp_path / "test_it.py").write_text(
        "import os, pytest\n\n@pytest.mark.ci\ndef test_long():\n    pass\n\n"
        "def test_short():\n    print('in a process of its own', 'PYTEST_XDIST_WORKER' in os.environ)\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-rP", *arguments]
    (tmp_path / "temporary").mkdir()
    told = {"TMPDIR": str(tmp_path / "temporary")}
    done = subprocess.run(
        command, cwd=tmp_path, env=clean_environment(tmp_path, told), capture_output=True, text=True, check=False
    )
    assert re.search(rf"^=+ {expected}.* in .*s.* =+$", done.stdout, re.MULTILINE), done.stdout + done.stderr
    if not arguments:
        assert "in a process of its own True" in done.stdout


def test_what_an_older_python_does_not_run() -> None:
    assert loops.not_here((3, 15)) == {}
    left_out = loops.not_here((3, 9))
    assert all(path.exists() for path in left_out)
    assert left_out[ROOT / "tests" / "release"].startswith("not run on Python 3.9: tests/release (3.11: griffe, ")


def test_what_is_ours_in_a_temp_folder(tmp_path: Path) -> None:
    for name in ("pytest-of-me", "wandb-12-34-567", "tmpab12wandb-media", "compat_matrix-x", "tmpab12", "one-logger-1"):
        (tmp_path / name).mkdir()
    assert left_behind.entries(tmp_path) == ["compat_matrix-x", "one-logger-1", "tmpab12"]


def test_this_process_is_not_left_behind() -> None:
    folder = Path(os.environ["TMPDIR"])
    assert os.getpid() not in [process.pid for process in left_behind.processes(folder)]


def test_the_folders_are_there() -> None:
    for name, marker in loops.FOLDERS.items():
        path = ROOT / "tests" / name / "test_x.py"
        assert path.parent.is_dir()
        assert loops.has_no_test(path, "fast")
        assert loops.has_no_test(path, "not ci") == (marker == "ci")
        assert not loops.has_no_test(path, "")
    assert not loops.has_no_test(ROOT / "tests" / "test_core.py", "fast")
    assert not loops.has_no_test(ROOT / "tests", "fast")


def test_modules_that_share_an_environment_stay_together() -> None:
    ids = (
        "tests/isolated/test_jobs.py::test_a[x/y]",
        "tests/isolated/test_isolate.py::test_b",
        "tests/cli/test_x.py::t",
    )
    assert [loops.together(one) for one in ids] == ["tests/isolated", "tests/isolated", "tests/cli/test_x.py"]
