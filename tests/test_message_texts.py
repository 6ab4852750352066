"""Messages that name the cause: a variable, an entity, the last line of a log."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from one_logger_v1_shim._job.worker_sink import WorkerSink
from one_logger_v1_shim._journal.destination import RunSpec
from one_logger_v1_shim._worker import main, wandb_api
from one_logger_v1_shim._worker.opening import Opening

#: as wandb 0.31 writes it into its log
LOGGED = '{"level":"ERROR","msg":"runupserter: failed to init run","error":"returned error 403: {\\"data\\":null}"}'


def opening(**chosen: Any) -> Opening:
    found = Opening.__new__(Opening)
    found._run = SimpleNamespace(spec=RunSpec(chosen=chosen, default={}))  # type: ignore[assignment]
    return found


def test_a_refusal_has_the_servers_words_and_the_entity() -> None:
    said = opening(entity="team")._why_refused(RuntimeError("<no message>"), LOGGED)
    assert said == 'returned error 403: {"data":null}; may this API key write to entity team?'
    slow = opening(entity="team")._why_refused(RuntimeError("Timed out while retrying: HTTP 500"), "")
    assert slow == "RuntimeError: Timed out while retrying: HTTP 500"


def test_isolate_is_not_hidden_by_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert main._isolate() == "python -m one_logger_v1_shim isolate"
    monkeypatch.setenv("ONE_LOGGER_V1_PYTHON", "/nowhere/python")
    assert main._isolate() == "unset ONE_LOGGER_V1_PYTHON && python -m one_logger_v1_shim isolate"


def test_an_offline_run_has_time_though_the_limit_is_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE_LOGGER_V1_INIT_TIMEOUT", "0")
    assert wandb_api.stuck_limit() > 5


def test_settings_that_may_have_ended_wandbs_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert wandb_api.settings_in_force() == " (its process ended early)"
    monkeypatch.setenv("WANDB_CONSOLE", "off")
    assert wandb_api.settings_in_force() == " (its process ended early; set here: WANDB_CONSOLE)"


def test_the_last_line_of_the_workers_log(tmp_path: Path) -> None:
    sink = WorkerSink.__new__(WorkerSink)
    sink._journal = SimpleNamespace(folder=tmp_path)  # type: ignore[assignment]
    assert sink._last_words(1) == ""
    (tmp_path / "worker.log").write_text("one\nModuleNotFoundError: No module named 'x'\n\n")
    assert sink._last_words(1) == "; the last line of worker.log: ModuleNotFoundError: No module named 'x'"
    assert sink._last_words(-9) == ""
