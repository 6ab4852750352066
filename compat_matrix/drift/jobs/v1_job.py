"""A short v1 job on both APIs, by the virtual clock."""

import os

from clock import T0, VirtualClock

if os.environ.get("COMPAT_MATRIX_IMPORT_V2"):  # a program that uses v2 itself: v1's calls are told to it there
    import nv_one_logger.training_telemetry.api.training_telemetry_provider  # noqa: F401

CONFIG = {
    "enable_for_current_rank": True,
    "one_logger_project": "drift",
    "one_logger_run_name": "utils",
    "one_logger_async": True,
    "log_every_n_train_iterations": 2,
    "app_tag": "tag",
    "app_tag_run_name": "job",
    "world_size": 2,
    "global_batch_size": 8,
    "micro_batch_size": 4,
    "seq_length": 16,
    "train_iterations_target": 6,
    "train_samples_target": 48,
    "is_log_throughput_enabled": True,
    "flops_per_sample": 1000,
    "is_train_iterations_enabled": True,
    "is_validation_iterations_enabled": True,
    "save_checkpoint_strategy": "sync",
}


def main() -> None:
    clock = VirtualClock()
    clock.install()
    from one_logger_v1_shim import OneLogger
    from one_logger_v1_shim.utils import OneLoggerUtils

    utils = OneLoggerUtils(CONFIG)

    def call(name: str, **arguments: int) -> None:
        clock.now += 0.25
        getattr(utils, name)(**arguments)

    clock.now = T0 + 1
    call("on_app_start")
    for phase in ("model_init", "dataloader_init", "optimizer_init", "load_checkpoint"):
        call(f"on_{phase}_start")
        call(f"on_{phase}_end")
    call("on_train_start", train_iterations_start=0, train_samples_start=0)
    for _ in range(6):
        call("on_train_batch_start")
        call("on_train_batch_end")
    core = OneLogger({"project": "drift", "name": "core", "async": True})
    for number in range(3):
        core.log_metrics({"number": number})
    core.finish()
    call("on_validation_start")
    for _ in range(2):
        call("on_validation_batch_start")
        call("on_validation_batch_end")
    call("on_validation_end")
    call("on_save_checkpoint_start", global_step=6)
    call("on_save_checkpoint_end", global_step=6)
    call("on_save_checkpoint_success", global_step=6)
    call("on_train_end")
    call("on_app_end")
    utils.finish()


main()
