"""The same events told to Google's ``ml-goodput-measurement``: each difference follows from a definition.

It needs an environment of its own (``pip install ml-goodput-measurement``): ``ML_GOODPUT_PYTHON`` is its interpreter.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import pytest

from one_logger_v1_shim._goodput import definitions as d
from tests.goodput.story import T0, Story, training
from tests.goodput.test_histories import async_saves, three_attempts, undisturbed
from tests.support import Clock

PROGRAM = Path(__file__).with_name("peer_program.py")


def interpreter() -> Optional[str]:
    here = sys.executable if importlib.util.find_spec("ml_goodput_measurement") else None
    return os.environ.get("ML_GOODPUT_PYTHON") or here


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        interpreter() is None,
        reason="not run: no ml-goodput-measurement here, and ML_GOODPUT_PYTHON names no interpreter",
    ),
]


def both(stories: Sequence[Story]) -> tuple[dict[str, float], dict[str, Any]]:
    """Our parts and figures (s), and what the library says (s)."""
    told = training(*(one.attempt() for one in stories))
    ours = {key: us / 1e6 for key, us in told.parts.items()}
    events = [event for one in stories for event in one.events]
    found = subprocess.run(
        [str(interpreter()), str(PROGRAM)], input=json.dumps(events), capture_output=True, text=True, check=True, env={}
    )
    theirs: dict[str, Any] = json.loads(found.stdout)
    assert theirs["wall"] == pytest.approx(told.wall / 1e6, abs=1e-4), "the wall time is the same"
    return {**ours, "goodput": told.goodput or 0.0}, theirs


def close(value: float) -> Any:
    return pytest.approx(value, abs=1e-4)


def test_undisturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = both([undisturbed(Clock(monkeypatch, T0))])
    # A step lasts until the next one starts, the last one until the job ends: idle time (but the 0.1 s before the first
    # step) and what comes after the loop are productive there.
    assert theirs["productive"] == close(ours[d.PRODUCTIVE] + ours[d.IDLE] - 0.1 + ours[d.SHUTDOWN])
    assert (ours["goodput"], theirs["goodput"]) == (close(65 / 96.375), close(74.025 / 96.375))
    badput = theirs["badput"]
    assert badput["TRAINING_PREP"] == close(ours[d.MODEL_INIT])
    assert badput["DATA_LOADING_SYNC"] == close(ours[d.DATA_LOADER])
    assert badput["UNPRODUCTIVE_CHECKPOINT_SAVE_TIME"] == close(ours[d.SAVE_CHECKPOINT])
    assert badput["CUSTOM_BADPUT_EVENTS"] == {"VALIDATION": close(ours[d.VALIDATION])}
    assert badput["OTHER"] == close(ours[d.OPTIMIZER] + ours[d.STARTUP_REST] + 0.1)


def test_three_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    stories = three_attempts(Clock(monkeypatch, T0))
    ours, theirs = both(stories)
    assert ours["goodput"] == close(theirs["goodput"])
    assert theirs["productive"] == close(ours[d.PRODUCTIVE])
    badput = theirs["badput"]
    # The last step of an attempt has no next step: its 2.5 s and 2 s count as recovery there, and so does what a killed
    # attempt still did after its last iteration (0.75 s, idle here).
    assert badput["WASTED_PROGRESS_FROM_DISRUPTION"] == close(ours[d.LOST_WORK] - 2.5 - 2)
    assert badput["INFRASTRUCTURE_RECOVERY_FROM_DISRUPTION"] == close(ours[d.BETWEEN] + 2.5 + 2 + ours[d.IDLE])
    assert badput["UNPRODUCTIVE_CHECKPOINT_RESTORE_TIME"] == close(ours[d.LOAD_CHECKPOINT])
    assert badput["UNPRODUCTIVE_CHECKPOINT_SAVE_TIME"] == close(ours[d.SAVE_CHECKPOINT])
    assert badput["TRAINING_PREP"] == close(ours[d.MODEL_INIT])
    assert theirs["disruptions"] == 2


def test_async_saves(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = both(async_saves(Clock(monkeypatch, T0)))
    # It knows checkpoints only by what is done again: the two last iterations, which are in none, are productive there.
    assert theirs["productive"] == close(ours[d.PRODUCTIVE] + ours[d.NOT_SAVED] + ours[d.SHUTDOWN])
    assert (ours["goodput"], theirs["goodput"]) == (close(28 / 47.25), close(30.5 / 47.25))
    assert theirs["badput"]["WASTED_PROGRESS_FROM_DISRUPTION"] == close(ours[d.LOST_WORK] - 1)
    assert theirs["badput"]["INFRASTRUCTURE_RECOVERY_FROM_DISRUPTION"] == close(ours[d.BETWEEN] + 1)
