"""W&B's links in the run folder (`latest-run`, `debug.log`) are as if we were not there: they are the user's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from tests.delivery import jobs
from tests.delivery.server import Server

OURS = "one = one_logger()\nlog(one, 3)\n"
FINISH = "one.finish()\n"
USERS = """
import wandb
user = wandb.init(project="mine", id="{0}")
user.log({{"mine": 1}})
user.finish()
"""
ALONGSIDE = (
    USERS.format("user1").replace("user.finish()\n", OURS) + FINISH + 'user.log({"mine": 2})\nuser.finish()\n' + OURS
)

#: program -> id of the run that the links are to point to; None: there are none
PROGRAMS: dict[str, tuple[str, Optional[str]]] = {
    "no run of the user's": (OURS + FINISH, None),
    "the user's run while ours is open": (OURS + USERS.format("user1") + FINISH, "user1"),
    "ours while the user's is open": (ALONGSIDE, "user1"),
    "two of the user's around ours": (USERS.format("user1") + OURS + FINISH + USERS.format("user2"), "user2"),
}


def offline(code: str) -> Callable[[Path], jobs.Result]:
    return lambda home: jobs.run(code, home)


def online(home: Path) -> jobs.Result:
    server = Server()
    try:
        return jobs.run(ALONGSIDE, home, {"WANDB_MODE": None, **server.environment()})
    finally:
        server.stop()


def killed(home: Path) -> jobs.Result:
    """The worker is killed: the one that goes on for it makes no link either."""
    job = jobs.Job(USERS.format("user1") + OURS + 'say_so("logged"); wait_for("go on")\n' + FINISH, home)
    job.wait_for("logged")
    job.taken(3)
    os.kill(job.worker(), 9)
    job.go_on("go on")
    return job.end()


SCENARIOS: dict[str, Callable[[Path], Any]] = {
    **{name: offline(code) for name, (code, _) in PROGRAMS.items()},
    "online": online,
    "worker killed": killed,
}


def links(home: Path) -> dict[str, str]:
    """The links in W&B's folder, with the folder of the run that each points to."""
    found = {}
    for path in (home / "wandb").iterdir():
        if path.is_symlink():
            found[path.name] = os.readlink(path).partition("/")[0]
    return found


@pytest.mark.parametrize("name", SCENARIOS)
def test_links(name: str, outcome: Callable[[str], jobs.Result]) -> None:
    result = outcome(name)
    assert result.code == 0, result.err
    run_id = PROGRAMS.get(name, ("", "user1"))[1]
    found = links(result.home)
    if run_id is None:
        assert found == {}
        return
    (target,) = set(found.values())
    assert target.endswith(f"-{run_id}")
    assert set(found) >= {"latest-run", "debug.log", "debug-internal.log"}
    assert result.values() or name == "online"
