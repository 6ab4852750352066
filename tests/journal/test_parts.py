"""Small parts of the rooms `_job`, `_journal` and `_worker` that no other fast test sees."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from one_logger_v1_shim._job.values import _duration
from one_logger_v1_shim._journal.destination import RunSpec, mode
from one_logger_v1_shim._journal.environment import job_path
from one_logger_v1_shim._journal.files import has_room
from one_logger_v1_shim._journal.process_table import is_running
from one_logger_v1_shim._worker.player import _Overheard


def test_the_scripts_folder_and_the_working_directory_come_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, library = tmp_path / "own", tmp_path / "library"
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(own / "train.py"), raising=False)
    monkeypatch.setattr(sys, "path", [str(own), str(library), ""])
    assert job_path() == [str(library), str(own), str(Path.cwd())]


@pytest.mark.parametrize(("asked", "meant"), [(" Offline ", "offline"), ("dryrun", "offline"), ("online", "online")])
def test_the_mode_that_the_variable_asks_for(asked: str, meant: str) -> None:
    assert mode({"WANDB_MODE": asked}) == meant


def test_room_on_the_disk(tmp_path: Path) -> None:
    assert has_room(tmp_path)
    assert not has_room(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (timedelta(), "PT0S"), (timedelta(hours=2), "PT2H"), (timedelta(seconds=-5), "-PT5S"),
        (timedelta(days=400, milliseconds=1500), "P1Y35DT1.5S"),
    ],
)  # fmt: skip
def test_a_duration_is_text_of_iso_8601(given: timedelta, text: str) -> None:
    assert _duration(given) == text


def test_the_player_hears_what_its_own_thread_logs() -> None:
    said: list[str] = []
    _Overheard(said).emit(logging.LogRecord("v2", logging.WARNING, __file__, 1, "%s rows", (3,), None))
    assert said == ["3 rows"]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_process_that_has_ended_does_not_run_though_nobody_has_waited_for_it() -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert is_running(process.pid)
        assert process.stdin is not None
        process.stdin.close()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not is_running(process.pid)


@pytest.mark.slow
def test_wandb_is_told_our_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    from one_logger_v1_shim._worker import wandb_api

    monkeypatch.setenv("ONE_LOGGER_V1_INIT_TIMEOUT", "41")
    told = wandb_api.settings(RunSpec({}, {}))
    assert (told.init_timeout, told.finish_timeout) == (41.0, 0.8 * wandb_api.drain_limit())
