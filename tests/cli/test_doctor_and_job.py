"""What ``doctor`` says is what a job then does: where its rows are in the end, whose run it is, and the exit code.

The situations that this run of the tests has chosen are played at the same time: nearly all of them wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.cli.situations import CORE, OFFLINE, ONLINE, UTILS, Outcome, play, real_python
from tests.cli.situations_table import FEW, SITUATIONS
from tests.cli.warm import Warm
from tests.delivery.server import KEY

_AT_A_TIME = 6
_MARKS = {True: pytest.mark.slow, False: pytest.mark.ci}


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, warm: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Outcome]]]:
    items = [item for item in request.session.items if item.name.startswith("test_what_is_said[")]
    chosen = [item.callspec.params["name"] for item in items if isinstance(item, pytest.Function)]
    homes = tmp_path_factory.mktemp("s")
    with Warm(v2=False) as without_v2, ThreadPoolExecutor(_AT_A_TIME) as pool:
        pythons = {"warm": warm, "without v2": without_v2, "real": real_python()}
        yield {
            name: pool.submit(play, SITUATIONS[name], homes / str(number), pythons)
            for number, name in enumerate(chosen)
        }
        pool.shutdown(cancel_futures=True)


def test_there_are_many() -> None:
    assert len(SITUATIONS) >= 140
    assert set(FEW) <= SITUATIONS.keys()


@pytest.mark.parametrize("name", [pytest.param(name, marks=_MARKS[name in FEW]) for name in SITUATIONS])
def test_what_is_said(name: str, outcomes: dict[str, Future[Outcome]]) -> None:
    """... is what happens."""
    situation, found = SITUATIONS[name], outcomes[name].result()
    everything = f"{found.said}\n{found.log}"
    assert KEY not in found.said
    assert "secretword" not in everything, "a password"
    assert found.predicted == found.happened, everything
    assert (found.code == 1) is (found.happened != situation.wanted), everything
    if situation.job == UTILS:
        assert found.v2 is not any(line.startswith("warning  v2 ") for line in found.said.splitlines()), everything
    stays = bool(found.run)  # the journal that says it
    if situation.job == CORE and found.happened in (ONLINE, OFFLINE) and found.told("W&B entity") and stays:
        told = [found.told(f"W&B {what}") for what in ("entity", "project", "run name", "tags")]
        entity, project, name, tags = (found.run[one] for one in ("entity", "project", "run_name", "tags"))
        assert told[0].startswith(entity or "the account's own") or "the account's own" in told[0], everything
        assert told[1].startswith(project), everything
        assert told[2] == name or told[2].startswith("the program's, else"), everything
        assert told[3] == (", ".join(tags) or "none"), everything
