"""A journal's calls, played by the worker's own thread: one worker, or one that goes on for another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from nv_one_logger.core import span as v2_span
from nv_one_logger.core import time as v2_time

from one_logger_v1_shim._job import telemetry
from one_logger_v1_shim._journal.calls import is_call
from one_logger_v1_shim._journal.records import PLAYED, UNPLAYED, RunRecord, read_played
from one_logger_v1_shim._worker import player as module
from one_logger_v1_shim._worker.player import Player
from tests.support import Clock, golden
from tests.v2 import twin as v2_twin

Record = list[Any]


@pytest.fixture
def journal(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of the recorded job ``quickstart``; v2's exporter appends to the file ``told``."""
    for one, word in ((v2_time, "time"), (v2_span, "uuid")):  # a replay replaces them for good
        monkeypatch.setattr(one, word, getattr(one, word))
    exporter = {"class_name": "tests.v2.recording_all.RecordingAll", "config": {"file_path": str(fresh / "told")}}
    (fresh / "exporters.json").write_text(json.dumps({"exporters": [exporter]}))
    monkeypatch.setenv("ONE_LOGGER_EXPORTER_CONFIG_PATH", str(fresh / "exporters.json"))
    job = golden("quickstart")
    with monkeypatch.context() as patch:
        patch.setattr(telemetry, "where_v2_hears", lambda: telemetry.WORKER)
        clock = Clock(patch, job["t0"])

        def at(seconds: float) -> None:
            clock.now = job["t0"] + seconds

        v2_twin.shim(job, at)
    (folder,) = fresh.glob("wandb/one-logger-*")
    return folder


def play(folder: Path) -> str:
    """One worker's part, in a v2 that nobody has configured."""
    from nv_one_logger.core.internal.singleton import SingletonMeta

    SingletonMeta._instances.clear()
    player = Player(folder, RunRecord.read(folder))
    player.job_has_gone()
    player.run()
    return player.state


def told(folder: Path) -> list[Record]:
    """What the exporter has heard since it was asked last."""
    file = folder.parent.parent / "told"
    if not file.exists():
        return []
    records = [json.loads(line) for line in file.read_text().splitlines()]
    file.unlink()
    return records


def lines(folder: Path) -> list[bytes]:
    (path,) = folder.glob("rows-*.jsonl")
    return path.read_bytes().splitlines()


def killed_after(number: int, patch: pytest.MonkeyPatch) -> None:
    """The worker is killed when it has written down that ``number`` lines are played."""
    write = module.write_played

    def killed(folder: Path, lines: int) -> None:
        write(folder, lines)
        if lines == number:
            raise KeyboardInterrupt

    patch.setattr(module, "write_played", killed)


def test_worker_that_goes_on_tells_nothing_twice(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert play(journal) == PLAYED
    whole = told(journal)
    number = read_played(journal)
    assert number == sum(map(is_call, lines(journal)))
    for last in range(1, number, 7):
        (journal / "played").unlink()
        with monkeypatch.context() as patch:
            killed_after(last, patch)
            with pytest.raises(KeyboardInterrupt):
                play(journal)
        assert read_played(journal) == last
        assert play(journal) == PLAYED
        assert told(journal) == whole, last


def test_journal_that_is_read_again_when_all_was_told(journal: Path) -> None:
    play(journal)
    told(journal)
    assert play(journal) == PLAYED
    assert told(journal) == []


@pytest.mark.parametrize("damage", [b">[", b">X AAAA", b'>["batch_start"]', b">\xff\xfe"])
def test_damaged_line_is_left_out(damage: bytes, journal: Path) -> None:
    play(journal)
    whole = told(journal)
    (journal / "played").unlink()
    (path,) = journal.glob("rows-*.jsonl")
    head, *rest = lines(journal)
    path.write_bytes(b"\n".join([head, damage, *rest]) + b"\n")
    assert play(journal) == PLAYED
    assert told(journal) == whole


def test_reading_whose_row_is_missing(journal: Path) -> None:
    """The row was damaged: the calls after it are heard."""
    play(journal)
    whole = told(journal)
    (journal / "played").unlink()
    (path,) = journal.glob("rows-*.jsonl")
    kept = lines(journal)
    reading = next(number for number, line in enumerate(kept) if line.startswith(b">R "))
    del kept[reading + 1]
    path.write_bytes(b"\n".join(kept) + b"\n")
    assert play(journal) == PLAYED
    rest = told(journal)
    assert len(rest) == len(whole) - 1
    assert rest == [record for record in whole if record in rest]


def test_v2_that_cannot_be_set_up(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows are not its business; whoever looks at the run is told why."""

    def broken(*_: Any, **__: Any) -> None:
        raise SystemExit("no v2 today")

    monkeypatch.setattr("one_logger_v1_shim._v2.replay.Replay", broken)
    state = play(journal)
    assert state not in (PLAYED, UNPLAYED)
    assert "v2 (nv_one_logger) hears nothing: it could not be set up (SystemExit('no v2 today'))" in state
    assert read_played(journal) == 0
