"""A row is delivered once, whatever fails below `put`: each call is made to raise, one after the other."""

from __future__ import annotations

import json
import os
import select
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any, Callable, Optional

import pytest

from one_logger_v1_shim import _log, _state
from one_logger_v1_shim._job import writer
from one_logger_v1_shim._job.worker_sink import WorkerSink
from one_logger_v1_shim._journal.destination import WandBConfig, specification
from one_logger_v1_shim._journal.interpreter import find
from tests.delivery import jobs


class Stop(BaseException):
    """KeyboardInterrupt by another name, so that pytest is not stopped."""


Kind = Callable[[], BaseException]
EVENTS = ("call", "c_call", "return", "c_return")


class RaiseAt:
    """A profile function: counts the calls below ``put`` and their ends, and raises at the one with ``number``."""

    def __init__(self, number: int, kind: Optional[Kind]) -> None:
        self.number = number
        self.count = 0
        self.raised_in = ""
        self._kind = kind

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        of_put = frame.f_code in (WorkerSink.put.__code__, run.__code__)
        if event not in EVENTS or (of_put and event in ("call", "return")) or argument is sys.setprofile:
            return
        if getattr(argument, "__name__", "") in ("__enter__", "__exit__"):
            return  # the lock would stay taken: the interpreter sees to it that nothing comes between
        self.count += 1
        if self.count == self.number and self._kind is not None:
            self.raised_in = f"{event} in {frame.f_code.co_name}:{frame.f_lineno} of {argument!r}"
            raise self._kind()


def run(sink: WorkerSink, row: bytes, profile: RaiseAt) -> Optional[BaseException]:
    """One ``put`` under the eyes of ``profile``; what has left it."""
    sys.setprofile(profile)
    try:
        sink.put(row)
    except BaseException as error:
        return error
    finally:
        sys.setprofile(None)
    return None


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    _log.forget()
    yield tmp_path
    while _open:
        finish(_open.pop())
    jobs.gone(tmp_path)


_open: list[WorkerSink] = []


def finish(sink: WorkerSink) -> None:
    sink.end(0)
    sink.wait()


def opened(asynchronous: bool, worker: bool = True) -> WorkerSink:
    spec = specification(WandBConfig(project="surprises"))
    _open.append(WorkerSink(spec, asynchronous, find(os.environ) if worker else None))
    return _open[-1]


def usual(sink: WorkerSink) -> None:
    """Nothing beside the row."""


def looking(sink: WorkerSink) -> None:
    """The worker is looked at."""
    sink._next_look = 0.0


def waiting_rows(sink: WorkerSink) -> None:
    """A row is in the queue already."""
    sink._journal._queue.append(b'{"waiting":1}\n')


#: name -> (what is prepared before each row, in sync mode?)
SITUATIONS: dict[str, tuple[Callable[[WorkerSink], None], bool]] = {
    "async": (usual, False),
    "async, looking": (looking, False),
    "async, rows waiting": (waiting_rows, False),
    "sync": (usual, True),
}
KINDS: dict[str, Kind] = {
    "RuntimeError": lambda: RuntimeError("surprise"),
    "MemoryError": MemoryError,
    "OSError": lambda: OSError(5, "surprise"),
    "Stop": Stop,
}


@pytest.mark.parametrize(
    ("situation", "kind"),
    [
        ("async, looking", "MemoryError"),
        ("sync", "Stop"),
        ("async, rows waiting", "RuntimeError"),
        ("async", "OSError"),  # the disk's own trouble is in tests/delivery/test_disk.py
    ],
)
def test_each_call_below_put_raises(situation: str, kind: str, home: Path) -> None:
    prepare, sync = SITUATIONS[situation]
    sink = opened(not sync)
    sink.put(b'{"i":-1}')  # in sync mode: wandb is up
    where: dict[int, str] = {}
    returned, value, number = [], 0, 0
    while True:
        number += 13 if prepare is looking else 1  # looking makes some hundred calls, and each trouble is looked at
        prepare(sink)
        profile = RaiseAt(number, KINDS[kind])
        left = run(sink, b'{"i":%d}' % value, profile)
        if not profile.raised_in:
            break
        where[value] = profile.raised_in
        if left is None:
            returned.append(value)
        else:
            assert isinstance(left, Stop), (profile.raised_in, left)
        value += 1
    assert number > 10
    last = value
    assert not _state.process.holds_lock()
    finish(sink)
    jobs.gone(home)
    lost = sink._journal.unwritten
    journal = jobs.journal_values(home)
    assert journal == sorted(set(journal)), "each once, in their order"
    missing = set(returned) - set(journal)
    # a row that never came into the queue: it is counted
    assert len(missing) == (0 if kind == "Stop" else lost), [where[one] for one in missing]
    assert lost <= 2
    assert last in journal
    assert [one for one in jobs.stored(home)[0].rows if one.get("i") == last]
    assert [row["i"] for run_ in jobs.stored(home) for row in run_.rows if "i" in row] == journal
    waiting = sum("waiting" in json.loads(line) for line in jobs.journal_lines(home))
    assert waiting == (number if prepare is waiting_rows else 0)


