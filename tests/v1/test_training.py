"""v1's training and validation rows: what they count, from when, in which unit, and when they are sent."""

from __future__ import annotations

from typing import Any

import pytest

from tests.v1.job import T0_MS, V1Job, sequence

ZEROS = {
    "train_iterations": 0,
    "train_iterations_end": 0,
    "train_samples": 0,
    "train_samples_end": 0,
    "train_iterations_time_total": 0.0,
    "train_iterations_time_msecs_avg": 0.0,
    "train_iterations_time_msecs_min": 0.0,
    "first_logged_train_iterations_finish_time": 0,
    "last_logged_train_iterations_finish_time": 0,
}
ZERO_THROUGHPUT = {
    "train_tflop_end": 0.0,
    "train_tflop": 0.0,
    "train_throughput_per_gpu": 0.0,
    "train_throughput_per_gpu_max": 0.0,
}
THROUGHPUT = {"is_log_throughput_enabled": True, "flops_per_sample": 10**12}


def progress(job: V1Job) -> dict[str, Any]:
    """The progress as it is now: the first row of a save is v1's way to ask for it."""
    return job.rows("on_save_checkpoint_start", global_step=1)[0]


# -- the start ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "given", "iterations", "samples"),
    [
        ({"batch_size": 4}, {"train_iterations_start": 10}, 10, 40),  # batch_size here, global_batch_size later
        ({"batch_size": 4}, {"train_iterations_start": 10, "train_samples_start": 7}, 10, 7),
        ({"batch_size": 4}, {"train_iterations_start": 10, "train_samples_start": 0}, 10, 0),
        ({"batch_size": 4}, {"train_iterations_start": "10", "train_samples_start": "7"}, 10, 7),
        ({"batch_size": None}, {"train_iterations_start": 10}, 10, 80),
        ({"batch_size": "4"}, {"train_iterations_start": 2}, 2, 8),
        ({"batch_size": lambda: 5}, {"train_iterations_start": 2}, 2, 10),
    ],
)
def test_start_row(
    config: dict[str, Any], given: dict[str, Any], iterations: int, samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert V1Job(monkeypatch, **config).row("on_train_start", later=1.5, **given) == {
        "train_iterations_start": iterations,
        "train_iterations_end": iterations,
        "train_samples_start": samples,
        "train_samples_end": samples,
        "app_train_loop_start_time": T0_MS + 1500,
    }


def test_a_refused_start_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """v1 had stored where the job begins when it missed flops_per_sample."""
    job = V1Job(monkeypatch, is_log_throughput_enabled=True)
    with pytest.raises(ValueError, match="Missing required key 'flops_per_sample' from store"):
        job.emits("on_train_start", train_iterations_start="3")
    assert progress(job) == {**ZEROS, **ZERO_THROUGHPUT, "train_iterations_end": 3, "train_samples_end": 24}


@pytest.mark.parametrize(("second", "samples"), [({}, 16), ({"train_samples_start": 5}, 5)])
def test_second_start_keeps_the_samples_of_the_first(
    second: dict[str, Any], samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """v1 computed the samples at the first start; its store then had them, as if the caller had given them."""
    job = V1Job(monkeypatch)
    assert job.row("on_train_start", train_iterations_start=2)["train_samples_start"] == 16
    row = job.row("on_train_start", train_iterations_start=10, **second)
    assert (row["train_iterations_start"], row["train_samples_start"], row["train_samples_end"]) == (
        10,
        samples,
        samples,
    )
    assert job.row("on_train_start", train_iterations_start=20)["train_samples_start"] == samples


def test_second_start_counts_floating_point_operations_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """... and goes on with the iterations, their time and the highest throughput of the job."""
    job = V1Job(monkeypatch, log_every_n_train_iterations=1, **THROUGHPUT)
    job.emits("on_train_start", train_iterations_start=0)
    (first,) = job.iterations(1)
    assert (first["train_tflop"], first["train_tflop_end"], first["train_throughput_per_gpu"]) == (8, 8, 4)
    assert job.row("on_train_start", train_iterations_start=10)["train_tflop_start"] == 80
    between = progress(job)
    assert (between["train_iterations"], between["train_tflop"], between["train_tflop_end"]) == (1, 0, 80)
    assert (between["train_throughput_per_gpu"], between["train_throughput_per_gpu_max"]) == (0.0, 4)
    (second,) = job.iterations(1, seconds=3.0)
    assert (second["train_tflop"], second["train_tflop_end"], second["train_throughput_per_gpu"]) == (8, 88, 1)


@pytest.mark.parametrize(
    ("global_batch_size", "at_start", "at_end"),
    [(8, 24, 32), ("8", 24, 32), (8.0, 24.0, 32.0), ([8, 16], 24, 40)],
)
def test_without_batch_size_the_global_one_counts(
    global_batch_size: Any, at_start: int, at_end: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A callable is not called once more for it: v1 called it at construction and at each iteration's end."""
    size = sequence(*global_batch_size) if isinstance(global_batch_size, list) else global_batch_size
    job = V1Job(monkeypatch, without="batch_size", global_batch_size=size, log_every_n_train_iterations=1)
    assert job.row("on_train_start", train_iterations_start=3)["train_samples_start"] == at_start
    assert job.iterations(1)[0]["train_samples_end"] == at_end


def test_without_batch_size_a_global_one_that_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    job = V1Job(monkeypatch, without="batch_size", global_batch_size=lambda: "many")
    assert job.row("on_train_start", train_iterations_start=3)["train_samples_start"] == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"train_iterations_start": "x"}, "train_iterations_start='x' (str)"),
        ({"train_iterations_start": None}, "train_iterations_start=None (NoneType)"),
        ({"train_iterations_start": 1, "train_samples_start": [2]}, "train_samples_start=[2] (list)"),
    ],
)
def test_start_that_is_no_number(given: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    job = V1Job(monkeypatch)
    with pytest.raises(ValueError, match="on_train_start") as refused:
        job.emits("on_train_start", **given)
    assert str(refused.value) == f"on_train_start: {message}; expected a number"


def test_samples_start_of_none_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    row = V1Job(monkeypatch).row("on_train_start", train_iterations_start=2, train_samples_start=None)
    assert row["train_samples_start"] == 16


def test_end_row(monkeypatch: pytest.MonkeyPatch) -> None:
    job = V1Job(monkeypatch)
    job.emits("on_train_start", train_iterations_start=0)
    assert job.emits("on_train_end", later=2) == [("log_metrics", {"app_train_loop_finish_time": T0_MS + 2000})]
    assert job.utils.timer["app_train_loop"].total == 2.0


# -- progress -------------------------------------------------------------------------------------------------


def test_progress_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Iterations of 3 s, 1 s and 2 s, continued at iteration 5; a row at each multiple of the global count."""
    job = V1Job(monkeypatch, log_every_n_train_iterations=4, batch_size=4, global_batch_size=10, seq_length=7)
    job.emits("on_train_start", train_iterations_start=5)
    for seconds in (3, 1):
        assert job.emits("on_train_batch_start") == []
        assert job.emits("on_train_batch_end", later=seconds) == [("log_app_tag", "tag")]
    job.emits("on_train_batch_start")
    tag, (kind, row) = job.emits("on_train_batch_end", later=2)
    assert (tag, kind) == (("log_app_tag", "tag"), "log_metrics")
    assert row == {
        "train_iterations": 3,
        "train_iterations_end": 8,
        "train_samples": 30,
        "train_samples_end": 50,
        "train_iterations_time_total": 6.0,
        "train_iterations_time_msecs_avg": 2000.0,
        "train_iterations_time_msecs_min": 1000.0,
        "first_logged_train_iterations_finish_time": T0_MS + 3000,
        "last_logged_train_iterations_finish_time": T0_MS + 6000,
        "train_tokens": 210,
    }


def test_rows_are_aligned_to_the_global_count(monkeypatch: pytest.MonkeyPatch) -> None:
    job = V1Job(monkeypatch, log_every_n_train_iterations=50)
    job.emits("on_train_start", train_iterations_start=30)
    assert [row["train_iterations_end"] for row in job.iterations(125)] == [50, 100, 150]


def test_default_interval_is_50_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    job = V1Job(monkeypatch, without="log_every_n_train_iterations")
    job.emits("on_train_start", train_iterations_start=0)
    assert [row["train_iterations"] for row in job.iterations(101)] == [50, 100]


def test_zeros_before_the_first_iteration_and_before_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    assert progress(V1Job(monkeypatch)) == ZEROS
    assert progress(V1Job(monkeypatch, seq_length=7)) == ZEROS, "the tokens come with the first iteration"
    assert progress(V1Job(monkeypatch, **THROUGHPUT)) == {**ZEROS, **ZERO_THROUGHPUT}


def test_sequence_length_that_is_none_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    job = V1Job(monkeypatch, seq_length=sequence(7, None, 7), log_every_n_train_iterations=1)
    first, second = job.iterations(2)
    assert "train_tokens" not in first
    assert second["train_tokens"] == 7 * 16


# -- throughput -----------------------------------------------------------------------------------------------


def test_throughput(monkeypatch: pytest.MonkeyPatch) -> None:
    """The maximum is one of cumulative averages: after 8 TFLOP in 1 s, 16 in 4 s and 24 in 5 s it is the first."""
    job = V1Job(monkeypatch, **THROUGHPUT, batch_size=4, log_every_n_train_iterations=1, world_size="2")
    start = job.row("on_train_start", train_iterations_start=3)
    assert list(start)[-1] == "train_tflop_start"
    assert start["train_tflop_start"] == 12.0
    rows = [row for seconds in (1, 3, 1) for row in job.iterations(1, seconds)]
    names = list(ZERO_THROUGHPUT)
    assert list(rows[0])[-4:] == names
    assert [[row[name] for name in names] for row in rows] == [
        [20.0, 8.0, 4.0, 4.0],
        [28.0, 16.0, 2.0, 4.0],
        [36.0, 24.0, 2.4, 4.0],
    ]


def test_throughput_of_no_time_is_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    row = V1Job(monkeypatch, **THROUGHPUT, log_every_n_train_iterations=1).iterations(1, 0.0)[0]
    assert (row["train_throughput_per_gpu"], row["train_throughput_per_gpu_max"]) == (0.0, 0.0)
    assert row["train_tflop"] == 8.0


@pytest.mark.parametrize("world_size", [0, None, lambda: "many", 1])
def test_throughput_of_an_unknown_number_of_gpus_is_that_of_one(
    world_size: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = V1Job(monkeypatch, **THROUGHPUT, world_size=world_size, log_every_n_train_iterations=1)
    assert job.iterations(1, 2.0)[0]["train_throughput_per_gpu"] == 4.0


def test_throughput_without_flops(monkeypatch: pytest.MonkeyPatch) -> None:
    job = V1Job(monkeypatch, is_log_throughput_enabled=True)
    with pytest.raises(ValueError, match=r"^Missing required key 'flops_per_sample' from store$"):
        job.emits("on_train_start", train_iterations_start=0)


def test_throughput_that_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    job = V1Job(monkeypatch, log_every_n_train_iterations=1)
    assert "train_tflop_start" not in job.row("on_train_start", train_iterations_start=1)
    assert not ZERO_THROUGHPUT.keys() & job.iterations(1)[0].keys()


# -- callables that fail --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("global_batch_size", {"train_samples": 0}),
        ("seq_length", {"train_tokens": 0}),
        ("flops_per_sample", {"train_tflop_end": 0.0, "train_tflop": 0.0}),
        ("batch_size", {"train_samples_end": 16}),
    ],
)
def test_callable_that_gives_no_number_counts_as_zero(
    key: str, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config = {**THROUGHPUT, key: lambda: "many"}
    job = V1Job(monkeypatch, **config)
    job.emits("on_train_start", train_iterations_start=2)
    (row,) = job.iterations(2)
    assert {name: row[name] for name in expected} == expected
    said = [record.getMessage() for record in caplog.records]
    assert said == [f"{key}='many' is not a number; 0 is used in its place"]


@pytest.mark.parametrize("key", ["seq_length", "train_samples_target"])
def test_tokens_of_a_callable_that_gives_no_number(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"seq_length": 7, "train_samples_target": 3, key: lambda: "many"}
    assert V1Job(monkeypatch, **config).construction[1][1]["train_tokens_target"] == 0


def test_interval_that_gives_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    job = V1Job(monkeypatch, log_every_n_train_iterations=lambda: "many")
    assert [row["train_iterations"] for row in job.iterations(100)] == [50, 100]


# -- validation -----------------------------------------------------------------------------------------------


def test_validation_row_is_over_all_validations_of_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    job = V1Job(monkeypatch)
    assert job.validation(2.0, 1.0, 3.0) == {
        "validation_iterations_time_total": 6.0,
        "validation_iterations_time_msecs_avg": 2000.0,
        "validation_iterations_time_msecs_min": 1000.0,
    }
    assert job.validation(4.0) == {
        "validation_iterations_time_total": 10.0,
        "validation_iterations_time_msecs_avg": 2500.0,
        "validation_iterations_time_msecs_min": 1000.0,
    }
    assert job.utils.timer["validation_loop"].count == 2


def test_validation_end_without_start_sends_what_was_not_sent_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    job = V1Job(monkeypatch)
    job.emits("on_validation_batch_start")
    job.emits("on_validation_batch_end", later=1)
    assert job.row("on_validation_end")["validation_iterations_time_total"] == 1.0
    assert job.rows("on_validation_end") == []
    assert job.validation()["validation_iterations_time_total"] == 1.0
    job.emits("on_validation_batch_start")
    job.emits("on_validation_batch_end", later=2)
    assert job.row("on_validation_end")["validation_iterations_time_total"] == 3.0


def test_test_loop_has_no_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    job = V1Job(monkeypatch)
    assert job.emits("on_test_start") == job.emits("on_test_end") == []
