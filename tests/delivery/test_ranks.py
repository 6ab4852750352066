"""200 ranks of one job at the same time, in one folder: one is enabled, and nobody notices the others."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.delivery import jobs
from tests.support import clean_environment

pytestmark = pytest.mark.ci

RANKS = 200
ENABLED = RANKS - 1  # as Megatron-LM has it

# All ranks wait for the word on standard input, so that they are there together.
RANK = """
import os, sys, time
from one_logger_v1_shim.utils import OneLoggerUtils

rank = int(os.environ["RANK"])
print("ready", flush=True)
sys.stdin.readline()
utils = OneLoggerUtils({
    "enable_for_current_rank": rank == int(os.environ["WORLD_SIZE"]) - 1,
    "one_logger_project": "ranks",
    "one_logger_run_name": "job",
    "app_tag": "ranks",
    "app_tag_run_name": "ranks",
    "world_size": int(os.environ["WORLD_SIZE"]),
    "global_batch_size": 200,
    "is_train_iterations_enabled": True,
    "is_validation_iterations_enabled": False,
    "log_every_n_train_iterations": 10,
})
utils.on_app_start()
utils.on_train_start(train_iterations_start=0)
for _ in range(40):
    utils.on_train_batch_start()
    utils.on_train_batch_end()
utils.on_train_end()
utils.on_app_end()
utils.finish()
print(sorted({"wandb", "nv_one_logger", "wrapt", "subprocess", "multiprocessing"} & set(sys.modules)))
sys.exit(rank % 5)
"""


def test_one_of_200_ranks_logs(tmp_path: Path) -> None:
    home = tmp_path / "job"
    home.mkdir()
    script = tmp_path / "rank.py"
    script.write_text(RANK)
    common = clean_environment(tmp_path, {"WANDB_MODE": "offline", "WORLD_SIZE": str(RANKS), **jobs.LIMITS})
    ranks = []
    try:
        for rank in range(RANKS):
            ranks.append(
                subprocess.Popen(
                    [sys.executable, str(script)], cwd=home, env={**common, "RANK": str(rank)}, text=True,
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                )
            )  # fmt: skip
        for process in ranks:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in ranks:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        said = [process.communicate(timeout=120)[0] for process in ranks]
    finally:
        for process in ranks:
            if process.poll() is None:
                process.kill()
            process.wait()

    assert [process.returncode for process in ranks] == [rank % 5 for rank in range(RANKS)]
    assert said[:ENABLED] == ["[]\n"] * ENABLED
    assert [path.name for path in home.iterdir()] == ["wandb"]
    jobs.gone(home)
    (run,) = jobs.stored(home)
    assert [row["train_iterations"] for row in run.rows if "train_iterations" in row] == [10, 20, 30, 40]
    assert [row["world_size"] for row in run.rows if "world_size" in row] == [RANKS]
    assert run.exit_code == 0
    assert [json.loads(line) for line in jobs.journal_lines(home)] == run.rows