def test_each_call_below_a_new_file_raises(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row makes a new file."""
    monkeypatch.setattr(writer, "SEGMENT_BYTES", 10)
    for kind in KINDS.values():
        sink = opened(True, worker=False)
        value, number = 0, 0
        while True:
            number += 1
            profile = RaiseAt(number, kind)
            left = run(sink, b'{"i":%d}' % value, profile)
            assert left is None or isinstance(left, Stop), (profile.raised_in, left)
            value += 1
            if not profile.raised_in:
                break
        finish(sink)
        folder = sink._journal.folder
        lines = [line for path in sorted(folder.glob("rows-*")) for line in path.read_text().splitlines()]
        values = [json.loads(line)["i"] for line in lines if line.startswith("{")]
        lost = sink._journal.unwritten
        assert values == sorted(set(values))
        assert value - len(values) <= max(lost, 2)
        assert lines.count("#finish 0") == 1


@pytest.mark.timeout(30)
def test_a_file_that_holds_its_first_line_only_goes_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However short a file should be: a new one is begun when a row is in the one before."""
    monkeypatch.setattr(writer, "SEGMENT_BYTES", 1)
    sink = opened(True, worker=False)
    for value in range(3):
        sink.put(b'{"i":%d}' % value)
    finish(sink)
    files = sorted(sink._journal.folder.glob("rows-*"))
    assert [path.read_text() for path in files] == [
        '#from 0\n{"i":0}\n', '#from 1\n{"i":1}\n', '#from 2\n{"i":2}\n', "#from 3\n#finish 0\n", "#from 3\n",
    ]  # fmt: skip


def test_the_log_handler_of_the_application_raises(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever we log on the way may raise, in a handler of the application's."""

    def handle(*_: object) -> None:
        raise RuntimeError("the handler")

    monkeypatch.setattr(_log.logger, "handle", handle)
    sink = opened(True)
    finish(sink)
    sink.put(b'{"i":1}')  # "a row came after the run was finished"
    assert jobs.journal_values(home) == []


def test_select_poll_is_gone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """eventlet removes it; subprocess and socket of the standard library use it."""
    monkeypatch.delattr(select, "poll")
    monkeypatch.delattr(select, "epoll")
    sink = opened(False)
    for value in range(5):
        sink.put(b'{"i":%d}' % value)
    finish(sink)
    jobs.gone(home)
    assert [row["i"] for run_ in jobs.stored(home) for row in run_.rows] == list(range(5))


# The first lines of the program, as both libraries ask for.
PATCHES = {
    "gevent": "import gevent.monkey; gevent.monkey.patch_all()\n",
    "eventlet": "import warnings; warnings.simplefilter('ignore')\nimport eventlet; eventlet.monkey_patch()\n",
}
WORK = """
import threading
one = {make}
def work(thread):
    for n in range(20):
        one.log_metrics({{"thread": thread, "n": n}})
        time.sleep(0)
threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
one.finish()
print("done")
"""


@pytest.mark.parametrize("make", ["one_logger()", "one_logger(False)"])
@pytest.mark.parametrize("module", ["gevent", *(["eventlet"] if find_spec("eventlet") else [])])
def test_monkey_patched(module: str, make: str, tmp_path: Path) -> None:
    result = jobs.run(WORK.format(make=make), tmp_path, begin=PATCHES[module])
    assert (result.code, result.out) == (0, "done\n"), result.err
    assert [line for line in result.lines if "offline (WANDB_MODE=offline)" not in line] == []
    (stored,) = result.runs()
    for thread in range(4):
        assert [row["n"] for row in stored.rows if row.get("thread") == thread] == list(range(20))
