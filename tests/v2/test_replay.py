"""Calls from a journal, played to v2 in another process: the job's clock, the same ids, nothing is heard twice."""

from __future__ import annotations

import json
import logging
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from nv_one_logger.core import span as v2_span
from nv_one_logger.core import time as v2_time
from nv_one_logger.exporter.file_exporter import FileExporter

from one_logger_v1_shim._conversion import convert, core_values
from one_logger_v1_shim._journal.calls import Call
from one_logger_v1_shim._journal.destination import WandBConfig
from one_logger_v1_shim._v1.config import V1Config
from one_logger_v1_shim._v2 import replay as module
from one_logger_v1_shim._v2.passing import Passing
from one_logger_v1_shim._v2.replay import Replay, _Clock, _Ids
from one_logger_v1_shim.v1_compatible_wandb_exporter import V1CompatibleWandbExporterAdapter
from tests.support import CONFIG
from tests.v2.room import T0, Heard, no_provider, reading, v2_config
from tests.v2.test_attach import HEARD, exporters, exporting

__all__ = ["no_provider"]


@pytest.fixture(autouse=True)
def _v2s_globals(no_provider: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay puts its own clock and ids into v2; they go with the test."""
    monkeypatch.setattr(v2_time, "time", time)
    monkeypatch.setattr(v2_span, "uuid", uuid)


def values(**config: Any) -> dict[str, Any]:
    """As the journal has them."""
    told: dict[str, Any] = json.loads(json.dumps(convert(V1Config({**CONFIG, **config})).to_json()))
    return told


class Played:
    """A ``Replay``, told of calls: ``one.play("app_start", reading(1), None, heard=True)``."""

    def __init__(self, replay: Replay) -> None:
        self.close = replay.close
        self._replay = replay

    def play(self, name: str, at: Any, *arguments: Any, heard: bool = False) -> None:
        self._replay.play(Call(name, at, arguments), heard)


def replay(monkeypatch: pytest.MonkeyPatch, run_id: str = "run", resumed: bool = False, **config: Any) -> Played:
    exporting(monkeypatch, HEARD)
    return Played(Replay(values(**config), run_id, resumed))


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING and "v2" in one.getMessage()]


def test_calls_are_heard_with_the_jobs_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    one = replay(monkeypatch)
    (heard,) = Heard.made
    for name, *arguments in (
        ("app_start", reading(1), None),
        ("train_start", reading(2), 0, 0),
        ("save_start", reading(3), 1),
        ("save_success", reading(4), 1),
        ("save_end", reading(5), 1),
        ("train_end", reading(6)),
        ("row", reading(7), b'{"a": 1}'),
    ):
        one.play(name, *arguments)
    told = heard.take()
    assert [call for call in told if call[0] != "event"] == [
        ("start", "application", None, 1.0),
        ("start", "training_loop", "application", 2.0),
        ("start", "checkpoint_save_sync", "training_loop", 3.0),
        ("stop", "checkpoint_save_sync", 5.0),
        ("stop", "training_loop", 6.0),
    ]
    # the first has its time from the call, the second is one that v2 dates by itself
    assert ("event", "one_logger_initialization", "application", 1.0) in told
    assert ("event", "update_training_telemetry_config", "application", 1.0) in told
    assert ("event", "one_logger_v1.log_metrics", "application", 7.0) in told
    one.close(reading(9))
    assert heard.take() == [("stop", "application", 9.0)]
    assert heard.closings == 1


def test_clock_is_the_jobs_for_the_length_of_the_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    one = replay(monkeypatch)
    one.play("app_start", reading(1), None)
    assert v2_time.TracingTimestamp.now().seconds_since_epoch == T0 + 1
    assert v2_time.TracingTimestamp.now().perf_counter_seconds == 1001.0
    one.play("batch_start", reading(2.5))
    assert v2_time.TracingTimestamp.now().seconds_since_epoch == T0 + 2.5
    one.close(reading(3))
    assert v2_time.TracingTimestamp.now().seconds_since_epoch > T0 + 1000
    clock = _Clock()
    assert clock.sleep is time.sleep
    clock.at = (5.0, 6.0)
    assert (clock.time(), clock.perf_counter()) == (5.0, 6.0)


def test_ids_are_the_same_in_each_worker_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def ids(run_id: str) -> list[uuid.UUID]:
        made = _Ids(run_id)
        return [made.uuid4() for _ in range(3)]

    assert ids("a") == ids("a")
    assert len({*ids("a"), *ids("b")}) == 6
    assert {one.version for one in ids("a")} == {4}
    assert {one.variant for one in ids("a")} == {uuid.RFC_4122}
    assert _Ids("a").UUID is uuid.UUID
    one = replay(monkeypatch, "run-7")
    one.play("app_start", reading(1), None)
    assert Heard.made[0].ids == ids("run-7")[:1]


def test_what_an_earlier_worker_has_told_is_not_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    one = replay(monkeypatch, resumed=True)
    (heard,) = Heard.made
    assert heard.initialisations == 1
    one.play("app_start", reading(1), None, heard=True)
    one.play("phase_start", reading(2), "model_init", None, heard=True)
    assert heard.take() == []
    one.play("phase_end", reading(3), "model_init", None)
    assert heard.take() == [("stop", "model_initialization", 3.0)]
    one.play("phase_start", reading(4), "test", None, heard=True)
    assert heard.take() == []
    assert heard.closings == 0
    one.close(reading(5))
    assert [call for call in heard.take() if call[0] == "stop"] == [
        ("stop", "testing_loop", 5.0),
        ("stop", "application", 5.0),
    ]
    assert heard.closings == 1


def test_first_worker_tells_all(monkeypatch: pytest.MonkeyPatch) -> None:
    one = replay(monkeypatch, resumed=False)
    one.play("app_start", reading(1), None, heard=True)
    assert Heard.made[0].take()[0] == ("start", "application", None, 1.0)


def test_file_is_written_again_by_each_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    file = {"class_name": "nv_one_logger.exporter.file_exporter.FileExporter", "config": {"file_path": "v2.jsonl"}}
    exporting(monkeypatch, file, HEARD)
    one = Played(Replay(values(), "run", True))
    one.play("app_start", reading(1), None, heard=True)
    assert "application" in Path("v2.jsonl").read_text()
    assert Heard.made[0].take() == []
    assert FileExporter.__name__ in {type(kept).__name__ for kept in exporters()}


def test_our_own_exporter_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would send the rows of the job a second time."""
    other, mine = Heard(), V1CompatibleWandbExporterAdapter(v2_config(), WandBConfig())
    asked: list[Any] = []
    monkeypatch.setattr(module, "configured_exporters", lambda config: asked.append(config) or [mine, other])
    Replay(values(), "run", False)
    assert exporters() == [other]
    assert [config.application_name for config in asked] == ["tests"]


def test_application_begins_with_the_logger(monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider is ours: nobody else opens the application."""
    one = replay(monkeypatch)
    one.play("open", reading(1), None)
    assert Heard.made[0].take()[0] == ("start", "application", None, 1.0)


def test_training_that_becomes_known_later_reads_callables_too(monkeypatch: pytest.MonkeyPatch) -> None:
    exporting(monkeypatch, HEARD)
    one = Played(Replay(core_values("p", "s", False).to_json(), "run", False))
    one.play("open", reading(1), None)
    one.play("value", None, "global_batch_size", 48)
    told = values(global_batch_size=lambda: 0)
    one.play("training", reading(2), {"fields": told["training"], "callables": told["callables"]})
    (event,) = Heard.made[0].events("update_training_telemetry_config")
    assert event["global_batch_size"] == 48


def test_values_of_callables_come_with_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    one = replay(monkeypatch, global_batch_size=lambda: 0)
    (heard,) = Heard.made
    one.play("value", None, "global_batch_size", 16)
    one.play("app_start", reading(1), None)
    (told,) = heard.events("update_training_telemetry_config")
    assert told["global_batch_size"] == 16


def test_call_that_is_not_known(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    one = replay(monkeypatch)
    for name in ("dance", "before_row", "abandon", "_open", "dance"):
        one.play(name, reading(1))
    assert [text for text in caplog.messages if "the journal has" in text] == [
        f"the journal has a call {name!r}, which this version does not know"
        for name in ("dance", "before_row", "abandon", "_open")
    ]


def test_call_that_v2_cannot_record(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    one = replay(monkeypatch)
    one.play("phase_start", reading(1))  # an argument is missing
    one.play("phase_start", reading(1))
    (text,) = warnings(caplog)
    assert text.startswith("v2 could not record phase_start (TypeError(")
    assert text.endswith("); v1 rows are not affected")
    one.play("phase_start", reading(2), "test")
    assert Heard.made[0].take()[-1] == ("start", "testing_loop", "application", 2.0)


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("export_start", 1),
        ("export_stop", 1),
        ("export_event", 2),
        ("export_error", 2),
        ("export_telemetry_data_error", 1),
        ("close", 0),
    ],
)
def test_muted_exporter(call: str, arguments: int) -> None:
    told: list[tuple[Any, ...]] = []

    class Inner:
        def __getattr__(self, name: str) -> Any:
            return lambda *given: told.append((name, *given))

    inner: Any = Inner()
    muted: Any = Passing(inner, muted=True)
    given = tuple(object() for _ in range(arguments))
    getattr(muted, call)(*given)
    assert told == [], "until it is told otherwise"
    muted.initialize()
    assert told == [("initialize",)]
    muted._muted = False
    getattr(muted, call)(*given)
    assert told == [("initialize",), (call, *given)]
