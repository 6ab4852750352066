"""`wandb.agent`, the real one: the trial's own run is the sweep's, ours is a run of its own, once."""

from __future__ import annotations

from pathlib import Path

from tests.delivery import jobs
from tests.delivery.server import Server

JOB = """
import wandb
def trial():
    theirs = wandb.init()
    one = one_logger()
    log(one, 5)
    theirs.log({"theirs": theirs.config["rate"]})
    one.finish()
    theirs.finish()
wandb.agent("abcdefgh", function=trial, count=1, entity="team", project="p")
print("done")
"""


def test_a_trial_of_a_sweep(server: Server, tmp_path: Path) -> None:
    server.commands = [
        {"type": "run", "run_id": "swept001", "args": {"rate": {"value": 0.5}}, "program": "", "logs": []}
    ]
    result = jobs.run(JOB, tmp_path, {"WANDB_MODE": None, "WANDB_SILENT": "true", **server.environment()})
    assert (result.code, result.out.splitlines()[-1]) == (0, "done"), result.err
    theirs = server.runs.pop("swept001")
    assert [row["theirs"] for row in theirs.values() if "theirs" in row] == [0.5]
    ((ours, rows),) = server.runs.items()
    assert [row["i"] for _, row in sorted(rows.items()) if "i" in row] == list(range(5))
    assert len(ours) == 8
    assert result.lines == []
