"""A signal handler of the job comes between two instructions of a row: it logs, ends the run, or raises."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Callable, Optional

import pytest

from one_logger_v1_shim._job import writer as _writer
from one_logger_v1_shim._job.writer import Journal, begin
from one_logger_v1_shim._journal.follow import Follower
from one_logger_v1_shim._journal.records import RunRecord
from tests.delivery import jobs

Handler = Callable[[], None]


class Stop(BaseException):
    """What a handler raises: KeyboardInterrupt by another name, so that pytest is not stopped."""


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    monkeypatch.setattr(_writer, "SEGMENT_BYTES", 20_000)  # so that new files are among what is interrupted
    opened = begin(tmp_path, RunRecord(id="abcdefgh"))
    yield opened
    opened.close()
    close_lost(opened.folder)


def close_lost(folder: Path) -> None:
    """Close what this process has open in ``folder``.

    An exception between ``os.open`` and whoever takes its number loses that number, in every Python program.
    """
    files = [os.stat(path) for path in folder.iterdir()]
    for number in map(int, os.listdir("/dev/fd")):
        with suppress(OSError):
            found = os.fstat(number)
            if any(os.path.samestat(found, one) for one in files):
                os.close(number)


@pytest.fixture
def interrupt() -> Iterator[Callable[[Handler], None]]:
    """Call it with a handler: that comes once, some microseconds later."""
    dice = random.Random(7)
    before = signal.getsignal(signal.SIGALRM)

    def soon(handler: Handler) -> None:
        def handle(number: int, frame: Optional[FrameType]) -> None:
            handler()

        signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, dice.uniform(1e-6, 30e-6))

    yield soon
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def lines(folder: Path) -> list[bytes]:
    """All lines, as the worker reads them."""
    follower, found = Follower(folder), []
    while new := follower.lines(0):
        found += new
    follower.close()
    return found


def values(folder: Path) -> list[int]:
    return [json.loads(line)["i"] for line in lines(folder) if line.startswith(b"{")]


def row(value: int) -> bytes:
    return json.dumps({"i": value, "text": "x" * 200}).encode()


def test_a_handler_that_logs(journal: Journal, interrupt: Callable[[Handler], None]) -> None:
    given = 0

    def log() -> None:
        nonlocal given
        given += 1
        journal.append(row(-given))

    for value in range(3000):
        interrupt(log)
        journal.append(row(value))
    signal.setitimer(signal.ITIMER_REAL, 0)
    journal.end(0)
    found = values(journal.folder)
    assert given > 1000
    assert [value for value in found if value >= 0] == list(range(3000))
    # in any order: a handler may itself be interrupted by the next one
    assert sorted(-value for value in found if value < 0) == list(range(1, given + 1))
    assert lines(journal.folder)[-1] == b"#finish 0"
    assert (journal.rows, journal.unwritten) == (3000 + given, 0)


@pytest.mark.xfail(
    sys.version_info < (3, 11), reason="looks for signals between any two instructions: a row may be there twice",
    strict=False,
)  # fmt: skip
def test_a_handler_that_raises(journal: Journal, interrupt: Callable[[Handler], None]) -> None:
    armed = False

    def stop() -> None:
        if armed:
            raise Stop

    whole, cut = [], []
    for value in range(6000):
        try:
            armed = True
            interrupt(stop)
            journal.append(row(value))
            armed = False
            whole.append(value)
        except Stop:
            armed = False
            cut.append(value)
    signal.setitimer(signal.ITIMER_REAL, 0)
    journal.end(0)
    found = values(journal.folder)
    assert len(cut) > 100
    assert found == sorted(set(found))  # in order, none twice
    assert set(whole) <= set(found)  # a row whose call was interrupted may be there, one whose call returned must be
    heads = [line for line in lines(journal.folder) if line.startswith(b"#from")]
    # new files were begun; on a slow machine the handler comes into nearly each attempt to begin one
    assert len(heads) > 1


def test_an_exception_at_the_very_end_of_a_row_stops_nothing(journal: Journal) -> None:
    journal._busy = True  # it came before the last line of `append`
    journal.append(row(1))
    assert values(journal.folder) == [1]


def test_a_handler_that_ends_the_run(
    tmp_path: Path, interrupt: Callable[[Handler], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_writer, "SEGMENT_BYTES", 2_000)
    for number in range(150):
        opened = begin(tmp_path, RunRecord(id=f"run{number:05d}"))
        ended = False

        def end(opened: Journal = opened) -> None:
            nonlocal ended
            opened.end(3)
            ended = True

        interrupt(end)
        given = 0
        while not ended:
            opened.append(row(given))
            given += 1
        found = lines(opened.folder)
        found = found[: found.index(b"#finish 3")]  # nobody reads on: who was interrupted may have written once more
        numbers = [json.loads(line)["i"] for line in found if line.startswith(b"{")]
        # the last one may have begun after the end
        assert numbers in (list(range(given)), list(range(given - 1)))
        close_lost(opened.folder)


LOGS = """
import signal
one = one_logger()
given = 0
def log(*_):
    global given
    given += 1
    one.log_metrics({"handler": given})
signal.signal(signal.SIGALRM, log)
for i in range(3000):
    signal.setitimer(signal.ITIMER_REAL, 2e-5)
    one.log_metrics({"i": i})
signal.setitimer(signal.ITIMER_REAL, 0)
one.finish()
print(given)
"""


def test_rows_of_a_handler_reach_wandb(tmp_path: Path) -> None:
    result = jobs.run(LOGS, tmp_path)
    assert result.code == 0, result.err
    (run,) = result.runs()
    assert [stored["i"] for stored in run.rows if "i" in stored] == list(range(3000))
    assert sorted(stored["handler"] for stored in run.rows if "handler" in stored) == list(
        range(1, int(result.out) + 1)
    )
    assert run.exit_code == 0
    assert "cannot be written" not in result.err
