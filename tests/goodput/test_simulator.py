"""Random histories against a simulator that knows the truth: every part is equal."""

from __future__ import annotations

import pytest

from one_logger_v1_shim._goodput.training import add_up
from one_logger_v1_shim._goodput.trainings import group
from tests.goodput.simulator import history
from tests.support import Clock

pytestmark = pytest.mark.ci


@pytest.mark.parametrize("overlaps", [False, True])
@pytest.mark.parametrize("accidents", [False, True])
def test_every_part_is_what_happened(overlaps: bool, accidents: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    wrong = []
    for seed in range(250):
        attempts, right = history(clock, seed, overlaps=overlaps, accidents=accidents)
        (some,) = group(attempts)
        told = add_up(some)
        assert sum(told.parts.values()) == told.wall
        found = {key: us / 1000 for key, us in told.parts.items() if us > 2000}
        if found != pytest.approx({key: ms for key, ms in right.items() if ms > 2}, abs=1.5):
            wrong.append(
                (
                    seed,
                    {
                        key: (found.get(key), right.get(key))
                        for key in {*found, *right}
                        if abs(found.get(key, 0) - right.get(key, 0)) > 1.5
                    },
                )
            )
    assert not wrong, f"{len(wrong)}: {wrong[:2]}"
