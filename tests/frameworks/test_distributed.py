"""Two processes: one run, from the rank that v1's flag names, with one process's rows for the same global batch."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from tests.frameworks import jobs
from tests.frameworks.test_lightning import BASE

Job = Callable[..., jobs.Result]

LIGHTNING = {**BASE[2], "devices": 2, "batch": 2}
TRANSFORMERS = {"processes": 2, "batch": 1}
JOBS = [
    ("lightning", {"torchrun": 0, **LIGHTNING}),
    ("lightning", {"torchrun": 2, **LIGHTNING}),
    ("huggingface", {"torchrun": 2, **TRANSFORMERS}),
]


def counts(result: jobs.Result) -> list[Any]:
    """Everything in the rows but times."""
    return [
        (jobs.kind_of(row), {key: value for key, value in row.items() if "time" not in key and key != "world_size"})
        for row in result.rows
    ]


@pytest.mark.parametrize("torchrun", [0, 2], ids=["lightning's own launcher", "torchrun"])
def test_lightning_ddp(job: Job, torchrun: int) -> None:
    alone = job("lightning", **BASE[2])
    both = job("lightning", torchrun=torchrun, **LIGHTNING)
    assert both.returncode == 0, both.output
    assert len(both.runs) == 1
    assert both.runs[0].exit_code == 0
    assert counts(both) == counts(alone)
    assert both.facts["global_step"] == 40
    assert both.facts["samples"] == both.every("train")[-1]["train_samples"] == 160


def test_transformers_with_torchrun(job: Job) -> None:
    pytest.importorskip("transformers", reason="NOT RUN: pip install 'one-logger-v1-shim[huggingface]'")
    alone = job("huggingface")
    both = job("huggingface", torchrun=2, **TRANSFORMERS)
    assert both.returncode == 0, both.output
    assert len(both.runs) == 1
    assert both.runs[0].exit_code == 0
    assert counts(both) == counts(alone)
    assert both.only("init")["world_size"] == "2"
