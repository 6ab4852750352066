"""The journal's file: one write for a call, a new file now and then, a disk that takes nothing, handlers in between."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import Any, Callable

import pytest

from one_logger_v1_shim import _state
from one_logger_v1_shim._job import writer as module
from one_logger_v1_shim._job.writer import Journal, begin
from one_logger_v1_shim._journal.files import overflow
from one_logger_v1_shim._journal.records import RunRecord


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """One in a folder of its own; what no disk takes goes to ``temp``."""
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    before = _state.exchange(_state.Process())
    one = begin(tmp_path, RunRecord(id="abcd1234"))
    yield one
    one.close()
    _state.exchange(before)


class Disk:
    """In place of ``os.write``: takes ``room`` bytes of the journal, and then none."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, journal: Journal) -> None:
        self.room = 10**9
        write = os.write

        def limited(descriptor: int, data: bytes) -> int:
            if descriptor != journal._descriptor:
                return write(descriptor, data)
            if not self.room:
                raise OSError(errno.ENOSPC, "No space left on device")
            taken = write(descriptor, data[: self.room])
            self.room -= taken
            return taken

        monkeypatch.setattr(os, "write", limited)


def content(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.glob("rows-*.jsonl"))]


def test_where_it_is(journal: Journal, tmp_path: Path) -> None:
    assert journal.folder.parent == tmp_path / "wandb"
    assert journal.folder.name.endswith("-abcd1234")
    assert RunRecord.read(journal.folder).base == str(tmp_path)
    for line in (b'{"a":1}', b'>["x"]', b'>SE abc\n{"b":2}'):
        journal.append(line)
    assert (journal.rows, journal.written, journal.unwritten) == (2, 2, 0)
    journal.end(7)
    journal.append(b'{"late":1}')
    assert content(journal.folder) == [b'#from 0\n{"a":1}\n>["x"]\n>SE abc\n{"b":2}\n#finish 7\n']


