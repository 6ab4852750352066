"""A child forked while the parent's run is open: its own object is a run of its own; the parent's is silent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.delivery import jobs
from tests.support import CONFIG

# Notebook launchers fork by multiprocessing; the child ends without atexit, and nobody calls finish().
PROGRAM = """
import multiprocessing
from one_logger_v1_shim import _state
from one_logger_v1_shim.utils import OneLoggerUtils

def utils(name):
    return OneLoggerUtils({**CONFIG, "one_logger_run_name": name, "one_logger_async": ASYNCHRONOUS})

def train(one, iterations):
    one.on_app_start()
    one.on_train_start(train_iterations_start=0)
    for _ in range(iterations):
        one.on_train_batch_start()
        one.on_train_batch_end()

def child(depth):
    parents.on_train_batch_start()
    parents.on_train_batch_end()
    parents.one_logger.log_metrics({"of the parent": True})
    own = utils(f"child {depth}")
    train(own, 2 + 2 * depth)
    if depth < 2:
        fork(depth + 1)
    own.on_app_end()

def fork(depth):
    one = multiprocessing.get_context("fork").Process(target=child, args=(depth,))
    one.start()
    one.join()
    assert one.exitcode == 0, one.exitcode

parents = utils("parent")
train(parents, 2)
held = threading.Event()
def hold():
    with _state.process.lock:  # another thread is about to write a row
        held.set()
        time.sleep(1)
threading.Thread(target=hold, daemon=True).start()
held.wait()
fork(1)
parents.on_train_batch_start()
parents.on_train_batch_end()
parents.on_app_end()
parents.finish()
print("done")
"""


@pytest.mark.parametrize("asynchronous", [True, False])
def test_each_process_has_its_run(asynchronous: bool, tmp_path: Path) -> None:
    code = PROGRAM.replace("CONFIG", repr(CONFIG)).replace("ASYNCHRONOUS", str(asynchronous))
    result = jobs.run(code, tmp_path)
    assert (result.code, result.out) == (0, "done\n"), result.err
    counts = {
        run.name: max(row.get("train_iterations_end", 0) for row in run.rows if "train_iterations_end" in row)
        for run in result.runs()
    }
    assert counts == {"parent": 2, "child 1": 4, "child 2": 6}
    assert not [row for run in result.runs() for row in run.rows if "of the parent" in row]
    assert {run.exit_code for run in result.runs()} == {0}
    assert not [line for line in result.lines if "joins it" in line]
    ids = {run.run_id for run in result.runs()}
    assert len(ids) == 3 == len(jobs.journals(tmp_path))
