"""What ``doctor`` says is what a job then does: where its rows are in the end, and the exit code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.situations import (
    JOURNAL,
    NOWHERE,
    OFFLINE,
    ONLINE,
    SITUATIONS,
    environment,
    what_happens,
    what_is_said,
)
from tests.delivery.server import KEY, Server

pytestmark = pytest.mark.ci

#: where the rows are to go, in situations where somebody has said so; everywhere else to the server
WANTED = {name: OFFLINE for name in SITUATIONS if "offline" in name or "dryrun" in name}
WANTED |= {name: NOWHERE for name in SITUATIONS if "disabled" in name}
#: no key: runs are offline, which is no error of the machine's
WANTED |= {"no key": OFFLINE}


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.stop()


def predicted(said: str) -> str:
    """Where the rows of a job will be, by what ``doctor`` prints."""
    if re.search(r"^error +(worker|wandb):", said, re.MULTILINE):
        return JOURNAL
    if re.search(r"W&B mode: disabled", said):
        return NOWHERE
    offline = r"runs are offline|W&B mode: offline|^error +W&B (reachable|setting|API key)"
    return OFFLINE if re.search(offline, said, re.MULTILINE) else ONLINE


@pytest.mark.parametrize("name", SITUATIONS)
def test_what_is_said_is_what_happens(name: str, server: Server, tmp_path: Path) -> None:
    situation = SITUATIONS[name]
    if situation.prepare is not None:
        situation.prepare(tmp_path, server)
    (tmp_path / "tmp").mkdir()
    environ = {**environment(situation, server), "TMPDIR": str(tmp_path / "tmp")}
    code, said = what_is_said(tmp_path, environ)
    assert KEY not in said
    happened = what_happens(tmp_path, environ, server)
    assert predicted(said) == happened, said
    assert (code == 1) is (happened != WANTED.get(name, ONLINE)), said
