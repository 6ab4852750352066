"""The v1-compatible exporter for applications on v2's callbacks; the documented samples run as they stand."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from nv_one_logger.api.config import LoggerConfig, OneLoggerConfig
from nv_one_logger.training_telemetry.api import callbacks as v2
from nv_one_logger.training_telemetry.api.config import TrainingTelemetryConfig
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider

import one_logger_v1_shim as shim
from one_logger_v1_shim._v1 import metrics
from one_logger_v1_shim.utils import OneLoggerUtils
from tests.support import CONFIG, journalled_rows, journalled_runs, run_python, stored_rows, stored_runs

BASE: dict[str, Any] = {
    "application_name": "app",
    "session_tag_or_fn": "session",
    "world_size_or_fn": 4,
    "logger_config": LoggerConfig(log_file_path_for_info=os.devnull, log_file_path_for_err=os.devnull),
    "custom_metadata": {"model": "gpt:2"},
}
TRAINING: dict[str, Any] = {
    "perf_tag_or_fn": "tag",
    "global_batch_size_or_fn": 8,
    "seq_length_or_fn": 16,
    "train_iterations_target_or_fn": 6,
    "train_samples_target_or_fn": 48,
    "log_every_n_train_iterations": 2,
    "is_log_throughput_enabled_or_fn": True,
    "flops_per_sample_or_fn": 10**12,
}


def life(strategy: str) -> None:
    """A whole v2-native job."""
    v2.on_app_start()
    v2.on_model_init_start()
    v2.on_model_init_end()
    v2.on_load_checkpoint_start()
    v2.on_load_checkpoint_end()
    v2.on_train_start(train_iterations_start=2, train_samples_start=16)
    for _ in range(4):
        v2.on_training_single_iteration_start()
        v2.on_training_single_iteration_end()
    v2.on_validation_start()
    v2.on_validation_single_iteration_start()
    v2.on_validation_single_iteration_end()
    v2.on_validation_end()
    v2.on_save_checkpoint_start(global_step=6)
    v2.on_save_checkpoint_success(global_step=6)
    v2.on_save_checkpoint_end()
    v2.on_train_end()
    v2.on_app_end()


@pytest.mark.parametrize("strategy", ["sync", "async"])
def test_v2_native_application_gets_v1s_names(strategy: str, fresh: Path) -> None:
    base = OneLoggerConfig(
        **BASE, telemetry_config=TrainingTelemetryConfig(**TRAINING, save_checkpoint_strategy=strategy)
    )
    exporter = shim.V1CompatibleExporter(one_logger_config=base, async_mode=False)
    TrainingTelemetryProvider.instance().with_base_config(base).with_exporter(exporter.exporter).configure_provider()
    life(strategy)
    rows = journalled_rows(fresh)
    assert all(name in metrics.UNITS or name == "model" for row in rows for name in row), "v1's names only"
    assert [sorted(row)[0] for row in rows if len(row) == 1] == [
        "app_start_time",
        "app_model_init_start_time",
        "app_model_init_finish_time",
        "load_checkpoint_start_time",
        "app_train_loop_finish_time",
        "app_finish_time",
    ]
    merged = {key: value for row in rows for key, value in row.items()}
    assert merged["one_logger_utils_version"] == "1.0.2"
    assert (merged["model"], merged["world_size"], merged["app_tag_run_name"]) == ("gpt:2", 4, "session")
    assert (merged["model_seq_length"], merged["train_tokens_target"]) == (16, 16 * 48)
    assert merged["save_checkpoint_strategy"] == strategy
    progress = [row for row in rows if "train_iterations" in row]
    assert [row["train_iterations_end"] for row in progress] == [4, 6]
    assert [row["train_samples_end"] for row in progress] == [32, 48]
    assert [row["train_tokens"] for row in progress] == [256, 512]
    assert [row["train_tflop_end"] for row in progress] == [32.0, 48.0]
    assert [row["train_tflop"] for row in progress] == [16.0, 32.0]
    last = progress[-1]
    assert last["train_iterations_time_msecs_avg"] == pytest.approx(last["train_iterations_time_total"] * 1000 / 4)
    assert merged["app_start_time"] > 1.6e12
    assert merged["first_logged_train_iterations_finish_time"] > 1.6e12
    assert (merged["train_iterations_save_checkpoint_end"], merged["save_checkpoint_count"]) == (6, 1)
    assert merged["train_iterations_productive_end"] == 6
    assert merged["save_checkpoint_sync_count"] == 1
    assert merged["save_checkpoint_sync_time_total_productive"] == merged["save_checkpoint_sync_time_total"]
    assert ("save_checkpoint_async_count" in merged) == (strategy == "async")
    every = journalled_rows(fresh, bookkeeping=True)
    assert all("app_last_log_time" in row for row in every)
    assert [row["app_tag"] for row in every if "app_tag" in row] == [["tag"]]
    (run,) = journalled_runs(fresh)
    assert run.spec.arguments(run.settled)["name"].startswith("app-run-")
    (journal,) = fresh.rglob("rows-*.jsonl")
    assert journal.read_bytes().splitlines()[-1] == b"#finish 0"


def test_both_import_paths_give_the_same_objects() -> None:
    adapter = importlib.import_module("nv_one_logger.training_telemetry.v1_adapter")
    for name in adapter.__all__:
        assert getattr(adapter, name) is getattr(shim, name)
    exporters = importlib.import_module(f"{adapter.__name__}.v1_compatible_wandb_exporter")
    assert exporters.V1CompatibleExporter is shim.V1CompatibleExporter
    assert importlib.import_module(f"{adapter.__name__}.config_adapter").ConfigAdapter is shim.ConfigAdapter
    assert not hasattr(importlib.import_module("nv_one_logger"), "__file__") or (
        importlib.import_module("nv_one_logger").__file__ is None
    ), "still a namespace package"


def test_documented_properties_and_defaults() -> None:
    base = OneLoggerConfig(**BASE)
    for mode, kind in (
        (False, shim.V1CompatibleWandbExporterSync),
        (True, shim.V1CompatibleWandbExporterAsync),
    ):
        exporter = shim.V1CompatibleExporter(one_logger_config=base, async_mode=mode)
        assert type(exporter.exporter) is kind
        assert isinstance(exporter.exporter, shim.V1CompatibleWandbExporterAdapter)
        assert exporter.is_async is mode
        assert exporter.one_logger_config is base
        config = exporter.exporter_config
        assert isinstance(config, shim.WandBConfig)
        assert (config.entity, config.project, config.host) == ("hwinf_dcm", "app", "https://api.wandb.ai")
        assert (config.api_key, config.tags, config.save_dir) == ("", ["e2e_metrics_enabled"], "./wandb")
        assert str(config.run_name).startswith("app-run-")


def test_built_by_v2s_export_configuration(fresh: Path) -> None:
    name = "nv_one_logger.training_telemetry.v1_adapter.v1_compatible_wandb_exporter.V1CompatibleExporter"
    exporters = [{"class_name": name, "config": {"entity": "team", "project": "chosen", "async_mode": False}}]
    (fresh / "one_logger_exporters_config.json").write_text(json.dumps({"exporters": exporters}))
    base = OneLoggerConfig(**BASE, telemetry_config=TrainingTelemetryConfig(**TRAINING))
    TrainingTelemetryProvider.instance().with_base_config(base).with_export_config().configure_provider()
    life("sync")
    (run,) = journalled_runs(fresh)
    found = run.spec.arguments(run.settled)
    assert (found["entity"], found["project"]) == ("team", "chosen")
    assert len(journalled_rows(fresh)) > 10


def test_v1_classes_have_a_run_of_their_own_beside_v2s_export_configuration(fresh: Path) -> None:
    """Nobody but them reports: an exporter of ours that v2 would build has nothing to translate, and opens no run."""
    name = "nv_one_logger.training_telemetry.v1_adapter.v1_compatible_wandb_exporter.V1CompatibleExporter"
    exporters = [{"class_name": name, "config": {"entity": "team"}}]
    (fresh / "one_logger_exporters_config.json").write_text(json.dumps({"exporters": exporters}))
    utils = OneLoggerUtils(CONFIG)
    utils.on_app_start()
    utils.on_app_end()
    utils.finish()
    (run,) = journalled_runs(fresh)
    assert run.spec.arguments(run.settled)["entity"] == "hwinf_dcm"
    assert [set(row) for row in journalled_rows(fresh)].count({"app_start_time"}) == 1


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"team": "x"}, r"unknown key 'team' in config; expected some of \['entity', 'project'"),
        ({"tags": "x"}, r"tags='x' \(str\); expected a list"),
        ({"project": 3}, r"project=3 \(int\); expected a str"),
    ],
)
def test_bad_exporter_configuration(config: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        shim.V1CompatibleExporter(one_logger_config=OneLoggerConfig(**BASE), config=config)


def test_api_key_is_not_shown() -> None:
    base = OneLoggerConfig(**BASE)
    exporter = shim.V1CompatibleExporter(one_logger_config=base, config={"api_key": "s3cr3t"})
    assert exporter.exporter_config.api_key == "s3cr3t"
    assert "s3cr3t" not in repr(exporter.exporter_config)
    assert "s3cr3t" not in repr(exporter.exporter.rows.spec)


# The two samples of the document that the adapter once had; "..." of the first is filled in.

BASIC = """
from nv_one_logger.training_telemetry.v1_adapter import V1CompatibleExporter
from nv_one_logger.api.config import OneLoggerConfig
from nv_one_logger.training_telemetry.api.config import TrainingTelemetryConfig
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider

