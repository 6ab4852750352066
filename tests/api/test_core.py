"""``OneLogger``: the rows that reach the journal, the store, the context manager, every form of configuration."""

from __future__ import annotations

import copy
import hashlib
import logging
import pickle
from pathlib import Path
from typing import Any, Callable

import pytest
from nv_one_logger.api.config import OneLoggerErrorHandlingStrategy
from nv_one_logger.api.one_logger_provider import OneLoggerProvider

from one_logger_v1_shim import OneLogger, rankpulse
from one_logger_v1_shim._journal.destination import WandBConfig
from one_logger_v1_shim.testing import capture
from tests.support import journalled_rows, journalled_runs

Rows = Callable[[], list[dict[str, Any]]]
SYNC = {"project": "p", "name": "run", "async": False}


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno == logging.WARNING and "offline" not in record.getMessage()
    ]


def arguments(folder: Path) -> dict[str, Any]:
    """What ``wandb.init`` is given for the only run: by the worker, from the journal."""
    (run,) = journalled_runs(folder)
    found: dict[str, Any] = run.spec.arguments(run.settled)
    return found


def last_line(folder: Path) -> bytes:
    (journal,) = folder.rglob("rows-*.jsonl")
    return journal.read_bytes().splitlines()[-1]


def test_rows_reach_the_journal_as_given(rows: Rows) -> None:
    core = OneLogger(config=SYNC)
    given = {"a": 1, "b": 0.1, "c": True, "d": "ä:b", "e": None, "f": [1, 2], "g": {"h": 1.5}}
    core.log_metrics(given)
    core.log_metrics({})
    core.log_metrics({"a": 2})
    core.finish()
    stored = rows()
    assert stored == [given, {"a": 2}]
    assert type(stored[0]["c"]) is bool


def test_callers_dict_is_neither_changed_nor_kept(rows: Rows) -> None:
    core = OneLogger(config=SYNC)
    row: dict[str, Any] = {"a": 1, "list": [1]}
    core.log_metrics(row)
    assert row == {"a": 1, "list": [1]}
    row["a"] = 2
    row["list"].append(2)
    core.finish()
    assert rows() == [{"a": 1, "list": [1]}]


