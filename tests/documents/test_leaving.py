"""docs/leaving.md: what each call of v1 becomes, held against v2 itself; its two programs, held against each other."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest
from nv_one_logger.core.span import StandardSpanName
from nv_one_logger.training_telemetry.api import callbacks
from nv_one_logger.training_telemetry.api.events import StandardTrainingJobEventName
from nv_one_logger.training_telemetry.api.spans import StandardTrainingJobSpanName

from compat_matrix.verify.command import main as verify
from one_logger_v1_shim import OneLogger
from one_logger_v1_shim._migrate.leaving import BY_HAND, CALLS, KINDS, THINGS
from one_logger_v1_shim._migrate.names import MODULES, PARAMETERS
from one_logger_v1_shim._v2.spans import _PHASES
from one_logger_v1_shim.testing import capture
from one_logger_v1_shim.utils import OneLoggerUtils
from tests.documents.samples import samples

NAMES = {
    str(one.value)
    for kind in (StandardSpanName, StandardTrainingJobSpanName, StandardTrainingJobEventName)
    for one in kind
}
PROGRAMS = [one.text for one in samples("python") if one.document.name == "leaving.md"]


def test_every_public_call_of_v1_has_its_way() -> None:
    public = {
        name
        for kind in (OneLogger, OneLoggerUtils)
        for name, _ in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }
    # of v1 1.0.3, and none of this version's
    assert set(CALLS) == public | {"on_train_step_start", "on_train_step_end"}
    assert set(THINGS) == set(PARAMETERS)
    assert set(KINDS) | {"one_logger.core", "one_logger.rankpulse"} == set(MODULES)
    assert set(CALLS) | set(THINGS) > BY_HAND


@pytest.mark.parametrize("name", CALLS)
def test_a_way_leads_to_what_v2_has(name: str) -> None:
    way = CALLS[name]
    if way.v2:
        assert callable(getattr(callbacks, way.v2))
        assert name not in BY_HAND
    assert set(re.findall(r"(?:span|event) `(\w+)`", way.otel)) <= NAMES
    if name.startswith("on_"):
        assert way.v2
        assert way.otel


@pytest.mark.parametrize("phase", _PHASES)
def test_a_phase_is_the_span_that_the_shim_itself_makes_of_it(phase: str) -> None:
    span, start, end = _PHASES[phase]
    v1 = {"load_checkpoint": "on_load_checkpoint"}.get(phase, f"on_{phase}")
    assert CALLS[f"{v1}_start"].otel == f"span `{span.value}` starts"
    assert CALLS[f"{v1}_end"].otel == f"span `{span.value}` ends"
    assert CALLS[f"{v1}_start"].v2.replace("on_train_", "on_training_loop_") == start
    assert CALLS[f"{v1}_end"].v2.replace("on_train_", "on_training_loop_") == end


def rows_of(program: str) -> list[dict[str, Any]]:
    with capture() as captured:
        exec(compile(program, "docs/leaving.md", "exec"), {"__name__": "__main__"})
    return captured.rows


def test_the_program_before_and_the_one_after(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, after = map(rows_of, PROGRAMS)
    for name, rows in (("before", before), ("after", after)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert {key for row in before for key in row} - {key for row in after for key in row} == set()
    assert verify([str(tmp_path / "before.jsonl"), str(tmp_path / "after.jsonl")]) == 1
    said = capsys.readouterr().out
    assert "gone" not in said
    _, _, differences = said.partition("All differences")
    lines = differences.splitlines()[1:]
    assert lines
    assert [one for one in lines if not re.search(r"a row of '(tags|construction)' is|train_tokens_target", one)] == []
