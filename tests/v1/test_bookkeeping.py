"""What v1's core added to the rows by itself: log times, the fields of the SLURM job, the list of tags."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from one_logger_v1_shim._v1.bookkeeping import Bookkeeping, TagList, job_fields

# metric -> the variable that v1 read it from; the value is sent as the text that it is
SLURM = {
    "jobid": "SLURM_JOBID",
    "job_account": "SLURM_JOB_ACCOUNT",
    "alloc_hosts": "SLURM_JOB_NUM_NODES",
    "cluster": "SLURM_CLUSTER_NAME",
    "exec_hosts": "SLURM_JOB_NODELIST",
    "user": "SLURM_JOB_USER",
    "job_name": "SLURM_JOB_NAME",
    "job_partition": "SLURM_JOB_PARTITION",
    "job_reservation": "SLURM_JOB_RESERVATION",
    "array_job_id": "SLURM_ARRAY_JOB_ID",
    "array_task_count": "SLURM_ARRAY_TASK_COUNT",
    "array_task_id": "SLURM_ARRAY_TASK_ID",
    "step_id": "SLURM_STEP_ID",
    "step_nodelist": "SLURM_STEP_NODELIST",
}
OUTSIDE_SLURM = {"job_start_time": 0, "limit_run": 0}


@pytest.mark.parametrize("metric", SLURM)
@pytest.mark.parametrize("text", ["7", ""])
def test_slurm_variable(metric: str, text: str) -> None:
    assert job_fields({SLURM[metric]: text}) == {metric: text, **OUTSIDE_SLURM}


def test_outside_slurm() -> None:
    assert job_fields({"USER": "me", "HOSTNAME": "h"}) == OUTSIDE_SLURM


def test_step_id_has_two_spellings() -> None:
    assert job_fields({"SLURM_STEPID": "3"})["step_id"] == "3"
    assert job_fields({"SLURM_STEPID": "3", "SLURM_STEP_ID": "4"})["step_id"] == "4"


@pytest.mark.parametrize(
    ("start", "end", "fields"),
    [
        ("1700000000", "1700003600", {"job_start_time": 1_700_000_000_000, "limit_run": 3600}),
        ("100", None, {"job_start_time": 100_000, "limit_run": -100}),
        (None, "160", {"job_start_time": 0, "limit_run": 160}),
        ("", "", OUTSIDE_SLURM),
        ("soon", "160", {"job_start_time": 0, "limit_run": 160}),  # no text of SLURM's stops a row
    ],
)
def test_times_of_the_slurm_job(start: Any, end: Any, fields: dict[str, int]) -> None:
    given = {"SLURM_JOB_START_TIME": start, "SLURM_JOB_END_TIME": end}
    assert job_fields({name: text for name, text in given.items() if text is not None}) == fields


def test_first_row_and_the_rows_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_PARTITION", "batch")
    complete = Bookkeeping("1.2.3").complete
    assert complete({"a": 1}, 1_700_000_000.0016) == {
        "job_partition": "batch",
        "job_start_time": 0,
        "limit_run": 0,
        "one_logger_version": "1.2.3",
        "app_first_log_time": 1_700_000_000_002,
        "a": 1,
        "app_last_log_time": 1_700_000_000_002,
    }
    for now in (1_700_000_001.5, 1_700_000_002.0):
        row = complete({"a": 2}, now)
        assert row == {"a": 2, "app_last_log_time": int(now * 1000)}
        assert type(row["app_last_log_time"]) is int


def test_each_run_has_a_first_row() -> None:
    for _ in range(2):
        assert "app_first_log_time" in Bookkeeping("1").complete({"a": 1}, 1.0)


def test_a_program_that_sends_such_a_field_itself_wins() -> None:
    given = {"job_start_time": 5, "one_logger_version": "mine", "app_first_log_time": 6}
    row = Bookkeeping("1").complete(given, 2.0)
    assert row == {**given, "limit_run": 0, "app_last_log_time": 2000}
    assert given == {"job_start_time": 5, "one_logger_version": "mine", "app_first_log_time": 6}


# -- tags -----------------------------------------------------------------------------------------------------


def test_tags_grow_without_duplicates_in_order_of_first_appearance() -> None:
    tags = TagList()
    grown = [tags.add(tag) for tag in ("b", "b", ["a", "b"], ("c", "c"), "a", [], 3, ["3"])]
    assert grown == [True, False, True, True, False, False, True, False]
    assert tags.row()["app_tag"] == ["b", "a", "c", "3"]


def test_row_of_the_tags() -> None:
    tags = TagList()
    assert tags.row() == {"app_tag": [], "app_tag_id": [], "app_tag_count": 0}
    tags.add(["train", "größe"])
    row = tags.row()
    assert row == {
        "app_tag": ["train", "größe"],
        "app_tag_id": [hashlib.md5(tag.encode("utf-8")).hexdigest() for tag in ("train", "größe")],
        "app_tag_count": 2,
    }
    row["app_tag"].append("changed by its owner")
    assert tags.row()["app_tag"] == ["train", "größe"]


def test_tag_that_is_no_utf8_text_has_an_id_too() -> None:
    tags = TagList()
    tags.add("\ud800")  # os.fsdecode of a bad file name gives such text
    assert tags.row()["app_tag_id"] == [hashlib.md5(b"\xed\xa0\x80").hexdigest()]


def test_md5_of_a_machine_that_forbids_it_for_security(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(data: bytes, *, usedforsecurity: bool = True) -> Any:
        if usedforsecurity is not False:
            raise ValueError("disabled for FIPS")
        return real(data)

    real = hashlib.md5
    monkeypatch.setattr("hashlib.md5", refuse)
    tags = TagList()
    tags.add("x")
    assert tags.row()["app_tag_id"] == [real(b"x").hexdigest()]
