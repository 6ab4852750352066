"""Every recorded job, and what v2's other exporters hear of it: as if the author had written it for v2's callbacks.

In this process, on the job's clock, so that times and counts are compared too. ``test_stream.py`` does it with whole
processes.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any, Callable

import pytest
from nv_one_logger.core import span as v2_span
from nv_one_logger.core import time as v2_time

from one_logger_v1_shim._journal.records import RunRecord
from one_logger_v1_shim._worker.player import PLAYED, Player
from tests import recorded
from tests.support import ROOT, Clock, golden, run_command
from tests.v2 import twin as v2_twin
from tests.v2.test_stream import JOBS, ROW_EVENT, shape

Play = Callable[[dict[str, Any], Any], None]


@pytest.fixture
def stream(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Play, str], list[list[Any]]]:
    """Plays one job; what the recording exporter was told."""
    monkeypatch.setenv("WANDB_MODE", "disabled")

    def play(who: Play, name: str) -> list[list[Any]]:
        from nv_one_logger.core.internal.singleton import SingletonMeta

        SingletonMeta._instances.clear()
        output = fresh / f"{who.__name__}.jsonl"
        exporter = {"class_name": "tests.v2.recording_all.RecordingAll", "config": {"file_path": str(output)}}
        config = fresh / "exporters.json"
        config.write_text(json.dumps({"exporters": [exporter]}))
        monkeypatch.setenv("ONE_LOGGER_EXPORTER_CONFIG_PATH", str(config))
        job = golden(name)
        for variable, value in job.get("environment", {}).items():
            monkeypatch.setenv(variable, value)
        clock = Clock(monkeypatch, job["t0"])

        def at(seconds: float) -> None:
            clock.now = job["t0"] + seconds

        who(job, at)
        return [json.loads(line) for line in output.read_text().splitlines()]

    return play


SOUND = [name for name in JOBS if not any(expect.get("raises") for expect in golden(name)["expect"])]

# What a v2-native program cannot say as v1's did: instants given by hand, and when v1 read a callable.
OTHERWISE = {"given_timestamps", "app_start_time_kwarg", "all_optional_config", "callables"}

# When the success came: in v1 after a sync save's end, in v2 before it.
LATER = ("first_successful_save_checkpoint_timestamp_sec", "latest_successful_save_checkpoint_timestamp_sec")


def told(records: list[list[Any]]) -> list[list[Any]]:
    """All that was told, times and attributes too, but the rows and :data:`LATER`."""
    kept = [record for record in records if not (record[0] == "event" and record[1] == ROW_EVENT)]
    for record in kept:
        if record[0] == "event":
            for name in LATER:
                record[3].pop(name, None)
    return kept


@pytest.mark.parametrize("name", SOUND)
def test_names_order_and_nesting(name: str, stream: Callable[[Play, str], list[list[Any]]]) -> None:
    assert shape(stream(v2_twin.shim, name)) == shape(stream(v2_twin.twin, name))


@pytest.mark.parametrize("name", [name for name in SOUND if name not in OTHERWISE])
def test_times_and_attributes(name: str, stream: Callable[[Play, str], list[list[Any]]]) -> None:
    assert told(stream(v2_twin.shim, name)) == told(stream(v2_twin.twin, name))


@pytest.mark.parametrize("name", SOUND)
def test_success_is_told_with_the_time_of_v1s_call(name: str, stream: Callable[[Play, str], list[list[Any]]]) -> None:
    job = golden(name)
    calls = [job["t0"] + step["at"] for step in job["steps"] if step["call"] == "on_save_checkpoint_success"]
    records = stream(v2_twin.shim, name)
    told = [record[3] for record in records if record[:2] == ["event", "save_checkpoint_success"]]
    assert [attributes[LATER[1]] for attributes in told] == calls
    assert {attributes[LATER[0]] for attributes in told} == set(calls[:1])


def test_instants_given_by_hand(stream: Callable[[Play, str], list[list[Any]]]) -> None:
    """The spans begin and end when v1's rows say so."""
    records = stream(v2_twin.shim, "given_timestamps")
    sent = {
        name: value
        for expect in golden("given_timestamps")["expect"]
        for kind, *row in expect["emits"]
        if kind == "log_metrics"
        for name, value in row[0].items()
    }
    starts = {record[1]: record[3] for record in records if record[0] == "start"}
    stops = {record[1]: record[2] for record in records if record[0] == "stop"}
    for span, metric in (
        ("application", "app"),
        ("model_initialization", "app_model_init"),
        ("data_loader_initialization", "app_build_dataiters"),
        ("optimizer_initialization", "app_build_optimizer"),
        ("checkpoint_load", "load_checkpoint"),
    ):
        assert starts[span] == pytest.approx(sent[f"{metric}_start_time"]), span
        assert stops[span] == pytest.approx(sent[f"{metric}_finish_time"]), span


# -- played from a journal, as the worker does it ---------------------------------------------------------------

FORMAT_2 = ROOT / "tests" / "journal" / "v2_journals" / "format-2"


def journal(home: Path, name: str) -> Path:
    """What a job leaves that never imports v2, and whose worker can't start; tests/isolated has some with a worker."""
    home.mkdir()
    env = {"WANDB_MODE": "offline", "ONE_LOGGER_V1_PYTHON": str(home / "no-such-python")}
    done = run_command(recorded.command(sys.executable, name), home, env=env)
    assert not {"nv_one_logger", "wandb"} & set(json.loads(done.stdout.splitlines()[-1]))
    (found,) = home.glob("wandb/one-logger-*")
    return found


def played(job: dict[str, Any], at: Any) -> None:
    """Plays the journal in the working directory with the worker's own parts."""
    (folder,) = Path().glob("job/wandb/one-logger-*")
    player = Player(folder, RunRecord.read(folder))
    player.job_has_gone()
    player.run()
    assert player.state == PLAYED


@pytest.mark.slow
@pytest.mark.parametrize("name", SOUND)
def test_a_worker_plays_the_same(
    name: str, stream: Callable[[Play, str], list[list[Any]]], fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the twin; and in all, rows and times too, as v2 in the job's process: nothing may differ here."""
    for module, word in ((v2_time, "time"), (v2_span, "uuid")):  # a replay replaces them for good
        monkeypatch.setattr(module, word, getattr(module, word))
    journal(fresh / "job", name)
    ours = stream(played, name)
    assert shape(ours) == shape(stream(v2_twin.twin, name))
    assert ours == stream(v2_twin.shim, name)


def test_a_journal_of_format_2_is_played_as_before(
    stream: Callable[[Play, str], list[list[Any]]], fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Left by release 0.2.0 and never sent; ``recover`` of this version plays it."""
    for module, word in ((v2_time, "time"), (v2_span, "uuid")):
        monkeypatch.setattr(module, word, getattr(module, word))
    shutil.copytree(FORMAT_2, fresh / "job" / "wandb" / "one-logger-20231114_221320-a0b1c2d3")
    before = stream(played, "quickstart")
    now = stream(v2_twin.shim, "quickstart")
    rows = [
        [json.loads(record[3]["row"]) for record in records if record[:2] == ["event", ROW_EVENT]]
        for records in (before, now)
    ]
    assert [set(row) for row in rows[0]] == [set(row) for row in rows[1]]
    assert told(before) == told(now)
