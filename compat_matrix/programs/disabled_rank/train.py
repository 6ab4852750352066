"""Inference, and a rank that has nothing to report."""

import os
import sys

from one_logger_utils import OneLoggerUtils


def work(logger):
    logger.on_app_start(app_start_time=0)
    logger.on_model_init_start()
    logger.on_model_init_end()
    logger.on_train_start()
    logger.on_train_batch_start()
    logger.on_train_batch_end(anything="goes")
    logger.on_save_checkpoint_start()
    logger.on_save_checkpoint_success()
    logger.on_save_checkpoint_end()
    logger.on_train_end()
    logger.on_app_end()
    logger.finish()


def main():
    work(OneLoggerUtils({}))
    work(
        OneLoggerUtils(
            {
                "enable_for_current_rank": os.environ.get("RANK", "1") == "0",
                "one_logger_project": "vila",
                "world_size": "eight",
                "not_a_key_of_v1": object(),
            }
        )
    )
    if "wandb" in sys.modules:
        raise SystemExit("wandb was imported by a rank that reports nothing")


if __name__ == "__main__":
    main()
