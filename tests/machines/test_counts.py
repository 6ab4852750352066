"""Numbers and reasons in our log lines are true."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any, Callable

import pytest

from compat_matrix.bench.process import isolated_mode
from one_logger_v1_shim import _log
from one_logger_v1_shim._job import writer
from one_logger_v1_shim._job.worker_sink import WorkerSink
from one_logger_v1_shim._journal.records import Mark, RunRecord
from tests.delivery import jobs
from tests.isolated.places import site
from tests.support import ROOT, mode

# No file of the job may grow any more, wherever it lies. What is logged meanwhile is kept and printed afterwards.
FULL = """
import logging, resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
said = []
class Keep(logging.Handler):
    def emit(self, record): said.append(record.getMessage())
logger = logging.getLogger("one_logger_v1_shim")
logger.addHandler(Keep())
logger.propagate = False
one = one_logger()
log(one, 2)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
log(one, {rows}, start=2)
one.finish()
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
print("\\n".join(said))
"""


def full(rows: int) -> Callable[[Path], jobs.Result]:
    def scenario(home: Path) -> jobs.Result:
        home.mkdir(parents=True)
        return jobs.run(FULL.format(rows=rows), home, {"TMPDIR": str(home)})

    return scenario


STOPPED = """
one = one_logger()
log(one, 30)
say_so("half")
wait_for("go on")
log(one, 12, start=30)
one.finish()
"""


def stopped(home: Path) -> jobs.Result:
    """The worker hangs: it has taken 30 of 42 rows."""
    job = jobs.Job(STOPPED, home, {"ONE_LOGGER_V1_FINISH_TIMEOUT": "3.5"})
    job.wait_for("half")
    worker = job.worker()
    job.taken(30)
    os.kill(worker, signal.SIGSTOP)
    job.go_on("go on")
    job.process.wait(60)
    os.kill(worker, signal.SIGCONT)
    return job.end()


KILLED = """
one = one_logger(False)
for number in range(3):
    log(one, 5, start=5 * number)
    say_so(f"logged {number}")
    wait_for(f"killed {number}")
log(one, 5, start=15)
one.finish()
"""


def killed_three_times(home: Path) -> jobs.Result:
    job = jobs.Job(KILLED, home, {"ONE_LOGGER_V1_SYNC_TIMEOUT": "20"})
    for number in range(3):
        job.wait_for(f"logged {number}")
        os.kill(job.worker(), signal.SIGKILL)
        job.go_on(f"killed {number}")
    return job.end()


# In the worker's process alone: the user's code makes wandb's run.log raise, once.
RAISES = """
import os
if os.environ.get("ONE_LOGGER_V1_WORKER"):
    from wandb.sdk.wandb_run import Run
    log = Run.log
    def raise_once(self, data, *more, **named):
        if data.get("i") == 2 and not os.path.exists({flag!r}):
            open({flag!r}, "w").close()
            raise RuntimeError("mine")
        return log(self, data, *more, **named)
    Run.log = raise_once
"""


def run_log_raises(home: Path) -> jobs.Result:
    home.mkdir(parents=True)
    if mode():  # the worker sees its own environment alone
        more = isolated_mode(home / "mode")
        place = site(Path(more["ONE_LOGGER_V1_PYTHON"]).parent.parent)
    else:
        place = home / "site"
        place.mkdir()
        more = {"PYTHONPATH": f"{place}{os.pathsep}{ROOT}"}
    (place / "sitecustomize.py").write_text(RAISES.format(flag=str(home / "raised")))
    return jobs.run("one = one_logger(); log(one, 5); one.finish()", home, more)


SCENARIOS: dict[str, Callable[[Path], Any]] = {
    "three rows": full(3),
    "one row": full(1),
    "stopped": stopped,
    "killed three times": killed_three_times,
    "run.log raises": run_log_raises,
}


@pytest.mark.parametrize(("name", "text"), [("three rows", "3 rows"), ("one row", "1 row")])
def test_rows_that_no_disk_took(name: str, text: str, outcome: Callable[[str], jobs.Result]) -> None:
    result = outcome(name)
    assert result.code == 0, result.err
    assert [line for line in result.out.splitlines() if "could not be written to any disk" in line] == [
        f"{text} could not be written to any disk, and that is lost"
    ]
    assert sum("cannot be written (File too large)" in line for line in result.out.splitlines()) == 1
    assert result.values() == [0, 1]


def test_rows_taken(outcome: Callable[[str], jobs.Result]) -> None:
    result = outcome("stopped")
    lines = result.err.splitlines()
    assert [line for line in lines if line.startswith("waiting for W&B")] == ["waiting for W&B: 30 of 42 rows taken"]
    (line,) = [line for line in lines if "goes on in the background" in line]
    assert line.startswith("W&B has not taken all rows within 3.5 s; ")
    assert result.values() == list(range(42))


def test_a_worker_that_is_killed_again_and_again(outcome: Callable[[str], jobs.Result]) -> None:
    result = outcome("killed three times")
    assert sum(line == "the W&B process has ended; another one goes on from the journal" for line in result.lines) == 2
    (line,) = [line for line in result.lines if "does not stay up" in line]
    assert line.startswith("the W&B process does not stay up (has ended); rows are kept in ")
    assert jobs.journal_values(result.home) == list(range(20))


def test_run_log_raises(outcome: Callable[[str], jobs.Result]) -> None:
    result = outcome("run.log raises")
    assert (result.home / "raised").exists()
    assert "run.log: RuntimeError: mine; another one goes on from the journal" in result.lines
    assert "wandb's process has ended" not in result.err
    assert result.values() == list(range(5))
    assert jobs.mark(result.home)["state"] == "finished"


@pytest.mark.parametrize("most", [5, 100])
def test_rows_that_memory_does_not_hold(
    most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the journal's disk nor the temp directory takes a row. ``most``: how many are kept in memory."""
    _log.forget()
    monkeypatch.setattr(writer, "_MOST_KEPT", most)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    journal = writer.begin(tmp_path, RunRecord(id="abcdefgh"))
    journal.append(b'{"i":0}')
    assert (journal.rows, journal.unwritten) == (1, 0)
    assert journal._descriptor is not None
    os.close(journal._descriptor)
    os.rename(journal.folder, tmp_path / "moved")  # no new file can be made there either
    for number in range(12):
        journal.append(b'{"i":%d}' % number)
        journal.append(b'>["phase_start",[1.0,1.0],"validation"]')
        journal.append(b">S AAAAAAAAAAAAAAAAAAAAAA==\n" + b'{"with calls":%d}' % number)
    assert (journal.rows, journal.unwritten) == (25, 24)
    journal.end(0)
    assert (journal.rows, journal.unwritten) == (25, 24)


def test_a_death_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The job may look before the worker that goes on has opened the run, and afterwards: the event is still there."""
    _log.forget()
    sink = WorkerSink.__new__(WorkerSink)
    sink._journal = writer.begin(tmp_path, RunRecord(id="abcdefgh"))
    sink._notice = None
    died = "wandb's process has ended; another one goes on from the journal"
    marks = [("failed", 7, 1), ("offline", 8, 1), ("failed", 8, 2), ("offline", 9, 2)]
    for state, process, events in marks:
        Mark(state=state, processes=[[process, "1"]], event=died, events=events).write(sink._journal.folder)
        sink._tell()
    assert [record.getMessage() for record in caplog.records] == [died, died]
    sink._journal.close()
