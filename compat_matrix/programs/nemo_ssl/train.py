"""Speech pretraining in the order in which Lightning calls its hooks."""

import os
import time

from one_logger_utils import OneLoggerUtils


def callback_config(world_size):
    return {
        "enable_for_current_rank": os.environ.get("RANK", "0") == "0",
        "one_logger_async": True,
        "one_logger_project": "heh-NEST-train",
        "one_logger_run_name": "nest-large",
        "log_every_n_train_iterations": 10,
        "app_tag_run_version": "0.0.0",
        "summary_data_schema_version": "1.0.0",
        "app_run_type": "training",
        "app_tag": f"nest-large_0.0.0_{os.environ.get('WORLD_SIZE', -1)}",
        "app_tag_run_name": "nest-large",
        "world_size": world_size,
        "global_batch_size": 16,
        "batch_size": 16,
        "micro_batch_size": 16,
        "seq_length": 1,
        "train_iterations_target": 30,
        "train_samples_target": 480,
        "is_train_iterations_enabled": True,
        "is_baseline_run": False,
        "is_test_iterations_enabled": False,
        "is_validation_iterations_enabled": True,
        "is_save_checkpoint_enabled": True,
        "is_log_throughput_enabled": False,
        "save_checkpoint_strategy": "sync",
    }


def fit(logger, steps):
    logger.on_model_init_start()
    time.sleep(1 / 256)
    logger.on_model_init_end()
    logger.on_app_start(app_start_time=time.time() * 1000)
    logger.on_train_start(train_iterations_start=0, train_samples_start=0)
    for step in range(1, steps + 1):
        logger.on_train_batch_start()
        time.sleep(1 / 1024)
        logger.on_train_batch_end()
        if step % 15 == 0:
            logger.on_validation_start()
            for _ in range(2):
                logger.on_validation_batch_start()
                time.sleep(1 / 1024)
                logger.on_validation_batch_end()
            logger.on_validation_end()
            logger.on_save_checkpoint_start(global_step=step)
            time.sleep(1 / 512)
            logger.on_save_checkpoint_end(global_step=step)
            logger.on_save_checkpoint_success(global_step=step)
    logger.on_train_end()
    logger.on_app_end(app_finish_time=time.time() * 1000)
    logger.finish()


def main():
    os.environ["WORLD_SIZE"] = "2"  # as torchrun sets it
    fit(OneLoggerUtils(callback_config(os.environ.get("WORLD_SIZE", -1))), 30)
    del os.environ["WORLD_SIZE"]
    fit(OneLoggerUtils(callback_config(os.environ.get("WORLD_SIZE", -1))), 10)


if __name__ == "__main__":
    main()
