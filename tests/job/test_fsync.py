"""``ONE_LOGGER_V1_FSYNC``: the journal's file says itself that a write returns when the disk has it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from one_logger_v1_shim._job import writer
from one_logger_v1_shim._job.record import new_record
from one_logger_v1_shim._job.writer import Journal, begin
from one_logger_v1_shim._journal.destination import RunSpec


def is_synced(journal: Journal) -> bool:
    descriptor = journal._descriptor
    assert descriptor is not None
    return fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_DSYNC == os.O_DSYNC


@pytest.mark.parametrize("synced", [True, False])
def test_every_file_of_the_journal(synced: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "SEGMENT_BYTES", 100)
    record = new_record(RunSpec(chosen={}, default={}), os.environ, keep=True, python="", v2="none", v2_values=None)
    journal = begin(tmp_path, record, synced)
    (journal.folder / "base").symlink_to(tmp_path / "a name that is no text")  # as the worker makes them
    seen = []
    for number in range(3):
        seen.append(is_synced(journal))
        journal.append(b'{"a": %d, "b": "%s"}' % (number, b"x" * 100))
    journal.end(0)
    assert len(list(journal.folder.glob("rows-*.jsonl"))) > 2
    assert seen == [synced] * 3


@pytest.mark.slow
def test_the_variable(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from one_logger_v1_shim import OneLogger

    found: list[bool] = []
    append = Journal.append

    def look(self: Journal, line: bytes) -> None:
        if self._descriptor is not None:
            found.append(is_synced(self))
        append(self, line)

    monkeypatch.setattr(Journal, "append", look)
    monkeypatch.setenv("ONE_LOGGER_V1_FSYNC", "1")
    one = OneLogger({"project": "demo"})
    one.log_metrics({"a": 1})
    one.finish()
    assert found
    assert all(found)
