"""Eagle's own module of this name."""

import os

from one_logger_utils.huggingface import TimeEventCallback, hook_trainer_cls


def get_one_logger_callback(use_onelogger, args, steps):
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    batch_size = args.per_device_train_batch_size * args.gradient_accumulation_steps * world_size
    return TimeEventCallback(
        {
            "enable_for_current_rank": use_onelogger and os.environ.get("RANK", "0") == "0",
            "one_logger_async": True,
            "one_logger_project": "eagle_commercial",
            "log_every_n_train_iterations": 10,
            "app_tag_run_version": "0.0.0",
            "summary_data_schema_version": "1.0.0",
            "app_run_type": "training",
            "app_tag": f"eagle_{batch_size}_{world_size}",
            "app_tag_run_name": "eagle-tiny",
            "world_size": world_size,
            "global_batch_size": batch_size,
            "batch_size": batch_size,
            "micro_batch_size": args.per_device_train_batch_size,
            "seq_length": 8,
            "train_iterations_target": steps,
            "train_samples_target": steps * batch_size,
            "is_train_iterations_enabled": True,
            "is_baseline_run": False,
            "is_test_iterations_enabled": False,
            "is_validation_iterations_enabled": False,
            "is_save_checkpoint_enabled": True,
            "is_log_throughput_enabled": False,
            "save_checkpoint_strategy": "sync",
        }
    )


def get_one_logger_trainer(trainer_cls, callback):
    return hook_trainer_cls(trainer_cls, one_logger_callback_utils=callback)
