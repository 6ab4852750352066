"""``verify`` on one history: no recorded job is accused, and whatever is changed in one is named at its row."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Optional

import pytest

from compat_matrix.verify import beliefs
from compat_matrix.verify.beliefs import METRICS, RELATIONS
from compat_matrix.verify.check_life import check
from compat_matrix.verify.findings import REMARK, UNKNOWN, Finding, accused
from compat_matrix.verify.history import history
from compat_matrix.verify.row_kinds import MEGATRON, UTILS
from tests.matrix import histories
from tests.matrix.histories import Change, Rows


def told(rows: Rows) -> list[Finding]:
    return accused(check(history("made", rows)))


def first(rows: Rows) -> Optional[int]:
    """The row that is named first."""
    return next((one.number for one in told(rows)), None)


@pytest.mark.parametrize("name", histories.names())
def test_no_recorded_job_is_accused(name: str) -> None:
    assert told(histories.rows_of(name)) == []


def test_the_recorded_jobs_are_all_there() -> None:
    with_rows = [name for name in histories.names() if histories.rows_of(name)]
    assert (len(histories.names()), len(with_rows)) == (44, 41)  # a disabled rank, and two refused at once


# What is changed, in which recorded job, in which row: the ten of the table.
TEN = [
    (histories.instant_in_seconds, "quickstart", "app_finish_time"),
    (histories.total_in_ms, "quickstart", "save_checkpoint_sync_time_total"),
    (histories.average_in_s, "validation_rounds", "validation_iterations_time_msecs_avg"),
    (histories.another_name, "quickstart", "app_train_loop_finish_time"),
    (histories.off_by_one, "resume", "train_iterations_end"),
    (histories.missing_row, "log_every_1", "train_iterations"),
    (histories.another_cadence, "random_2", "train_iterations"),
    (histories.another_type, "random_5", "save_checkpoint_count"),
    (histories.swapped_rows, "random_3", "train_iterations_save_checkpoint_end"),
    (histories.shrinking_total, "quickstart", "train_iterations_time_total"),
]


@pytest.mark.parametrize(("change", "job", "metric"), TEN, ids=lambda value: getattr(value, "__name__", value))
def test_ten_changes_are_named_at_their_row(change: Change, job: str, metric: str) -> None:
    original = histories.rows_of(job)
    cases = [case for case in histories.changed(job, change) if metric in original[case[0]]]
    assert cases
    # at least one row, and where there are more: each of them but the last, after which the job may have been killed
    for _, named, rows in cases[:-1] or cases:
        assert histories.is_named(change, named, first(rows))


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [histories.instant_in_seconds, histories.total_in_ms, histories.average_in_s, histories.another_name,
     histories.another_hash],
)  # fmt: skip
def test_in_every_row_of_every_job(change: Change) -> None:
    cases = list(itertools.chain.from_iterable(histories.changed(name, change) for name in histories.names()))
    assert len(cases) > 40
    missed = [rows[at] for at, named, rows in cases if first(rows) != named]
    assert missed == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "share"),
    [(histories.off_by_one, 0.97), (histories.another_cadence, 0.9), (histories.another_type, 0.99),
     (histories.shrinking_total, 0.9), (histories.metric_left_out, 0.85), (histories.swapped_rows, 0.7),
     (histories.row_twice, 0.8), (histories.missing_row, 0.4)],
)  # fmt: skip
def test_in_nearly_every_row(change: Change, share: float) -> None:
    """Not in all: an optional metric may be absent, two rows alone tell no cadence, a call may not have been made."""
    cases = list(itertools.chain.from_iterable(histories.changed(name, change) for name in histories.names()))
    right = [histories.is_named(change, named, first(rows)) for _, named, rows in cases]
    assert sum(right) >= share * len(cases)


# -- what is told, and how --------------------------------------------------------------------------------------------


def test_a_name_that_is_not_known_is_listed_with_the_one_it_resembles() -> None:
    rows = histories.rows_of("quickstart")
    rows[-1] = {("app_finish_tim" if name == "app_finish_time" else name): value for name, value in rows[-1].items()}
    (one,) = told(rows)
    assert (one.weight, one.metric) == (UNKNOWN, "app_finish_tim")
    assert "(app_finish_time?)" in one.expected


def test_metadata_is_listed_and_not_accused() -> None:
    found = check(histories.recorded("metadata_types"))
    assert [one.metric for one in found] == ["layers", "lr", "model", "resumed", "tags"]
    assert {one.weight for one in found} == {UNKNOWN}
    assert accused(found) == []


def test_seconds_of_the_lightning_callback_are_a_known_oddity() -> None:
    rows = histories.rows_of("quickstart")
    for row in rows:
        for name in ("app_start_time", "app_finish_time"):
            if name in row:
                row[name] /= 1000
    found = check(history("made", rows))
    assert {(one.metric, one.weight) for one in found} == {("app_start_time", REMARK), ("app_finish_time", REMARK)}
    del rows[-1]["app_finish_time"]
    rows[-1]["app_finish_time"] = 1700000100000.0  # one of them in ms: then it is no such callback
    assert told(rows)[0].metric == "app_start_time"


def test_a_timer_that_was_started_twice_loses_its_history_as_in_v1() -> None:
    rows = histories.rows_of("log_every_1")
    progress = [row for row in rows if row.get("train_iterations_time_total")]
    for number, row in enumerate(progress[2:], 1):  # all windows are equal in this job
        row["train_iterations_time_total"] = number * row["train_iterations_time_msecs_avg"] / 1000
    found = check(history("made", rows))
    assert accused(found) == []
    assert {one.weight for one in found} == {REMARK}


def test_times_need_no_app_last_log_time() -> None:
    rows = histories.rows_of("quickstart")
    for row in rows:
        row["_timestamp"] = row.pop("app_last_log_time") / 1000
    assert told(rows) == []
    rows[-1]["app_finish_time"] /= 1000
    assert [one.metric for one in told(rows)] == ["app_finish_time"]


def test_rows_of_a_program_of_its_own_are_held_to_units_and_growth_only() -> None:
    rows: Rows = [
        {"train_iterations_end": 1, "loss": 0.5, "train_iterations_time_total": 1.5},
        {"train_iterations_end": 2, "loss": 0.4, "train_iterations_time_total": 1.2},
    ]
    found = check(history("made", rows))
    assert [(one.metric, one.kind, one.number) for one in found if one.metric != "loss"] == [
        ("train_iterations_time_total", "growth", 1)
    ]


# -- the tables -------------------------------------------------------------------------------------------------------


def test_the_tables_know_every_metric_that_they_name() -> None:
    named = {name for kind in (*UTILS, *MEGATRON) for name in kind.names}
    named |= {name for relation in RELATIONS for name in relation.names}
    assert named - METRICS.keys() == set()
    kinds = {kind.name for kind in (*UTILS, *MEGATRON)}
    assert {relation.row for relation in RELATIONS} <= kinds
    assert {kind.after for kind in (*UTILS, *MEGATRON)} | {kind.ends for kind in (*UTILS, *MEGATRON)} <= kinds | {""}


def test_every_metric_of_the_package_stands_in_a_row_or_is_added_to_one() -> None:
    from compat_matrix.compare import BOOKKEEPING, TAG_KEYS
    from one_logger_v1_shim._v1.metrics import UNITS

    in_rows = {name for kind in UTILS for name in kind.names}
    assert UNITS.keys() - in_rows - BOOKKEEPING - set(TAG_KEYS) == set()


def test_the_table_of_beliefs_is_a_source_of_its_own() -> None:
    """Written down a second time, with who sent it; and it says what the package says."""
    from one_logger_v1_shim._v1.metrics import UNITS as PACKAGE

    home = Path(beliefs.__file__).parent
    judges = [*home.glob("*.py"), home.parent / "wandb_file.py", home.parent / "compare.py"]
    assert [path.name for path in judges if "one_logger_v1_shim" in path.read_text(encoding="utf-8")] == []
    assert {name: METRICS[name].unit for name in PACKAGE} == PACKAGE
    for metric in METRICS.values():
        assert metric.unit in beliefs.UNITS
        assert metric.type in beliefs.TYPES
        assert metric.growth in beliefs.GROWTHS
        assert set(metric.evidence) <= set(beliefs.EVIDENCE), metric.name
