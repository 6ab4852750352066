"""A copy of the checkout in which a file is changed, and the tests that run a line of it, in forked processes.

Each process imports the package, the tests and ``compat_matrix`` anew, from the copy; what it starts finds them there.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..jobs import HOME

ROOT = HOME.parent
_COPIED = ("one_logger_v1_shim", "compat_matrix", "tests", "docs")
_OURS = ("one_logger_v1_shim", "_one_logger_v1_shim_pytest", "compat_matrix", "tests", "conftest")
_OPTIONS = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist")
_FAST = (*_OPTIONS, "-m", "fast")
#: file -> line -> the tests that run it
Map = dict[str, dict[str, list[str]]]


class Copy:
    """The copy. Use it as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "copy"

    def __enter__(self) -> Copy:
        self.root.mkdir()
        left_out = shutil.ignore_patterns("__pycache__", "report", ".environments", "wandb")
        for name in _COPIED:
            shutil.copytree(ROOT / name, self.root / name, ignore=left_out)
        for path in ROOT.glob("*.*"):
            if path.is_file():
                shutil.copy(path, self.root)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.root, ignore_errors=True)

    @contextlib.contextmanager
    def changed(self, file: str, data: bytes) -> Iterator[None]:
        """``file`` has other bytes in the block."""
        path = self.root / file
        before = path.read_bytes()
        path.write_bytes(data)
        try:
            yield
        finally:
            path.write_bytes(before)

    def passes(self, tests: Sequence[str], limit: int) -> bool:
        """Whether the fast ones of these tests pass, in less than ``limit`` seconds of CPU time."""
        return bool(tests) and self._in_child(lambda: _pytest([*_FAST, "-x", *tests]), limit) == 0

    def passes_whole(self, tests: Sequence[str], limit: float) -> bool:
        """The same for tests that start processes; a run of its own, which is ended as a whole."""
        command = [sys.executable, "-m", "pytest", *_OPTIONS, "-x", *tests]
        process = subprocess.Popen(
            command, cwd=self.root, env=self._environment(), start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            return process.wait(limit) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def map(self, tests: Sequence[str], sources: Sequence[str]) -> Map:
        """Which of the fast tests run which lines of ``sources``: one run of all of them.

        Raises:
            ValueError: pytest could not run them.
        """
        found: Map = self._told(
            tests, lambda out: _measured(tests, [str(self.root / one) for one in sources], self.root, out)
        )
        return found

    def failing(self, tests: Sequence[str]) -> list[str]:
        """Which of these fast tests fail.

        Raises:
            ValueError: pytest could not run them.
        """
        found: list[str] = self._told(tests, lambda out: _failing(tests, out)) if tests else []
        return found

    def _told(self, tests: Sequence[str], what: Callable[[Path], int]) -> Any:
        """What a run of all of the tests has written into a file."""
        out = self.root.parent / "told.json"
        code = self._in_child(lambda: what(out))
        if code not in (0, 1):  # 1: some fail
            raise ValueError(f"the tests cannot be run as they are (exit code {code}): {' '.join(tests)}")
        return json.loads(out.read_text(encoding="utf-8"))

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.root), "PYTHONDONTWRITEBYTECODE": "1"}

    def _in_child(self, what: Callable[[], int], limit: int = 3600) -> int:
        """The result of a function in a forked process; below 0: it died, also after ``limit`` seconds of CPU time."""
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                os.setsid()
                resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
                self._become()
                code = what()
            finally:
                os._exit(code)
        until = time.monotonic() + 20 * limit  # one that waits for ever uses no CPU time
        while time.monotonic() < until:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return -1

    def _become(self) -> None:
        nothing = os.open(os.devnull, os.O_RDWR)
        log = os.open(self.root.parent / "tests.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        for number, descriptor in enumerate((nothing, log, log)):
            os.dup2(descriptor, number)
        os.chdir(self.root)
        os.environ.update(self._environment())
        sys.dont_write_bytecode = True
        here = {str(ROOT), "", os.fspath(Path.cwd())}
        sys.path[:] = [str(self.root), *(one for one in sys.path if one not in here)]
        for name in list(sys.modules):
            if name.partition(".")[0] in _OURS:
                del sys.modules[name]


class Control:
    """Which tests pass on the unchanged code: only these can notice a change.

    Raises:
        ValueError: pytest could not run them.
    """

    def __init__(self, copy: Copy, tests: Iterable[str]) -> None:
        """``tests``: the fast ones of all mutants of a sample; they are run here, once."""
        self.copy = copy
        #: tests and files of tests that fail on the unchanged code
        self.failed = copy.failing(sorted(tests))
        self._whole: dict[str, bool] = {}

    def sound(self, tests: Iterable[str]) -> list[str]:
        """Those of the fast tests that pass."""
        return [test for test in tests if test not in self.failed]

    def sound_whole(self, files: Iterable[str], limit: float) -> list[str]:
        """Those of the files that pass with the tests that start processes; a file is run when it is first asked."""
        found = []
        for file in files:
            if file not in self._whole:
                self._whole[file] = self.copy.passes_whole([file], limit)
                if not self._whole[file]:
                    self.failed.append(file)
            if self._whole[file]:
                found.append(file)
        return found


def warm_up() -> None:
    """Import once, before the forks, what every test run imports."""
    for name in ("pytest", "_pytest.assertion.rewrite", "hypothesis", "libcst.metadata", "json", "asyncio", "sqlite3"):
        with contextlib.suppress(ImportError):
            __import__(name)


def _pytest(arguments: Sequence[str], *plugins: Any) -> int:
    import pytest

    return int(pytest.main(list(arguments), plugins=list(plugins)))


def _failing(tests: Sequence[str], out: Path) -> int:
    import pytest

    found: dict[str, None] = {}

    class Failures:
        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.failed:
                found[report.nodeid] = None

    code = _pytest([*_FAST, *tests], Failures())
    out.write_text(json.dumps(list(found)), encoding="utf-8")
    return code


def _measured(tests: Sequence[str], sources: Sequence[str], root: Path, out: Path) -> int:
    import coverage
    import pytest

    measure = coverage.Coverage(source=sources, data_file=None, config_file=False)

    class Contexts:
        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
            measure.switch_context(item.nodeid)
            return (yield)

    measure.start()
    code = _pytest([*_FAST, *tests], Contexts())
    measure.stop()
    data = measure.get_data()
    found = {
        os.path.relpath(file, root): {
            str(line): sorted(one for one in contexts if one)
            for line, contexts in data.contexts_by_lineno(file).items()
        }
        for file in data.measured_files()
    }
    out.write_text(json.dumps(found), encoding="utf-8")
    return code
