"""v1's arithmetic alone, against jobs recorded from v1: the same calls give the same emits, in order."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import WIRE, Clock, CoreSpy, decoded, golden, golden_names, same, utils_on

UTILS_JOBS = [
    name for name in golden_names(every_wire=True) if golden(name).get("target", "OneLoggerUtils") == "OneLoggerUtils"
]


def _expected(emits: list[list[Any]]) -> list[tuple[Any, ...]]:
    return [tuple(emit) for emit in emits if emit != ["log_metrics", {}]]


@pytest.mark.parametrize("name", UTILS_JOBS)
def test_recorded_job(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    job = golden(name)
    if WIRE in job.get("environment", {}):
        monkeypatch.setenv(WIRE, job["environment"][WIRE])
    clock = Clock(monkeypatch, job["t0"])
    spy = CoreSpy()
    utils: Any = None
    steps = [{"at": 0.0, "call": "__init__"}, *job["steps"]]
    assert len(steps) == len(job["expect"])
    for step, expect in zip(steps, job["expect"]):
        clock.now = job["t0"] + step["at"]
        raised = None
        try:
            if step["call"] == "__init__":
                utils = utils_on(spy, decoded(job["config"]))
            elif utils is not None:
                getattr(utils, step["call"])(*step.get("args", []), **decoded(step.get("kwargs")))
        except Exception as error:
            raised = type(error).__name__
        assert raised == expect.get("raises"), step
        got, want = spy.take(), _expected(expect["emits"])
        assert [emit[0] for emit in got] == [emit[0] for emit in want], step
        for one, other in zip(got, want):
            if one[0] == "log_metrics":
                assert list(one[1]) == list(other[1]), "names, in v1's order"
                differing = {
                    key: (other[1][key], one[1][key]) for key in one[1] if not same(one[1][key], other[1][key])
                }
                assert not differing, f"(v1, ours) at {step}"
            else:
                assert one == other, step
