"""Reinforcement learning steps that are reported as training batches."""

import time

from one_logger_utils import OneLoggerUtils


def build(total_steps, started_ms):
    return OneLoggerUtils(
        {
            "enable_for_current_rank": True,
            "one_logger_async": True,
            "one_logger_project": "VeRL-Internal",
            "log_every_n_train_iterations": 1,
            "app_tag_run_version": "1.0.0",
            "summary_data_schema_version": "1.0.0",
            "app_run_type": "training",
            "app_tag": "ppo_gsm8k_1.0.0_1024_8",
            "app_tag_run_name": "ppo_gsm8k",
            "world_size": 8,
            "global_batch_size": 1024,
            "batch_size": 1024,
            "micro_batch_size": None,
            "train_iterations_target": total_steps,
            "train_samples_target": None,
            "is_train_iterations_enabled": True,
            "is_baseline_run": False,
            "is_test_iterations_enabled": False,
            "is_validation_iterations_enabled": True,
            "is_save_checkpoint_enabled": True,
            "is_log_throughput_enabled": False,
            "save_checkpoint_strategy": "sync",
            "app_start_time": started_ms,
        }
    )


def main():
    started_ms = round(time.time() * 1000)
    dataloader_start = time.time() * 1000
    time.sleep(1 / 256)
    dataloader_end = time.time() * 1000
    logger = build(4, started_ms)
    logger.on_dataloader_init_start(app_build_dataiters_start_time=dataloader_start)
    logger.on_dataloader_init_end(app_build_dataiters_finish_time=dataloader_end)
    logger.on_model_init_start()
    time.sleep(1 / 128)
    logger.on_model_init_end()
    logger.on_train_start(train_iterations_start=0, train_samples_start=0)
    for step in range(1, 5):
        logger.on_train_batch_start()
        time.sleep(1 / 128)
        logger.on_train_batch_end()
        if step % 2 == 0:
            logger.on_validation_start()
            logger.on_validation_batch_start()
            time.sleep(1 / 512)
            logger.on_validation_batch_end()
            logger.on_validation_end()
        if step == 3:
            logger.on_save_checkpoint_start(global_step=step)
            time.sleep(1 / 256)
            logger.on_save_checkpoint_success(global_step=step)
            logger.on_save_checkpoint_end(global_step=step)
    logger.on_train_end()
    try:
        logger.on_app_end()
    except RuntimeError as error:
        print(f"one_logger: {error}")
    logger.finish()


if __name__ == "__main__":
    main()
