"""The same job as an application that uses v2's public functions alone: the least that exporters have to hear."""

import os

from nv_one_logger.api.config import LoggerConfig, OneLoggerConfig
from nv_one_logger.training_telemetry.api import callbacks
from nv_one_logger.training_telemetry.api.checkpoint import CheckPointStrategy
from nv_one_logger.training_telemetry.api.config import TrainingTelemetryConfig
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider


def main() -> None:
    training = TrainingTelemetryConfig(
        perf_tag_or_fn="tag",
        global_batch_size_or_fn=8,
        micro_batch_size_or_fn=4,
        seq_length_or_fn=16,
        flops_per_sample_or_fn=1000,
        train_iterations_target_or_fn=6,
        train_samples_target_or_fn=48,
        log_every_n_train_iterations=2,
        is_log_throughput_enabled_or_fn=True,
        save_checkpoint_strategy=CheckPointStrategy.SYNC,
    )
    config = OneLoggerConfig(
        application_name="drift",
        session_tag_or_fn="job",
        world_size_or_fn=2,
        logger_config=LoggerConfig(log_file_path_for_info=os.devnull, log_file_path_for_err=os.devnull),
        telemetry_config=training,
    )
    TrainingTelemetryProvider.instance().with_base_config(config).with_export_config().configure_provider()
    callbacks.on_app_start()
    for phase in ("model_init", "dataloader_init", "optimizer_init", "load_checkpoint"):
        getattr(callbacks, f"on_{phase}_start")()
        getattr(callbacks, f"on_{phase}_end")()
    callbacks.on_train_start(train_iterations_start=0, train_samples_start=0)
    for _ in range(6):
        callbacks.on_training_single_iteration_start()
        callbacks.on_training_single_iteration_end()
    callbacks.on_validation_start()
    for _ in range(2):
        callbacks.on_validation_single_iteration_start()
        callbacks.on_validation_single_iteration_end()
    callbacks.on_validation_end()
    callbacks.on_save_checkpoint_start(global_step=6)
    callbacks.on_save_checkpoint_success(global_step=6)
    callbacks.on_save_checkpoint_end()
    callbacks.on_train_end()
    callbacks.on_app_end()


main()
