"""The user's own W&B runs, before, during and after ours: never joined, never finished, and they can't finish ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import run_python, stored_runs

pytestmark = pytest.mark.ci

PROGRAM = """
import os, sys
import wandb
from one_logger_v1_shim import OneLogger

asynchronous = sys.argv[1] == "async"

before = wandb.init(project="user", name="before")
before.log({"user": 1})
ours = OneLogger({"project": "ours", "name": "ours", "async": asynchronous})
ours.log_metrics({"ours": 1})
assert wandb.run is before, "a run of the user's that is open stays theirs"
before.log({"user": 2})
ours.log_metrics({"ours": 2})
wandb.finish()  # theirs
ours.log_metrics({"ours": 3})
assert wandb.run is None

during = wandb.init(project="user", name="during")  # a plain init while only ours is open
assert during.id != before.id
assert wandb.run is during
assert during.project == "user"
during.log({"user": 3})
ours.log_metrics({"ours": 4})
again = wandb.init(project="user", name="again", reinit=True)
again.log({"user": 4})
ours.log_metrics({"ours": 5})
again.finish()
ours.log_metrics({"ours": 6})
ours.finish()

after = wandb.init(project="user", name="after")
assert after.project == "user"
after.log({"user": 5})
after.finish()
assert wandb.setup().settings.base_url == os.environ["EXPECTED_URL"]
"""


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_users_own_runs(mode: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    url = "http://127.0.0.1:9"
    env = {
        "WANDB_MODE": "offline",
        "WANDB_SILENT": "true",
        "WANDB_BASE_URL": url,
        "EXPECTED_URL": url,
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
    }
    run_python(PROGRAM, tmp_path, mode, env=env)
    runs = {run.name: run for run in stored_runs(tmp_path)}
    assert set(runs) == {"before", "during", "again", "after", "ours"}
    rows = {name: [row.get("user", row.get("ours")) for row in run.rows] for name, run in runs.items()}
    assert rows == {"before": [1, 2], "during": [3], "again": [4], "after": [5], "ours": [1, 2, 3, 4, 5, 6]}
    assert all("user" not in row for row in runs["ours"].rows)
    assert all("app_last_log_time" not in row for name, run in runs.items() if name != "ours" for row in run.rows)
    assert all(run.exit_code == 0 for run in runs.values())
    assert not (home / ".netrc").exists(), "nobody logs in"
    assert not list(home.rglob("settings"))
