"""Runs one recorded job in this process: ``shim`` makes the v1 calls, ``twin`` the v2 calls of a v2-native program.

Usage: ``python -m tests.v2.twin shim|here|twin GOLDEN OUTPUT``. ``here`` is ``shim`` in a program that uses v2, too: v2
hears v1's calls in the job's process then. The twin is what a careful author would write against v2's callbacks: the
application first, success before the end of a sync save, v2's own timestamps elsewhere.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from tests.support import decoded, golden


def shim(job: dict[str, Any], at: Any) -> None:
    from one_logger_v1_shim.utils import OneLoggerUtils

    utils = OneLoggerUtils(decoded(job["config"]))
    for step in job["steps"]:
        at(step["at"])
        getattr(utils, step["call"])(**decoded(step.get("kwargs")))


def here(job: dict[str, Any], at: Any) -> None:
    from nv_one_logger.training_telemetry.api import callbacks  # noqa: F401

    shim(job, at)


def twin(job: dict[str, Any], at: Any) -> None:
    from nv_one_logger.api.config import LoggerConfig, OneLoggerConfig
    from nv_one_logger.training_telemetry.api import callbacks as v2
    from nv_one_logger.training_telemetry.api.config import TrainingTelemetryConfig
    from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider

    config = decoded(job["config"])
    training = TrainingTelemetryConfig(
        perf_tag_or_fn=config["app_tag"],
        global_batch_size_or_fn=config["global_batch_size"],
        micro_batch_size_or_fn=config["micro_batch_size"],
        seq_length_or_fn=config.get("seq_length"),
        flops_per_sample_or_fn=config.get("flops_per_sample"),
        train_iterations_target_or_fn=config["train_iterations_target"],
        train_samples_target_or_fn=config["train_samples_target"],
        log_every_n_train_iterations=config["log_every_n_train_iterations"],
        is_train_iterations_enabled_or_fn=config["is_train_iterations_enabled"],
        is_validation_iterations_enabled_or_fn=config["is_validation_iterations_enabled"],
        is_test_iterations_enabled_or_fn=config["is_test_iterations_enabled"],
        is_save_checkpoint_enabled_or_fn=config["is_save_checkpoint_enabled"],
        is_log_throughput_enabled_or_fn=config["is_log_throughput_enabled"],
        save_checkpoint_strategy=config.get("save_checkpoint_strategy", "sync"),
    )
    TrainingTelemetryProvider.instance().with_base_config(
        OneLoggerConfig(
            application_name=config["one_logger_project"],
            session_tag_or_fn=config["app_tag_run_name"],
            world_size_or_fn=config["world_size"],
            is_baseline_run_or_fn=config["is_baseline_run"],
            logger_config=LoggerConfig(log_file_path_for_info=os.devnull, log_file_path_for_err=os.devnull),
            telemetry_config=training,
        )
    ).with_export_config().configure_provider()

    sync = config.get("save_checkpoint_strategy") != "async"
    steps = job["steps"]
    succeeded = {json.dumps(s["kwargs"]) for s in steps if s["call"] == "on_save_checkpoint_success" and sync}
    at(0.0)
    v2.on_app_start()  # v2 needs it before anything else
    open_app = True
    samples = None
    for step, expect in zip(steps, job["expect"][1:]):
        at(step["at"])
        call, kwargs = step["call"], step.get("kwargs", {})
        if expect.get("raises") or call == "on_app_start":
            continue
        if call in ("on_train_batch_start", "on_train_batch_end"):
            getattr(v2, call.replace("train_batch", "training_single_iteration"))()
        elif call in ("on_validation_batch_start", "on_validation_batch_end"):
            getattr(v2, call.replace("batch", "single_iteration"))()
        elif call == "on_train_start":
            row = expect["emits"][0][1]
            samples = row["train_samples_start"]
            v2.on_train_start(train_iterations_start=row["train_iterations_start"], train_samples_start=samples)
        elif call == "on_save_checkpoint_start":
            v2.on_save_checkpoint_start(global_step=kwargs["global_step"])
        elif call == "on_save_checkpoint_end":
            if sync and json.dumps(kwargs) in succeeded:
                v2.on_save_checkpoint_success(global_step=kwargs["global_step"])
            v2.on_save_checkpoint_end()
        elif call == "on_save_checkpoint_success":
            if not sync:
                v2.on_save_checkpoint_success(global_step=kwargs["global_step"])
        elif call == "on_app_end":
            v2.on_app_end()
            open_app = False
        elif call != "finish":
            getattr(v2, call)()
    if open_app:
        v2.on_app_end()


def main() -> None:
    who, name, output = sys.argv[1:]
    job = golden(name)
    config = {"exporters": [{"class_name": "tests.v2.recording.RecordingExporter", "config": {"file_path": output}}]}
    path = Path(output).with_suffix(".config.json")
    path.write_text(json.dumps(config))
    os.environ["ONE_LOGGER_EXPORTER_CONFIG_PATH"] = str(path)
    # The rows are other tests' business; without W&B the whole process can live on the job's clock.
    os.environ["WANDB_MODE"] = "disabled"
    start = job["t0"]
    now = [start]
    time.time = lambda: now[0]
    time.perf_counter = lambda: now[0] - start + 1000.0

    def at(seconds: float) -> None:
        now[0] = start + seconds

    {"shim": shim, "here": here, "twin": twin}[who](job, at)
    if who != "twin":
        from one_logger_v1_shim._job.telemetry import where_v2_hears

        assert where_v2_hears() == {"shim": "worker", "here": "job"}[who]


if __name__ == "__main__":
    main()
