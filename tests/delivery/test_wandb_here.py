"""What the application has told its own wandb counts for our run, too; the key is written nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from tests.delivery import jobs
from tests.delivery.server import KEY, Server

pytestmark = pytest.mark.ci

ROWS = list(range(5))
JOB = """
import sys
assert "wandb" not in sys.modules
{told}
one = one_logger()
log(one, 5)
one.finish()
"""

#: name -> what the application does, what the environment says; SERVER and KEY are put in
TOLD: dict[str, tuple[str, dict[str, Optional[str]]]] = {
    "a key and a server": ("import wandb; wandb.setup(wandb.Settings(api_key=KEY, base_url=SERVER))", {}),
    "a login": (
        "import wandb; wandb.login(key=KEY, host=SERVER)",
        {"WANDB_API_KEY": None},
    ),
    "offline": ("import wandb; wandb.setup(wandb.Settings(mode='offline'))", {"WANDB_API_KEY": KEY}),
    "disabled": ("import wandb; wandb.setup(wandb.Settings(mode='disabled'))", {"WANDB_API_KEY": KEY}),
    "folder, tags and group": (
        "import wandb; os.mkdir('there'); wandb.setup(wandb.Settings(base_url=SERVER, api_key=KEY, root_dir='there', "
        "run_tags=('a', 'b'), run_group='group'))",
        {},
    ),
    "the environment afterwards": (
        "import wandb; wandb.setup(wandb.Settings(api_key=KEY, base_url=SERVER)); os.environ['WANDB_MODE'] = 'offline'",
        {},
    ),
}


def told(name: str) -> Callable[[Path], tuple[jobs.Result, Server]]:
    def scenario(home: Path) -> tuple[jobs.Result, Server]:
        server = Server()
        try:
            code, environ = TOLD[name]
            code = code.replace("SERVER", repr(server.url)).replace("KEY", "os.environ.pop('THE_KEY')")
            if environ.get("WANDB_API_KEY"):
                environ = {**environ, "WANDB_BASE_URL": server.url}
            wanted = {"WANDB_MODE": None, "WANDB_ENTITY": "team", "THE_KEY": KEY, **environ}
            return jobs.run(JOB.format(told=code), home, wanted), server
        finally:
            server.stop()

    return scenario


SCENARIOS: Mapping[str, Any] = {name: told(name) for name in TOLD}


@pytest.mark.everywhere
@pytest.mark.parametrize("name", TOLD)
def test_what_wandb_was_told_counts(name: str, outcome: Callable[[str], Any]) -> None:
    result, server = outcome(name)
    assert result.code == 0, result.err
    sent = [server.rows[step]["i"] for step in sorted(server.rows)]
    assert sent == (ROWS if name in ("a key and a server", "a login", "folder, tags and group") else [])
    assert result.values() == ([] if name == "disabled" else ROWS)
    if name == "folder, tags and group":
        assert [(made["tags"], made["groupName"]) for made in server.made if made.get("tags")] == [
            (["a", "b"], "group")
        ]
        assert [run.path.parent.parent.parent.name for run in result.runs()] == ["there"]
    for journal in jobs.journals(result.home):
        assert not any(KEY.encode() in path.read_bytes() for path in journal.iterdir())
