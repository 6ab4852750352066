"""`torchrun` with two processes: its ends, exceptions and restarts leave no traceback of ours, and no run open."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.delivery import jobs
from tests.support import CONFIG

pytest.importorskip("torch")

# Megatron-LM's shape: a barrier for the callbacks, one enabled rank, the process group is destroyed at the end.
PROGRAM = """
import torch, torch.distributed as dist
from one_logger_v1_shim.utils import OneLoggerUtils

# not torchrun's store: after a restart gloo finds the addresses of the life before in it
life = int(os.environ["TORCHELASTIC_RESTART_COUNT"])
dist.init_process_group("gloo", init_method=f"file://{os.getcwd()}/store{life}", rank=int(os.environ["RANK"]),
                        world_size=int(os.environ["WORLD_SIZE"]))
rank = dist.get_rank()
one = OneLoggerUtils({**CONFIG, "enable_for_current_rank": rank == 1, "world_size": dist.get_world_size(),
                      "one_logger_async": ASYNCHRONOUS, "one_logger_run_name": f"life {life}",
                      "barrier": dist.barrier})
one.on_app_start()
one.on_train_start(train_iterations_start=0)
for step in range(6):
    one.on_train_batch_start()
    dist.all_reduce(torch.ones(1))
    EVENT
    one.on_train_batch_end()
"""
END = """
one.on_train_end()
dist.barrier()
one.on_app_end(set_barrier=True) if rank == 1 else dist.barrier()
dist.destroy_process_group()
"""
FAIL = 'if rank == {rank} and step == 3 and life == 0: raise RuntimeError("mine")'
KILL = "if rank == {rank} and step == 3 and life == 0: os.kill(os.getpid(), 9)"


def program(event: str = "", end: str = END, asynchronous: bool = True) -> str:
    text = PROGRAM.replace("EVENT", event or "pass").replace("ASYNCHRONOUS", str(asynchronous))
    return text.replace("CONFIG", repr(CONFIG)) + end


def torchrun(code: str, *options: str) -> Callable[[Path], jobs.Result]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", *options, "job.py"]
    environ = {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    return lambda home: jobs.run(code, home, environ, command=command)


RESTART = ("--max-restarts=1", "--monitor-interval=0.1")
ONCE = ("--max-restarts=0", "--monitor-interval=0.1")
#: name -> (scenario, exit code, {run: rows of its last iteration's count}, exit code of each run that must be told)
JOBS: dict[str, tuple[Callable[[Path], jobs.Result], int, dict[str, int], dict[str, int]]] = {
    # without finish() are the others
    "finish, sync": (
        torchrun(program(end=END + "one.finish()\n", asynchronous=False), *ONCE), 0, {"life 0": 6}, {"life 0": 0},
    ),
    "exception on the other rank": (torchrun(program(FAIL.format(rank=0)), *ONCE), 1, {"life 0": 4}, {"life 0": 1}),
    "restart after our rank": (
        torchrun(program(FAIL.format(rank=1)), *RESTART), 0, {"life 0": 2, "life 1": 6}, {"life 0": 1, "life 1": 0},
    ),
    "restart after the other rank was killed": (
        torchrun(program(KILL.format(rank=0)), *RESTART), 0, {"life 0": 4, "life 1": 6}, {"life 0": 1, "life 1": 0},
    ),
}  # fmt: skip
SCENARIOS: dict[str, Callable[[Path], Any]] = {name: job[0] for name, job in JOBS.items()}


def tracebacks(text: str) -> list[str]:
    """The parts of ``text`` that are tracebacks."""
    return re.findall(r"Traceback \(most recent call last\):.*?(?=\n\S*Traceback|\Z)", text, re.DOTALL)


@pytest.mark.parametrize("name", JOBS)
def test_torchrun(name: str, outcome: Callable[[str], jobs.Result]) -> None:
    _, code, iterations, exit_codes = JOBS[name]
    result = outcome(name)
    assert result.code == code, result.err
    runs = {str(run.name): run for run in result.runs()}
    found = {
        name: max((row["train_iterations_end"] for row in run.rows if "train_iterations_end" in row), default=0)
        for name, run in runs.items()
    }
    assert found == iterations
    assert {name: run.exit_code for name, run in runs.items()} == exit_codes
    for journal in jobs.journals(result.home):
        assert '"state": "finished"' in (journal / "mark.json").read_text()
    text = result.out + result.err
    assert "one_logger_v1_shim/" not in "".join(tracebacks(text)), text
    assert "Exception ignored" not in text
    assert result.seconds < 120  # a hang is over our time limits; a busy machine took 69 s