# Create base and training configs
base_config = OneLoggerConfig(
    application_name="my_app",
    session_tag_or_fn="my_session",
    world_size_or_fn=1,
)

training_config = TrainingTelemetryConfig(
    perf_tag_or_fn="my_perf_tag",
    global_batch_size_or_fn=8,
)

# Create a sync exporter
exporter = V1CompatibleExporter(
    one_logger_config=base_config,
    async_mode=False  # Use sync mode
)

# Create an async exporter
exporter = V1CompatibleExporter(
    one_logger_config=base_config,
    async_mode=True  # Use async mode
)

# Configure the TrainingTelemetryProvider
TrainingTelemetryProvider.instance().with_base_config(base_config).with_exporter(exporter.exporter).configure_provider()

from nv_one_logger.training_telemetry.api.callbacks import on_app_start, on_app_end
on_app_start()
TrainingTelemetryProvider.instance().set_training_telemetry_config(training_config)
on_app_end()
"""

ADAPTER = """
from nv_one_logger.training_telemetry.v1_adapter import configure_v2_adapter

# Define your v1-style configuration
v1_config = {
    "one_logger_project": "my_app",
    "app_tag": "my_perf_tag",
    "app_tag_run_name": "my_session",
    "is_baseline_run": False,
    "world_size": 1,
    "global_batch_size": 32,
    "is_train_iterations_enabled": True,
    "is_validation_iterations_enabled": True,
    "one_logger_async": True,  # Use async mode
    "enable_for_current_rank": True,  # Enable for current rank
    "metadata": {
        "model_name": "gpt2",
        "dataset": "wikitext"
    }
}

