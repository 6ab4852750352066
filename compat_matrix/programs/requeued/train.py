"""Training that continues from its newest checkpoint: ``python train.py [FOLDER SECONDS_PER_ITERATION]``."""

import json
import os
import sys
import tempfile
import time

from one_logger_utils import OneLoggerUtils

TARGET = 25
SAVE_EVERY = 5


class Trainer:
    def __init__(self, folder, seconds):
        self.checkpoint = os.path.join(folder, "checkpoint.json")
        self.seconds = seconds
        self.logger = OneLoggerUtils(
            {
                "enable_for_current_rank": True,
                "one_logger_async": True,
                "one_logger_project": "requeued",
                "one_logger_run_name": "requeued-" + os.environ.get("SLURM_RESTART_COUNT", "0"),
                "log_every_n_train_iterations": 1,
                "app_tag_run_version": "1.0.0",
                "app_tag": "requeued",
                "app_tag_run_name": "requeued",
                "world_size": 1,
                "global_batch_size": 8,
                "batch_size": 8,
                "micro_batch_size": 8,
                "train_iterations_target": TARGET,
                "train_samples_target": TARGET * 8,
                "is_train_iterations_enabled": True,
                "is_validation_iterations_enabled": False,
                "is_baseline_run": False,
                "is_test_iterations_enabled": False,
                "is_save_checkpoint_enabled": True,
                "save_checkpoint_strategy": "sync",
                "is_log_throughput_enabled": False,
            }
        )

    def load(self):
        if not os.path.exists(self.checkpoint):
            return 0
        self.logger.on_load_checkpoint_start()
        with open(self.checkpoint) as file:
            step = json.load(file)["step"]
        self.logger.on_load_checkpoint_end()
        return step

    def save(self, step):
        self.logger.on_save_checkpoint_start(global_step=step)
        with open(self.checkpoint + ".partial", "w") as file:
            json.dump({"step": step}, file)
        os.replace(self.checkpoint + ".partial", self.checkpoint)
        self.logger.on_save_checkpoint_success(global_step=step)
        self.logger.on_save_checkpoint_end(global_step=step)

    def fit(self):
        logger = self.logger
        logger.on_app_start()
        logger.on_model_init_start()
        time.sleep(self.seconds)
        logger.on_model_init_end()
        step = self.load()
        logger.on_train_start(train_iterations_start=step)
        while step < TARGET:
            logger.on_train_batch_start()
            time.sleep(self.seconds)
            logger.on_train_batch_end()
            step += 1
            print(step, flush=True)
            if step % SAVE_EVERY == 0:
                self.save(step)
        logger.on_train_end()
        logger.on_app_end()
        logger.finish()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        Trainer(sys.argv[1], float(sys.argv[2])).fit()
    else:
        with tempfile.TemporaryDirectory() as nothing:
            Trainer(nothing, 1 / 256).fit()
