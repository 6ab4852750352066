"""A row that is longer than W&B's server takes: one line, the rest of it with W&B, all of it in the journal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from tests.delivery import jobs
from tests.delivery.server import Server

MEGA = 1_000_000
JOB = f"""
one = one_logger()
log(one, 2)
one.log_metrics({{"text": "x" * {12 * MEGA}, "loss": 1.5, "i": 2}})
log(one, 2, start=3)
one.finish()
print("done")
"""
# many rows after it: its file is complete, and would be removed as soon as W&B has its rows on disk
LONG = JOB.replace("one.finish()", f'for i in range(5, 12): one.log_metrics({{"i": i, "text": "y" * {5 * MEGA}}})\n'
                   "one.finish()")  # fmt: skip


def online(home: Path) -> tuple[jobs.Result, dict[int, dict[str, Any]]]:
    server = Server()
    try:
        result = jobs.run(JOB, home, {"WANDB_MODE": None, **server.environment()})
        return result, server.rows
    finally:
        server.stop()


def offline(code: str, environ: Optional[Mapping[str, str]] = None) -> Callable[[Path], Any]:
    def scenario(home: Path) -> Any:
        home.mkdir(parents=True)
        return jobs.run(code, home, {"TMPDIR": str(home), **(environ or {})}), {}

    return scenario


SCENARIOS: dict[str, Callable[[Path], Any]] = {
    "online": online,
    "offline": offline(JOB),
    "many rows after it": offline(LONG),
    "no journal is kept": offline(JOB, {"ONE_LOGGER_V1_JOURNAL": "0"}),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_one_line_names_keys_and_size(name: str, outcome: Callable[[str], Any]) -> None:
    result, uploaded = outcome(name)
    assert (result.code, result.out) == (0, "done\n")
    (line,) = [line for line in result.lines if "offline (WANDB_MODE=offline)" not in line]
    (journal,) = {path.parent for path in result.home.rglob("run.json")}
    assert line == (
        "row 3 (12.0 MB, keys: text, loss, i, app_last_log_time) is longer than W&B's server takes (10.4 MB); "
        f"W&B gets the first 200 characters of text; the whole row is in {journal}"
    )
    rows = [json.loads(one) for one in jobs.journal_lines(result.home)]
    (whole,) = [row for row in rows if row.get("i") == 2]
    assert (len(whole["text"]), whole["loss"]) == (12 * MEGA, 1.5)
    expected = 12 if name == "many rows after it" else 5
    assert result.values() == list(range(expected))
    (stored,) = [row for run in result.runs() for row in run.rows if row.get("i") == 2]
    assert (stored["text"], stored["loss"]) == ("x" * 200 + "...", 1.5)
    if name == "online":
        assert [uploaded[step]["i"] for step in sorted(uploaded)] == list(range(5))
    assert jobs.mark(result.home)["state"] == "finished"
