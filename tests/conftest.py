"""Fixtures: a process that looks new, and the rows that W&B really stored. Hooks: the loops, the temp folder."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from tests import left_behind, loops
from tests.support import WORKER, journalled_rows

_FOLDER = pytest.StashKey[Path]()
_KEPT = pytest.StashKey[Path]()
_LEFT = pytest.StashKey[list[str]]()
_SEEN = pytest.StashKey[Callable[[], list[str]]]()
_LAST_RESORT = pytest.StashKey[loops.LastResort]()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, object, object]:
    """Before pytest-xdist, which starts its processes here."""
    loops.choose(config)
    return (yield)


def pytest_configure(config: pytest.Config) -> None:
    """The whole run has one temp folder, with everything in it, so that it can be seen what is left."""
    config.stash[_LAST_RESORT] = loops.LastResort()
    for marker in loops.MARKERS:
        config.addinivalue_line("markers", marker)
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)  # a tool that runs pytest again in this process would look for the folder
    if not hasattr(config, "workerinput"):  # a process of pytest-xdist inherits all of this
        if os.environ.get("TESTS_ISOLATED"):
            _isolate(config, patch)
        folder = Path(tempfile.mkdtemp(prefix="shim-"))
        config.stash[_FOLDER] = folder
        for name in ("TMPDIR", left_behind.VARIABLE):
            patch.setenv(name, str(folder))
    patch.setattr(tempfile, "tempdir", os.environ["TMPDIR"])
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # a shell's background: jobs that a test interrupts would inherit that
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> Optional[bool]:
    """The first two loops do not import the training frameworks; an old Python leaves out what it cannot run."""
    left_out = loops.has_no_test(collection_path, config.option.markexpr) or collection_path in loops.not_here()
    return True if left_out else None


def _isolate(config: pytest.Config, patch: pytest.MonkeyPatch) -> None:
    """``TESTS_ISOLATED=1``: jobs in processes of their own are in isolated mode, with this environment's packages.

    ``TESTS_ISOLATED=VERSION``: with that wandb.
    """
    from compat_matrix.bench.process import isolated_mode

    folder, version = tempfile.mkdtemp(prefix="shim-isolated-"), os.environ["TESTS_ISOLATED"]
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    made = isolated_mode(Path(folder) / "jobs", "" if version == "1" else version)
    patch.setenv(WORKER, made["ONE_LOGGER_V1_PYTHON"])


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["markexpr"] = node.config.option.markexpr


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """``-n N``: the tests of a module share what it has started, so they stay together; the slow folders come first."""
    from xdist.scheduler import LoadFileScheduling

    config.option.loadscopereorder = False
    scheduling = LoadFileScheduling(config, log)
    scheduling._split_scope = loops.together
    return scheduling


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    loops.assign(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    with item.config.stash[_LAST_RESORT].watching(item), loops.GUARD.watching() as item.stash[_SEEN]:
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    yield
    what = "; ".join(item.stash[_SEEN]())
    if what and item.get_closest_marker("fast"):
        pytest.fail(f"a test of the fast loop {what}: mark it with pytest.mark.slow (tests/loops.py)", pytrace=False)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A run that leaves a process or a folder has failed."""
    folder = session.config.stash.get(_FOLDER, None)
    if folder is None:
        return
    session.config.stash[_LEFT] = lines = left_behind.left(folder)
    if lines and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    if session.exitstatus == pytest.ExitCode.TESTS_FAILED and "MUTANT_UNDER_TEST" not in os.environ:
        session.config.stash[_KEPT] = left_behind.keep(folder)
    else:
        shutil.rmtree(folder, ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in loops.not_here().values():
        terminalreporter.write_line(line)
    for line in config.stash.get(_LEFT, []):
        terminalreporter.write_line(f"LEFT BEHIND: {line}", red=True)
    if _KEPT in config.stash:
        terminalreporter.write_line(
            f"the folders of this run are kept in {config.stash[_KEPT]}, until the next one fails"
        )


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("WANDB_", "ONE_LOGGER_", "SLURM_")) or name in ("RANK", "WORLD_SIZE"):
            monkeypatch.delenv(name)


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory of its own, an unconfigured v2 provider, and no interpreter for a worker: rows are kept."""
    from nv_one_logger.core.internal.singleton import SingletonMeta

    from one_logger_v1_shim import _state

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("ONE_LOGGER_V1_PYTHON", str(tmp_path / "none"))

    def reset() -> None:
        current = _state.process.current
        if current is not None:
            current.finish(0)
        new = _state.Process()
        new.hooked = _state.process.hooked
        new.said["worker:start"] = "the tests know"
        _state.exchange(new)
        SingletonMeta._instances.clear()

    reset()
    yield tmp_path
    reset()


@pytest.fixture
def rows(fresh: Path) -> Callable[[], list[dict[str, Any]]]:
    """Finish what is open and read the rows of all runs back from their journals, in order."""

    def read() -> list[dict[str, Any]]:
        from one_logger_v1_shim._job.telemetry import current

        telemetry = current()
        if telemetry is not None:
            telemetry.finish(0)
        return journalled_rows(fresh)

    return read


@pytest.fixture(autouse=True)
def _v2_logs_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a dry run does to the logger of v2 is undone: `caplog` hears v2 afterwards."""
    v2 = logging.getLogger("nv_one_logger")
    monkeypatch.setattr(v2, "propagate", v2.propagate)
    monkeypatch.setattr(v2, "handlers", list(v2.handlers))
