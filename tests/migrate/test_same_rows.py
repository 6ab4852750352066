"""The swapped program, and the unswapped one in no-edit mode, give the same rows: generated programs, and real ones."""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from one_logger_v1_shim import _log, _noedit, core
from one_logger_v1_shim._migrate.changes import Writer, back
from one_logger_v1_shim._migrate.swapping import swap
from one_logger_v1_shim.utils import core as utils_core
from tests.support import CONFIG, ROOT, CoreSpy, run_command, stored_rows

from .programs import programs

pytestmark = pytest.mark.ci


def _forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("one_logger", "one_logger_utils")]:
        del sys.modules[name]


@contextlib.contextmanager
def _spied() -> Iterator[CoreSpy]:
    """All that reaches a core, in order, and a clock that counts its readings."""
    spy = CoreSpy()
    readings = iter(range(1_700_000_000, 1_800_000_000))

    def make(self: Any, config: Any = None) -> None:
        spy.emits.append(("OneLogger", config))

    def spy_on(self: Any) -> None:
        self.one_logger = spy

    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(core.OneLogger, "__init__", make))
        stack.enter_context(mock.patch.object(core.OneLogger, "log_metrics", lambda self, row: spy.log_metrics(row)))
        stack.enter_context(mock.patch.object(utils_core.OneLoggerUtils, "_set_one_logger", spy_on))
        stack.enter_context(mock.patch("time.time", side_effect=lambda: float(next(readings))))
        yield spy


def _run(program: str) -> tuple[list[Any], str, str]:
    """What reached the core, what was printed, and the type of the exception that ended the program."""
    _forget()
    _log.forget()  # a warning reads the clock, too
    out = io.StringIO()
    ended = ""
    with _spied() as spy, contextlib.redirect_stdout(out):
        try:
            exec(compile(program, "program", "exec"), {"CONFIG": dict(CONFIG), "__name__": "program"})
        except Exception as error:
            ended = type(error).__name__
    _forget()
    return spy.take(), out.getvalue(), ended


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(program=programs(), newline=st.sampled_from(["\n", "\r\n"]))
def test_generated_programs(program: str, newline: str, tmp_path: Path) -> None:
    _noedit.install()
    try:
        expected = _run(program)
    finally:
        _noedit.uninstall()
    before = program.replace("\n", newline).encode()
    path = tmp_path / "program.py"
    path.write_bytes(before)
    (change,) = swap([path], strings=True)
    assert not change.left
    assert Writer().write(change) == ""
    swapped = path.read_bytes()
    assert not list(swap([path], strings=True)), "twice is once"
    assert swapped.count(b"\n") == before.count(b"\n")
    assert _run(swapped.decode().replace(newline, "\n")) == expected, swapped.decode()
    (change,) = back([path])
    assert Writer().write_back(change) == ""
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["megatron", "verl"])
def test_real_programs(name: str, tmp_path: Path) -> None:
    """Through the real worker and the real W&B, offline."""
    rows = {}
    for way in ("no-edit", "swapped"):
        folder = tmp_path / way
        shutil.copytree(ROOT / "compat_matrix" / "programs" / name, folder)
        shim = [sys.executable, "-m", "one_logger_v1_shim"]
        if way == "swapped":
            run_command([*shim, "swap", "--write", "--strings", "."], folder)
            command = [sys.executable, "train.py"]
        else:
            command = [*shim, "run", "train.py"]
        run_command(command, folder, env={"WANDB_MODE": "offline", "WANDB_SILENT": "true"})
        rows[way] = [{key: _timeless(key, value) for key, value in row.items()} for row in stored_rows(folder)]
    assert rows["no-edit"]
    assert rows["swapped"] == rows["no-edit"]


def _timeless(key: str, value: Any) -> Any:
    return type(value) if isinstance(value, float) or "time" in key else value