# Configure OneLogger with v1 config - this handles everything automatically
configure_v2_adapter(v1_config)
from nv_one_logger.training_telemetry.api.callbacks import on_app_start, on_app_end
on_app_start()
on_app_end()
"""


@pytest.mark.slow
@pytest.mark.parametrize("sample", [BASIC, ADAPTER], ids=["basic", "configure_v2_adapter"])
def test_documented_sample_runs(sample: str, tmp_path: Path) -> None:
    env = {"WANDB_MODE": "offline"}
    result = run_python(sample, tmp_path, env=env)
    assert "Traceback" not in result.stderr
    (run,) = stored_runs(tmp_path)
    assert run.project == "my_app"
    names = [set(row) for row in stored_rows(tmp_path)]
    assert names[0] == {"app_start_time"}
    assert names[-1] == {"app_finish_time"}
    if sample is ADAPTER:
        assert any({"model_name", "dataset"} <= row for row in names)


@pytest.mark.slow
def test_adapter_on_a_disabled_rank_says_nothing(tmp_path: Path) -> None:
    code = """
from one_logger_v1_shim import configure_v2_adapter
configure_v2_adapter({"enable_for_current_rank": False})
from nv_one_logger.training_telemetry.api.callbacks import *
on_app_start(); on_model_init_start(); on_model_init_end(); on_app_end()
"""
    work = tmp_path / "work"
    work.mkdir()
    result = run_python(code, work)
    assert (result.stdout, result.stderr) == ("", "")
    assert list(work.iterdir()) == []