def test_first_row_and_every_row(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOBID", "77")
    monkeypatch.setenv("SLURM_JOB_START_TIME", "100")
    monkeypatch.setenv("SLURM_JOB_END_TIME", "160")
    monkeypatch.setenv("SLURM_STEPID", "3")
    core = OneLogger(config=SYNC)
    core.log_metrics({"a": 1})
    core.log_metrics({"a": 2})
    core.finish()
    first, second = journalled_rows(fresh, bookkeeping=True)
    assert (first["jobid"], first["step_id"]) == ("77", "3")
    assert (first["job_start_time"], first["limit_run"]) == (100_000, 60)
    assert "cluster" not in first
    assert type(first["app_first_log_time"]) is int
    assert first["app_first_log_time"] == first["app_last_log_time"] <= second["app_last_log_time"]
    assert set(second) == {"a", "app_last_log_time"}


def test_tags_grow_and_are_sent_when_the_list_changes(fresh: Path) -> None:
    core = OneLogger(config=SYNC)
    for tag in ("x", "x", ["x", "y"], "y", "z"):
        core.log_app_tag(tag)
    core.finish()
    sent = [row["app_tag"] for row in journalled_rows(fresh, bookkeeping=True)]
    assert sent == [["x"], ["x", "y"], ["x", "y", "z"]]
    last = journalled_rows(fresh, bookkeeping=True)[-1]
    assert last["app_tag_id"] == [hashlib.md5(tag.encode()).hexdigest() for tag in "xyz"]
    assert last["app_tag_count"] == 3


def test_run_settings_of_the_flat_form(fresh: Path) -> None:
    OneLogger({**SYNC, "entity": "team"}).finish()
    tags = ["e2e_metrics_enabled"]
    assert arguments(fresh) == {"project": "p", "name": "run", "entity": "team", "tags": tags}
    assert last_line(fresh) == b"#finish 0"


def test_run_settings_of_the_nested_form(fresh: Path) -> None:
    nested = {"project": "q", "name": "n", "entity": "team", "tags": ["t1", "t2"], "api_key": "${oc.env:WANDB_API_KEY}"}
    core = OneLogger({"enable_one_logger": True, "is_baseline_run": False, "wandb": nested})
    core.log_metrics({"a": 1})
    core.finish()
    assert arguments(fresh) == {"project": "q", "name": "n", "entity": "team", "tags": ["t1", "t2"]}
    assert OneLogger({"enable_one_logger": False, "wandb": nested})._telemetry is None


def test_environment_wins_over_defaults_and_not_over_the_config(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENTITY", "PROJECT", "NAME"):
        monkeypatch.setenv(f"WANDB_{name}", f"env-{name.lower()}")
    OneLogger(SYNC).finish()
    # what the environment decides is left to W&B, which reads it by itself
    assert arguments(fresh) == {"project": "p", "name": "run", "tags": ["e2e_metrics_enabled"]}
    (run,) = journalled_runs(fresh)
    assert run.settled["WANDB_ENTITY"] == "env-entity"


def test_without_any_configuration(fresh: Path) -> None:
    core = OneLogger()
    core.log_metrics({"a": 1})
    core.finish()
    found = arguments(fresh)
    assert (found["project"], found["entity"]) == ("e2e-tracking", "hwinf_dcm")
    assert journalled_rows(fresh) == [{"a": 1}]


def test_rankpulse_says_once_that_it_collects_nothing(caplog: pytest.LogCaptureFixture) -> None:
    from one_logger_v1_shim import _log

    _log.forget()
    rankpulse.start(interval_seconds=15, twindow_seconds=300, enable_gpu_debug_info=False)
    rankpulse.start(15, 300, True)
    rankpulse.stop(timeout_seconds=3.0)
    assert len(warnings(caplog)) == 1


def test_copies_and_pickles(fresh: Path) -> None:
    """A trainer copies and pickles what it holds: a copy is the same object, what another process gets is silent."""
    one = OneLogger({"project": "p", "async": False})
    assert copy.deepcopy(one) is one
    assert copy.deepcopy({"held": [one]})["held"][0] is one
    assert copy.copy(one) is one
    elsewhere = pickle.loads(pickle.dumps(one))
    assert type(elsewhere) is OneLogger
    elsewhere.log_metrics({"i": 1})
    elsewhere.finish()
    one.log_metrics({"i": 2})
    one.finish()
    assert [row["i"] for row in journalled_rows(fresh) if "i" in row] == [2]


@pytest.mark.parametrize("asynchronous", [True, False])
def test_how_a_row_is_sent(asynchronous: bool) -> None:
    """``async``: does ``log_metrics`` return before W&B has the row?"""
    with capture():
        core = OneLogger({**SYNC, "async": asynchronous})
        assert run_of(core).asynchronous is asynchronous


def test_what_was_chosen_is_no_default() -> None:
    """A project that somebody wrote down counts before the environment, even if it is the documented default."""
    documented = WandBConfig().project
    with capture():
        core = OneLogger({"project": documented, "entity": "team"})
        assert run_of(core).spec.chosen == {"project": documented, "entity": "team"}
        assert "project" not in run_of(core).spec.default


@pytest.mark.parametrize("quiet", [True, False])
def test_what_v2_does_with_an_error(quiet: bool) -> None:
    """``quiet``: v2 stops, where it would raise."""
    strategy = OneLoggerErrorHandlingStrategy
    expected = strategy.DISABLE_QUIETLY_AND_REPORT_METRIC_ERROR if quiet else strategy.PROPAGATE_EXCEPTIONS
    with capture():
        OneLogger({**SYNC, "quiet": quiet})
        assert OneLoggerProvider.instance().config.error_handling_strategy is expected


def run_of(core: OneLogger) -> Any:
    assert core._telemetry is not None
    return core._telemetry._rows
