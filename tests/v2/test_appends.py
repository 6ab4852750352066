"""What one call of v1 did is one append to the journal: itself and its rows, together and in v2's order.

Here v2 is with the worker, although this process has it loaded; of the worker there is none.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

import pytest

from one_logger_v1_shim import OneLogger
from one_logger_v1_shim._job import telemetry as module
from one_logger_v1_shim._job.writer import Journal
from one_logger_v1_shim._journal.calls import FINISH, calls, is_call, is_row
from one_logger_v1_shim.utils import OneLoggerUtils
from tests.support import CONFIG, Clock, decoded, golden
from tests.v1.job import T0
from tests.v2.test_stream import JOBS

Appends = list[bytes]


@pytest.fixture
def appends(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> Appends:
    """What was given to the journal, one entry for each append."""
    monkeypatch.setattr(module, "where_v2_hears", lambda: module.WORKER)
    given: Appends = []
    append = Journal.append

    def kept(journal: Journal, data: bytes) -> None:
        if not data.startswith(FINISH):  # the end of the run is no call
            given.append(data)
        append(journal, data)

    monkeypatch.setattr(Journal, "append", kept)
    return given


def named(data: bytes) -> list[str]:
    """The calls of one append, in v2's order. Fails where a row is not right behind its reading."""
    found: list[str] = []
    missing = 0  # calls of the line before, whose rows have not come
    waiting: list[str] = []
    for line in data.split(b"\n"):
        if is_row(line):
            assert missing == 1, "a row of its own, or a reading whose row is elsewhere"
            missing = 0
        else:
            assert is_call(line)
            assert missing == 0
            waiting = [call.name for call in calls(line)]
            missing = waiting.count("row")
            found += waiting
    assert missing == 0
    return found


@pytest.mark.parametrize("name", JOBS)
def test_each_call_is_one_append(name: str, appends: Appends, monkeypatch: pytest.MonkeyPatch) -> None:
    job = golden(name)
    clock = Clock(monkeypatch, job["t0"])
    utils = OneLoggerUtils(decoded(job["config"]))
    assert len(appends) == 1
    told = named(appends[0])
    assert told[0 : told.index("open")] == ["value"] * told.index("open")
    for step in job["steps"]:
        appends.clear()
        clock.now = job["t0"] + step["at"]
        try:
            getattr(utils, step["call"])(**decoded(step.get("kwargs")))
        except Exception:  # what v1 raised; the recorded rows are other tests' business
            continue
        assert len(appends) <= 1, step
        for data in appends:
            told = [one for one in named(data) if one != "value"]
            logged = [number for number, one in enumerate(told) if one == "row"]
            if step["call"].startswith(("on_train_batch", "finish")):
                continue
            (mine,) = (number for number, one in enumerate(told) if one not in ("row", "batch_start", "batch_end"))
            if told[mine] in ("app_start", "phase_start"):
                assert mine < min(logged, default=len(told)), "the rows belong to what has begun"
            else:
                assert mine == len(told) - 1


def test_a_row_and_its_reading_stay_together_among_threads(appends: Appends) -> None:
    """Another thread that comes in between takes the iterations that wait, and not the row of somebody else."""
    core = OneLogger({"project": "p"})
    telemetry: Any = core._telemetry
    rows: list[int] = []

    class Between(deque):  # type: ignore[type-arg]
        """Logs a row when somebody takes what waits: as another thread at that moment."""

        def popleft(self) -> Any:
            if len(rows) < 3:
                rows.append(1)
                core.log_metrics({"other": len(rows)})
            return super().popleft()

    telemetry._waiting = Between()
    telemetry.batch_start(T0)
    for number in range(3):
        core.log_metrics({"mine": number})
    telemetry._flush()
    told = [name for data in appends for name in named(data)]
    assert told.count("batch_start") == 1
    assert told.count("row") == 3 + len(rows)


def test_iterations_wait_for_the_next_row(appends: Appends, monkeypatch: pytest.MonkeyPatch) -> None:
    """An iteration without a row costs no append of its own, for a second at most."""
    clock = Clock(monkeypatch, T0)
    utils = OneLoggerUtils({**CONFIG, "log_every_n_train_iterations": 4})
    utils.on_train_start(train_iterations_start=0)
    for _ in range(4):  # the very first reading does not wait
        _iteration(utils, clock)
    for expected in (["batch_start", "batch_end"] * 3 + ["batch_start", "row", "batch_end"], []):
        appends.clear()
        for _ in range(4 if expected else 2):
            _iteration(utils, clock)
        assert [named(data) for data in appends] == ([expected] if expected else [])
    clock.advance(1)
    utils.on_train_batch_start()
    assert [named(data) for data in appends] == [["batch_start", "batch_end"] * 2 + ["batch_start"]]


def _iteration(utils: OneLoggerUtils, clock: Clock) -> None:
    utils.on_train_batch_start()
    clock.advance(0.01)
    utils.on_train_batch_end()
