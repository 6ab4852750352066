"""World model training with asynchronous checkpoints."""

import os
import time

import one_logger.rankpulse as rankpulse
from one_logger_utils import OneLoggerUtils

BARRIERS = []


def barrier():
    BARRIERS.append(time.time())


def config(started_ms):
    return {
        "enable_for_current_rank": os.environ.get("RANK", "0") == "0",
        "one_logger_async": True,
        "one_logger_project": "imaginaire4",
        "one_logger_run_name": "cosmos_predict2_2b",
        "log_every_n_train_iterations": 4,
        "app_tag_run_version": "1.0.0",
        "app_tag": "cosmos_predict2_2b_1.0.0_64_32",
        "app_tag_run_name": "cosmos_predict2_2b",
        "world_size": 32,
        "global_batch_size": 64,
        "batch_size": 64,
        "micro_batch_size": 2,
        "train_iterations_target": 1012,
        "train_samples_target": 1012 * 64,
        "is_train_iterations_enabled": True,
        "is_baseline_run": False,
        "is_test_iterations_enabled": False,
        "is_validation_iterations_enabled": True,
        "is_save_checkpoint_enabled": True,
        "is_log_throughput_enabled": True,
        "flops_per_sample": 20_000_000_000_000,
        "save_checkpoint_strategy": "async",
        "barrier": barrier,
        "app_start_time": started_ms,
    }


def main():
    one_logger = OneLoggerUtils(config(round(time.time() * 1000)))
    rankpulse.start(interval_seconds=15, twindow_seconds=300, enable_gpu_debug_info=False)
    one_logger.on_app_start()
    one_logger.on_model_init_start(set_barrier=True)
    time.sleep(1 / 128)
    one_logger.on_model_init_end(True)
    one_logger.on_optimizer_init_start()
    one_logger.on_optimizer_init_end()
    one_logger.on_dataloader_init_start()
    time.sleep(1 / 512)
    one_logger.on_dataloader_init_end()
    for _ in range(2):  # the weights, then the state of the optimizer
        one_logger.on_load_checkpoint_start()
        time.sleep(1 / 256)
        one_logger.on_load_checkpoint_end()
    one_logger.on_train_start(train_iterations_start=1000)
    under_way = []
    for iteration in range(1001, 1013):
        one_logger.on_train_batch_start()
        time.sleep(1 / 256)
        one_logger.on_train_batch_end()
        if iteration in (1003, 1005, 1010):
            one_logger.on_save_checkpoint_start(global_step=iteration)
            time.sleep(1 / 512)
            one_logger.on_save_checkpoint_end(global_step=iteration)
            under_way.append(iteration)
        if iteration == 1007:  # the second save is on disk before the first
            one_logger.on_save_checkpoint_success(global_step=under_way.pop())
        if iteration == 1008:
            one_logger.on_save_checkpoint_success(global_step=under_way.pop())
            one_logger.one_logger.log_metrics({"cosmos_nan_skips": 0, "cosmos_data_epoch": 1.5})
    one_logger.on_save_checkpoint_success(global_step=under_way.pop())
    one_logger.on_train_end(set_barrier=True)
    one_logger.on_app_end()
    rankpulse.stop(timeout_seconds=3.0)
    one_logger.finish()
    assert len(BARRIERS) == 3, BARRIERS


if __name__ == "__main__":
    main()
