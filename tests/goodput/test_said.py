"""The whole JSON document of random and of damaged histories, as it was when somebody last read it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from one_logger_v1_shim._goodput.columns import columns
from one_logger_v1_shim._goodput.document import document
from one_logger_v1_shim._goodput.rows import AttemptRows
from one_logger_v1_shim._goodput.training import add_up
from one_logger_v1_shim._goodput.trainings import KILLED, Attempt, group
from one_logger_v1_shim._v1 import metrics as m
from tests import said
from tests.goodput.simulator import Simulator
from tests.goodput.story import T0
from tests.support import Clock

_OF_A_JOB = {m.WORLD_SIZE: 8, m.USER: "u", m.CLUSTER: "c", m.JOBID: "4711", m.MODEL_SEQ_LENGTH: 128}
_NONSENSE = (None, -1, 0, "x", [], True, float("nan"), 1e300, b"7", b"{", b"\xff", b'["t"]', {})


class _Told(Simulator):
    """A history whose rows are kept, so that they can be damaged."""

    def rows(self) -> list[list[dict[str, Any]]]:
        self.kept: list[list[dict[str, Any]]] = []
        self.tell()
        return self.kept

    def _attempt(self, number: int) -> None:
        super()._attempt(number)
        self.kept.append(self.story.rows)


def _damaged(rows: list[dict[str, Any]], dice: random.Random, how: int) -> list[dict[str, Any]]:
    """0: nothing; 1: single values; 2: rows without their time, or missing; 3: the end; 4: another order; 5: bytes."""
    rows = [dict(row) for row in rows]
    rows[0].update({**_OF_A_JOB, m.JOB_START_TIME: rows[0][m.APP_LAST_LOG_TIME] - dice.choice((0, 5000, 90_000))})
    for row in rows if how in (1, 2) else ():
        if dice.random() < 0.15:
            name = dice.choice(list(row))
            row[name] = dice.choice(_NONSENSE)
            if how == 2:
                row.pop(m.APP_LAST_LOG_TIME, None)
                row["_timestamp"] = dice.choice((None, T0 + dice.randrange(100)))
    if how == 2:
        rows = [row for row in rows if dice.random() < 0.9]
    if how == 3:
        del rows[dice.randrange(len(rows) // 2, len(rows)) :]
    if how == 4:
        at = dice.randrange(len(rows))
        rows.insert(dice.randrange(len(rows)), rows.pop(at))
    if how == 5:
        import json

        rows = [{name: json.dumps(value).encode() for name, value in row.items()} for row in rows]
    return rows


def _without_nothing(value: Any) -> Any:
    """Without what is 0 or null, so that the file can be read."""
    if isinstance(value, dict):
        return {key: _without_nothing(one) for key, one in value.items() if one not in (None, 0, [], {})}
    return [_without_nothing(one) for one in value] if isinstance(value, list) else value


def _said(stories: list[list[dict[str, Any]]]) -> Any:
    attempts = []
    for number, story in enumerate(stories):
        rows = AttemptRows()
        for row in story:
            rows.take(row)
        told = {"project": "p", "id": f"id{number}", "run_name": f"r{number}", "folder": f"f{number}"}
        attempts.append(Attempt(rows, told, KILLED, number % 3 or None))
    trainings = [add_up(some) for some in group([one for one in attempts if one.rows.begin is not None])]
    drawn = []
    for training in trainings:
        edges = [training.begin + (training.end - training.begin) * part // 3 for part in range(4)]
        drawn += [[*map(list, columns(one, edges))] for one in training.attempts]
        drawn += [[list(point) for point in one.attempt.rows.progress.drawn(3)] for one in training.attempts]
    return [_without_nothing(document(trainings, ["a note"])), drawn]


def test_random_and_damaged_histories(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, cases = Clock(monkeypatch, T0), {}
    for seed in range(24):
        clock.now = T0
        dice = random.Random(seed)
        stories = _Told(clock, seed, overlaps=seed % 2 == 0, accidents=seed % 3 == 0).rows()
        cases[f"seed {seed}"] = _said([_damaged(rows, dice, seed % 6) for rows in stories])
    said.check(Path(__file__).with_name("said.json"), cases)


def test_a_megatron_like_history_without_v1s_callbacks() -> None:
    """Rows of a program that logs through the core: totals in each row, a cadence of five, a phase misspelled."""
    ms = T0 * 1000
    rows: list[dict[str, Any]] = [
        {m.APP_START_TIME: ms, "app_build_optimzer_start_time": ms + 100, m.APP_LAST_LOG_TIME: ms},
        {"app_build_optimzer_finish_time": ms + 700, m.APP_LAST_LOG_TIME: ms + 800, **_OF_A_JOB},
        {m.APP_TRAIN_LOOP_START_TIME: ms + 1000, m.TRAIN_ITERATIONS_START: 10, m.APP_LAST_LOG_TIME: ms + 1000},
    ]
    for step in range(5, 40, 5):
        rows.append(
            {
                m.TRAIN_ITERATIONS_END: 10 + step, m.TRAIN_ITERATIONS_TIME_TOTAL: step * 0.9,
                m.VALIDATION_ITERATIONS_TIME_TOTAL: step // 10 * 0.5, m.VALIDATION_ITERATIONS_TIME_MSECS_AVG: 250,
                m.APP_LAST_LOG_TIME: ms + 1000 + step * 1000,
            }
        )  # fmt: skip
        if step % 15 == 0:
            save = {m.SAVE_CHECKPOINT_SYNC_TIME_TOTAL: step / 15 * 0.25, m.SAVE_CHECKPOINT_SYNC_COUNT: step // 15}
            end = {m.TRAIN_ITERATIONS_PRODUCTIVE_END: 10 + step, m.TRAIN_ITERATIONS_TIME_TOTAL_PRODUCTIVE: step * 0.9}
            at = ms + 1300 + step * 1000
            rows.append(
                {m.TRAIN_ITERATIONS_SAVE_CHECKPOINT_END: 10 + step, m.SAVE_CHECKPOINT_COUNT: 1, m.APP_LAST_LOG_TIME: at}
            )
            rows += [{**save, m.APP_LAST_LOG_TIME: at + 250}, {**end, m.APP_LAST_LOG_TIME: at + 300}]
    again = [{**row, m.APP_LAST_LOG_TIME: row[m.APP_LAST_LOG_TIME] + 60_000} for row in rows[:4]]
    without_loop = [row for row in rows if m.APP_TRAIN_LOOP_START_TIME not in row]
    later = [
        {key: value + 20_000 if key.endswith("_time") and value >= ms else value for key, value in row.items()}
        for row in without_loop
    ]
    cases = {
        "one": _said([rows]),
        "again": _said([rows, again]),
        "no start of the loop": _said([without_loop]),
        "no start of the loop, overlapping": _said([without_loop, later]),
    }
    said.check(Path(__file__).with_name("said_core.json"), cases)
