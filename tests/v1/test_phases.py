"""The phases of a job: which row each callback of v1 sent, and where its instant came from."""

from __future__ import annotations

from typing import Any

import pytest

from tests.v1.job import T0, T0_MS, V1Job, sequence

# callback without "_start" and "_end": metric of the start, metric of the end; the arguments have the metrics' names
PHASES = {
    "on_app": ("app_start_time", "app_finish_time"),
    "on_model_init": ("app_model_init_start_time", "app_model_init_finish_time"),
    "on_dataloader_init": ("app_build_dataiters_start_time", "app_build_dataiters_finish_time"),
    "on_optimizer_init": ("app_build_optimizer_start_time", "app_build_optimizer_finish_time"),
    "on_load_checkpoint": ("load_checkpoint_start_time", "load_checkpoint_finish_time"),
}
TIMERS = {
    "on_app": "app_run",
    "on_model_init": "model_init",
    "on_dataloader_init": "dataloader_init",
    "on_optimizer_init": "optimizer_init",
    "on_load_checkpoint": "load_checkpoint",
}


def without_duration(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "load_checkpoint_time"}


@pytest.mark.parametrize("phase", PHASES)
def test_instants_of_the_clock_in_ms(phase: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started, finished = PHASES[phase]
    job = V1Job(monkeypatch)
    assert job.emits(f"{phase}_start", later=1.25) == [("log_metrics", {started: T0_MS + 1250})]
    assert without_duration(job.row(f"{phase}_end", later=2)) == {finished: T0_MS + 3250}
    watch = job.utils.timer[TIMERS[phase]]
    assert (watch.start, watch.finish, watch.total, watch.count) == (T0 + 1.25, T0 + 3.25, 2.0, 1)


@pytest.mark.parametrize("phase", PHASES)
def test_given_instant_is_sent_as_it_is_and_stays(phase: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch Lightning's callback gave seconds: the value is sent untouched, and again at later calls."""
    started, finished = PHASES[phase]
    job = V1Job(monkeypatch)
    start = job.row(f"{phase}_start", later=1, **{started: 12.5})
    # v1 looked for a misspelt name here, so that a given start of this phase never counted
    assert start == {started: T0_MS + 1000 if phase == "on_dataloader_init" else 12.5}
    assert without_duration(job.row(f"{phase}_end", later=1, **{finished: 20.5})) == {finished: 20.5}
    start = job.row(f"{phase}_start", later=1)
    assert start == {started: T0_MS + 3000 if phase == "on_dataloader_init" else 12.5}
    assert without_duration(job.row(f"{phase}_end", later=1)) == {finished: 20.5}


@pytest.mark.parametrize("phase", PHASES)
def test_none_is_no_instant(phase: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started, finished = PHASES[phase]
    job = V1Job(monkeypatch)
    assert job.row(f"{phase}_start", **{started: None}) == {started: T0_MS}
    assert without_duration(job.row(f"{phase}_end", later=1, **{finished: None})) == {finished: T0_MS + 1000}


@pytest.mark.parametrize("phase", ["on_app", "on_model_init", "on_dataloader_init", "on_optimizer_init"])
def test_a_second_end_sends_nothing_and_its_instant_counts_no_more(phase: str, monkeypatch: pytest.MonkeyPatch) -> None:
    job = V1Job(monkeypatch)
    job.emits(f"{phase}_start")
    job.emits(f"{phase}_end", later=1)
    assert job.emits(f"{phase}_end", later=1) == []
    assert job.utils.timer[TIMERS[phase]].count == 1


def test_an_end_without_a_start_counts_as_one_window_of_no_length(monkeypatch: pytest.MonkeyPatch) -> None:
    job = V1Job(monkeypatch)
    assert job.row("on_model_init_end", later=2) == {"app_model_init_finish_time": T0_MS + 2000}
    watch = job.utils.timer["model_init"]
    assert (watch.count, watch.total, watch.finish) == (1, 0.0, T0 + 2)


# -- loading a checkpoint -------------------------------------------------------------------------------------


def test_load_checkpoint_time_is_seconds_and_adds_up(monkeypatch: pytest.MonkeyPatch) -> None:
    job = V1Job(monkeypatch)
    for seconds, total in ((3.0, 3.0), (4.5, 7.5)):
        job.emits("on_load_checkpoint_start")
        row = job.row("on_load_checkpoint_end", later=seconds)
        assert row == {"load_checkpoint_finish_time": job.clock.now * 1000, "load_checkpoint_time": total}


@pytest.mark.parametrize(
    ("start", "finish", "seconds"),
    [
        (T0_MS - 500, T0_MS + 9500, 10.0),
        (T0_MS - 500, None, 2.5),  # 2 s on the clock, 0.5 s before it
        (None, T0_MS + 9500, 2.0),  # without a given start it is the timer's total, in seconds
        ("then", T0_MS + 9500, 2.0),  # no instant to subtract
        (T0_MS, "now", 2.0),
        (5, T0_MS + 9500, (T0_MS + 9495) / 1000),
        (T0_MS - 500, int(T0_MS), 0.5),
    ],
)
def test_load_checkpoint_time_of_given_instants(
    start: Any, finish: Any, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = V1Job(monkeypatch)
    job.emits("on_load_checkpoint_start", load_checkpoint_start_time=start)
    row = job.row("on_load_checkpoint_end", later=2, load_checkpoint_finish_time=finish)
    assert row["load_checkpoint_time"] == pytest.approx(seconds)


# -- the start of the application -----------------------------------------------------------------------------


@pytest.mark.parametrize("configured", [1234, lambda: 1234])
def test_configured_app_start_time(configured: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    job = V1Job(monkeypatch, app_start_time=configured)
    assert "app_start_time" not in job.construction[1][1]
    assert job.row("on_app_start", later=1) == {"app_start_time": 1234}
    assert job.row("on_train_start", train_iterations_start=0)["app_start_time"] == 1234


def test_given_app_start_time_wins_over_the_configured_one(monkeypatch: pytest.MonkeyPatch) -> None:
    job = V1Job(monkeypatch, app_start_time=1234)
    assert job.row("on_app_start", app_start_time=77) == {"app_start_time": 77}
    assert job.row("on_train_start", train_iterations_start=0)["app_start_time"] == 77


@pytest.mark.parametrize("config", [{}, {"app_start_time": None}])
def test_on_train_start_repeats_only_an_instant_that_was_given(
    config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = V1Job(monkeypatch, **config)
    assert job.row("on_app_start", later=1) == {"app_start_time": T0_MS + 1000}
    assert "app_start_time" not in job.row("on_train_start", train_iterations_start=0)


def test_app_start_time_of_a_training_without_on_app_start(monkeypatch: pytest.MonkeyPatch) -> None:
    row = V1Job(monkeypatch, app_start_time=1234).row("on_train_start", train_iterations_start=0)
    assert list(row) == [
        "train_iterations_start",
        "train_iterations_end",
        "train_samples_start",
        "train_samples_end",
        "app_train_loop_start_time",
        "app_start_time",
    ]


# -- construction ---------------------------------------------------------------------------------------------


def test_construction_of_the_smallest_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    assert V1Job(monkeypatch).construction == [
        ("log_app_tag", "tag"),
        (
            "log_metrics",
            {
                "one_logger_utils_version": "1.0.2",
                "summary_data_schema_version": "1.0.0",
                "app_run_type": "training",
                "app_metrics_feature_tags": "full",
                "is_baseline_run": False,
                "is_train_iterations_enabled": True,
                "is_validation_iterations_enabled": True,
                "is_test_iterations_enabled": True,
                "is_save_checkpoint_enabled": True,
                "is_log_throughput_enabled": False,
                "app_tag_run_version": "1.0.0",
                "world_size": 2,
                "global_batch_size": 8,
                "app_tag_run_name": "job",
                "save_checkpoint_strategy": "sync",
            },
        ),
    ]


# key -> a value that is not the default, and the metrics that carry it
KEYS: dict[str, tuple[Any, dict[str, Any]]] = {
    "summary_data_schema_version": ("2.0.0", {"summary_data_schema_version": "2.0.0"}),
    "app_run_type": ("validation", {"app_run_type": "validation"}),
    "app_metrics_feature_tags": ("lite", {"app_metrics_feature_tags": "lite"}),
    "is_baseline_run": (True, {"is_baseline_run": True}),
    "is_train_iterations_enabled": (False, {"is_train_iterations_enabled": False}),
    "is_validation_iterations_enabled": (False, {"is_validation_iterations_enabled": False}),
    "is_test_iterations_enabled": (False, {"is_test_iterations_enabled": False}),
    "is_log_throughput_enabled": (True, {"is_log_throughput_enabled": True}),
    "app_tag_run_version": ("0.0.0", {"app_tag_run_version": "0.0.0"}),
    "world_size": ("16", {"world_size": "16"}),
    "micro_batch_size": (4, {"micro_batch_size": 4}),
    "global_batch_size": (64, {"global_batch_size": 64}),
    "app_tag_run_name": ("other", {"app_tag_run_name": "other"}),
    "train_iterations_target": (100, {"train_iterations_target": 100}),
    "train_samples_target": (800, {"train_samples_target": 800}),
    "seq_length": (2048, {"model_seq_length": 2048}),
    "save_checkpoint_strategy": ("async", {"save_checkpoint_strategy": "async"}),
    "metadata": ({"model": "gpt"}, {"model": "gpt"}),
    # not metrics of the construction
    "batch_size": (4, {}),
    "app_start_time": (5, {}),
    "one_logger_run_name": ("r", {}),
    "one_logger_async": (False, {}),
    "log_every_n_train_iterations": (7, {}),
    "quiet": (True, {}),
    "barrier": (None, {}),
}


# v1 called every value but these
NOT_CALLED = {"metadata", "barrier", "quiet", "one_logger_async", "one_logger_run_name"}


@pytest.mark.parametrize("key", KEYS)
def test_key_of_the_configuration(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value, metrics = KEYS[key]
    smallest = V1Job(monkeypatch).construction[1][1]
    assert V1Job(monkeypatch, **{key: value}).construction[1][1] == {**smallest, **metrics}


@pytest.mark.parametrize("key", sorted(KEYS.keys() - NOT_CALLED))
def test_callable_of_the_configuration(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value, metrics = KEYS[key]
    smallest = V1Job(monkeypatch).construction[1][1]
    assert V1Job(monkeypatch, **{key: lambda: value}).construction[1][1] == {**smallest, **metrics}


def test_tokens_are_counted_where_length_and_samples_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    row = V1Job(monkeypatch, seq_length=2048, train_samples_target="800").construction[1][1]
    assert (row["model_seq_length"], row["train_tokens_target"]) == (2048, 2048 * 800)
    row = V1Job(monkeypatch, seq_length=2048, train_samples_target=None).construction[1][1]
    assert row["model_seq_length"] == 2048
    assert "train_tokens_target" not in row


def test_checkpoints_that_are_off_have_no_strategy(monkeypatch: pytest.MonkeyPatch) -> None:
    row = V1Job(monkeypatch, is_save_checkpoint_enabled=False).construction[1][1]
    assert row["is_save_checkpoint_enabled"] is False
    assert "save_checkpoint_strategy" not in row


@pytest.mark.parametrize(
    ("throughput", "checkpoints", "mode"), [(False, False, 1), (True, False, 3), (False, True, 5), (True, True, 7)]
)
def test_mode(throughput: bool, checkpoints: bool, mode: int, monkeypatch: pytest.MonkeyPatch) -> None:
    job = V1Job(monkeypatch, is_log_throughput_enabled=throughput, is_save_checkpoint_enabled=checkpoints)
    assert job.utils.mode == mode
    assert (job.utils.O_MINIMAL, job.utils.O_THROUGHPUT, job.utils.O_CKPT) == (1, 2, 4)


def test_metadata_follows_and_must_not_have_a_metrics_name(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"model": "gpt", "layers": [1, 2]}
    job = V1Job(monkeypatch, metadata=given)
    assert list(job.construction[1][1])[-2:] == ["model", "layers"]
    assert given == {"model": "gpt", "layers": [1, 2]}
    assert V1Job(monkeypatch, metadata=None).construction == V1Job(monkeypatch).construction
    with pytest.raises(ValueError, match=r"^Metadata overlap found with keys: \{'world_size'\}$"):
        V1Job(monkeypatch, metadata={"model": "gpt", "world_size": 1})


def test_tag_is_read_again_at_each_iteration(monkeypatch: pytest.MonkeyPatch) -> None:
    job = V1Job(monkeypatch, app_tag=sequence("a", "b", ["c", "d"]))
    assert job.construction[0] == ("log_app_tag", "a")
    tags = []
    for _ in range(3):
        job.emits("on_train_batch_start")
        tags += [emit[1] for emit in job.emits("on_train_batch_end") if emit[0] == "log_app_tag"]
    assert tags == ["b", ["c", "d"], ["c", "d"]]


def test_every_table_of_phases_has_them_all() -> None:
    """A phase that ``_v1/phases.py`` gets is missed where it is not translated, or not counted by ``goodput``."""
    from one_logger_v1_shim._goodput import names
    from one_logger_v1_shim._v1.phases import PHASES
    from one_logger_v1_shim._v2.translation import SPANS

    every = {phase.times for phase in PHASES.values()}
    assert set(SPANS.values()) == every
    assert every - set(names.PARTS) == {PHASES["app_run"].times, PHASES["train"].times}  # they are times of their own
