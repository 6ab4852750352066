"""The user's own W&B runs, before, during and after ours: neither meets the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest

from tests.delivery import jobs

AROUND = """
import wandb
user = wandb.init(project="mine", name="before", id="before")
user.log({"mine": 1})
one = one_logger(ASYNCHRONOUS)
log(one, 10)
assert wandb.run is user, wandb.run
user.log({"mine": 2})
wandb.finish()
log(one, 10, start=10)
assert wandb.run is None, wandb.run
user = wandb.init(project="mine", name="during", id="during")
assert user.id == "during"
user.log({"mine": 3})
user = wandb.init(project="mine", name="during2", id="during2", reinit=True)
log(one, 10, start=20)
user.log({"mine": 4})
one.finish()
assert wandb.run is user
user.log({"mine": 5})
user.finish()
user = wandb.init(project="mine", name="after", id="after")
user.log({"mine": 6})
user.finish()
print("done")
"""

OURS_FIRST = """
one = one_logger(ASYNCHRONOUS)
log(one, 10)
import wandb
assert wandb.run is None
user = wandb.init(project="mine", name="plain", id="plain")
assert user.id == "plain"
user.log({"mine": 1})
log(one, 10, start=10)
wandb.log({"mine": 2})
wandb.finish()
log(one, 10, start=20)
print("done")
"""

TEARDOWN = """
one = one_logger(ASYNCHRONOUS)
log(one, 10)
import wandb
with wandb.init(project="mine", name="plain", id="plain") as user:
    user.log({"mine": 1})
wandb.teardown()
log(one, 20, start=10)
one.finish()
print("done")
"""


def program(code: str, asynchronous: bool = True, **environ: str) -> Callable[[Path], jobs.Result]:
    return lambda home: jobs.run(code.replace("ASYNCHRONOUS", str(asynchronous)), home, environ)


#: name -> (scenario, {id of the user's run: its rows})
BESIDE: dict[str, tuple[Callable[[Path], jobs.Result], dict[str, list[int]]]] = {
    "around": (program(AROUND), {"before": [1, 2], "during": [3], "during2": [4, 5], "after": [6]}),
    "around, sync": (program(AROUND, False), {"before": [1, 2], "during": [3], "during2": [4, 5], "after": [6]}),
    "ours first": (program(OURS_FIRST), {"plain": [1, 2]}),
    "teardown": (program(TEARDOWN), {"plain": [1]}),
    "run id in the environment": (
        program(OURS_FIRST, WANDB_RUN_ID="plain", WANDB_RESUME="allow", WANDB_NAME="theirs", WANDB_TAGS="theirs"),
        {"plain": [1, 2]},
    ),
}
SCENARIOS: dict[str, Callable[[Path], Any]] = {name: one[0] for name, one in BESIDE.items()}


@pytest.mark.parametrize("name", BESIDE)
def test_runs_beside_ours(name: str, outcome: Callable[[str], jobs.Result]) -> None:
    result = outcome(name)
    assert (result.code, result.out.splitlines()[-1:]) == (0, ["done"]), result.err
    theirs = {run.run_id: [row["mine"] for row in run.rows] for run in result.runs() if run.project == "mine"}
    assert theirs == BESIDE[name][1]
    (ours,) = [run for run in result.runs() if run.project == "delivery"]
    assert [row.get("i") for row in ours.rows] == list(range(30))
    assert ours.name == "job"
    assert ours.exit_code == 0
    assert "theirs" not in ours.tags or name == "run id in the environment"


@pytest.mark.parametrize("name", ["ours first", "around"])
def test_home_is_left_alone(name: str, outcome: Callable[[str], jobs.Result]) -> None:
    result = outcome(name)
    assert not (result.home / ".netrc").exists()
    for path in result.home.rglob("settings"):
        assert "base_url" not in path.read_text()
        assert "api_key" not in path.read_text()