def test_a_journal_that_is_not_kept_and_one_that_cannot_be_kept(
    journal: Journal, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = begin(tmp_path, RunRecord(id="abcd1235", keep=False))
    assert one.folder.parent == tmp_path / "temp"
    assert RunRecord.read(one.folder).base == str(tmp_path)
    assert caplog.messages == []
    (tmp_path / "file").write_text("")
    two = begin(tmp_path / "file", RunRecord(id="abcd1236"))
    assert two.folder.parent == tmp_path / "temp"
    assert RunRecord.read(two.folder).base == str(two.folder)
    assert "no journal can be kept there (Not a directory); it is kept in" in caplog.text
    one.close(), two.close()


def test_files_are_of_a_size(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEGMENT_BYTES", 30)
    for number in range(4):
        journal.append(b'{"a":"%d234567890"}' % number)
    journal.end(0)
    assert content(journal.folder) == [
        b'#from 0\n{"a":"0234567890"}\n{"a":"1234567890"}\n'[:27] + b'{"a":"1234567890"}\n',
        b'#from 2\n{"a":"2234567890"}\n{"a":"3234567890"}\n', b"#from 4\n#finish 0\n",
    ]  # fmt: skip
    assert journal._size == len(b"#from 4\n#finish 0\n")


def test_a_first_line_as_long_as_a_file_does_not_make_files_for_ever(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SEGMENT_BYTES", 8)
    journal.append(b'{"a":1}')
    journal.append(b'{"a":2}')
    assert [len(text) for text in content(journal.folder)] == [16, 16, 8]


def test_half_a_row_is_cut_and_the_rest_goes_elsewhere(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    disk = Disk(monkeypatch, journal)
    journal.append(b'{"a":1}')
    disk.room = 3
    monkeypatch.setattr(module, "make_folder", lambda path: (setattr(disk, "room", 10**9), path.mkdir(0o700)))
    journal.append(b'{"a":2}')
    journal.append(b'{"a":3}')
    more = overflow(journal.folder)
    assert content(journal.folder) == [b'#from 0\n{"a":1}\n']
    assert content(more) == [b'#from 1\n{"a":2}\n{"a":3}\n']
    assert caplog.messages == [
        f"the journal in {journal.folder} cannot be written (No space left on device); it goes on in {more}; rows "
        "are sent from there, and those that W&B lacks at a reboot are lost"
    ]
    monkeypatch.setattr(module, "SEGMENT_BYTES", 10)
    journal.append(b'{"a":4}')
    assert len(content(more)) == 2  # where it has gone to it stays


def test_what_no_disk_takes_waits_and_is_offered_again(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    disk = Disk(monkeypatch, journal)
    disk.room = 0
    clock = [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: clock[0])
    monkeypatch.setattr(module, "make_folder", _refuse)
    journal.append(b'{"a":1}')
    assert (journal.rows, journal.unwritten) == (1, 1)
    assert "rows wait in memory, 10,000 at most, and are offered again; the job goes on" in caplog.text
    disk.room = 10**9
    clock[0] += 0.9
    journal.append(b'{"a":2}')
    assert journal.unwritten == 2  # not so soon
    clock[0] += 0.2
    journal.append(b'{"a":3}')
    assert (journal.rows, journal.unwritten) == (3, 0)
    assert content(journal.folder) == [b'#from 0\n{"a":1}\n{"a":2}\n{"a":3}\n']


def _refuse(path: Path) -> None:
    raise PermissionError(errno.EACCES, "Permission denied")


def test_the_end_is_offered_at_once(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch, journal)
    disk.room = 0
    monkeypatch.setattr(module, "make_folder", _refuse)
    journal.append(b'{"a":1}')
    disk.room = 10**9
    journal.end(0)
    assert content(journal.folder) == [b'#from 0\n{"a":1}\n#finish 0\n']


@pytest.mark.parametrize("pause", [0.0, 2.0])
@pytest.mark.parametrize(("rows", "size"), [(2, 10**9), (10**9, 40)])
def test_memory_is_bounded(
    rows: int, size: int, pause: float, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(module, "monotonic", lambda: clock[0])
    Disk(monkeypatch, journal).room = 0
    monkeypatch.setattr(module, "make_folder", _refuse)
    monkeypatch.setattr(module, "_MOST_KEPT", rows)
    monkeypatch.setattr(module, "_MOST_KEPT_BYTES", size)
    for number in range(5):
        clock[0] += pause
        journal.append(b'{"a":"%d2345678"}' % number)
    assert [line[6:7] for line in journal._queue] == [b"3", b"4"]
    assert (journal.rows, journal.unwritten) == (5, 5)


def test_a_second_try_is_said_as_one(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write, tries = os.write, []

    def once(descriptor: int, data: bytes) -> int:
        tries.append(data)
        if len(tries) == 1:
            raise OSError(errno.EIO, "Input/output error")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", once)
    journal.append(b'{"a":1}')
    assert content(journal.folder) == [b'#from 0\n{"a":1}\n']
    assert "(Input/output error); the second try succeeded; the job goes on" in caplog.text


def test_a_program_that_has_closed_all_descriptors(journal: Journal, tmp_path: Path) -> None:
    number = journal._descriptor
    assert number is not None
    with open(tmp_path / "own", "wb") as own:
        os.dup2(own.fileno(), number)
    journal.append(b'{"a":1}')
    assert (tmp_path / "own").read_bytes() == b""
    assert content(overflow(journal.folder)) == [b'#from 0\n{"a":1}\n']
    os.fstat(number)  # it is the program's
    os.close(number)


@pytest.mark.parametrize("cut", [0, 3, 8])
def test_a_writer_that_was_interrupted_after_or_in_its_write(cut: int, journal: Journal) -> None:
    """A handler has come between the write and what is noted of it: the file tells."""
    assert journal._descriptor is not None
    journal.append(b'{"a":1}')
    os.write(journal._descriptor, b'{"a":2}\n'[:cut])
    journal._queue.append(b'{"a":2}\n')
    journal._busy = True  # nobody is there any more to reset it
    journal.append(b'{"a":3}')
    assert content(journal.folder) == [b'#from 0\n{"a":1}\n{"a":2}\n{"a":3}\n']
    assert (journal.rows, journal._busy) == (3, False)


def test_a_handler_that_logs_and_ends_in_the_middle(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    seek = os.lseek

    def then(what: Callable[[], None]) -> None:
        def interrupted(*arguments: int) -> int:
            monkeypatch.setattr(os, "lseek", seek)
            what()
            return seek(*arguments)

        monkeypatch.setattr(os, "lseek", interrupted)

    then(lambda: journal.append(b'{"b":1}'))
    journal.append(b'{"a":1}')
    then(lambda: journal.end(5))
    descriptor = journal._descriptor
    journal.append(b'{"a":2}')
    text = b'#from 0\n{"a":1}\n{"b":1}\n{"a":2}\n#finish 5\n'
    assert content(journal.folder) == [text]
    assert descriptor is not None
    os.close(descriptor)  # it was not given back: who was interrupted had its number in hand


def test_what_was_interrupted_while_a_file_was_made_goes_on_in_that_file(journal: Journal) -> None:
    path = journal.folder / "rows-000002.jsonl"
    path.write_bytes(b"#from 0\n")
    path.chmod(0o600)
    journal._opening = path
    journal.append(b'{"a":1}')
    assert content(journal.folder) == [b"#from 0\n", b'#from 0\n#from 0\n{"a":1}\n']
    assert journal._opening is None


def test_a_file_that_is_there_is_not_ours(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEGMENT_BYTES", 10)
    (journal.folder / "rows-000002.jsonl").write_text("somebody's")
    journal.append(b'{"a":1}')
    journal.append(b'{"a":2}')
    assert content(journal.folder) == [b'#from 0\n{"a":1}\n{"a":2}\n', b"somebody's"]


def test_a_row_that_could_not_be_kept_is_counted_once(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    error = MemoryError()
    journal.missed(b'{"a":1}', 0, error)  # never in the queue
    assert journal.unwritten == 1
    journal._queue.append(b'{"a":2}\n')
    journal.missed(b'{"a":2}', 0, error)  # it waits there
    assert journal.unwritten == 2
    journal.missed(b'{"a":3}', 0, error)
    assert journal.unwritten == 3
    journal._queue.clear()
    journal.written = 1
    journal.missed(b'{"a":4}', 0, error)  # it was written
    assert journal.unwritten == 2
    assert caplog.messages == ["a row could not be kept (MemoryError()) and is missing in W&B; the job goes on"]


def test_trouble_of_our_own_costs_no_row(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Journal, "_write", _memory(Journal._write))
    journal.append(b'{"a":1}')
    assert content(journal.folder) == [b'#from 0\n{"a":1}\n']
    assert caplog.messages == ["a row could not be written at once (MemoryError()) and follows later; the job goes on"]


def _memory(write: Callable[[Journal, bytes], bool]) -> Callable[[Journal, bytes], bool]:
    tries: list[bytes] = []

    def short(journal: Journal, data: bytes) -> bool:
        tries.append(data)
        if len(tries) == 1:
            raise MemoryError
        return write(journal, data)

    return short
